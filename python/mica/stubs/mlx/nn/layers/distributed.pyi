from mica.nn.layers.distributed import *
