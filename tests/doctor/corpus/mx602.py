# %% wrong: list times number
a = mx.ones((2, 3))
y = mx.concatenate([a] * 4)  # expect: MX602
# %% wrong: twice the same
x = mx.random.normal((2, 3))
y = mx.concatenate([x, x], axis=0)  # expect: MX602
# %% wrong: comprehension
a = mx.ones((2, 3))
y = mx.concatenate([a for _ in range(3)], axis=1)  # expect: MX602
# %% wrong: concat
a = mx.ones((2, 3))
y = mx.concat([a] * 2, axis=-1)  # expect: MX602
# %% wrong: parameter
def double(x: mx.array):
    return mx.concatenate([x] * 2)  # expect: MX602
# %% wrong: list in a name
a = mx.ones((2,))
parts = [a] * 8
y = mx.concatenate(parts)  # expect: MX602
# %% wrong: names from the import
from mlx.core import concatenate, zeros
z = zeros((2,))
y = concatenate([z, z, z])  # expect: MX602
# %% wrong: class
class Guide:
    def __init__(self):
        self.latent = mx.ones((1, 4))
    def pair(self):
        return mx.concatenate([self.latent, self.latent])  # expect: MX602
# %% wrong: number times list
a = mx.ones((2,))
y = mx.concatenate(3 * [a], axis=0)  # expect: MX602
# %% wrong: variable count
def repeat(a: mx.array, n: int):
    return mx.concatenate([a] * n, axis=1)  # expect: MX602
# %% wrong: tuple
a = mx.ones((2,))
y = mx.concatenate((a, a))  # expect: MX602
# %% wrong: filled in a loop
a = mx.ones((2, 3))
copies = []
for _ in range(4):
    copies.append(a)
y = mx.concatenate(copies)  # expect: MX602
# %% wrong: helper
def twice(t):
    return mx.concatenate([t] * 2, axis=-1)  # expect: MX602
y = twice(mx.cos(mx.ones((4,))))
# %% right: tile
a = mx.ones((2, 3))
y = mx.tile(a, (4, 1))
# %% right: different arrays
a, b = mx.ones((2,)), mx.zeros((2,))
y = mx.concatenate([a, b])
# %% right: some are equal
a, b = mx.ones((2,)), mx.zeros((2,))
y = mx.concatenate([a, b, a])
# %% right: made anew
y = mx.concatenate([mx.random.normal((2,)) for _ in range(3)])
# %% right: function of the loop
a = mx.ones((2,))
y = mx.concatenate([a * i for i in range(3)])
# %% right: stack
a = mx.ones((2,))
y = mx.stack([a, a])
# %% right: NumPy
import numpy as np
a = np.ones(2)
y = np.concatenate([a] * 3)
# %% right: list of lists
parts = [[1, 2]] * 3
x = mx.array(parts)
# %% right: changed on the way
a = mx.ones((2,))
parts = [a]
a = a * 2
parts.append(a)
y = mx.concatenate(parts)
# %% right: one element
a = mx.ones((2,))
y = mx.concatenate([a])
# %% right: unknown list
def join(parts):
    return mx.concatenate(parts)
# %% right: parts of one array
x = mx.ones((8, 4))
a, b = mx.split(x, 2)
y = mx.concatenate([-b, a])
# %% right: rotated halves
x = mx.ones((8, 4))
y = mx.concatenate([x[..., 2:], x[..., :2]], axis=-1)
# %% right: PyTorch
import torch
x = torch.ones(2)
y = torch.cat([x] * 2)
# %% right: offsets of two caches
class Cache:
    def __init__(self, n):
        self.offset = mx.zeros((n,))
    def extend(self, other: "Cache"):
        self.offset = mx.concatenate([self.offset, other.offset])
