# %% wrong: list
log = []
@mx.compile
def f(x):
    y = mx.exp(x)
    log.append(y)  # expect: MX304
    return y
# %% wrong: attribute
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.last = None
        self.run = mx.compile(self.forward)
    def forward(self, x):
        self.last = mx.tanh(x)  # expect: MX304
        return self.last
# %% wrong: global
count = 0
@mx.compile
def f(x):
    global count
    count += 1  # expect: MX304
    return x + 1
# %% wrong: nonlocal
def build():
    total = mx.zeros((1,))
    @mx.compile
    def f(x):
        nonlocal total
        total = total + x.sum()  # expect: MX304
        return x
    return f
# %% wrong: dictionary
cache = {}
@mx.compile
def f(x):
    cache["y"] = mx.exp(x)  # expect: MX304
    return x
# %% wrong: optimizer without outputs
model = nn.Linear(2, 2)
opt = optim.SGD(0.1)
lvg = nn.value_and_grad(model, lambda m, x: m(x).sum())
@mx.compile
def step(x):
    loss, grads = lvg(model, x)
    opt.update(model, grads)  # expect: MX304
    return loss
# %% wrong: random numbers
@mx.compile
def noisy(x):
    return x + mx.random.normal(x.shape)  # expect: MX304
# %% wrong: dropout
drop = nn.Dropout(0.5)
@mx.compile
def f(x):
    return drop(x)  # expect: MX304
# %% wrong: random without its state
from functools import partial
import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
model = nn.Linear(2, 2)
state = [model.state]
@partial(mx.compile, inputs=state, outputs=state)
def f(x):
    return model(x) * mx.random.bernoulli(0.5, x.shape)  # expect: MX304
# %% wrong: through a helper
seen = []
def remember(y):
    seen.append(y)
@mx.compile
def f(x):
    y = x * 2
    remember(y)  # expect: MX304
    return y
# %% wrong: compile called
history = []
def f(x):
    history.extend([x, x + 1])  # expect: MX304
    return x
g = mx.compile(f)
# %% wrong: model updated
model = nn.Linear(2, 2)
@mx.compile
def f(p):
    model.update(p)  # expect: MX304
    return model(mx.ones((1, 2)))
# %% wrong: item of a global array
buf = mx.zeros((10,))
@mx.compile
def f(x):
    buf[0] = x.sum()  # expect: MX304
    return x
# %% wrong: imported names
from mlx.core import compile, exp
out = []
@compile
def f(x):
    out.append(exp(x))  # expect: MX304
    return x
# %% right: state declared
from functools import partial
import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
model = nn.Linear(2, 2)
opt = optim.SGD(0.1)
lvg = nn.value_and_grad(model, lambda m, x: m(x).sum())
state = [model.state, opt.state]
@partial(mx.compile, inputs=state, outputs=state)
def step(x):
    loss, grads = lvg(model, x)
    opt.update(model, grads)
    return loss
# %% right: random state declared
from functools import partial
import mlx.core as mx
@partial(mx.compile, inputs=mx.random.state, outputs=mx.random.state)
def f(x):
    return x + mx.random.normal(x.shape)
# %% right: key passed
@mx.compile
def f(x, key):
    return x + mx.random.normal(x.shape, key=key)
# %% right: local list
@mx.compile
def f(x):
    parts = []
    for i in range(3):
        parts.append(x * i)
    return mx.stack(parts)
# %% right: local dictionary
@mx.compile
def f(x):
    out = {}
    out["y"] = mx.exp(x)
    return out
# %% right: not compiled
log = []
def f(x):
    log.append(x)
    return x
# %% right: local array
@mx.compile
def f(x):
    y = mx.zeros((4,))
    y[0] = x.sum()
    return y
# %% right: reading
table = {"a": 1.0}
items = [1.0, 2.0]
@mx.compile
def f(x):
    return x * table["a"] + items[0]
# %% right: state in a list
from functools import partial
import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.1))
opt = optim.Adam(1e-3)
lvg = nn.value_and_grad(model, lambda m, x: m(x).sum())
state = [model.state, opt.state, mx.random.state]
def step(x):
    loss, grads = lvg(model, x)
    opt.update(model, grads)
    return loss
step = mx.compile(step, inputs=state, outputs=state)
# %% right: PyTorch
import torch
log = []
@torch.compile
def f(x):
    log.append(x)
    return x
# %% right: random outside
noise = mx.random.normal((4,))
@mx.compile
def f(x, noise):
    return x + noise
y = f(mx.ones((4,)), noise)
# %% right: dropout in evaluation
drop = nn.Dropout(0.5)
drop.eval()
@mx.compile
def f(x):
    return drop(x)
# %% right: argument changed and returned
@mx.compile
def f(cache, x):
    cache["k"] = x * 2
    return cache
# %% right: kernels are made once and kept
kernels = {}
def kernel(name):
    if name not in kernels:
        kernels[name] = mx.fast.metal_kernel(name=name, input_names=["x"], output_names=["y"], source="")
    return kernels[name]
@mx.compile
def f(x):
    return kernel("twice")(inputs=[x], output_shapes=[x.shape], output_dtypes=[x.dtype])[0]
