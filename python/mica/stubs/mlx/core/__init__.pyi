from mica.core import *
from mica.core import __version__ as __version__
