from mica.nn.layers.positional_encoding import *
