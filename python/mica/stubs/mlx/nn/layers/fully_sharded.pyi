from mica.nn.layers.fully_sharded import *
