# %% wrong: direct
def attend(scores: mx.array):
    return mx.softmax(scores.astype(mx.float32), axis=-1).astype(scores.dtype)  # expect: MX205
# %% wrong: through names
def attend(scores):
    dtype = scores.dtype
    scores = scores.astype(mx.float32)
    p = mx.softmax(scores, axis=-1)  # expect: MX205
    return p.astype(dtype)
# %% wrong: back to half
def attend(s):
    return mx.softmax(s.astype(mx.float32), axis=-1).astype(mx.float16)  # expect: MX205
# %% wrong: type of another array
def attend(s, v):
    s = s.astype(mx.bfloat16)
    return mx.softmax(s.astype(mx.float32), -1).astype(s.dtype) @ v  # expect: MX205
# %% wrong: nn.softmax
def attend(s: mx.array):
    return nn.softmax(s.astype(mx.float32), axis=-1).astype(s.dtype)  # expect: MX205
# %% wrong: nn.Softmax
soft = nn.Softmax()
def attend(s: mx.array):
    return soft(s.astype(mx.float32)).astype(s.dtype)  # expect: MX205
# %% wrong: helper casts up
def full(x):
    return x.astype(mx.float32)
def attend(s: mx.array):
    return mx.softmax(full(s), axis=-1).astype(s.dtype)  # expect: MX205
# %% wrong: helper does both casts
def soft(s):
    return mx.softmax(s.astype(mx.float32), axis=-1).astype(s.dtype)  # expect: MX205
p = soft(mx.ones((2, 2), mx.float16))
# %% wrong: method in a module
class Attention(nn.Module):
    def __call__(self, q, k, v):
        w = (q @ k.transpose(0, 2, 1)) * 0.125
        w = mx.softmax(w.astype(mx.float32), axis=-1).astype(w.dtype)  # expect: MX205
        return w @ v
# %% wrong: imported names
from mlx.core import softmax, float32
def f(x):
    return softmax(x.astype(float32), axis=1).astype(x.dtype)  # expect: MX205
# %% wrong: mx.astype
def f(x):
    return mx.astype(mx.softmax(mx.astype(x, mx.float32), axis=-1), x.dtype)  # expect: MX205
# %% wrong: type kept in a tuple
def f(x):
    shape, kind = x.shape, x.dtype
    y = mx.softmax(x.astype(mx.float32), axis=-1)  # expect: MX205
    return y.astype(kind).reshape(shape)
# %% wrong: known half
x = mx.zeros((2, 2), mx.bfloat16)
y = mx.softmax(x.astype(mx.float32)).astype(mx.bfloat16)  # expect: MX205
# %% right: precise
def attend(s):
    return mx.softmax(s, axis=-1, precise=True)
# %% right: stays float32
def probabilities(logits):
    return mx.softmax(logits.astype(mx.float32), axis=-1)
# %% right: work between
def attend(s, mask):
    p = mx.softmax(s.astype(mx.float32), axis=-1)
    p = p * mask
    return p.astype(s.dtype)
# %% right: mask is added in float32
def attend(s, mask):
    return mx.softmax(s.astype(mx.float32) + mask, axis=-1).astype(s.dtype)
# %% right: float32 goes elsewhere
def route(s):
    p = mx.softmax(s.astype(mx.float32), axis=-1)
    return mx.argmax(p, axis=-1)
# %% right: no upcast
def attend(s, v):
    return mx.softmax(s, axis=-1).astype(v.dtype)
# %% right: log of probabilities
def logp(s):
    return mx.log(mx.softmax(s.astype(mx.float32), axis=-1)).astype(s.dtype)
# %% right: another function
def f(x):
    return mx.sigmoid(x.astype(mx.float32)).astype(x.dtype)
# %% right: cast to half first
def f(x):
    return mx.softmax(x.astype(mx.float16), axis=-1).astype(mx.float32)
# %% right: PyTorch
import torch
def f(s):
    return torch.softmax(s.float(), -1).to(s.dtype)
# %% right: integers
x = mx.arange(4)
y = mx.softmax(x.astype(mx.float32)).astype(mx.float16)
# %% right: NumPy in and out
import numpy as np
def f(x):
    e = np.exp(x.astype(np.float32))
    return (e / e.sum()).astype(x.dtype)
# %% right: fused attention
def f(q, k, v):
    return mx.fast.scaled_dot_product_attention(q, k, v, scale=1.0).astype(q.dtype)
# %% right: float32 of the softmax is used as well
def attention(x):
    s = mx.softmax(x.astype(mx.float32), axis=-1)
    return s.astype(x.dtype), s
# %% right: float32 of the softmax is kept in an attribute
class Attention(nn.Module):
    def __call__(self, x):
        self.scores = mx.softmax(x.astype(mx.float32), axis=-1)
        return self.scores.astype(x.dtype)
