from mica.optimizers.schedulers import *
