from mica.optimizers import *
