from mica.utils import *
