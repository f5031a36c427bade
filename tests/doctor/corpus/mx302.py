# %% wrong: compile in a loop
for i in range(10):
    f = mx.compile(lambda x: x * 2)  # expect: MX302
    y = f(mx.ones((3,)))
# %% wrong: compile of a function in a loop
def g(x):
    return mx.exp(x)
def run(xs):
    out = []
    for x in xs:
        out.append(mx.compile(g)(x))  # expect: MX302
    return out
# %% wrong: number is a shape
@mx.compile
def f(x, n):
    return mx.broadcast_to(x, (n, 3))
for n in range(1, 100):
    y = f(mx.ones((3,)), n)  # expect: MX302
# %% wrong: number is a slice
@mx.compile
def f(x, n):
    return x[:n].sum()
x = mx.ones((100,))
for k in range(100):
    y = f(x, k)  # expect: MX302
# %% wrong: number is a branch
@mx.compile
def f(x, step):
    if step > 10:
        return x * 2
    return x
step = 0
while step < 20:
    y = f(mx.ones((3,)), step)  # expect: MX302
    step += 1
# %% wrong: number is an axis
f = mx.compile(lambda x, axis: mx.sum(x, axis=axis))
for axis in range(3):
    y = f(mx.ones((2, 2, 2)), axis)  # expect: MX302
# %% wrong: keyword
@mx.compile
def pad(x, width):
    return mx.pad(x, width)
for w in range(20):
    y = pad(mx.ones((3,)), width=w)  # expect: MX302
# %% wrong: derived number
@mx.compile
def f(x, n):
    return mx.repeat(x, n)
for i in range(5):
    size = i * 2 + 1
    y = f(mx.ones((3,)), size)  # expect: MX302
# %% wrong: compiled in the forward pass
class Layer(nn.Module):
    def __call__(self, x):
        f = mx.compile(lambda a: nn.gelu(a) * 2)  # expect: MX302
        return f(x)
# %% wrong: method
class Decoder:
    def __init__(self):
        self.step = mx.compile(self._step)
    def _step(self, x, offset):
        return x[offset:]
    def run(self, x: mx.array):
        for offset in range(10):
            y = self.step(x, offset)  # expect: MX302
        return y
# %% wrong: comprehension
@mx.compile
def f(x, n):
    return mx.tile(x, n)
ys = [f(mx.ones((2,)), n) for n in range(10)]  # expect: MX302
# %% wrong: decorator in a loop
for scale in (1, 2, 3):
    @mx.compile  # expect: MX302
    def f(x):
        return x * scale
    y = f(mx.ones((2,)))
# %% wrong: partial
from functools import partial
import mlx.core as mx
@partial(mx.compile, shapeless=True)
def f(x, n):
    return x.reshape(n, -1)
for n in (1, 2, 4):
    y = f(mx.ones((8,)), n)  # expect: MX302
# %% wrong: in a helper called in a loop
def apply(x):
    f = mx.compile(lambda a: a + 1)
    return f(x)
for _ in range(10):
    y = apply(mx.ones((2,)))  # expect: MX302
# %% right: compiled once
f = mx.compile(lambda x: x * 2)
for i in range(10):
    y = f(mx.ones((3,)))
# %% right: array argument
@mx.compile
def f(x, n):
    return x * n
for n in range(10):
    y = f(mx.ones((3,)), mx.array(n))
# %% right: arithmetic only
@mx.compile
def f(x, lr):
    return x - lr * x
for i in range(10):
    y = f(mx.ones((3,)), 0.1 * i)
# %% right: constant number
@mx.compile
def f(x, n):
    return x[:n]
for i in range(10):
    y = f(mx.ones((3,)), 2)
# %% right: not compiled
def f(x, n):
    return x[:n]
for n in range(10):
    y = f(mx.ones((30,)), n)
# %% right: number used outside
@mx.compile
def f(x):
    return mx.exp(x)
for n in range(1, 10):
    y = f(mx.ones((3,))) * n
# %% right: compile at import
def make():
    return mx.compile(lambda x: x + 1)
f = make()
for i in range(3):
    y = f(mx.ones((2,)))
# %% right: in the constructor
class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.f = mx.compile(nn.gelu)
    def __call__(self, x):
        return self.f(x)
# %% right: regular expressions
import re
for name in ["a", "b"]:
    p = re.compile(name)
# %% right: one for each layer, before the run
fs = {}
for name, fn in {"a": mx.exp, "b": mx.log}.items():
    fs[name] = mx.compile(fn)
# %% right: torch
import torch
for i in range(3):
    f = torch.compile(lambda x: x)
# %% right: cached decorator in a function that runs once
def main():
    @mx.compile
    def step(x):
        return x + 1
    x = mx.ones((2,))
    for _ in range(10):
        x = step(x)
    return x
main()
# %% right: string option
@mx.compile
def f(x, mode):
    if mode == "a":
        return x
    return -x
for i in range(10):
    y = f(mx.ones((2,)), "a")
