from mica.nn.layers.weights import *
