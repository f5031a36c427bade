# %% wrong: training loop
model = nn.Linear(4, 1)
opt = optim.SGD(0.1)
lvg = nn.value_and_grad(model, lambda m, x: m(x).sum())
for _ in range(10):
    loss, grads = lvg(model, mx.ones((2, 4)))
    opt.update(model, grads)
    mx.eval(model.parameters(), opt.state)  # expect: MX401
# %% wrong: in a function
def train(model: nn.Module, opt: optim.Optimizer, data):
    lvg = nn.value_and_grad(model, lambda m, x: m(x).sum())
    for x in data:
        loss, grads = lvg(model, x)
        opt.update(model, grads)
        mx.eval(loss, model.parameters(), opt.state)  # expect: MX401
# %% wrong: step that evaluates
model = nn.Linear(4, 1)
opt = optim.Adam(1e-3)
lvg = nn.value_and_grad(model, lambda m, x: m(x).sum())
def step(x):
    loss, grads = lvg(model, x)
    opt.update(model, grads)
    mx.eval(model.state, opt.state)  # expect: MX401
    return loss
# %% wrong: clipped under another name
model = nn.Linear(4, 1)
opt = optim.Adam(1e-3)
lvg = nn.value_and_grad(model, lambda m, x: m(x).sum())
for _ in range(10):
    loss, grads = lvg(model, mx.ones((2, 4)))
    clipped, norm = optim.clip_grad_norm(grads, 1.0)
    opt.update(model, clipped)
    mx.eval(model.state, opt.state)  # expect: MX401
# %% wrong: only the clipped ones are deleted
model = nn.Linear(4, 1)
opt = optim.Adam(1e-3)
lvg = nn.value_and_grad(model, lambda m, x: m(x).sum())
for _ in range(10):
    loss, grads = lvg(model, mx.ones((2, 4)))
    clipped, norm = optim.clip_grad_norm(grads, 1.0)
    opt.update(model, clipped)
    del clipped
    mx.eval(model.state, opt.state)  # expect: MX401
# %% wrong: trainer class
class Trainer:
    def __init__(self, model: nn.Module):
        self.model = model
        self.opt = optim.AdamW(1e-3)
        self.lvg = nn.value_and_grad(model, self.loss)
    def loss(self, x):
        return self.model(x).sum()
    def fit(self, data):
        for x in data:
            loss, grads = self.lvg(x)
            self.opt.update(self.model, grads)
            mx.eval(self.model.parameters(), self.opt.state)  # expect: MX401
# %% wrong: plain gradient
w = mx.zeros((4,))
x = mx.ones((8, 4))
grad_fn = mx.grad(lambda w: mx.square(x @ w).mean())
for _ in range(10):
    g = grad_fn(w)
    w = w - 0.1 * g
    mx.eval(w)  # expect: MX401
# %% wrong: tuple kept whole
model = nn.Linear(4, 1)
opt = optim.SGD(0.1)
lvg = nn.value_and_grad(model, lambda m, x: m(x).sum())
while True:
    result = lvg(model, mx.ones((2, 4)))
    opt.update(model, result[1])
    mx.eval(model.parameters(), opt.state)  # expect: MX401
# %% wrong: averaged gradients
model = nn.Linear(4, 1)
opt = optim.SGD(0.1)
lvg = nn.value_and_grad(model, lambda m, x: m(x).sum())
for _ in range(10):
    loss, grads = lvg(model, mx.ones((2, 4)))
    grads = nn.average_gradients(grads)
    opt.update(model, grads)
    mx.eval(model.parameters(), opt.state)  # expect: MX401
# %% wrong: helper evaluates
model = nn.Linear(4, 1)
opt = optim.SGD(0.1)
lvg = nn.value_and_grad(model, lambda m, x: m(x).sum())
def finish():
    mx.eval(model.parameters(), opt.state)
for _ in range(10):
    loss, grads = lvg(model, mx.ones((2, 4)))
    opt.update(model, grads)
    finish()  # expect: MX401
# %% wrong: aliases
from mlx.core import eval as run
from mlx import nn, optimizers as O
import mlx.core as mx
net = nn.Linear(2, 2)
sgd = O.SGD(learning_rate=0.1)
both = nn.value_and_grad(net, lambda x: net(x).mean())
for k in range(3):
    v, g = both(mx.ones((1, 2)))
    sgd.update(net, g)
    run(net.state, sgd.state)  # expect: MX401
# %% wrong: step returns gradients
model = nn.Linear(4, 1)
opt = optim.SGD(0.1)
lvg = nn.value_and_grad(model, lambda m, x: m(x).sum())
def backward(x):
    loss, grads = lvg(model, x)
    return loss, grads
for _ in range(10):
    loss, grads = backward(mx.ones((2, 4)))
    opt.update(model, grads)
    mx.eval(model.parameters(), opt.state)  # expect: MX401
# %% right: step function
model = nn.Linear(4, 1)
opt = optim.SGD(0.1)
lvg = nn.value_and_grad(model, lambda m, x: m(x).sum())
def step(x):
    loss, grads = lvg(model, x)
    opt.update(model, grads)
    return loss
for _ in range(10):
    loss = step(mx.ones((2, 4)))
    mx.eval(loss, model.parameters(), opt.state)
# %% right: deleted
model = nn.Linear(4, 1)
opt = optim.SGD(0.1)
lvg = nn.value_and_grad(model, lambda m, x: m(x).sum())
for _ in range(10):
    loss, grads = lvg(model, mx.ones((2, 4)))
    opt.update(model, grads)
    del grads
    mx.eval(loss, model.parameters(), opt.state)
# %% right: set to None
model = nn.Linear(4, 1)
opt = optim.SGD(0.1)
lvg = nn.value_and_grad(model, lambda m, x: m(x).sum())
for _ in range(10):
    loss, grads = lvg(model, mx.ones((2, 4)))
    opt.update(model, grads)
    grads = None
    mx.eval(loss, model.parameters(), opt.state)
# %% right: not bound
w = mx.zeros((4,))
grad_fn = mx.grad(lambda w: mx.square(w - 1).mean())
for _ in range(10):
    w = w - 0.1 * grad_fn(w)
    mx.eval(w)
# %% right: needed afterwards
model = nn.Linear(4, 1)
opt = optim.SGD(0.1)
lvg = nn.value_and_grad(model, lambda m, x: m(x).sum())
for _ in range(10):
    loss, grads = lvg(model, mx.ones((2, 4)))
    opt.update(model, grads)
    mx.eval(model.parameters(), opt.state)
    print(grads["weight"].shape)
# %% right: no evaluation here
def step(model: nn.Module, opt: optim.Optimizer, lvg, x):
    loss, grads = nn.value_and_grad(model, lvg)(x)
    opt.update(model, grads)
    return loss
# %% right: compiled step
from functools import partial
import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
model = nn.Linear(4, 1)
opt = optim.SGD(0.1)
lvg = nn.value_and_grad(model, lambda m, x: m(x).sum())
state = [model.state, opt.state]
@partial(mx.compile, inputs=state, outputs=state)
def step(x):
    loss, grads = lvg(model, x)
    opt.update(model, grads)
    return loss
for _ in range(10):
    loss = step(mx.ones((2, 4)))
    mx.eval(state)
# %% right: gradients are the result
def saliency(model: nn.Module, x: mx.array):
    g = mx.grad(lambda x: model(x).sum())(x)
    mx.eval(g)
    return g
# %% right: PyTorch
import torch
model = torch.nn.Linear(4, 1)
opt = torch.optim.SGD(model.parameters(), 0.1)
for _ in range(3):
    grads = torch.autograd.grad(model(torch.ones(2, 4)).sum(), model.parameters())
    opt.step()
# %% right: method returns the loss
class Trainer:
    def __init__(self, model: nn.Module):
        self.model = model
        self.opt = optim.AdamW(1e-3)
        self.lvg = nn.value_and_grad(model, lambda m, x: m(x).sum())
    def step(self, x):
        loss, grads = self.lvg(self.model, x)
        self.opt.update(self.model, grads)
        return loss
    def fit(self, data):
        for x in data:
            loss = self.step(x)
            mx.eval(loss, self.model.parameters(), self.opt.state)
# %% right: loss under a name
lvg = mx.value_and_grad(lambda w: mx.square(w).sum())
w = mx.ones((3,))
loss, g = lvg(w)
w = w - g
del g
mx.eval(loss, w)
# %% right: the next gradient is kept on purpose
grad_fn = mx.grad(lambda w: mx.square(w - 1).mean())
w, v = mx.zeros((4,)), mx.zeros((4,))
g = grad_fn(w)
for _ in range(10):
    w = w - 0.1 * g
    new = grad_fn(w)
    v = v + (new - g)
    g = new
    mx.eval(w, v, g)
