from mica.nn.layers.dropout import *
