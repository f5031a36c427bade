# %% wrong: vector times matrix
x = mx.random.normal((512,))
W = mx.random.normal((512, 512))
y = x @ W  # expect: MX701
# %% wrong: one row
x = mx.zeros((1, 64))
W = mx.random.normal((64, 128))
y = x @ W  # expect: MX701
# %% wrong: transposed on the left
W = mx.random.normal((64, 128))
v = mx.ones((64,))
y = W.T @ v  # expect: MX701
# %% wrong: function
x = mx.ones((256,))
W = mx.ones((256, 256))
y = mx.matmul(x, W)  # expect: MX701
# %% wrong: attribute
class Head:
    def __init__(self, n):
        self.weight = mx.random.normal((n, 32))
        self.probe = mx.ones((32,))
    def score(self):
        return self.weight.transpose() @ mx.ones((128,))  # expect: MX701
# %% wrong: row of a matrix
X = mx.random.normal((100, 64))
W = mx.random.normal((64, 64))
for i in range(100):
    y = X[i] @ W  # expect: MX701
# %% wrong: helper
def vector(n):
    return mx.ones((n,))
W = mx.random.normal((8, 8))
y = vector(8) @ W  # expect: MX701
# %% wrong: alias
from mlx.core import ones
v = ones((16,))
M = ones((16, 16))
r = v @ M  # expect: MX701
# %% wrong: literal vector
W = mx.random.normal((3, 4))
y = mx.array([1.0, 2.0, 3.0]) @ W  # expect: MX701
# %% wrong: after an element-wise function
W = mx.random.normal((64, 32))
h = mx.tanh(mx.ones((64,)) * 2)
y = h @ W  # expect: MX701
# %% wrong: transposed once too often
W = mx.random.normal((64, 32))
Wt = W.T
v = mx.ones((64,))
y = Wt @ v  # expect: MX701
# %% wrong: swapaxes
W = mx.random.normal((64, 32))
y = W.swapaxes(0, 1) @ mx.ones((64,))  # expect: MX701
# %% right: stored by rows
x = mx.random.normal((512,))
W = mx.random.normal((512, 512))
y = x @ W.T
# %% right: matrix times vector
W = mx.random.normal((512, 512))
y = W @ mx.ones((512,))
# %% right: many rows
X = mx.random.normal((128, 64))
W = mx.random.normal((64, 32))
y = X @ W
# %% right: unknown shapes
def f(x: mx.array, W: mx.array):
    return x @ W
# %% right: layer
layer = nn.Linear(64, 32)
y = layer(mx.ones((64,)))
# %% right: inner product
a, b = mx.ones((8,)), mx.ones((8,))
y = a @ b
# %% right: NumPy
import numpy as np
y = np.ones(4) @ np.ones((4, 4))
# %% right: attention
q = mx.ones((1, 8, 16, 64))
k = mx.ones((1, 8, 16, 64))
s = q @ k.transpose(0, 1, 3, 2)
# %% right: batch of vectors
x = mx.ones((32, 1, 64))
W = mx.ones((32, 64, 8))
y = x @ W
# %% right: outer product
y = mx.outer(mx.ones((3,)), mx.ones((4,)))
# %% right: torch
import torch
y = torch.ones(4) @ torch.ones(4, 4)
# %% right: element-wise
x = mx.ones((4,))
y = x * mx.ones((4, 4))
# %% right: gram matrix
X = mx.random.normal((128, 64))
y = X.T @ X
