from mica.nn.utils import *
