from mica.nn.layers.linear import *
