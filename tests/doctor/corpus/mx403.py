# %% wrong: direct
w = mx.load(open("w.npz", "rb"))  # expect: MX403
# %% wrong: with statement
with open("w.safetensors", "rb") as f:
    w = mx.load(f, format="safetensors")  # expect: MX403
# %% wrong: named handle
handle = open("x.npy", mode="rb")
x = mx.load(handle)  # expect: MX403
handle.close()
# %% wrong: Path.open
from pathlib import Path
import mlx.core as mx
p = Path("w.npz")
w = mx.load(p.open("rb"))  # expect: MX403
# %% wrong: Path.open in a with statement
import pathlib
import mlx.core as mx
with pathlib.Path("w.npz").open("rb") as stream:
    w = mx.load(stream)  # expect: MX403
# %% wrong: alias
from mlx.core import load
w = load(open("w.npz", "rb"))  # expect: MX403
# %% wrong: io.open
import io
import mlx.core as mx
w = mx.load(io.open("w.npy", "rb"))  # expect: MX403
# %% wrong: function
def read(path):
    with open(path, "rb") as file:
        return mx.load(file)  # expect: MX403
# %% wrong: method
class Store:
    def __init__(self, path):
        self.file = open(path, "rb")
    def get(self):
        return mx.load(self.file)  # expect: MX403
# %% wrong: helper opens
def source(name):
    return open(name, "rb")
w = mx.load(source("w.npz"))  # expect: MX403
# %% wrong: helper loads
def parse(f):
    return mx.load(f, format="npz")  # expect: MX403
with open("w.npz", "rb") as f:
    w = parse(f)
# %% wrong: in a loop
parts = [mx.load(open(f"{i}.npy", "rb")) for i in range(3)]  # expect: MX403
# %% wrong: dictionary of files
for name in ("a", "b"):
    with open(name + ".safetensors", "rb") as fh:
        print(len(mx.load(fh, "safetensors")))  # expect: MX403
# %% right: path
w = mx.load("w.npz")
# %% right: Path
from pathlib import Path
import mlx.core as mx
w = mx.load(Path("a") / "w.npz")
w = mx.load(str(Path("b.npz")))
# %% right: bytes in memory
import io
import mlx.core as mx
w = mx.load(io.BytesIO(b""), format="npz")
# %% right: NumPy
import numpy as np
w = np.load(open("w.npy", "rb"))
# %% right: JSON
import json
with open("config.json") as f:
    config = json.load(f)
# %% right: torch
import torch
w = torch.load(open("w.pt", "rb"))
# %% right: unknown
def read(f):
    return mx.load(f)
# %% right: sockets and archives
import zipfile
import mlx.core as mx
with zipfile.ZipFile("a.zip") as z:
    with z.open("w.npy") as member:
        w = mx.load(member, format="npy")
# %% right: bytes were read
import io
import mlx.core as mx
data = open("w.npz", "rb").read()
w = mx.load(io.BytesIO(data), format="npz")
# %% right: the file's name
with open("w.npz", "rb") as f:
    w = mx.load(f.name)
# %% right: open of something else
import gzip
import mlx.core as mx
with gzip.open("w.npy.gz") as f:
    w = mx.load(f, format="npy")
# %% right: own load
def load(f):
    return f.read()
text = load(open("a.txt"))
# %% right: saved, not loaded
with open("w.npz", "wb") as f:
    mx.savez(f, a=mx.ones((2,)))
