# %% wrong: cuda
x = mx.ones((3,)).cuda()  # expect: MX504
# %% wrong: to
x = mx.ones((3,))
x = x.to("cuda")  # expect: MX504
# %% wrong: cpu
def f(x: mx.array):
    return x.cpu()  # expect: MX504
# %% wrong: module
model = nn.Linear(2, 2)
model.to("cuda:0")  # expect: MX504
# %% wrong: module class
class Net(nn.Module):
    def __call__(self, x):
        return x
net = Net().cuda()  # expect: MX504
# %% wrong: result of a model
model = nn.Linear(2, 2)
y = model(mx.ones((1, 2))).cpu()  # expect: MX504
# %% wrong: device name
device = "cuda"
x = mx.ones((2,)).to(device)  # expect: MX504
# %% wrong: mlx device
x = mx.ones((2,)).to(mx.gpu)  # expect: MX504
# %% wrong: attribute
class Runner:
    def __init__(self):
        self.model = nn.Linear(2, 2)
    def run(self, x):
        return self.model(x).cpu().tolist()  # expect: MX504
# %% wrong: alias
from mlx.core import zeros
z = zeros((2,)).cuda()  # expect: MX504
# %% wrong: comprehension
xs = [mx.ones((2,)) for _ in range(3)]
ys = [x.to("cpu") for x in xs]  # expect: MX504
# %% wrong: keyword
x = mx.ones((2,)).to(device="cuda")  # expect: MX504
# %% wrong: helper
def make():
    return mx.random.normal((2,))
y = make().to("mps")  # expect: MX504
# %% right: stream
x = mx.exp(mx.ones((3,)), stream=mx.cpu)
# %% right: torch
import torch
x = torch.ones(3).cuda().to("cpu").cpu()
# %% right: torch model
import torch
model = torch.nn.Linear(2, 2).to("cuda")
# %% right: unknown
def f(x):
    return x.cpu()
# %% right: converted
import torch
import numpy as np
import mlx.core as mx
x = torch.tensor(np.array(mx.ones((3,)))).cuda()
# %% right: from torch
import torch
import mlx.core as mx
t = torch.ones(3)
x = mx.array(t.cpu().numpy())
# %% right: own method
class Net(nn.Module):
    def to(self, device):
        return self
net = Net().to("cuda")
# %% right: default device
mx.set_default_device(mx.gpu)
# %% right: own class
class Box:
    def cuda(self):
        return self
b = Box().cuda()
# %% right: device constant
d = mx.cpu
s = mx.default_stream(mx.gpu)
# %% right: jax
import jax
x = jax.device_put(1.0, jax.devices("cpu")[0])
# %% right: rebound
import torch
import mlx.core as mx
x = mx.ones((3,))
x = torch.from_numpy(x.__array__())
x = x.to("cuda")
# %% right: string method
path = "a"
path = path.upper()
x = mx.ones((2,))
