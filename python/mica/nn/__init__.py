"""Neural networks: layers, activations, losses and initializers."""

# Each name under its own again: re-exported, also to checkers that ask for it.
from mica.nn import init as init, losses as losses
from mica.nn.layers import *  # noqa: F403
from mica.nn.utils import average_gradients as average_gradients, value_and_grad as value_and_grad
