from mica.optimizers.momentum import *
