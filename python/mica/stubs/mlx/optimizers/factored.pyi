from mica.optimizers.factored import *
