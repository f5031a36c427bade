from mica.nn.layers.activations import *
