# %% wrong: print
class Net(nn.Module):
    def __call__(self, x):
        x = mx.tanh(x)
        print(x)  # expect: MX501
        return x
# %% wrong: f-string
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.Linear(2, 2)
    def __call__(self, x):
        y = self.l(x)
        print(f"mean {y.mean()}")  # expect: MX501
        return y
# %% wrong: logging
import logging
import mlx.nn as nn
logger = logging.getLogger(__name__)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.Linear(2, 2)
    def __call__(self, x):
        y = self.l(x)
        logger.info("output %s", y)  # expect: MX501
        return y
# %% wrong: item printed
class Net(nn.Module):
    def __call__(self, x: mx.array):
        print("max", x.max().item())  # expect: MX501
        return x
# %% wrong: str
class Net(nn.Module):
    def __call__(self, x):
        self.note = str(mx.abs(x))  # expect: MX501
        return x
# %% wrong: through a helper
def debug(name, value):
    print(name, value)
class Net(nn.Module):
    def __call__(self, x):
        x = nn.relu(x)
        debug("relu", x)  # expect: MX501
        return x
# %% wrong: method called by the forward pass
class Net(nn.Module):
    def attend(self, q: mx.array):
        s = q @ q.T
        print(s)  # expect: MX501
        return s
    def __call__(self, x):
        return self.attend(x)
# %% wrong: subclass of a subclass
class Base(nn.Module):
    pass
class Net(Base):
    def __call__(self, x):
        h = mx.exp(x)
        print("h", h, h.shape)  # expect: MX501
        return h
# %% wrong: base imported
from mlx.nn import Module, gelu
class Net(Module):
    def __call__(self, x):
        g = gelu(x)
        print(g)  # expect: MX501
        return g
# %% wrong: format method
class Net(nn.Module):
    def __call__(self, x: mx.array):
        text = "{}".format(x)  # expect: MX501
        return x
# %% wrong: percent
class Net(nn.Module):
    def __call__(self, x: mx.array):
        text = "value %s" % x  # expect: MX501
        return x
# %% wrong: parameters
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = mx.ones((2, 2))
    def __call__(self, x):
        print(self.w * 2)  # expect: MX501
        return x @ self.w
# %% wrong: in a branch of the forward pass
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.Linear(2, 2)
        self.debug = True
    def __call__(self, x):
        for _ in range(2):
            x = self.l(x)
            print(repr(x))  # expect: MX501
        return x
# %% right: shape and dtype
class Net(nn.Module):
    def __call__(self, x: mx.array):
        print(x.shape, x.dtype, f"{x.ndim} {x.size}")
        return x
# %% right: outside
class Net(nn.Module):
    def __call__(self, x):
        return mx.tanh(x)
print(Net()(mx.ones((2,))))
# %% right: not a module
class Report:
    def __call__(self, x: mx.array):
        print(x)
# %% right: constructor
class Net(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.w = mx.ones((n,))
        print("made", n, self.w)
# %% right: numbers
class Net(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.n = n
    def __call__(self, x):
        print(self.n, "layers")
        return x
# %% right: error message
class Net(nn.Module):
    def __call__(self, x: mx.array):
        if x.ndim != 3:
            raise ValueError(f"three dimensions, not {x.shape}")
        return x
# %% right: PyTorch
import torch
class Net(torch.nn.Module):
    def forward(self, x):
        print(x)
        return x
# %% right: training loop
def train(model: nn.Module, data):
    for x in data:
        print(model(x))
# %% right: extra representation
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = mx.ones((2, 3))
    def _extra_repr(self):
        return f"w={self.w.shape}"
# %% right: string argument
class Net(nn.Module):
    def __call__(self, x, mode="a"):
        print(f"mode {mode}")
        return mx.exp(x)
# %% right: other method
class Net(nn.Module):
    def describe(self, x: mx.array):
        print(x)
# %% right: length
class Net(nn.Module):
    def __call__(self, xs: list):
        print(len(xs))
        return mx.stack(xs)
# %% right: index of a layer
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = [nn.Linear(2, 2)]
    def __call__(self, x):
        for i, layer in enumerate(self.layers):
            print(f"layer {i}")
            x = layer(x)
        return x
