from mica.nn.layers.normalization import *
