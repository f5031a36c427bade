from mica.nn.layers.transformer import *
