# %% wrong: function in the forward pass
import numpy as np
import mlx.core as mx
import mlx.nn as nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.Linear(2, 2)
    def __call__(self, x):
        y = self.l(x)
        return np.exp(y)  # expect: MX505
# %% wrong: in a loop
x = mx.ones((3,))
for _ in range(10):
    x = mx.array(np.tanh(x))  # expect: MX505
# %% wrong: NumPy array plus array in a loop
import numpy as np
import mlx.core as mx
w = np.random.randn(3)
x = mx.ones((3,))
for _ in range(10):
    x = w + x  # expect: MX505
# %% wrong: loss function
import numpy as np
import mlx.core as mx
import mlx.nn as nn
model = nn.Linear(2, 1)
def loss_fn(model, x):
    return np.mean(model(x))  # expect: MX505
lvg = nn.value_and_grad(model, loss_fn)
# %% wrong: from numpy import
from numpy import sqrt
import mlx.core as mx
def run(x: mx.array):
    while x.shape[0] > 1:
        x = mx.array(sqrt(x))[::2]  # expect: MX505
    return x
# %% wrong: alias
import numpy
import mlx.core as mx
x = mx.ones((4,))
total = 0
for i in range(4):
    total += numpy.sum(x * i)  # expect: MX505
# %% wrong: parameter of the module
import numpy as np
import mlx.core as mx
import mlx.nn as nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = mx.ones((2,))
    def __call__(self, x):
        return x * mx.array(np.maximum(self.w, 0))  # expect: MX505
# %% wrong: conversion in the forward pass
import numpy as np
import mlx.core as mx
import mlx.nn as nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.Linear(2, 2)
    def __call__(self, x):
        y = np.array(self.l(x))  # expect: MX505
        return mx.array(y * 2)
# %% wrong: through a helper
import numpy as np
import mlx.core as mx
import mlx.nn as nn
def soft(x):
    return np.log1p(x)
class Net(nn.Module):
    def __call__(self, x):
        h = mx.abs(x)
        return soft(h)  # expect: MX505
# %% wrong: comprehension
import numpy as np
import mlx.core as mx
xs = [mx.ones((3,)), mx.zeros((3,))]
ys = [np.linalg.norm(x) for x in xs]  # expect: MX505
# %% wrong: np.concatenate
import numpy as np
import mlx.core as mx
x = mx.ones((3,))
for i in range(3):
    x = np.concatenate([x, mx.zeros((1,))])  # expect: MX505
# %% wrong: gradient of a function
import numpy as np
import mlx.core as mx
def f(x):
    return mx.sum(x * x) + np.sin(mx.sum(x))  # expect: MX505
g = mx.grad(f)
# %% right: mx functions
import numpy as np
import mlx.core as mx
x = mx.ones((3,))
for _ in range(10):
    x = mx.tanh(x)
y = np.array(x)
# %% right: NumPy alone
import numpy as np
x = np.ones(3)
for _ in range(3):
    x = np.exp(x)
# %% right: at the end, once
import numpy as np
import mlx.core as mx
y = mx.random.normal((100,))
print(np.percentile(y, 50))
# %% right: constants of NumPy
import numpy as np
import mlx.core as mx
import mlx.nn as nn
class Net(nn.Module):
    def __call__(self, x):
        return x * np.pi + np.sqrt(2.0)
# %% right: shapes
import numpy as np
import mlx.core as mx
import mlx.nn as nn
class Net(nn.Module):
    def __call__(self, x: mx.array):
        n = np.prod(x.shape[1:])
        return x.reshape(x.shape[0], int(n))
# %% right: made with NumPy, then converted
import numpy as np
import mlx.core as mx
for i in range(10):
    batch = mx.array(np.random.randn(4, 4))
    mx.async_eval(batch * 2)
# %% right: from a list
import numpy as np
import mlx.core as mx
x = mx.ones((3,))
for i in range(3):
    v = np.mean([1.0, 2.0, i])
    x = x * float(v)
# %% right: converted to NumPy before
import numpy as np
import mlx.core as mx
y = np.array(mx.ones((3,)))
for i in range(3):
    y = np.exp(y)
# %% right: random permutation of indexes
import numpy as np
import mlx.core as mx
x = mx.ones((10, 2))
for epoch in range(3):
    order = mx.array(np.random.permutation(10))
    mx.async_eval(x[order])
# %% right: a helper of an image processor
import numpy as np
import mlx.core as mx
class Processor:
    def __call__(self, image):
        return mx.array(np.clip(image, 0, 255))
# %% right: unknown values
import numpy as np
def f(xs):
    return [np.exp(x) for x in xs]
# %% right: dtype and types
import numpy as np
import mlx.core as mx
def f(x: mx.array, n):
    for i in range(n):
        if isinstance(i, np.integer):
            x = x + int(i)
    return x
# %% right: list of arrays to NumPy once
import numpy as np
import mlx.core as mx
x = mx.ones((3,))
mx.eval(x)
saved = np.asarray(x)
np.save("x.npy", saved)
