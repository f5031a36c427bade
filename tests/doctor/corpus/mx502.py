# %% wrong: loss of a module
model = nn.Linear(2, 1)
loss = nn.losses.mse_loss(model(mx.ones((3, 2))), mx.zeros((3, 1)))
loss.backward()  # expect: MX502
# %% wrong: mean
x = mx.ones((3,))
mx.mean(x * x).backward()  # expect: MX502
# %% wrong: function
def step(model: nn.Module, x: mx.array):
    loss = model(x).sum()
    loss.backward()  # expect: MX502
# %% wrong: loss function
def loss_fn(model, x, y):
    return nn.losses.cross_entropy(model(x), y).mean()
def train(model: nn.Module, x, y):
    loss = loss_fn(model, x, y)
    loss.backward()  # expect: MX502
# %% wrong: in a loop
model = nn.Linear(2, 1)
for x in [mx.ones((1, 2))] * 3:
    loss = mx.square(model(x)).mean()
    loss.backward()  # expect: MX502
# %% wrong: method
class Trainer:
    def __init__(self):
        self.model = nn.Linear(2, 1)
    def step(self, x):
        loss = self.model(x).mean()
        loss.backward()  # expect: MX502
# %% wrong: attribute
class Trainer:
    def run(self, x: mx.array):
        self.loss = mx.sum(x)
        self.loss.backward()  # expect: MX502
# %% wrong: alias
from mlx.core import square, ones
s = square(ones((2,))).sum()
s.backward()  # expect: MX502
# %% wrong: sum of losses
a = mx.ones((3,)).sum()
b = mx.zeros((3,)).sum()
(a + 0.5 * b).backward()  # expect: MX502
# %% wrong: argument
w = mx.ones((3,)).sum()
w.backward(retain_graph=True)  # expect: MX502
# %% wrong: other file
import mlx.core as mx
from losses import total
total(mx.ones((2,))).backward()  # expect: MX502
# %% file: losses.py
import mlx.core as mx
def total(x):
    return mx.sum(x)
# %% wrong: tuple
def both(x):
    return mx.sum(x), mx.mean(x)
loss, mean = both(mx.ones((3,)))
loss.backward()  # expect: MX502
# %% wrong: annotated result
def objective(x) -> mx.array:
    ...
objective(3).backward()  # expect: MX502
# %% right: value_and_grad
model = nn.Linear(2, 1)
lvg = nn.value_and_grad(model, lambda m, x: m(x).sum())
loss, grads = lvg(model, mx.ones((1, 2)))
# %% right: PyTorch
import torch
loss = torch.ones(3, requires_grad=True).sum()
loss.backward()
# %% right: both libraries
import torch
import mlx.core as mx
x = mx.ones((3,))
t = torch.ones(3, requires_grad=True)
loss = (t * 2).sum()
loss.backward()
# %% right: unknown
def step(loss):
    loss.backward()
# %% right: own class
class Tape:
    def backward(self):
        pass
loss = Tape()
loss.backward()
# %% right: own function of that name
def backward(x):
    return mx.grad(mx.sin)(x)
backward(mx.array(1.0))
# %% right: accelerate
from accelerate import Accelerator
import mlx.core as mx
acc = Accelerator()
acc.backward(mx.ones((1,)))
# %% right: a module with its own backward
class Net(nn.Module):
    def backward(self, g):
        return g
net = Net()
net.backward(mx.ones((2,)))
# %% right: attribute of something unknown
def f(state):
    state.loss.backward()
# %% right: rebound to a tensor
import torch
import mlx.core as mx
loss = mx.ones((3,)).sum()
loss = torch.tensor(loss.item(), requires_grad=True)
loss.backward()
# %% right: JAX
import jax
g = jax.grad(lambda x: x * x)(1.0)
# %% right: a word in a string
text = "call loss.backward()"
x = mx.ones((2,))
# %% right: torch loss beside an MLX model
import torch
import mlx.nn as nn
model = nn.Linear(2, 2)
def step(net: torch.nn.Module, x: torch.Tensor):
    net(x).sum().backward()
