# %% wrong: layer in eval mode
layer = nn.QQLinear(64, 64)
layer.eval()
lvg = nn.value_and_grad(layer, lambda x: layer(x).sum())
loss, grads = lvg(mx.ones((1, 64)))  # expect: MX801
# %% wrong: model
model = nn.Sequential(nn.QQLinear(64, 64), nn.ReLU())
model.eval()
lvg = nn.value_and_grad(model, lambda m, x: m(x).sum())
loss, grads = lvg(model, mx.ones((1, 64)))  # expect: MX801
# %% wrong: class
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.QQLinear(64, 64)
    def __call__(self, x):
        return self.a(x)
net = Net()
net.eval()
step = nn.value_and_grad(net, lambda n, x: n(x).sum())
out = step(net, mx.ones((1, 64)))  # expect: MX801
# %% wrong: training off
net = nn.QQLinear(64, 64)
net.train(False)
lvg = nn.value_and_grad(net, lambda x: net(x).sum())
r = lvg(mx.ones((1, 64)))  # expect: MX801
# %% wrong: loop
net = nn.Sequential(nn.QQLinear(64, 64))
opt = optim.SGD(0.1)
lvg = nn.value_and_grad(net, lambda x: net(x).sum())
net.eval()
for _ in range(3):
    loss, grads = lvg(mx.ones((1, 64)))  # expect: MX801
    opt.update(net, grads)
    del grads
    mx.eval(net.parameters())
# %% wrong: quantize
layer = nn.QQLinear(64, 64)
layer.quantize()
lvg = nn.value_and_grad(layer, lambda x: layer(x).sum())
g = lvg(mx.ones((1, 64)))  # expect: MX801
# %% wrong: nn.quantize with inputs
model = nn.Sequential(nn.Linear(64, 64))
nn.quantize(model, mode="nvfp4", quantize_input=True)
model.eval()
lvg = nn.value_and_grad(model, lambda x: model(x).sum())
g = lvg(mx.ones((1, 64)))  # expect: MX801
# %% wrong: from_linear
q = nn.QQLinear.from_linear(nn.Linear(64, 64, bias=False))
q.eval()
f = nn.value_and_grad(q, lambda x: q(x).sum())
y = f(mx.ones((1, 64)))  # expect: MX801
# %% wrong: alias
from mlx.nn import QQLinear, value_and_grad
import mlx.core as mx
l = QQLinear(64, 64)
l.eval()
r = value_and_grad(l, lambda x: l(x).sum())(mx.ones((1, 64)))  # expect: MX801
# %% wrong: function
def main():
    model = nn.Sequential(nn.QQLinear(32, 32))
    model.eval()
    lvg = nn.value_and_grad(model, lambda m, x: m(x).mean())
    return lvg(model, mx.ones((1, 32)))  # expect: MX801
# %% wrong: helper switches
def freeze(m):
    m.eval()
model = nn.QQLinear(32, 32)
freeze(model)
lvg = nn.value_and_grad(model, lambda x: model(x).sum())
y = lvg(mx.ones((1, 32)))  # expect: MX801
# %% wrong: trainer
class Trainer:
    def __init__(self):
        self.model = nn.QQLinear(64, 64)
        self.model.eval()
        self.lvg = nn.value_and_grad(self.model, lambda x: self.model(x).sum())
    def step(self, x):
        return self.lvg(x)  # expect: MX801
# %% right: training mode
layer = nn.QQLinear(64, 64)
lvg = nn.value_and_grad(layer, lambda x: layer(x).sum())
loss, grads = lvg(mx.ones((1, 64)))
# %% right: back to training
model = nn.Sequential(nn.QQLinear(64, 64))
model.eval()
y = model(mx.ones((1, 64)))
model.train()
lvg = nn.value_and_grad(model, lambda m, x: m(x).sum())
loss, grads = lvg(model, mx.ones((1, 64)))
# %% right: plain layer
model = nn.Linear(64, 64)
model.eval()
lvg = nn.value_and_grad(model, lambda m, x: m(x).sum())
loss, grads = lvg(model, mx.ones((1, 64)))
# %% right: gradient of the input
layer = nn.QuantizedLinear(64, 64)
g = mx.grad(lambda x: layer(x).sum())(mx.ones((1, 64)))
# %% right: another model is in eval mode
teacher = nn.QQLinear(64, 64)
teacher.eval()
student = nn.Linear(64, 64)
lvg = nn.value_and_grad(student, lambda m, x: (m(x) - teacher(x)).sum())
r = lvg(student, mx.ones((1, 64)))
# %% right: evaluation after training
layer = nn.QQLinear(64, 64)
lvg = nn.value_and_grad(layer, lambda x: layer(x).sum())
r = lvg(mx.ones((1, 64)))
layer.eval()
y = layer(mx.ones((1, 64)))
# %% right: unknown
def train(model, loss):
    model.eval()
    return nn.value_and_grad(model, loss)(model)
# %% right: train(True)
layer = nn.QQLinear(64, 64)
layer.train(True)
r = nn.value_and_grad(layer, lambda x: layer(x).sum())(mx.ones((1, 64)))
# %% right: loop that switches
layer = nn.QQLinear(64, 64)
lvg = nn.value_and_grad(layer, lambda x: layer(x).sum())
for _ in range(3):
    layer.train()
    r = lvg(mx.ones((1, 64)))
    layer.eval()
    y = layer(mx.ones((1, 64)))
# %% right: dequantized
layer = nn.QQLinear(64, 64)
layer.quantize()
layer.dequantize()
r = nn.value_and_grad(layer, lambda x: layer(x).sum())(mx.ones((1, 64)))
# %% right: adapters on quantized layers
base = nn.QuantizedLinear(64, 64)
base.eval()
lora = nn.Linear(64, 64)
r = nn.value_and_grad(lora, lambda x: (base(x) + lora(x)).sum())(mx.ones((1, 64)))
# %% right: PyTorch
import torch
m = torch.nn.Linear(2, 2)
m.eval()
m(torch.ones(1, 2)).sum().backward()
