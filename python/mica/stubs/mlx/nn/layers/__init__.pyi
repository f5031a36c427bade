from mica.nn.layers import *
