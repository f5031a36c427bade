# %% wrong: range of shapes
for n in range(1, 1000):
    x = mx.zeros((n, 64))
    mx.eval(mx.exp(x))  # expect: MX404
# %% wrong: growing slice
x = mx.ones((1000, 8))
for n in range(1, 1000):
    y = mx.softmax(x[:n])
    mx.eval(y)  # expect: MX404
# %% wrong: random lengths
import random
import mlx.core as mx
for _ in range(100):
    n = random.randint(1, 2048)
    y = mx.random.normal((n,))
    mx.eval(y * 2)  # expect: MX404
# %% wrong: while with a counter
n = 1
while n < 500:
    y = mx.ones((n, n)) @ mx.ones((n, 4))
    mx.eval(y)  # expect: MX404
    n += 7
# %% wrong: through a model
model = nn.Linear(8, 8)
for length in range(10, 500):
    y = model(mx.zeros((length, 8)))
    mx.eval(y)  # expect: MX404
# %% wrong: growing concatenation
x = mx.zeros((1, 8))
for i in range(100):
    x = mx.concatenate([x, mx.ones((1, 8))])
    mx.eval(x)  # expect: MX404
# %% wrong: a function
def sweep():
    for size in range(100):
        mx.eval(mx.arange(size))  # expect: MX404
# %% wrong: broadcast
for n in range(1, 100):
    mx.eval(mx.broadcast_to(mx.ones((1, 4)), (n, 4)) + 1)  # expect: MX404
# %% wrong: alias
from mlx.core import eval as ev, ones, sin
for k in range(1, 300):
    ev(sin(ones((k,))))  # expect: MX404
# %% wrong: helper makes the array
def make(n):
    return mx.random.normal((n, 4))
for n in range(1, 100):
    mx.eval(make(n) * 3)  # expect: MX404
# %% wrong: derived size
for i in range(100):
    width = 3 * i + 1
    mx.eval(mx.full((2, width), 1.0) * 2)  # expect: MX404
# %% wrong: class
class Sweep:
    def run(self, top):
        for n in range(top):
            z = mx.cos(mx.zeros((n,)))
            mx.eval(z)  # expect: MX404
# %% right: fixed shape
for n in range(1, 1000):
    x = mx.zeros((10, 64))
    mx.eval(mx.exp(x) * n)
# %% right: cache limit
mx.set_cache_limit(1 << 28)
for n in range(1, 1000):
    mx.eval(mx.exp(mx.zeros((n, 64))))
# %% right: cache cleared
for n in range(1, 1000):
    mx.eval(mx.exp(mx.zeros((n, 64))))
    mx.clear_cache()
# %% right: padded
for n in range(1, 100):
    x = mx.pad(mx.ones((n,)), (0, 100 - n))
# %% right: nothing is evaluated
shapes = [mx.zeros((n,)).shape for n in range(10)]
# %% right: few fixed sizes
for n in (128, 256):
    mx.eval(mx.exp(mx.zeros((n, 64))))
# %% right: NumPy
import numpy as np
for n in range(100):
    x = np.zeros((n, 3))
# %% right: window of fixed size
x = mx.ones((1000,))
for i in range(0, 1000, 10):
    mx.eval(mx.exp(x[i : i + 10]))
# %% right: values change, not shapes
for i in range(100):
    mx.eval(mx.full((4,), i))
# %% right: batches from a loader
def run(model: nn.Module, loader):
    for x in loader:
        mx.eval(model(x))
# %% right: outer dimension by epoch is constant
n = 10
for epoch in range(5):
    mx.eval(mx.random.normal((n, 3)))
# %% right: one evaluation at the end
parts = []
for n in range(1, 10):
    parts.append(mx.ones((n,)).sum())
mx.eval(parts)
# %% right: seeds
for seed in range(100):
    k = mx.random.key(seed)
    mx.eval(mx.random.normal((4,), key=k))
