from mica.nn.layers.convolution import *
