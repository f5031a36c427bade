from mica.optimizers.optimizers import *
