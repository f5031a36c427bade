"""A small classifier, written as after PyTorch: `mica lint` and `mica doctor` find what is wrong with it."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(0)
x = mx.random.normal((512, 64)).astype(mx.bfloat16)
labels = mx.argmax(x @ mx.random.normal((64, 10)).astype(mx.bfloat16), axis=1)
scale = mx.array(0.5)

model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
model.set_dtype(mx.bfloat16)
optimizer = optim.Adam(1e-3)


def loss_fn(model, x, labels):
    return nn.losses.cross_entropy(model(x) * scale, labels, reduction="mean")


step = nn.value_and_grad(model, loss_fn)
for _ in range(20):
    loss, grads = step(model, x, labels)
    mx.eval(loss, grads)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)

correct = 0
for guess, label in zip(mx.argmax(model(x), axis=1), labels, strict=True):
    correct += guess.item() == label.item()
print(f"loss {loss.item():.3f}, {correct / len(labels):.0%} right")
