from mica.nn.layers.activation_functions import *
