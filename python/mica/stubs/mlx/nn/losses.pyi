from mica.nn.losses import *
