from mica.nn.layers.containers import *
