from mica.optimizers.adaptive import *
