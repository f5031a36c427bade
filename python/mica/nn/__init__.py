"""Neural networks: layers, activations, losses and initializers."""

# ruff: noqa: F401

from mica.nn import init, losses
from mica.nn.layers import *  # noqa: F403
from mica.nn.utils import average_gradients, value_and_grad
