# %% wrong: arange and indexes
x = mx.random.normal((10, 5))
idx = mx.argmax(x, axis=1)
y = x[mx.arange(10), idx]  # expect: MX601
# %% wrong: arange of the shape
def pick(logits: mx.array, targets: mx.array):
    return logits[mx.arange(logits.shape[0]), targets]  # expect: MX601
# %% wrong: named arange
rows = mx.arange(8)
x = mx.ones((8, 4))
y = x[rows, mx.zeros((8,), dtype=mx.int32)]  # expect: MX601
# %% wrong: column of rows
x = mx.ones((8, 4))
idx = mx.argsort(x, axis=-1)
y = x[mx.arange(8)[:, None], idx]  # expect: MX601
# %% wrong: stack of rows
x = mx.ones((8, 4))
idx = mx.argmax(x, axis=1)
y = mx.stack([x[i, idx[i]] for i in range(8)])  # expect: MX601
# %% wrong: stack by zip
x = mx.ones((8, 4))
idx = mx.argmax(x, axis=1)
y = mx.stack([row[i] for row, i in zip(x, idx)])  # expect: MX601
# %% wrong: loop with append
x = mx.ones((8, 4))
idx = mx.argmin(x, axis=1)
parts = []
for i in range(8):
    parts.append(x[i, idx[i]])  # expect: MX601
y = mx.stack(parts)
# %% wrong: method
class Loss:
    def __call__(self, logits: mx.array, y: mx.array):
        n = logits.shape[0]
        return -logits[mx.arange(n), y].mean()  # expect: MX601
# %% wrong: alias
from mlx.core import arange, ones, array
t = ones((3, 3))
u = t[arange(3), array([0, 1, 2])]  # expect: MX601
# %% wrong: expanded by function
x = mx.ones((8, 4))
idx = mx.argsort(x, axis=-1)
y = x[mx.expand_dims(mx.arange(8), 1), idx]  # expect: MX601
# %% wrong: three dimensions
x = mx.ones((4, 8, 4))
last = mx.array([1, 2, 3, 4])
y = x[mx.arange(4), last, :]  # expect: MX601
# %% wrong: NumPy list of rows
x = mx.ones((4, 8))
idx = mx.argmax(x, axis=-1)
y = mx.exp(x)[mx.arange(x.shape[0]), idx]  # expect: MX601
# %% wrong: two levels of index
x = mx.ones((8, 4))
idx = mx.argmax(x, axis=1)
y = mx.stack([x[i][idx[i]] for i in range(8)])  # expect: MX601
# %% right: take_along_axis
x = mx.ones((8, 4))
idx = mx.argmax(x, axis=1)
y = mx.take_along_axis(x, idx[:, None], axis=1)
# %% right: embedding lookup
table = mx.ones((100, 8))
ids = mx.array([1, 2, 3])
y = table[ids]
# %% right: slice
x = mx.ones((8, 4))
y = x[2:5, 1]
# %% right: unknown indexes
def f(x: mx.array, rows: mx.array, cols: mx.array):
    return x[rows, cols]
# %% right: columns
x = mx.ones((8, 4))
y = x[:, mx.array([0, 2])]
# %% right: diagonal set
x = mx.zeros((4, 4))
x[mx.arange(4), mx.arange(4)] = 1.0
# %% right: NumPy
import numpy as np
x = np.ones((8, 4))
y = x[np.arange(8), np.zeros(8, int)]
# %% right: computed rows
x = mx.ones((8, 4))
idx = mx.argsort(x[:, 0])
y = x[idx]
# %% right: strided rows
x = mx.ones((8, 4))
y = x[mx.arange(0, 8, 2)]
# %% right: list of other work
x = mx.ones((8, 4))
y = mx.stack([mx.exp(x[i]) for i in range(8)])
# %% right: mask
x = mx.ones((8, 4))
y = mx.where(mx.arange(8)[:, None] < 3, x, 0)
# %% right: PyTorch
import torch
x = torch.ones(8, 4)
y = x[torch.arange(8), torch.zeros(8, dtype=torch.long)]
# %% right: one number
x = mx.ones((8, 4))
y = x[mx.arange(3), 0]
# %% right: positions are added
x = mx.ones((8, 4))
pos = mx.arange(8)
y = x + pos[:, None]
# %% right: points of an image
def neighbours(image: mx.array, y: mx.array, x: mx.array):
    b = mx.arange(image.shape[0])[:, None]
    k = mx.arange(image.shape[3])[None]
    return image[b, y, x, k]
# %% right: a table for each codebook
def embed(tables: mx.array, codes: mx.array, n):
    total = 0
    for i in range(n):
        total = total + tables[i, codes[..., i]]
    return total
