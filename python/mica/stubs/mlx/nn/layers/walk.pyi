from mica.nn.layers.walk import *
