from mica.nn.layers.recurrent import *
