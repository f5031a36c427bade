# %% wrong: rms_norm
def norm(x, w):
    return mx.fast.rms_norm(x.astype(mx.float32), w, 1e-5).astype(x.dtype)  # expect: MX204
# %% wrong: layer_norm
def norm(x: mx.array, w, b):
    return mx.fast.layer_norm(x.astype(mx.float32), w, b, 1e-5).astype(x.dtype)  # expect: MX204
# %% wrong: through names
def norm(x, w):
    dtype = x.dtype
    x = x.astype(mx.float32)
    x = mx.fast.rms_norm(x, w, 1e-6)  # expect: MX204
    return x.astype(dtype)
# %% wrong: back to a given half
def norm(x, w):
    y = mx.fast.rms_norm(x.astype(mx.float32), w, 1e-6)  # expect: MX204
    return y.astype(mx.bfloat16)
# %% wrong: helper casts up
def up(x):
    return x.astype(mx.float32)
def norm(h: mx.array, w):
    return mx.fast.rms_norm(up(h), w, 1e-5).astype(h.dtype)  # expect: MX204
# %% wrong: helper normalizes
def rms(x, w):
    return mx.fast.rms_norm(x.astype(mx.float32), w, 1e-5)  # expect: MX204
def block(h: mx.array, w):
    return rms(h, w).astype(h.dtype)
# %% wrong: a module
class Norm(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.weight = mx.ones((d,))
        self.eps = 1e-6
    def __call__(self, x):
        return mx.fast.rms_norm(x.astype(mx.float32), self.weight, self.eps).astype(x.dtype)  # expect: MX204
# %% wrong: nn.RMSNorm
class Block(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.norm = nn.RMSNorm(d)
    def __call__(self, x):
        return self.norm(x.astype(mx.float32)).astype(x.dtype)  # expect: MX204
# %% wrong: nn.LayerNorm under a name
ln = nn.LayerNorm(8)
def f(x):
    kind = x.dtype
    y = ln(x.astype(mx.float32))  # expect: MX204
    return y.astype(kind)
# %% wrong: imported function
from mlx.core.fast import rms_norm
from mlx.core import float32
def f(x, w):
    return rms_norm(x.astype(float32), w, eps=1e-5).astype(x.dtype)  # expect: MX204
# %% wrong: mx.astype
def f(x, w):
    return mx.astype(mx.fast.rms_norm(mx.astype(x, mx.float32), w, 1e-5), x.dtype)  # expect: MX204
# %% wrong: known half array
x = mx.zeros((2, 8), mx.float16)
w = mx.ones((8,), mx.float16)
y = mx.fast.rms_norm(x.astype(mx.float32), w, 1e-5).astype(mx.float16)  # expect: MX204
# %% wrong: lambda
norm = lambda x, w: mx.fast.rms_norm(x.astype(mx.float32), w, 1e-5).astype(x.dtype)  # expect: MX204
# %% right: no cast
def norm(x, w):
    return mx.fast.rms_norm(x, w, 1e-5)
# %% right: the result stays float32
def norm(x, w):
    return mx.fast.rms_norm(x.astype(mx.float32), w, 1e-5)
# %% right: computed in float32 before
def norm(x, r, w):
    h = x.astype(mx.float32) + r.astype(mx.float32)
    return mx.fast.rms_norm(h, w, 1e-5).astype(x.dtype)
# %% right: norm written by hand
def norm(x, w):
    h = x.astype(mx.float32)
    h = h * mx.rsqrt(mx.mean(h * h, axis=-1, keepdims=True) + 1e-5)
    return (w * h).astype(x.dtype)
# %% right: work in float32 after the norm
def norm(x, w, g):
    h = mx.fast.rms_norm(x.astype(mx.float32), w, 1e-5)
    h = h * nn.silu(g.astype(mx.float32))
    return h.astype(x.dtype)
# %% right: cast down before
def norm(x, w):
    return mx.fast.rms_norm(x.astype(mx.float16), w, 1e-5).astype(mx.float32)
# %% right: another layer
class Block(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.proj = nn.Linear(d, d)
    def __call__(self, x):
        return self.proj(x.astype(mx.float32)).astype(x.dtype)
# %% right: a batch norm has statistics
bn = nn.BatchNorm(8)
def f(x):
    return bn(x.astype(mx.float32)).astype(x.dtype)
# %% right: integers become floats
x = mx.arange(8)
y = mx.fast.rms_norm(x.astype(mx.float32), None, 1e-5).astype(mx.float16)
# %% right: the float32 result is used too
def f(x, w):
    y = mx.fast.rms_norm(x.astype(mx.float32), w, 1e-5)
    return y, mx.mean(y)
# %% right: PyTorch
import torch
import torch.nn.functional as F
def f(x, w):
    return F.rms_norm(x.float(), (8,), w).to(x.dtype)
# %% right: weights cast, not the input
def f(x, w):
    return mx.fast.rms_norm(x, w.astype(x.dtype), 1e-5).astype(x.dtype)
# %% right: somebody else's rms_norm
from mine import rms_norm
import mlx.core as mx
def f(x, w):
    return rms_norm(x.astype(mx.float32), w).astype(x.dtype)
# %% right: float32 of the norm is used as well
def norm(x, w):
    y = mx.fast.rms_norm(x.astype(mx.float32), w, 1e-5)
    z = y * 2
    return y.astype(x.dtype), z
# %% wrong: the name is bound again
def norm(x, w):
    y = mx.fast.rms_norm(x.astype(mx.float32), w, 1e-5)  # expect: MX204
    y = y.astype(x.dtype)
    return y, y * 2
