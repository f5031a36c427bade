# %% wrong: direct
a = mx.ones((4,), dtype=mx.float16)
b = mx.ones((4,), dtype=mx.bfloat16)
c = a + b  # expect: MX203
# %% wrong: casts
def f(x, y):
    return x.astype(mx.float16) * y.astype(mx.bfloat16)  # expect: MX203
# %% wrong: product
a = mx.ones((4, 4), dtype=mx.float16)
b = mx.ones((4, 4)).astype(mx.bfloat16)
c = a @ b  # expect: MX203
# %% wrong: function
a = mx.ones((4,), dtype=mx.float16)
c = mx.subtract(a, mx.zeros((4,), mx.bfloat16))  # expect: MX203
# %% wrong: concatenate
a = mx.ones((4,), dtype=mx.float16)
b = mx.ones((4,), dtype=mx.bfloat16)
c = mx.concatenate([a, b])  # expect: MX203
# %% wrong: attributes
class Mixed(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = mx.zeros((2,), mx.float16)
        self.b = mx.zeros((2,), mx.bfloat16)
    def __call__(self, x):
        return self.a + self.b  # expect: MX203
# %% wrong: helper
def brain(x):
    return x.astype(mx.bfloat16)
a = mx.ones((2,), mx.float16)
c = a - brain(a)  # expect: MX203
# %% wrong: dtype in a name
lo, hi = mx.float16, mx.bfloat16
c = mx.ones((2,), lo) / mx.ones((2,), hi)  # expect: MX203
# %% wrong: in place
a = mx.ones((2,), mx.float16)
a += mx.ones((2,), mx.bfloat16)  # expect: MX203
# %% wrong: matmul function
a = mx.ones((2, 2), mx.bfloat16)
b = mx.matmul(a, mx.ones((2, 2), mx.float16))  # expect: MX203
# %% wrong: where
a = mx.ones((2,), mx.bfloat16)
b = mx.where(a > 0, a, mx.zeros((2,), mx.float16))  # expect: MX203
# %% wrong: alias
from mlx import core as np
a = np.ones((2,), np.float16)
b = np.exp(a) + np.ones((2,), np.bfloat16)  # expect: MX203
# %% wrong: derived values keep their type
a = mx.ones((8, 2), mx.bfloat16)
b = mx.zeros((2,), mx.float16)
c = mx.tanh(a[2:4].reshape(2, 2).T).sum(axis=0) * b  # expect: MX203
# %% right: same type
a = mx.ones((4,), dtype=mx.float16)
c = a + mx.ones((4,), dtype=mx.float16)
# %% right: cast to the other
a = mx.ones((4,), dtype=mx.float16)
b = mx.ones((4,), dtype=mx.bfloat16)
c = a.astype(mx.bfloat16) + b
d = a.astype(b.dtype) + b
# %% right: one is float32 on purpose
a = mx.ones((4,), dtype=mx.float16).astype(mx.float32)
b = mx.ones((4,), dtype=mx.bfloat16)
c = a + b
# %% right: comparison
a = mx.ones((4,), dtype=mx.float16)
b = mx.ones((4,), dtype=mx.bfloat16)
c = a < b
# %% right: unknown
def f(a: mx.array, b: mx.array):
    return a + b
# %% right: by choice
def f(brain):
    dt = mx.bfloat16 if brain else mx.float16
    return mx.ones((2,), dt) + mx.zeros((2,), dt)
# %% right: in different branches
def f(flag):
    if flag:
        x = mx.ones((2,), mx.float16)
        y = x + 1
    else:
        x = mx.ones((2,), mx.bfloat16)
        y = x + 1
    return x + y
# %% right: table of types
types = {"half": mx.float16, "brain": mx.bfloat16}
x = mx.ones((2,), types["half"])
# %% right: PyTorch
import torch
a = torch.ones(2, dtype=torch.float16)
b = torch.ones(2, dtype=torch.bfloat16)
c = a + b
# %% right: indexes do not mix
a = mx.ones((4,), dtype=mx.float16)
b = mx.ones((4,), dtype=mx.bfloat16)
c = a[mx.argmax(b)]
# %% right: tuples of both
a = mx.ones((4,), dtype=mx.float16)
b = mx.ones((4,), dtype=mx.bfloat16)
both = [a, b]
mx.eval(both)
# %% right: assignment casts
a = mx.ones((4,), dtype=mx.float16)
a[:2] = mx.ones((2,), dtype=mx.bfloat16)
