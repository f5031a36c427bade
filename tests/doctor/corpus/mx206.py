# %% wrong: creation
x = mx.zeros((4,), dtype=mx.float64)  # expect: MX206
# %% wrong: cast
def f(x):
    return x.astype(mx.float64)  # expect: MX206
# %% wrong: array
x = mx.array([1.0, 2.0], mx.float64)  # expect: MX206
# %% wrong: imported
from mlx.core import float64, ones
x = ones((2,), dtype=float64)  # expect: MX206
# %% wrong: in a name
precise = mx.float64
x = mx.ones((2,), dtype=precise)  # expect: MX206
# %% wrong: set_dtype
model = nn.Linear(2, 2)
model.set_dtype(mx.float64)  # expect: MX206
# %% wrong: GPU stream
with mx.stream(mx.gpu):
    x = mx.ones((2,), mx.float64)  # expect: MX206
# %% wrong: in a method
class Solver:
    def run(self, n):
        return mx.linspace(0, 1, n, dtype=mx.float64)  # expect: MX206
# %% wrong: default of a parameter
def make(n, dtype=mx.float64):
    return mx.zeros((n,), dtype)  # expect: MX206
x = make(3)
# %% wrong: random
x = mx.random.normal((3,), dtype=mx.float64)  # expect: MX206
# %% wrong: mx.astype
x = mx.astype(mx.ones((3,)), mx.float64)  # expect: MX206
# %% wrong: alias of the module
import mlx.core as M
t = M.full((2,), 1.0, M.float64)  # expect: MX206
# %% wrong: helper gives the type
def kind():
    return mx.float64
x = mx.zeros((2,), kind())  # expect: MX206
# %% wrong: view
x = mx.zeros((4,), mx.int64)
y = x.view(mx.float64)  # expect: MX206
# %% right: CPU stream
with mx.stream(mx.cpu):
    x = mx.zeros((4,), dtype=mx.float64)
# %% right: stream argument
x = mx.zeros((4,), dtype=mx.float64, stream=mx.cpu)
# %% right: default device
mx.set_default_device(mx.cpu)
x = mx.array([1.0, 2.0], dtype=mx.float64)
# %% right: comparison
def check(x: mx.array):
    if x.dtype == mx.float64:
        raise ValueError("float64")
# %% right: table
TYPES = {"f32": mx.float32, "f64": mx.float64}
# %% right: list for membership
def ok(x: mx.array):
    return x.dtype in (mx.float32, mx.float64)
# %% right: NumPy
import numpy as np
import mlx.core as mx
x = np.zeros(4, dtype=np.float64)
y = mx.array(x.astype(np.float32))
# %% right: float32
x = mx.zeros((4,), dtype=mx.float32).astype(mx.float16)
# %% right: cast away from float64
def down(x: mx.array):
    return x.astype(mx.float32) if x.dtype == mx.float64 else x
# %% right: PyTorch
import torch
x = torch.zeros(4, dtype=torch.float64)
# %% right: a stream made on the CPU
s = mx.new_stream(mx.cpu)
with mx.stream(s):
    x = mx.ones((2,), mx.float64)
# %% right: device object
with mx.stream(mx.Device(mx.cpu)):
    y = mx.arange(3).astype(mx.float64)
# %% right: limits of the type
eps = mx.finfo(mx.float64).eps
# %% right: result of astype on the CPU
x = mx.astype(mx.ones((2,)), mx.float64, stream=mx.cpu)
# %% right: a helper that is called on the CPU
def grid(n):
    step = mx.array(1.0 / n, dtype=mx.float64)
    return mx.arange(n, dtype=mx.float64) * step
def positions(n):
    with mx.stream(mx.cpu):
        return grid(n).astype(mx.float32)
# %% wrong: a helper that is called on any stream
def grid(n):
    return mx.arange(n, dtype=mx.float64)  # expect: MX206
def positions(n):
    return grid(n).astype(mx.float32)
