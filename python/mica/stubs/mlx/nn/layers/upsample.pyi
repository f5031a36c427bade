from mica.nn.layers.upsample import *
