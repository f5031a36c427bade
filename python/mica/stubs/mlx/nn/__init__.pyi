from mica.nn import *
