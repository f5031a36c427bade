# %% wrong: product captured
a = mx.random.normal((64, 64))
w = a @ a.T
@mx.compile
def f(x):
    return x @ w  # expect: MX303
# %% wrong: lambda
w = mx.exp(mx.random.normal((8,))) + 1
f = mx.compile(lambda x: x * w)  # expect: MX303
# %% wrong: local in a function
def build(n):
    table = mx.softmax(mx.random.normal((n, n)), axis=-1)
    @mx.compile
    def f(x):
        return table @ x  # expect: MX303
    return f
# %% wrong: compile called
freqs = mx.power(10000.0, -mx.arange(0, 64, 2) / 64)
def rope(x):
    return x * mx.cos(freqs)  # expect: MX303
rope = mx.compile(rope)
# %% wrong: helper made it
def mask(n):
    i = mx.arange(n)
    return mx.where(i[:, None] >= i[None], 0.0, -1e9)
m = mask(128)
@mx.compile
def attend(s):
    return mx.softmax(s + m, axis=-1)  # expect: MX303
# %% wrong: partial
from functools import partial
import mlx.core as mx
basis = mx.sin(mx.linspace(0, 1, 100))
@partial(mx.compile, shapeless=True)
def f(x):
    return x * basis  # expect: MX303
# %% wrong: inputs name something else
w = mx.random.normal((4, 4)) @ mx.eye(4)
other = mx.ones((4,))
f = mx.compile(lambda x: x @ w, inputs=[other])  # expect: MX303
# %% wrong: loop built it
acc = mx.zeros((8,))
for i in range(10):
    acc = acc + mx.random.normal((8,))
@mx.compile
def f(x):
    return x + acc  # expect: MX303
# %% wrong: nested function of the compiled one
w = mx.random.normal((4, 4)) @ mx.random.normal((4, 4))
def inner(x):
    return x @ w  # expect: MX303
@mx.compile
def f(x):
    return inner(x) + 1
# %% wrong: names from the import
from mlx.core import compile, cumsum, ones
steps = cumsum(ones((100,)))
@compile
def f(x):
    return x + steps  # expect: MX303
# %% wrong: attribute of self
class Warp:
    def __init__(self, n):
        self.grid = mx.cumsum(mx.random.uniform(shape=(n,)))
        self.run = mx.compile(self._run)
    def _run(self, x):
        return x * self.grid  # expect: MX303
# %% wrong: cast of loaded weights
weights = mx.load("w.npz")
w = weights["w"].astype(mx.float16).T
@mx.compile
def f(x):
    return x @ w  # expect: MX303
# %% right: evaluated first
w = mx.random.normal((64, 64)) @ mx.eye(64)
mx.eval(w)
@mx.compile
def f(x):
    return x @ w
# %% right: passed
w = mx.random.normal((64, 64)) @ mx.eye(64)
@mx.compile
def f(x, w):
    return x @ w
y = f(mx.ones((8, 64)), w)
# %% right: inputs
w = mx.random.normal((64, 64)) @ mx.eye(64)
f = mx.compile(lambda x: x @ w, inputs=[w])
# %% right: literal data
w = mx.array([1.0, 2.0, 3.0])
@mx.compile
def f(x):
    return x * w
# %% right: plain creation
w = mx.zeros((64,))
@mx.compile
def f(x):
    return x + w
# %% right: made inside
@mx.compile
def f(x):
    w = mx.exp(mx.arange(x.shape[-1]))
    return x * w
# %% right: number
scale = 64 ** -0.5
@mx.compile
def f(x):
    return x * scale
# %% right: not compiled
w = mx.random.normal((64, 64)) @ mx.eye(64)
def f(x):
    return x @ w
# %% right: module and its state
model = nn.Linear(4, 4)
f = mx.compile(model, inputs=model.state)
# %% right: shape only
w = mx.random.normal((64, 64)) @ mx.eye(64)
@mx.compile
def f(x):
    return x * w.shape[0]
# %% right: read on the way
w = mx.cumsum(mx.ones((8,)))
print(w)
@mx.compile
def f(x):
    return x + w
# %% right: async evaluation
w = mx.cumsum(mx.ones((8,)))
mx.async_eval(w)
f = mx.compile(lambda x: x + w)
# %% right: NumPy constant
import numpy as np
import mlx.core as mx
w = mx.array(np.cumsum(np.ones(8)))
f = mx.compile(lambda x: x + w)
