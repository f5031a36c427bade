# %% wrong: item
@mx.compile
def f(x):
    return x * x.sum().item()  # expect: MX301
# %% wrong: eval
@mx.compile
def f(x):
    y = mx.exp(x)
    mx.eval(y)  # expect: MX301
    return y
# %% wrong: truth test
def f(x):
    if mx.any(x > 0):  # expect: MX301
        return x
    return -x
g = mx.compile(f)
# %% wrong: print
@mx.compile
def f(x):
    y = mx.exp(x)
    print(y)  # expect: MX301
    return y
# %% wrong: partial
from functools import partial
import mlx.core as mx
@partial(mx.compile, shapeless=True)
def f(x):
    return float(mx.max(x)) * x  # expect: MX301
# %% wrong: called helper
def scale(x):
    return 1 / x.max().item()
@mx.compile
def f(x):
    return mx.exp(x) * scale(mx.exp(x))  # expect: MX301
# %% wrong: method
class Model:
    def __init__(self):
        self.fast = mx.compile(self.forward)
    def forward(self, x):
        y = mx.tanh(x)
        return y if y.mean().item() > 0 else -y  # expect: MX301
# %% wrong: nested function
def build():
    def inner(x):
        return mx.log(x).tolist()  # expect: MX301
    return mx.compile(inner)
# %% wrong: NumPy
import numpy as np
import mlx.core as mx
@mx.compile
def f(x):
    return mx.array(np.array(mx.exp(x)))  # expect: MX301
# %% wrong: lambda
f = mx.compile(lambda x: x * mx.sum(x).item())  # expect: MX301
# %% wrong: imported compile
from mlx.core import compile, mean
@compile
def f(x):
    m = mean(x)
    while m > 1:  # expect: MX301
        m = m / 2
    return m
# %% wrong: helper in another file
import mlx.core as mx
from other import peek
@mx.compile
def f(x):
    return peek(mx.square(x))  # expect: MX301
# %% file: other.py
import mlx.core as mx
def peek(y):
    mx.eval(y)
    return y
# %% wrong: annotated parameter
@mx.compile
def f(x: mx.array):
    return int(x)  # expect: MX301
# %% wrong: formatted
@mx.compile
def f(x):
    y = mx.abs(x)
    name = f"value {y}"  # expect: MX301
    return y
# %% right: no evaluation
@mx.compile
def f(x):
    return mx.where(x > 0, x, -x)
# %% right: shapes
@mx.compile
def f(x):
    if x.shape[0] > 1 and x.ndim == 2:
        print(x.shape, x.dtype)
        return x / len(x)
    return x
# %% right: evaluated outside
@mx.compile
def f(x):
    return mx.exp(x)
y = f(mx.ones((3,)))
mx.eval(y)
print(y.tolist())
# %% right: not compiled
def f(x):
    return mx.exp(x).sum().item()
# %% right: Python number
@mx.compile
def f(x, n: int):
    if n > 3:
        return x * float(n)
    return x
# %% right: None test
@mx.compile
def f(x, mask=None):
    if mask is not None:
        x = x + mask
    return mx.softmax(x)
# %% right: constant outside
scale = mx.array(2.0).item()
@mx.compile
def f(x):
    return x * scale
# %% right: another compile
import re
import torch
pattern = re.compile("a+")
@torch.compile
def f(x):
    return x * x.sum().item()
# %% right: configuration flag
class Layer(nn.Module):
    def __init__(self, gated: bool):
        super().__init__()
        self.gated = gated
        self.run = mx.compile(self.forward)
    def forward(self, x):
        if self.gated:
            return nn.silu(x)
        return nn.relu(x)
# %% right: helper evaluates only when asked
def helper(x, show=False):
    y = mx.exp(x)
    if show:
        print(y)
    return y
@mx.compile
def f(x):
    return helper(x)
# %% right: inner function is not compiled
@mx.compile
def f(x):
    return mx.exp(x)
def outer(x):
    y = f(x)
    return y.item()
# %% right: builtin compile
code = compile("1 + 1", "x", "eval")
# %% right: numbers of a list
@mx.compile
def f(x):
    total = 0
    for s in [1.0, 2.0]:
        if s > 1:
            total = total + x * float(s)
    return total
# %% wrong: reading what a compiled function is given
@mx.compile
def printed(x):
    print(x)  # expect: MX301
    return x * 2
@mx.compile
def converted(x):
    np.array(x)  # expect: MX301
    return mx.exp(x)
@mx.compile
def formatted(x):
    print(f"{x}")  # expect: MX301
    return 1 + x
@mx.compile
def several(x, scale):
    print(x, scale)  # expect: MX301
    return mx.sum(x) * scale
# %% right: printing numbers and names that shape a compiled function
@mx.compile
def repeated(x, n):
    print(f"traced for {n}")
    return mx.repeat(x, n)
@mx.compile
def sized(n):
    print(n)
    return mx.zeros((n,)) * n
@mx.compile
def named(x, name="relu"):
    print(f"{name} of shape {x.shape}")
    return mx.maximum(x, 0)
