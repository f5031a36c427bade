from mica.nn.layers.pooling import *
