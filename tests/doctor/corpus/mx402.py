# %% wrong: dictionary
w = mx.load("model.safetensors")
mx.eval(w)  # expect: MX402
w = {k: v.astype(mx.float16) for k, v in w.items()}
# %% wrong: model
model = nn.Linear(4, 4)
model.load_weights("w.safetensors")
mx.eval(model.parameters())  # expect: MX402
model.set_dtype(mx.bfloat16)
# %% wrong: one array
x = mx.load("x.npy")
mx.eval(x)  # expect: MX402
x = x.astype(mx.float16)
# %% wrong: values
def load(path):
    weights = mx.load(path)
    mx.eval(list(weights.values()))  # expect: MX402
    return {k: v.astype(mx.bfloat16) for k, v in weights.items()}
# %% wrong: loop over items
weights = mx.load("w.npz")
mx.eval(weights)  # expect: MX402
half = {}
for k, v in weights.items():
    half[k] = v.astype(mx.float16)
# %% wrong: tree_map
from mlx.utils import tree_map
import mlx.core as mx
import mlx.nn as nn
model = nn.Linear(4, 4)
model.load_weights("w.npz")
mx.eval(model)  # expect: MX402
model.update(tree_map(lambda p: p.astype(mx.float16), model.parameters()))
# %% wrong: apply
model = nn.Sequential(nn.Linear(4, 4))
model.load_weights("w.npz", strict=False)
mx.eval(model.state)  # expect: MX402
model.apply(lambda p: p.astype(mx.bfloat16))
# %% wrong: function of the loader
def read(path):
    return mx.load(path)
w = read("a.safetensors")
mx.eval(w)  # expect: MX402
w = {k: mx.astype(v, mx.float16) for k, v in w.items()}
# %% wrong: alias
from mlx.core import load, eval as force, float16
t = load("t.npy")
force(t)  # expect: MX402
t = t.astype(float16)
# %% wrong: class
class Net:
    def __init__(self, path):
        self.model = nn.Linear(4, 4)
        self.model.load_weights(path)
        mx.eval(self.model.parameters())  # expect: MX402
        self.model.set_dtype(mx.float16)
# %% wrong: helper evaluates
def ready(w):
    mx.eval(w)
w = mx.load("w.npz")
ready(w)  # expect: MX402
w = {k: v.astype(mx.float16) for k, v in w.items()}
# %% wrong: one weight of the file
w = mx.load("w.npz")
q = w["q"]
mx.eval(q)  # expect: MX402
q = q.astype(mx.bfloat16)
# %% right: cast, then evaluate
w = mx.load("model.safetensors")
w = {k: v.astype(mx.float16) for k, v in w.items()}
mx.eval(w)
# %% right: model cast first
model = nn.Linear(4, 4)
model.load_weights("w.safetensors")
model.set_dtype(mx.bfloat16)
mx.eval(model.parameters())
# %% right: no cast
w = mx.load("w.npz")
mx.eval(w)
# %% right: another array is cast
w = mx.load("w.npz")
mx.eval(w)
x = mx.ones((3,)).astype(mx.float16)
# %% right: evaluated array is not loaded
x = mx.exp(mx.ones((3,)))
mx.eval(x)
x = x.astype(mx.float16)
# %% right: product of the weights is cast
w = mx.load("w.npy")
mx.eval(w)
y = (w @ w.T).astype(mx.float16)
# %% right: NumPy
import numpy as np
w = np.load("w.npy")
w = w.astype(np.float16)
# %% right: cast at the call
model = nn.Linear(4, 4)
model.load_weights("w.npz")
mx.eval(model.parameters())
y = model(mx.ones((1, 4)).astype(mx.float16))
# %% right: cast of the output
model = nn.Linear(4, 4)
model.load_weights("w.npz")
mx.eval(model.parameters())
y = model(mx.ones((1, 4))).astype(mx.float16)
# %% right: two files
a = mx.load("a.npy")
b = mx.load("b.npy")
mx.eval(a)
b = b.astype(mx.float16)
# %% right: two models
a, b = nn.Linear(2, 2), nn.Linear(2, 2)
a.load_weights("a.npz")
mx.eval(a.parameters())
b.load_weights("b.npz")
b.set_dtype(mx.float16)
mx.eval(b.parameters())
# %% right: torch
import torch
w = torch.load("w.pt")
w = {k: v.to(torch.float16) for k, v in w.items()}
# %% right: random model, set once
model = nn.Linear(4, 4)
mx.eval(model.parameters())
model.set_dtype(mx.float16)
