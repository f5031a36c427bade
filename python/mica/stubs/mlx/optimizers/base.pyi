from mica.optimizers.base import *
