from mica.nn.layers.convolution_transpose import *
