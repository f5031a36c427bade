# %% wrong: loss is evaluated, then the parameters
model = nn.Linear(4, 1)
opt = optim.SGD(0.1)
lvg = nn.value_and_grad(model, lambda m, x: m(x).sum())
for x in [mx.ones((2, 4))] * 10:
    loss, grads = lvg(model, x)
    mx.eval(loss)  # expect: MX102
    opt.update(model, grads)
    del grads
    mx.eval(model.parameters(), opt.state)
# %% wrong: gradients are evaluated
model = nn.Linear(4, 1)
opt = optim.Adam(1e-3)
lvg = nn.value_and_grad(model, lambda m, x: m(x).sum())
def step(x):
    loss, grads = lvg(model, x)
    mx.eval(grads)  # expect: MX102
    opt.update(model, grads)
    return loss
for x in [mx.ones((2, 4))] * 10:
    loss = step(x)
    mx.eval(loss, model.parameters(), opt.state)
# %% wrong: item before the update
model = nn.Linear(4, 1)
opt = optim.Adam(1e-3)
lvg = nn.value_and_grad(model, lambda m, x: m(x).sum())
losses = []
for x in [mx.ones((2, 4))] * 10:
    loss, grads = lvg(model, x)
    losses.append(loss.item())  # expect: MX102
    opt.update(model, grads)
    del grads
    mx.eval(model.parameters(), opt.state)
# %% wrong: print before the update
model = nn.Linear(4, 1)
opt = optim.Adam(1e-3)
lvg = nn.value_and_grad(model, lambda m, x: m(x).sum())
for x in [mx.ones((2, 4))] * 10:
    loss, grads = lvg(model, x)
    print(f"loss {loss}")  # expect: MX102
    opt.update(model, grads)
    del grads
    mx.eval(model.state, opt.state)
# %% wrong: parameters and state apart
model = nn.Linear(4, 1)
opt = optim.Adam(1e-3)
lvg = nn.value_and_grad(model, lambda m, x: m(x).sum())
def step(x):
    loss, grads = lvg(model, x)
    opt.update(model, grads)
    return loss
for x in [mx.ones((2, 4))] * 10:
    step(x)
    mx.eval(model.parameters())
    mx.eval(opt.state)  # expect: MX102
# %% wrong: loss read after the update and before the evaluation
model = nn.Linear(4, 1)
opt = optim.Adam(1e-3)
lvg = nn.value_and_grad(model, lambda m, x: m(x).sum())
for x in [mx.ones((2, 4))] * 10:
    loss, grads = lvg(model, x)
    opt.update(model, grads)
    del grads
    print(loss.item())  # expect: MX102
    mx.eval(model.parameters(), opt.state)
# %% wrong: trainer class
class Trainer:
    def __init__(self, model: nn.Module):
        self.model = model
        self.optimizer = optim.AdamW(learning_rate=1e-3)
        self.loss_and_grad = nn.value_and_grad(model, self.loss)
    def loss(self, model, x, y):
        return nn.losses.cross_entropy(model(x), y, reduction="mean")
    def train(self, data):
        for x, y in data:
            loss, grads = self.loss_and_grad(self.model, x, y)
            mx.eval(loss, grads)  # expect: MX102
            self.optimizer.update(self.model, grads)
            del grads
            mx.eval(self.model.parameters(), self.optimizer.state)
# %% wrong: plain gradient and update by hand
import mlx.core as mx
w = mx.zeros((4,))
x = mx.ones((10, 4))
grad_fn = mx.grad(lambda w: mx.square(x @ w - 1).mean())
for _ in range(100):
    g = grad_fn(w)
    mx.eval(g)  # expect: MX102
    w = w - 0.1 * g
    del g
    mx.eval(w)
# %% wrong: through a helper
model = nn.Linear(4, 1)
opt = optim.Adam(1e-3)
lvg = nn.value_and_grad(model, lambda m, x: m(x).sum())
def log(value):
    print("loss", value.item())
for x in [mx.ones((2, 4))] * 10:
    loss, grads = lvg(model, x)
    log(loss)  # expect: MX102
    opt.update(model, grads)
    del grads
    mx.eval(model.parameters(), opt.state)
# %% wrong: clipped gradients, norm read
model = nn.Linear(4, 1)
opt = optim.Adam(1e-3)
lvg = nn.value_and_grad(model, lambda m, x: m(x).sum())
def step(x):
    loss, grads = lvg(model, x)
    grads, norm = optim.clip_grad_norm(grads, 1.0)
    print(float(norm))  # expect: MX102
    opt.update(model, grads)
    return loss
loss = step(mx.ones((2, 4)))
mx.eval(loss, model.parameters(), opt.state)
# %% wrong: aliases
from mlx.nn import value_and_grad
from mlx.optimizers import SGD
from mlx.core import eval as evaluate
import mlx.nn as nn
import mlx.core as mx
net = nn.Linear(3, 3)
sgd = SGD(learning_rate=0.01)
both = value_and_grad(net, lambda x: net(x).mean())
while True:
    value, gradient = both(mx.ones((1, 3)))
    evaluate(value, gradient)  # expect: MX102
    sgd.update(net, gradient)
    del gradient
    evaluate(net.state, sgd.state)
# %% wrong: the loop is in another function
def make(model: nn.Module, opt: optim.Optimizer, loss_fn):
    lvg = nn.value_and_grad(model, loss_fn)
    def step(batch):
        loss, grads = lvg(model, batch)
        assert not mx.isnan(loss).item()  # expect: MX102
        opt.update(model, grads)
        return loss
    return step
# %% wrong: apply_gradients
model = nn.Linear(4, 1)
opt = optim.SGD(0.1)
lvg = nn.value_and_grad(model, lambda m, x: m(x).sum())
for x in [mx.ones((2, 4))] * 10:
    loss, grads = lvg(model, x)
    value = float(loss)  # expect: MX102
    model.update(opt.apply_gradients(grads, model.trainable_parameters()))
    del grads
    mx.eval(model.parameters(), opt.state)
# %% right: one evaluation
model = nn.Linear(4, 1)
opt = optim.SGD(0.1)
lvg = nn.value_and_grad(model, lambda m, x: m(x).sum())
for x in [mx.ones((2, 4))] * 10:
    loss, grads = lvg(model, x)
    opt.update(model, grads)
    del grads
    mx.eval(loss, model.parameters(), opt.state)
# %% right: loss read after the evaluation
model = nn.Linear(4, 1)
opt = optim.SGD(0.1)
lvg = nn.value_and_grad(model, lambda m, x: m(x).sum())
def step(x):
    loss, grads = lvg(model, x)
    opt.update(model, grads)
    return loss
for x in [mx.ones((2, 4))] * 10:
    loss = step(x)
    mx.eval(model.parameters(), opt.state)
    print(loss.item())
# %% right: two steps, two evaluations
model = nn.Linear(4, 1)
opt = optim.SGD(0.1)
lvg = nn.value_and_grad(model, lambda m, x: m(x).sum())
def step(x):
    loss, grads = lvg(model, x)
    opt.update(model, grads)
    return loss
step(mx.ones((2, 4)))
mx.eval(model.parameters(), opt.state)
step(mx.ones((2, 4)))
mx.eval(model.parameters(), opt.state)
# %% right: logged now and then
model = nn.Linear(4, 1)
opt = optim.SGD(0.1)
lvg = nn.value_and_grad(model, lambda m, x: m(x).sum())
for i in range(1000):
    loss, grads = lvg(model, mx.ones((2, 4)))
    if i % 100 == 0:
        print(loss.item())
    opt.update(model, grads)
    del grads
    mx.eval(model.parameters(), opt.state)
# %% right: data is evaluated before the step
model = nn.Linear(4, 1)
opt = optim.SGD(0.1)
lvg = nn.value_and_grad(model, lambda m, x: m(x).sum())
data = mx.random.normal((100, 4))
mx.eval(data, model.parameters())
for i in range(25):
    loss, grads = lvg(model, data[4 * i : 4 * i + 4])
    opt.update(model, grads)
    del grads
    mx.eval(model.parameters(), opt.state)
# %% right: inference
model = nn.Linear(4, 1)
for x in [mx.ones((2, 4))] * 3:
    y = model(x)
    mx.eval(y)
    print(y.item())
# %% right: validation between epochs
model = nn.Linear(4, 1)
opt = optim.SGD(0.1)
loss_fn = lambda m, x: m(x).sum()
lvg = nn.value_and_grad(model, loss_fn)
for epoch in range(3):
    for x in [mx.ones((2, 4))] * 10:
        loss, grads = lvg(model, x)
        opt.update(model, grads)
        del grads
        mx.eval(model.parameters(), opt.state)
    print(loss_fn(model, mx.ones((2, 4))).item())
# %% right: gradients only
g = mx.grad(mx.sin)(mx.array(1.0))
mx.eval(g)
print(g.item())
# %% right: PyTorch
import torch
model = torch.nn.Linear(4, 1)
opt = torch.optim.SGD(model.parameters(), lr=0.1)
for x in [torch.ones(2, 4)] * 10:
    loss = model(x).sum()
    print(loss.item())
    loss.backward()
    opt.step()
# %% right: async evaluation
model = nn.Linear(4, 1)
opt = optim.SGD(0.1)
lvg = nn.value_and_grad(model, lambda m, x: m(x).sum())
for x in [mx.ones((2, 4))] * 10:
    loss, grads = lvg(model, x)
    opt.update(model, grads)
    del grads
    mx.async_eval(loss, model.parameters(), opt.state)
# %% right: numbers of Python before the update
model = nn.Linear(4, 1)
opt = optim.SGD(0.1)
lvg = nn.value_and_grad(model, lambda m, x: m(x).sum())
tokens = 0
for x in [mx.ones((2, 4))] * 10:
    loss, grads = lvg(model, x)
    tokens += x.size
    print(f"tokens {tokens} {loss.shape}")
    opt.update(model, grads)
    del grads
    mx.eval(model.parameters(), opt.state)
# %% right: accumulated gradients, evaluated to bound memory
from mlx.utils import tree_map
import mlx.nn as nn
import mlx.core as mx
model = nn.Linear(4, 1)
lvg = nn.value_and_grad(model, lambda m, x: m(x).sum())
total = None
for x in [mx.ones((2, 4))] * 10:
    loss, grads = lvg(model, x)
    total = grads if total is None else tree_map(mx.add, total, grads)
    mx.eval(total)
