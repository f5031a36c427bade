# %% wrong: inference only
layer = nn.QQLinear(64, 64)  # expect: MX802
layer.eval()
y = layer(mx.ones((1, 64)))
mx.eval(y)
# %% wrong: in a model
model = nn.Sequential(nn.QQLinear(64, 64), nn.ReLU())  # expect: MX802
model.load_weights("w.safetensors")
model.eval()
print(model(mx.ones((1, 64))))
# %% wrong: from_linear
q = nn.QQLinear.from_linear(nn.Linear(64, 64, bias=False))  # expect: MX802
q.eval()
y = q(mx.ones((1, 64)))
# %% wrong: main function
def main():
    net = nn.QQLinear(64, 64)  # expect: MX802
    net.eval()
    print(net(mx.ones((1, 64))))
main()
# %% wrong: alias
from mlx.nn import QQLinear
import mlx.core as mx
l = QQLinear(64, 64, mode="mxfp8")  # expect: MX802
l.eval()
print(l(mx.ones((1, 64))).tolist())
# %% wrong: training switched off
l = nn.QQLinear(64, 64)  # expect: MX802
l.train(False)
print(l(mx.ones((1, 64))))
# %% wrong: class with its own evaluation
class Server:
    def __init__(self):
        self.model = nn.QQLinear(64, 64)  # expect: MX802
        self.model.eval()
    def run(self, x: mx.array):
        return self.model(x).tolist()
# %% wrong: several layers
a, b = nn.QQLinear(64, 64), nn.QQLinear(64, 64)  # expect: MX802, MX802
a.eval()
b.eval()
print(b(a(mx.ones((1, 64)))))
# %% wrong: model class in a script
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.QQLinear(64, 64)  # expect: MX802
    def __call__(self, x):
        return self.l(x)
net = Net()
net.eval()
print(net(mx.ones((1, 64))))
# %% wrong: list of layers
layers = [nn.QQLinear(64, 64) for _ in range(4)]  # expect: MX802
x = mx.ones((1, 64))
for layer in layers:
    layer.eval()
    x = layer(x)
# %% wrong: helper builds
def build():
    return nn.QQLinear(64, 64)  # expect: MX802
m = build()
m.eval()
print(m(mx.ones((1, 64))))
# %% wrong: quantized by hand
l = nn.QQLinear(64, 64)  # expect: MX802
l.quantize()
print(l(mx.ones((1, 64))))
# %% right: trained
layer = nn.QQLinear(64, 64)
lvg = nn.value_and_grad(layer, lambda x: layer(x).sum())
r = lvg(mx.ones((1, 64)))
layer.eval()
# %% right: QuantizedLinear
layer = nn.QuantizedLinear(64, 64)
layer.eval()
y = layer(mx.ones((1, 64)))
# %% right: library class
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.QQLinear(64, 64)
    def __call__(self, x):
        return self.l(x)
# %% right: returned to the caller
def build():
    layer = nn.QQLinear(64, 64)
    return layer
# %% right: passed to a trainer
from mine import train
import mlx.nn as nn
layer = nn.QQLinear(64, 64)
train(layer)
layer.eval()
# %% right: plain gradient
layer = nn.QQLinear(64, 64)
layer.train()
g = mx.grad(lambda p: layer(p).sum())(mx.ones((1, 64)))
# %% right: never evaluated here
layer = nn.QQLinear(64, 64)
layer.save_weights("w.safetensors")
# %% right: isinstance
def count(model: nn.Module):
    return sum(isinstance(m, nn.QQLinear) for m in model.modules())
# %% right: trained in another file
import mlx.nn as nn
from loop import fit
layer = nn.QQLinear(64, 64)
fit(layer)
layer.eval()
# %% file: loop.py
import mlx.nn as nn
def fit(model):
    return nn.value_and_grad(model, lambda m: 0.0)(model)
# %% right: plain linear
layer = nn.Linear(64, 64)
layer.eval()
# %% right: optimizer in the file
layer = nn.QQLinear(64, 64)
opt = optim.SGD(0.1)
opt.init(layer.trainable_parameters())
layer.eval()
# %% right: PyTorch
import torch
l = torch.nn.Linear(2, 2)
l.eval()
