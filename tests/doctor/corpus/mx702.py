# %% wrong: linear layer by hand
x, W, b = mx.ones((8, 4)), mx.ones((3, 4)), mx.zeros((3,))
y = x @ W.T + b  # expect: MX702
# %% wrong: bias first
x, W, b = mx.ones((8, 4)), mx.ones((4, 3)), mx.zeros((3,))
y = b + x @ W  # expect: MX702
# %% wrong: function
x, W, b = mx.ones((8, 4)), mx.ones((4, 3)), mx.zeros((3,))
y = mx.matmul(x, W) + b  # expect: MX702
# %% wrong: module
class Dense(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.weight = mx.random.normal((o, i))
        self.bias = mx.zeros((o,))
    def __call__(self, x):
        return x @ self.weight.T + self.bias  # expect: MX702
# %% wrong: parameters
def dense(x: mx.array, weight: mx.array, bias: mx.array):
    return x @ weight.T + bias  # expect: MX702
# %% wrong: through a name
x, W, b = mx.ones((8, 4)), mx.ones((4, 3)), mx.zeros((3,))
h = x @ W
y = h + b  # expect: MX702
# %% wrong: in place
x, W, b = mx.ones((8, 4)), mx.ones((4, 3)), mx.zeros((3,))
h = x @ W
h += b  # expect: MX702
# %% wrong: mx.add
x, W, b = mx.ones((8, 4)), mx.ones((4, 3)), mx.zeros((3,))
y = mx.add(x @ W, b)  # expect: MX702
# %% wrong: inside an activation
x, W, b = mx.ones((8, 4)), mx.ones((4, 3)), mx.zeros((3,))
y = nn.relu(x @ W + b)  # expect: MX702
# %% wrong: weights in a dictionary
p = {"w": mx.ones((4, 3)), "b": mx.zeros((3,))}
x = mx.ones((2, 4))
y = x @ p["w"] + p["b"]  # expect: MX702
# %% wrong: lambda
b = mx.zeros((3,))
W = mx.ones((4, 3))
f = lambda x: mx.exp(x) @ W + b  # expect: MX702
# %% wrong: names from the import
from mlx.core import matmul, ones, zeros
w, c = ones((4, 3)), zeros((3,))
y = matmul(ones((2, 4)), w) + c  # expect: MX702
# %% right: addmm
x, W, b = mx.ones((8, 4)), mx.ones((3, 4)), mx.zeros((3,))
y = mx.addmm(b, x, W.T)
# %% right: a number
x, W = mx.ones((8, 4)), mx.ones((4, 3))
y = x @ W + 1.0
# %% right: no product
x, b = mx.ones((8, 3)), mx.zeros((3,))
y = x * 2 + b
# %% right: nn.Linear
layer = nn.Linear(4, 3)
y = layer(mx.ones((2, 4))) + 1
# %% right: NumPy
import numpy as np
x, W, b = np.ones((8, 4)), np.ones((4, 3)), np.zeros(3)
y = x @ W + b
# %% right: unknown
def f(x, w, b):
    return x @ w + b
# %% right: PyTorch
import torch
y = torch.ones(2, 4) @ torch.ones(4, 3) + torch.zeros(3)
# %% right: subtraction
x, W, b = mx.ones((8, 4)), mx.ones((4, 3)), mx.zeros((3,))
y = x @ W - b
# %% right: product used alone too
x, W, b = mx.ones((8, 4)), mx.ones((4, 3)), mx.zeros((3,))
h = x @ W
y = h + b
z = h * 2
# %% right: activation between
x, W, b = mx.ones((8, 4)), mx.ones((4, 3)), mx.zeros((3,))
y = mx.tanh(x @ W) + b
# %% right: fused attention mask
q = mx.ones((1, 2, 8, 4))
y = mx.fast.scaled_dot_product_attention(q, q, q, scale=1.0) + 1
# %% right: quantized product
x = mx.ones((2, 64))
w, s, z = mx.quantize(mx.ones((32, 64)))
y = mx.quantized_matmul(x, w, s, z) + mx.zeros((32,))
# %% right: a scaled product
x, W, m = mx.ones((8, 4)), mx.ones((4, 8)), mx.zeros((8, 8))
y = (x @ W) * 0.5 + m
