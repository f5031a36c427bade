# %% wrong: item of each element
y = mx.random.normal((1000,))
total = 0.0
for v in y:
    total += v.item()  # expect: MX101
# %% wrong: float of an index
y = mx.exp(mx.arange(10))
out = []
for i in range(10):
    out.append(float(y[i]))  # expect: MX101
# %% wrong: truth of an element
y = mx.random.uniform(shape=(100,))
count = 0
for i in range(y.shape[0]):
    if y[i] > 0.5:  # expect: MX101
        count += 1
# %% wrong: comprehension
y = mx.linspace(0, 1, 64)
values = [v.item() for v in y]  # expect: MX101
# %% wrong: generator argument
y = mx.linspace(0, 1, 64)
total = sum(float(v) for v in y)  # expect: MX101
# %% wrong: alias of the import
import mlx.core as core
def report(n):
    scores = core.softmax(core.random.normal((n,)))
    for rank in range(n):
        print(rank, scores[rank].item())  # expect: MX101
# %% wrong: star import
from mlx.core import *
data = ones((8, 8))
for row in data:
    print(row)  # expect: MX101
# %% wrong: through a helper
def number(v):
    return v.item()
y = mx.cumsum(mx.ones(50))
for v in y:
    print(number(v))  # expect: MX101
# %% wrong: attribute of a class
class Stats:
    def __init__(self, n):
        self.values = mx.random.normal((n,))
    def positive(self):
        found = 0
        for i in range(len(self.values)):
            if self.values[i].item() > 0:  # expect: MX101
                found += 1
        return found
# %% wrong: while loop with a counter
y = mx.sort(mx.random.normal((100,)))
i = 0
while i < 100:
    if y[i].item() > 0:  # expect: MX101
        break
    i += 1
# %% wrong: enumerate and zip
a, b = mx.ones((5,)), mx.zeros((5,))
for i, (p, q) in enumerate(zip(a, b)):
    print(i, int(p))  # expect: MX101
# %% wrong: eval of each element
x = mx.random.normal((32, 32))
acc = mx.zeros((32,))
for i in range(32):
    acc = acc + mx.sqrt(mx.abs(x[i]))
    mx.eval(acc)  # expect: MX101
# %% wrong: NumPy copy of each row
import numpy as np
import mlx.core as mx
x = mx.random.normal((32, 4))
rows = []
for i in range(x.shape[0]):
    rows.append(np.array(x[i]))  # expect: MX101
# %% wrong: parameter with an annotation
def show(ids: mx.array):
    return " ".join(str(t.item()) for t in ids)  # expect: MX101
# %% wrong: helper in another file
import mlx.core as mx
from tools import make
ids = make(5)
for i in range(5):
    print(ids[i].tolist())  # expect: MX101
# %% file: tools.py
import mlx.core as mx
def make(n):
    return mx.arange(n) * 2
# %% wrong: rows of a forward pass evaluated
class Stack(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = [nn.Linear(4, 4) for _ in range(4)]
    def __call__(self, x):
        for layer in self.layers:
            x = layer(x)
            mx.eval(x)  # expect: MX101
        return x
# %% right: one tolist
y = mx.random.normal((1000,))
total = 0.0
for v in y.tolist():
    total += v
# %% right: shapes only
y = mx.random.normal((10, 3))
for i in range(y.shape[0]):
    print(i, y[i].shape, y[i].dtype, len(y))
# %% right: training loop
model = nn.Linear(4, 1)
opt = optim.SGD(0.1)
def loss_fn(m, x, y):
    return nn.losses.mse_loss(m(x), y)
step = nn.value_and_grad(model, loss_fn)
x, y = mx.ones((8, 4)), mx.ones((8, 1))
for i in range(100):
    loss, grads = step(model, x, y)
    opt.update(model, grads)
    del grads
    mx.eval(model.parameters(), opt.state)
    print(i, loss.item())
# %% right: NumPy array
import numpy as np
y = np.random.randn(100)
for i in range(100):
    if y[i] > 0:
        print(float(y[i]), y[i].item())
# %% right: converted once
import numpy as np
import mlx.core as mx
y = np.array(mx.random.normal((100,)))
for v in y:
    print(float(v))
# %% right: list of Python numbers
y = mx.ones((10,)).tolist()
print([float(v) for v in y])
# %% right: lazy iteration
x = mx.random.normal((4, 8))
parts = [mx.softmax(row) for row in x]
y = mx.stack(parts)
mx.eval(y)
# %% right: one evaluation after the loop
x = mx.random.normal((4, 8))
acc = mx.zeros((8,))
for i in range(4):
    acc = acc + x[i]
mx.eval(acc)
print(acc.sum().item())
# %% right: convergence test, once a step
x = mx.ones((16,))
error = 1.0
while error > 1e-3:
    new = mx.cos(x)
    error = mx.abs(new - x).max().item()
    x = new
# %% right: keys of a dictionary
weights = {"a": mx.ones((3,)), "b": mx.zeros((3,))}
for k, v in weights.items():
    print(k, v.shape, v.nbytes)
# %% right: timing of a function
import time
import mlx.core as mx
def bench(fn, x):
    mx.eval(fn(x))
    tic = time.perf_counter()
    for _ in range(100):
        mx.eval(fn(x))
    return time.perf_counter() - tic
bench(mx.exp, mx.ones((100,)))
# %% right: PyTorch
import torch
y = torch.randn(100)
for v in y:
    print(v.item())
# %% right: unknown things
def collect(values):
    return [v.item() for v in values]
def first(y):
    for i in range(3):
        if y[i] > 0:
            return float(y[i])
# %% right: batches of a data loader
def evaluate(model: nn.Module, loader):
    hits = 0
    for x, y in loader:
        hits += mx.sum(mx.argmax(model(x), axis=1) == y).item()
    return hits
# %% right: identity and membership
x = mx.ones((3,))
for i in range(3):
    if x is None or isinstance(x[i], str):
        break
# %% right: a list in the branch that is not for arrays
def lengths(x):
    if isinstance(x, int):
        return [x]
    elif isinstance(x, mx.array):
        return [int(v) for v in x.reshape(-1).tolist()]
    else:
        return [int(v) for v in x]
# %% right: keys of a dictionary are compared with a name
class Attend(nn.Module):
    def __call__(self, x):
        y = x["shape"].reshape(-1).sum() + x.keys().__len__()
        others = [n for n in x if n != "shape"]
        return y, others
# %% right: a denoising step that takes its number from an array
class Denoiser(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 8)
    def __call__(self, x, t):
        return self.layer(x) * t
def sample(model: Denoiser, x: mx.array):
    sigmas = mx.linspace(1.0, 0.0, 50)
    for i in range(50):
        noise = model(x, sigmas[i])
        x = x + (x @ noise) * sigmas[i]
        mx.eval(x)
    return x
# %% right: containers that may be missing
def rows(h, images):
    for b, sample in enumerate(images):
        row = h[b].reshape(-1)
        for img in sample or []:
            row = row + img
    return images.shape
# %% wrong: map reads as a loop does
y = mx.random.normal((100,))
total = sum(map(float, y))  # expect: MX101
# %% right: map of numbers
y = mx.random.normal((100,))
total = sum(map(float, y.tolist()))
# %% right: a list by isinstance, an array otherwise
def values(x):
    if isinstance(x, list):
        return [float(v) for v in x]
    return x.tolist()
values(mx.ones((2,)))
# %% right: a list or tuple by isinstance
def values(x):
    if isinstance(x, (list, tuple)):
        return [float(v) for v in x]
    return x.tolist()
values(mx.ones((2,)))
# %% right: an array returns first
def values(x):
    if isinstance(x, mx.array):
        return x.tolist()
    return [float(v) for v in x]
values(mx.ones((2,)))
# %% right: else of an array
def values(x):
    if isinstance(x, mx.array):
        return x.tolist()
    else:
        return [float(v) for v in x]
values(mx.ones((2,)))
# %% right: not an array
def values(x):
    if not isinstance(x, mx.array):
        return [float(v) for v in x]
    return x.tolist()
values(mx.ones((2,)))
# %% right: keys of what is a dictionary
def show(w):
    if isinstance(w, dict):
        for k in w:
            print(f"{k}")
    return w
show(mx.ones((2,)))
# %% right: conditional expressions
def values(x, y):
    a = [float(v) for v in x] if isinstance(x, list) else x.tolist()
    b = y.tolist() if isinstance(y, mx.array) else [float(v) for v in y]
    return a + b
values(mx.ones((2,)), mx.ones((2,)))
# %% right: types in and, in or, in assert and by type()
def values(x, y):
    if isinstance(x, list) and sum(float(v) for v in x) > 1:
        return x
    if type(y) is list or isinstance(y, tuple):
        return [float(v) for v in y]
    assert isinstance(x, dict)
    return [float(v) for v in x]
values(mx.ones((2,)), mx.ones((2,)))
# %% right: cases of a match
def values(x):
    match x:
        case mx.array():
            return x.tolist()
        case _:
            return [float(v) for v in x]
values(mx.ones((2,)))
# %% wrong: an array by isinstance
def values(x):
    if isinstance(x, mx.array):
        return [v.item() for v in x]  # expect: MX101
    return x
values(mx.ones((2,)))
# %% wrong: made an array first
def values(x):
    if not isinstance(x, mx.array):
        x = mx.array(x)
    return [v.item() for v in x]  # expect: MX101
values(mx.ones((2,)))
# %% wrong: after a branch about dictionaries
def values(x):
    if isinstance(x, dict):
        print(len(x))
    return [v.item() for v in x]  # expect: MX101
values(mx.ones((2,)))
# %% wrong: optional parameters
from typing import Optional, Union
import mlx.core as mx
def first(x: Optional[mx.array]):
    return [v.item() for v in x]  # expect: MX101
def second(x: mx.array | None = None):
    if x is None:
        return []
    return [v.item() for v in x]  # expect: MX101
def third(x: Union[mx.array, None]):
    return [v.item() for v in x]  # expect: MX101
# %% right: parameters that may be other things
from typing import Union
import mlx.core as mx
def first(x: mx.array | list):
    return [float(v) for v in x]
def second(x: Union[mx.array, list[float], None]):
    return [float(v) for v in x]
# %% wrong: annotated fields
from dataclasses import dataclass
from typing import NamedTuple
import mlx.core as mx
@dataclass
class Batch:
    y: mx.array
    weights: mx.array | None = None
    def show(self):
        return [v.item() for v in self.y]  # expect: MX101
class Pair(NamedTuple):
    y: mx.array
    names: list[str]
class Plain:
    w: mx.array
    def show(self):
        return [float(v) for v in self.w]  # expect: MX101
def show(pair: Pair, batch: Batch):
    for v in batch.weights:
        print(v.item())  # expect: MX101
    return [v.item() for v in pair.y]  # expect: MX101
# %% right: annotated fields that are no arrays
from dataclasses import dataclass
import mlx.core as mx
@dataclass
class Batch:
    y: mx.array
    losses: list[float]
    def show(self):
        return [float(v) for v in self.losses] + self.y.tolist()
# %% wrong: awaited function of the project
import mlx.core as mx
async def sample():
    return mx.random.uniform(shape=(9,))
async def show():
    for v in await sample():
        print(v.item())  # expect: MX101
# %% right: awaited function that gives a list
import mlx.core as mx
async def sample():
    return mx.random.uniform(shape=(9,)).tolist()
async def show():
    for v in await sample():
        print(float(v))
# %% wrong: class methods
class Sampler:
    @classmethod
    def make(cls):
        return mx.random.uniform(shape=(9,))
    @classmethod
    def show(cls):
        for v in cls.make():
            print(v.item())  # expect: MX101
    @classmethod
    def built(cls):
        return cls()
    def values(self):
        return mx.arange(3)
for v in Sampler.built().values():
    print(v.item())  # expect: MX101
# %% right: class methods that give lists
class Sampler:
    @classmethod
    def make(cls):
        return mx.random.uniform(shape=(9,)).tolist()
    @classmethod
    def show(cls):
        for v in cls.make():
            print(float(v))
# %% wrong: truth of all elements
y = mx.random.uniform(shape=(9,))
if any(v > 0.5 for v in y):  # expect: MX101
    print("some")
if all([v > 0.5 for v in y]):  # expect: MX101
    print("all")
largest = max(y)  # expect: MX101
ordered = sorted(y)  # expect: MX101
# %% right: reductions, and a few values of different arrays
y = mx.random.uniform(shape=(9,))
if mx.any(y > 0.5) or max(y.tolist()) > 0.9:
    print("some")
a, b = mx.sum(y), mx.mean(y)
largest = mx.max(y)
ready = all(hasattr(v, "shape") for v in (a, b))
longest = max(v.shape[0] for v in (y, y))
# %% right: a random number drawn on each turn
def until(limit):
    while (v := mx.random.uniform()).item() < limit:
        print("again")
    return v
