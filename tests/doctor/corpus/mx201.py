# %% wrong: direct
x = mx.ones((4,), dtype=mx.float16)
y = x * mx.array(2.0)  # expect: MX201
# %% wrong: named scalar
scale = mx.array(0.125)
q = mx.zeros((2, 8), mx.bfloat16)
q = q * scale  # expect: MX201
# %% wrong: after astype
def f(x):
    h = x.astype(mx.float16)
    return h + mx.array(1.5)  # expect: MX201
# %% wrong: function instead of operator
h = mx.random.normal((3,)).astype(mx.bfloat16)
z = mx.multiply(h, mx.array(3.0))  # expect: MX201
# %% wrong: attribute
class Scale(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = mx.array(0.5)
        self.weight = mx.zeros((4,), dtype=mx.float16)
    def __call__(self):
        return self.weight * self.scale  # expect: MX201
# %% wrong: helper makes it
def half(n):
    return mx.zeros((n,), dtype=mx.float16)
a = half(3)
b = mx.array(1.0) - a  # expect: MX201
# %% wrong: through where
x = mx.ones((4,), dtype=mx.float16)
y = mx.where(x > 0, x, mx.array(0.0))  # expect: MX201
# %% wrong: maximum with a named zero
zero = mx.array(0.0)
x = mx.ones((4,), dtype=mx.bfloat16)
y = mx.maximum(x, zero)  # expect: MX201
# %% wrong: in-place operator
x = mx.ones((4,), dtype=mx.float16)
x /= mx.array(3.0)  # expect: MX201
# %% wrong: alias
from mlx.core import array, bfloat16, ones
t = ones([2], dtype=bfloat16)
u = t ** array(2.0)  # expect: MX201
# %% wrong: dtype in a name
dt = mx.float16
x = mx.full((3,), 2.0, dtype=dt)
y = x * mx.array(-1.0)  # expect: MX201
# %% wrong: loop over halves
parts = [mx.zeros((2,), mx.float16), mx.ones((2,), mx.float16)]
for p in parts:
    print((p * mx.array(2.0)).shape)  # expect: MX201
# %% wrong: float literal kept in a tuple
a, b = mx.array(2.0), mx.ones((2,), mx.float16)
c = a * b  # expect: MX201
# %% right: Python number
x = mx.ones((4,), dtype=mx.float16)
y = x * 2.0
# %% right: dtype given
x = mx.ones((4,), dtype=mx.float16)
y = x * mx.array(2.0, dtype=mx.float16)
z = x * mx.array(2.0, x.dtype)
# %% right: integer scalar array
x = mx.ones((4,), dtype=mx.float16)
y = x * mx.array(2)
# %% right: float32 array
x = mx.ones((4,))
y = x * mx.array(2.0)
# %% right: unknown dtype
def f(x: mx.array):
    return x * mx.array(2.0)
# %% right: cast of the scalar
x = mx.ones((4,), dtype=mx.float16)
y = x * mx.array(2.0).astype(x.dtype)
# %% right: half was cast up before
x = mx.ones((4,), dtype=mx.float16).astype(mx.float32)
y = x * mx.array(2.0)
# %% right: comparison gives booleans
x = mx.ones((4,), dtype=mx.float16)
mask = x > mx.array(2.0)
# %% right: list makes a vector of the same type
x = mx.ones((2,), dtype=mx.float16)
y = x * mx.array([1.0, 2.0], dtype=mx.float16)
# %% right: NumPy
import numpy as np
x = np.ones(4, dtype=np.float16)
y = x * np.array(2.0)
# %% right: rebound name
x = mx.ones((4,), dtype=mx.float16)
s = mx.array(2.0)
s = s.astype(mx.float16)
y = x * s
# %% right: the type differs by path
def f(flag):
    x = mx.ones((4,), dtype=mx.float16)
    if flag:
        x = mx.ones((4,))
    return x * mx.array(2.0)
# %% right: item
x = mx.ones((4,), dtype=mx.float16)
y = x * mx.array(2.0).item()
