# %% wrong: accuracy counted one prediction at a time
def accuracy(model: nn.Module, X, y):
    correct = 0
    preds = mx.argmax(model(X), axis=1)
    for p, t in zip(preds, y.tolist()):
        if p.item() == t:  # expect: MX101
            correct += 1
    return correct / len(y)
# %% right: accuracy as an array function
def accuracy(model: nn.Module, X: mx.array, y: mx.array):
    return mx.mean(mx.argmax(model(X), axis=1) == y).item()
# %% wrong: loss read before the update
def train(model: nn.Module, optimizer: optim.Optimizer, batches):
    lg = nn.value_and_grad(model, lambda m, x, y: mx.mean(nn.losses.cross_entropy(m(x), y)))
    for x, y in batches:
        loss, grads = lg(model, x, y)
        print(loss.item())  # expect: MX102
        optimizer.update(model, grads)
        del grads
        mx.eval(model.parameters(), optimizer.state)
# %% right: loss read after the evaluation
def train(model: nn.Module, optimizer: optim.Optimizer, batches):
    lg = nn.value_and_grad(model, lambda m, x, y: mx.mean(nn.losses.cross_entropy(m(x), y)))
    for x, y in batches:
        loss, grads = lg(model, x, y)
        optimizer.update(model, grads)
        del grads
        mx.eval(model.parameters(), optimizer.state, loss)
        print(loss.item())
# %% right: two phases of training in one function
def train(model: nn.Module, warm, main, batches):
    opt1, opt2 = optim.SGD(1e-3), optim.AdamW(1e-4)
    lg = nn.value_and_grad(model, lambda m, x, y: nn.losses.mse_loss(m(x), y))
    for x, y in warm:
        loss, grads = lg(model, x, y)
        opt1.update(model, grads)
        del grads
        mx.eval(loss, model.state, opt1.state)
    for x, y in main:
        loss, grads = lg(model, x, y)
        opt2.update(model, grads)
        del grads
        mx.eval(loss, model.state, opt2.state)
    mx.eval(model.state)
# %% right: compiled step with state, epoch loop around
from functools import partial
model = nn.Linear(4, 2)
optimizer = optim.Adam(1e-3)
state = [model.state, optimizer.state, mx.random.state]
@partial(mx.compile, inputs=state, outputs=state)
def step(x, y):
    loss, grads = nn.value_and_grad(model, lambda m, x, y: nn.losses.mse_loss(m(x), y))(model, x, y)
    optimizer.update(model, grads)
    return loss
for epoch in range(10):
    losses = []
    for x, y in [(mx.ones((8, 4)), mx.ones((8, 2)))] * 20:
        losses.append(step(x, y))
        mx.eval(state)
    print(epoch, mx.mean(mx.stack(losses)).item())
# %% wrong: a compiled function decides with item()
@mx.compile
def clip(g, limit):
    norm = mx.sqrt((g * g).sum())
    if norm.item() > limit:  # expect: MX301
        g = g * (limit / norm)
    return g
# %% wrong: a compiled function through a helper that reads
def is_large(a):
    return bool(mx.max(mx.abs(a)) > 1)
@mx.compile
def f(x):
    y = x * 2
    if is_large(y):  # expect: MX301
        return y / 2
    return y
# %% wrong: a helper of a helper reads
def value(a):
    return a.item()
def describe(a):
    return value(a.sum())
@mx.compile
def f(x):
    describe(x)  # expect: MX301
    return x + 1
# %% wrong: method compiled, reads through self
class Scaler:
    def __init__(self):
        self.run = mx.compile(self._run)
    def peak(self, x):
        return float(x.max())
    def _run(self, x):
        return x / self.peak(x)  # expect: MX301
# %% right: the helper reads shapes only
def rows(a):
    return a.shape[0] * a.ndim
@mx.compile
def f(x):
    return x / rows(x)
# %% wrong: compile within the training loop
def loss(w, x):
    return mx.mean((x @ w) ** 2)
def fit(w, data):
    for x in data:
        g = mx.compile(mx.grad(loss))(w, x)  # expect: MX302
        w = w - 0.1 * g
        mx.eval(w)
    return w
# %% right: compile once
def loss(w, x):
    return mx.mean((x @ w) ** 2)
def fit(w, data):
    g = mx.compile(mx.grad(loss))
    for x in data:
        w = w - 0.1 * g(w, x)
        mx.eval(w)
    return w
# %% wrong: window length as a Python number
@mx.compile
def window(x, n):
    return x[:n].sum()
total = 0
x = mx.arange(1000)
for n in range(1, 500):
    total = total + window(x, n)  # expect: MX302
# %% right: scale as a Python number
@mx.compile
def scaled(x, s):
    return x * s
x = mx.arange(1000)
for i in range(500):
    x = scaled(x, 1.0 + i)
mx.eval(x)
# %% right: sampling token by token, asynchronously
def generate(model: nn.Module, prompt: mx.array, cache, n):
    y = mx.argmax(model(prompt, cache=cache)[:, -1], axis=-1)
    mx.async_eval(y)
    for _ in range(n):
        following = mx.argmax(model(y[:, None], cache=cache)[:, -1], axis=-1)
        mx.async_eval(following)
        yield y.item()
        y = following
# %% wrong: sampling that waits for each token
def generate(model: nn.Module, prompt: mx.array, cache, n):
    y = mx.argmax(model(prompt, cache=cache)[:, -1], axis=-1)
    for _ in range(n):
        token = y.item()  # expect: MX103
        yield token
        y = mx.argmax(model(y[:, None], cache=cache)[:, -1], axis=-1)
# %% right: beam search needs its scores
def beam(model: nn.Module, beams, n):
    for _ in range(n):
        candidates = []
        for tokens, score in beams:
            logits = model(mx.array(tokens)[None])[0, -1]
            top = mx.argsort(-logits)[:4].tolist()
            candidates += [(tokens + [t], score) for t in top]
        beams = candidates[:4]
    return beams
# %% wrong: half precision scaled by an array
x = mx.zeros((16, 16), dtype=mx.bfloat16)
scale = mx.array(0.5)
y = x * scale  # expect: MX201
# %% right: half precision scaled by a number
x = mx.zeros((16, 16), dtype=mx.bfloat16)
y = x * 0.5 + x / 3
# %% wrong: noise of the default type
h = mx.load("x.npy").astype(mx.float16)
h = h + mx.random.normal(h.shape) * 0.1  # expect: MX202
# %% right: noise of the same type
h = mx.load("x.npy").astype(mx.float16)
h = h + mx.random.normal(h.shape, dtype=h.dtype) * 0.1
# %% wrong: norm in float32 by hand
class Block(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.w = mx.ones((d,))
    def __call__(self, x):
        return mx.fast.rms_norm(x.astype(mx.float32), self.w, 1e-6).astype(x.dtype)  # expect: MX204
# %% wrong: softmax in float32 by hand
def attend(q, k, v):
    s = q @ k.transpose(0, 2, 1)
    p = mx.softmax(s.astype(mx.float32), axis=-1).astype(s.dtype)  # expect: MX205
    return p @ v
# %% right: precise softmax
def attend(q, k, v):
    s = q @ k.transpose(0, 2, 1)
    return mx.softmax(s, axis=-1, precise=True) @ v
# %% wrong: double precision as in NumPy
t = mx.linspace(0, 1, 100, dtype=mx.float64)  # expect: MX206
# %% wrong: table captured before it is evaluated
angles = mx.arange(512)[:, None] * mx.exp(mx.arange(32) * -0.3)
@mx.compile
def rotate(x):
    return x * mx.cos(angles)  # expect: MX303
# %% wrong: history kept while tracing
seen = []
@mx.compile
def f(x):
    y = mx.tanh(x)
    seen.append(y)  # expect: MX304
    return y
# %% wrong: dropout by hand in a compiled function
@mx.compile
def drop(x):
    return x * mx.random.bernoulli(0.5, x.shape)  # expect: MX304
# %% wrong: weights evaluated, then halved
w = mx.load("model.safetensors")
mx.eval(w)  # expect: MX402
w = {k: v.astype(mx.float16) for k, v in w.items()}
# %% right: halved, then evaluated
w = mx.load("model.safetensors")
w = {k: v.astype(mx.float16) for k, v in w.items()}
mx.eval(w)
# %% wrong: file handle
with open("w.safetensors", "rb") as f:
    w = mx.load(f, format="safetensors")  # expect: MX403
# %% wrong: gradients alive at the evaluation
model, optimizer = nn.Linear(2, 2), optim.SGD(0.1)
lg = nn.value_and_grad(model, lambda x: model(x).sum())
for i in range(10):
    loss, grads = lg(mx.ones((4, 2)))
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)  # expect: MX401
# %% wrong: print in the forward pass
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.Linear(3, 3)
    def __call__(self, x):
        x = self.l(x)
        print("after l:", x)  # expect: MX501
        return x
# %% right: print of shapes in the forward pass
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.Linear(3, 3)
    def __call__(self, x):
        x = self.l(x)
        print("after l:", x.shape, x.dtype)
        return x
# %% wrong: as in PyTorch
model, x = nn.Linear(2, 2), mx.ones((4, 2))
loss = mx.mean(model(x))
loss.backward()  # expect: MX502
# %% wrong: to the device
x = mx.array([1.0, 2.0]).to("gpu")  # expect: MX504
# %% wrong: filled one by one
out = mx.zeros((100,))
for i in range(100):
    out[i] = i * 0.5  # expect: MX503
# %% right: one row of a cache is written each call
class Cache:
    def __init__(self):
        self.keys = mx.zeros((1, 256, 8))
        self.n = 0
    def update(self, k):
        self.keys[:, self.n : self.n + 1] = k
        self.n += 1
        return self.keys[:, : self.n]
# %% wrong: NumPy in the forward pass
class Net(nn.Module):
    def __call__(self, x):
        return mx.array(np.maximum(x, 0))  # expect: MX505
# %% right: NumPy for data only
def batches(n):
    rng = np.random.default_rng(0)
    for _ in range(n):
        yield mx.array(np.exp(rng.normal(size=(8, 4))).astype(np.float32))
# %% wrong: the chosen log probability by two indices
def nll(logits: mx.array, targets: mx.array):
    lp = logits - mx.logsumexp(logits, axis=-1, keepdims=True)
    return -lp[mx.arange(targets.shape[0]), targets].mean()  # expect: MX601
# %% right: take_along_axis
def nll(logits: mx.array, targets: mx.array):
    lp = logits - mx.logsumexp(logits, axis=-1, keepdims=True)
    return -mx.take_along_axis(lp, targets[:, None], axis=-1).mean()
# %% wrong: heads repeated
kv = mx.random.normal((1, 8, 64))
kv = mx.concatenate([kv] * 4, axis=0)  # expect: MX602
# %% wrong: bias by hand
def linear(x: mx.array, W: mx.array, b: mx.array):
    return x @ W.T + b  # expect: MX702
# %% right: plain Python beside it
values = [1.0, 2.0, 3.0]
total = sum(float(v) for v in values)
for i, v in enumerate(values):
    if v > 1:
        print(v)
# %% right: metrics collected as arrays, read once
def evaluate(model: nn.Module, batches):
    losses = [nn.losses.mse_loss(model(x), y) for x, y in batches]
    return sum(mx.stack(losses).tolist()) / len(losses)
# %% right: gradients accumulated over small batches
from mlx.utils import tree_map
def accumulate(model: nn.Module, optimizer: optim.Optimizer, batches, every):
    lg = nn.value_and_grad(model, lambda m, x, y: nn.losses.mse_loss(m(x), y))
    total = None
    for i, (x, y) in enumerate(batches):
        loss, grads = lg(model, x, y)
        total = grads if total is None else tree_map(mx.add, total, grads)
        del grads
        mx.eval(loss, total)
        if (i + 1) % every == 0:
            optimizer.update(model, tree_map(lambda g: g / every, total))
            total = None
            mx.eval(model.parameters(), optimizer.state)
# %% right: a learning rate read now and then
def train(model: nn.Module, optimizer: optim.Optimizer, batches):
    lg = nn.value_and_grad(model, lambda m, x, y: nn.losses.mse_loss(m(x), y))
    for i, (x, y) in enumerate(batches):
        loss, grads = lg(model, x, y)
        optimizer.update(model, grads)
        del grads
        mx.eval(model.state, optimizer.state, loss)
        if i % 100 == 0:
            print(i, loss.item(), optimizer.learning_rate.item())
