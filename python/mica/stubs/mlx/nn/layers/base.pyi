from mica.nn.layers.base import *
