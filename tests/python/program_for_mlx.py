"""A program written for MLX, as people write them: checked by mypy and pyright, and run."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_flatten, tree_map


class MLP(nn.Module):
    def __init__(self, num_layers: int, input_dim: int, hidden_dim: int, output_dim: int):
        super().__init__()
        sizes = [input_dim] + [hidden_dim] * num_layers + [output_dim]
        self.layers = [nn.Linear(i, o) for i, o in zip(sizes[:-1], sizes[1:], strict=True)]
        self.scale = mx.ones((output_dim,))

    def __call__(self, x: mx.array) -> mx.array:
        for layer in self.layers[:-1]:
            x = nn.relu(layer(x))
        return self.scale * self.layers[-1](x)


def loss_fn(model: MLP, x: mx.array, y: mx.array) -> mx.array:
    return nn.losses.cross_entropy(model(x), y, reduction="mean")


def accuracy(model: MLP, x: mx.array, y: mx.array) -> mx.array:
    return mx.mean(mx.argmax(model(x), axis=1) == y)


model = MLP(2, 16, 32, 4)
mx.eval(model.parameters())
optimizer = optim.AdamW(learning_rate=optim.cosine_decay(1e-2, 100), weight_decay=0.1)
step = nn.value_and_grad(model, loss_fn)
state = [model.state, optimizer.state, mx.random.state]


@partial(mx.compile, inputs=state, outputs=state)
def train(x: mx.array, y: mx.array) -> mx.array:
    loss, grads = step(model, x, y)
    grads, norm = optim.clip_grad_norm(grads, 1.0)
    optimizer.update(model, grads)
    return loss


mx.random.seed(0)
x = mx.random.normal((64, 16))
y = mx.random.randint(0, 4, (64,))
loss = train(x, y)
for _ in range(2):
    loss = train(x, y)
    mx.eval(state)
total = sum(v.size for _, v in tree_flatten(model.parameters()))
half = tree_map(lambda p: p.astype(mx.float16), model.parameters())
model.set_dtype(mx.float16)
nn.quantize(nn.Sequential(nn.Linear(64, 64)), group_size=32, bits=4)
f, (g, h) = mx.value_and_grad(lambda a, b: (a * b).sum(), argnums=(0, 1))(x, x)
q, s, b = mx.quantize(mx.ones((2, 64)))
u, w, v = mx.linalg.svd(x, stream=mx.cpu)
z = mx.fft.rfft(x)[..., :3].abs().max().item()
out = mx.fast.scaled_dot_product_attention(x[None, None], x[None, None], x[None, None], scale=1.0, mask=None)
idx = x[:, None, 0].reshape(-1).tolist()
x[0] = 1.0
x[1:3] += 2
with mx.stream(mx.cpu):
    k = -x + 1 - x @ x.T @ x / 2
assert isinstance(idx, list) and out.shape == (1, 1, 64, 16) and u.shape == (64, 64) and k.shape == x.shape
print(
    total,
    loss.item(),
    f"{accuracy(model, x, y).item():.2f}",
    x.shape[0],
    x.dtype == mx.float32,
    mx.metal.is_available(),
)
