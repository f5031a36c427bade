# %% wrong: zeros
x = mx.ones((4,), dtype=mx.float16)
y = x + mx.zeros((4,))  # expect: MX202
# %% wrong: random noise
x = mx.ones((4,), dtype=mx.bfloat16)
y = x + mx.random.normal((4,))  # expect: MX202
# %% wrong: linspace named
ramp = mx.linspace(0, 1, 4)
x = mx.zeros((4,), mx.float16)
y = x * ramp  # expect: MX202
# %% wrong: float arange
x = mx.zeros((4,), mx.float16)
y = x * mx.arange(0.0, 4.0)  # expect: MX202
# %% wrong: full of a float
x = mx.zeros((4,), mx.float16)
y = x - mx.full((4,), 0.5)  # expect: MX202
# %% wrong: shape of the half array
def noisy(x):
    h = x.astype(mx.bfloat16)
    return h + mx.random.uniform(shape=h.shape)  # expect: MX202
# %% wrong: concatenated
x = mx.ones((4,), dtype=mx.float16)
y = mx.concatenate([x, mx.zeros((2,))])  # expect: MX202
# %% wrong: matrix product
x = mx.ones((4, 4), dtype=mx.float16)
y = x @ mx.eye(4)  # expect: MX202
# %% wrong: attribute
class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.bias = mx.zeros((4,))
        self.weight = mx.zeros((4, 4), dtype=mx.bfloat16)
    def fused(self):
        return self.weight + self.bias  # expect: MX202
# %% wrong: helper returns the default
def mask(n):
    return mx.triu(mx.ones((n, n)))
s = mx.zeros((3, 3), mx.float16)
t = s * mask(3)  # expect: MX202
# %% wrong: list of floats
x = mx.ones((2,), dtype=mx.float16)
y = x * mx.array([1.0, 2.0])  # expect: MX202
# %% wrong: dictionary of weights
w = {"a": mx.ones((4,), dtype=mx.float16), "b": mx.ones((4,))}
y = w["a"] + w["b"]  # expect: MX202
# %% wrong: star import
from mlx.core import *
x = ones((3,), dtype=bfloat16)
y = where(x > 1, x, zeros((3,)))  # expect: MX202
# %% wrong: another file
import mlx.core as mx
from init import weight
x = mx.ones((3,), dtype=mx.float16)
y = weight(3) * x  # expect: MX202
# %% file: init.py
import mlx.core as mx
def weight(n):
    return mx.random.uniform(shape=(n,))
# %% right: dtype given
x = mx.ones((4,), dtype=mx.float16)
y = x + mx.zeros((4,), dtype=mx.float16) + mx.zeros((4,), x.dtype)
# %% right: zeros_like
x = mx.ones((4,), dtype=mx.float16)
y = x + mx.zeros_like(x)
# %% right: integer arange
x = mx.ones((4,), dtype=mx.float16)
y = x * mx.arange(4)
# %% right: used as an index
x = mx.ones((4,), dtype=mx.float16)
y = x[mx.arange(2)]
# %% right: cast
x = mx.ones((4,), dtype=mx.float16)
y = x + mx.random.normal((4,)).astype(x.dtype)
# %% right: both float32
y = mx.ones((4,)) + mx.zeros((4,))
# %% right: unknown type
def f(x: mx.array):
    return x + mx.zeros(x.shape)
# %% right: boolean mask
x = mx.ones((4,), dtype=mx.float16)
mask = mx.ones((4,)) > 0
y = mx.where(mask, x, 0)
# %% right: explicit float32 is meant
x = mx.ones((4,), dtype=mx.float16)
y = x.astype(mx.float32) + mx.zeros((4,))
# %% right: random integers
x = mx.ones((4,), dtype=mx.float16)
y = x + mx.random.randint(0, 2, (4,))
# %% right: NumPy
import numpy as np
x = np.ones(4, dtype=np.float16)
y = x + np.zeros(4)
# %% right: comparison
x = mx.ones((4,), dtype=mx.float16)
y = x == mx.zeros((4,))
# %% right: full takes the type of its value
x = mx.ones((4,), dtype=mx.float16)
y = x + mx.full((4,), mx.array(1.0, mx.float16))
# %% right: dtype in a keyword dictionary
kw = {"dtype": mx.float16}
x = mx.ones((4,), **kw)
y = x + mx.zeros((4,), **kw)
