from mica.nn.init import *
