from mica.nn.layers.quantized import *
