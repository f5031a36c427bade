from mica.nn.layers.embedding import *
