# %% wrong: token is read before the next is queued
def generate(model: nn.Module, prompt: mx.array):
    y = prompt
    while True:
        logits = model(y)
        y = mx.argmax(logits[:, -1, :], axis=-1)
        yield y.item()  # expect: MX103
# %% wrong: list of tokens
def generate(model: nn.Module, y: mx.array, n):
    out = []
    for _ in range(n):
        y = mx.argmax(model(y[None])[:, -1], axis=-1)
        out.append(y.item())  # expect: MX103
    return out
# %% wrong: evaluated, then read
def decode(model: nn.Module, y: mx.array, cache):
    for _ in range(100):
        logits = model(y, cache=cache)
        y = mx.random.categorical(logits[:, -1])
        mx.eval(y)  # expect: MX103
        yield y
# %% wrong: the number goes round
def decode(model: nn.Module, token: int):
    tokens = []
    for _ in range(50):
        logits = model(mx.array([[token]]))
        token = mx.argmax(logits[0, -1]).item()  # expect: MX103
        tokens.append(token)
    return tokens
# %% wrong: through a sampler
def sample(logits):
    return mx.random.categorical(logits * 2)
def stream(model: nn.Module, y: mx.array):
    while True:
        y = sample(model(y)[:, -1])
        token = int(y)  # expect: MX103
        if token == 2:
            break
        yield token
# %% wrong: a method
class Generator:
    def __init__(self, model: nn.Module):
        self.model = model
    def run(self, prompt: mx.array, limit):
        y = prompt
        for n in range(limit):
            y = mx.argmax(self.model(y), axis=-1)
            yield y.tolist()  # expect: MX103
# %% wrong: waits for what was just queued
def generate(model: nn.Module, y: mx.array):
    while True:
        y = mx.argmax(model(y), axis=-1)
        mx.async_eval(y)
        yield y.item()  # expect: MX103
# %% wrong: waits for what was just queued, with eval
def run(model: nn.Module, x: mx.array):
    for _ in range(10):
        x = model(x)
        mx.async_eval(x)
        mx.eval(x)  # expect: MX103
    return x
# %% wrong: model built here
net = nn.Sequential(nn.Embedding(10, 8), nn.Linear(8, 10))
ids = mx.array([1])
result = []
while len(result) < 20:
    ids = mx.argmax(net(ids), axis=-1)
    result.append(ids.item())  # expect: MX103
# %% wrong: step helper in the function
def generate(model: nn.Module, prompt: mx.array):
    cache = None
    def step(y):
        logits = model(y[None], cache)
        return mx.argmax(logits[:, -1, :], axis=-1)
    y = step(prompt)
    while True:
        y = step(y)
        yield y.item()  # expect: MX103
# %% wrong: alias of the import
from mlx import core as M
from mlx import nn
def loop(lm: nn.Module, t: M.array):
    text = []
    for k in range(64):
        t = M.argmax(lm(t)[..., -1, :], axis=-1)
        text.append(int(t))  # expect: MX103
    return text
# %% wrong: concatenated prefix
def generate(model: nn.Module, ids: mx.array, n):
    for _ in range(n):
        nxt = mx.argmax(model(ids)[:, -1], axis=-1, keepdims=True)
        ids = mx.concatenate([ids, nxt], axis=1)
        if nxt.item() == 0:  # expect: MX103
            break
    return ids
# %% right: the next is queued first
def generate(model: nn.Module, prompt: mx.array):
    def step(y):
        return mx.argmax(model(y[None])[:, -1, :], axis=-1)
    y = step(prompt)
    mx.async_eval(y)
    while True:
        following = step(y)
        mx.async_eval(following)
        yield y.item()
        y = following
# %% right: training loop reads its loss
model = nn.Linear(2, 2)
opt = optim.SGD(0.1)
lvg = nn.value_and_grad(model, lambda m, x: m(x).sum())
def step(x):
    loss, grads = lvg(model, x)
    opt.update(model, grads)
    return loss
for _ in range(10):
    loss = step(mx.ones((2, 2)))
    mx.eval(loss, model.parameters(), opt.state)
# %% right: independent batches
def evaluate(model: nn.Module, batches):
    for x in batches:
        y = model(x)
        yield y.tolist()
# %% right: nothing is read
def generate(model: nn.Module, y: mx.array, n):
    out = []
    for _ in range(n):
        y = mx.argmax(model(y[None])[:, -1], axis=-1)
        out.append(y)
    mx.eval(out)
    return out
# %% right: async evaluation then other work
def run(model: nn.Module, xs):
    previous = None
    for x in xs:
        y = model(x)
        mx.async_eval(y)
        if previous is not None:
            print(previous.item())
        previous = y
# %% right: fixed point without a model
x = mx.ones((4,))
for _ in range(10):
    x = mx.cos(x)
mx.eval(x)
# %% right: unknown model
def generate(model, y):
    while True:
        y = model(y)
        yield y.item()
# %% right: PyTorch
import torch
def generate(model: torch.nn.Module, y: torch.Tensor):
    while True:
        y = model(y).argmax(-1)
        yield y.item()
# %% right: queued, something else waits
def two(model: nn.Module, a: mx.array, b: mx.array):
    y = model(a)
    mx.async_eval(y)
    z = model(b)
    mx.eval(z)
    return y, z
# %% right: read after the loop
def last(model: nn.Module, y: mx.array):
    for _ in range(10):
        y = model(y)
        mx.async_eval(y)
    return y.item()
# %% right: a prefill in chunks
def prefill(model: nn.Module, prompt: mx.array, cache):
    while prompt.size > 512:
        model(prompt[:512][None], cache=cache)
        mx.eval([c.state for c in cache])
        prompt = prompt[512:]
# %% right: scalars of a schedule
def schedule(model: nn.Module, x: mx.array, steps):
    sigmas = mx.linspace(1, 0, steps).tolist()
    for s in sigmas:
        x = x - s * model(x)
        mx.async_eval(x)
    return x
# %% right: shape is no wait
def grow(model: nn.Module, x: mx.array):
    while x.shape[0] < 100:
        x = mx.concatenate([x, model(x)])
    return x
