# %% wrong: filled one by one
x = mx.zeros((100,))
for i in range(100):
    x[i] = i * 2  # expect: MX503
# %% wrong: two indexes
x = mx.zeros((10, 10))
for i in range(10):
    for j in range(10):
        x[i, j] = i + j  # expect: MX503
# %% wrong: copy of a row
x = mx.zeros((10, 10))
row = x[3]
row[2] = 1.0  # expect: MX503
print(x)
# %% wrong: function
def table(n):
    out = mx.zeros((n,))
    for i in range(n):
        out[i] = i ** 0.5  # expect: MX503
    return out
# %% wrong: enumerate
x = mx.zeros((3,))
for i, v in enumerate([1.0, 2.0, 3.0]):
    x[i] = v  # expect: MX503
# %% wrong: while
x = mx.ones((50,))
i = 1
while i < 50:
    x[i] = x[i - 1] * 2  # expect: MX503
    i += 1
# %% wrong: attribute
class Table:
    def __init__(self, n):
        self.t = mx.zeros((n,))
        for i in range(n):
            self.t[i] = 1 / (i + 1)  # expect: MX503
# %% wrong: augmented
hist = mx.zeros((256,))
for v in [1, 2, 3]:
    hist[v] += 1  # expect: MX503
# %% wrong: alias
from mlx.core import zeros
m = zeros((4, 4))
for k in range(4):
    m[k][k] = 1.0  # expect: MX503
# %% wrong: annotated parameter
def fill(x: mx.array, values: list):
    for i in range(len(values)):
        x[i] = values[i]  # expect: MX503
    return x
# %% wrong: chained index
x = mx.zeros((4, 4))
x[0][1] = 5.0  # expect: MX503
# %% wrong: through a helper
def put(x, i, v):
    x[i] = v
buf = mx.zeros((10,))
for i in range(10):
    put(buf, i, 2.0 * i)  # expect: MX503
# %% wrong: last element
x = mx.zeros((5, 2))
for i in range(5):
    x[i, 0] = i  # expect: MX503
# %% right: one assignment
x = mx.zeros((100,))
x[3] = 1.0
x[4:8] = 2.0
# %% right: key-value cache
class Cache:
    def __init__(self, n):
        self.keys = mx.zeros((1, 8, n, 64))
        self.offset = 0
    def update(self, k: mx.array):
        self.keys[..., self.offset : self.offset + k.shape[2], :] = k
        self.offset += k.shape[2]
        return self.keys
# %% right: list
out = [0] * 10
for i in range(10):
    out[i] = i
x = mx.array(out)
# %% right: NumPy
import numpy as np
x = np.zeros(10)
for i in range(10):
    x[i] = i
# %% right: dictionary of arrays
w = {}
for i in range(3):
    w[f"l{i}"] = mx.ones((2,))
# %% right: blocks
x = mx.zeros((100, 4))
for i in range(0, 100, 25):
    x[i : i + 25] = mx.ones((25, 4))
# %% right: list of arrays
layers = [mx.ones((2,)) for _ in range(3)]
for i in range(3):
    layers[i] = layers[i] * 2
# %% right: slice that is used itself
x = mx.zeros((10, 10))
row = x[3]
row[2] = 1.0
print(row)
# %% right: mask
x = mx.random.normal((10,))
x[x < 0] = 0
# %% right: unknown
def fill(x, n):
    for i in range(n):
        x[i] = i
# %% right: at
x = mx.zeros((10,))
x = x.at[mx.array([1, 2])].add(1.0)
# %% right: PyTorch
import torch
x = torch.zeros(10)
for i in range(10):
    x[i] = i
# %% right: constant place in a loop
x = mx.zeros((10,))
for step in range(3):
    x[0] = step
    mx.async_eval(x)
# %% right: loop over a handful of names
tree = {"a": [mx.ones((1,)), mx.ones((1,))]}
for i in range(2):
    tree["a"][i] = tree["a"][i] + 1
# %% right: features go to the places of a row
def merge(embeds: mx.array, features, places):
    for i in range(embeds.shape[0]):
        embeds[i, places[i]] = features[i]
    return embeds
# %% wrong: at[i].add of each index
def count():
    x = mx.zeros((100,))
    for i in range(100):
        x = x.at[i].add(1)  # expect: MX503
    return x
# %% wrong: at of rows and of minimum
def lowest(values: list[float]):
    x = mx.ones((100, 2))
    for i, v in enumerate(values):
        x = x.at[i, 0].minimum(v)  # expect: MX503
    return x
# %% right: at of many places, of the same one, and of another array on each turn
def count(batches: list[mx.array], x: mx.array):
    for indices in batches:
        x = x.at[indices].add(1)
    for i in range(100):
        x = x.at[0].add(i)
    rows = []
    for i in range(10):
        rows.append(mx.zeros((10,)).at[i].add(1))
    return x, rows
