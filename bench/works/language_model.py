"""A small language model: 4 layers of 256, 4 heads, vocabulary 512; training steps and one token forward."""

from collections.abc import Callable
from functools import partial

from registry import FIGURES, AtMost, work

LAYERS, DIM, HEADS, VOCABULARY, BATCH, LENGTH = 4, 256, 4, 512, 8, 128


def mlx_model() -> object:
    import mlx.core as mx
    import mlx.nn as nn

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm1, self.norm2 = nn.RMSNorm(DIM), nn.RMSNorm(DIM)
            self.qkv = nn.Linear(DIM, 3 * DIM, bias=False)
            self.out = nn.Linear(DIM, DIM, bias=False)
            self.up = nn.Linear(DIM, 4 * DIM, bias=False)
            self.down = nn.Linear(4 * DIM, DIM, bias=False)
            self.rope = nn.RoPE(DIM // HEADS)

        def __call__(self, x: mx.array) -> mx.array:
            batch, length, _ = x.shape
            heads = self.qkv(self.norm1(x)).reshape(batch, length, 3, HEADS, DIM // HEADS)
            q, k, v = (heads[:, :, i].transpose(0, 2, 1, 3) for i in range(3))
            mixed = mx.fast.scaled_dot_product_attention(
                self.rope(q), self.rope(k), v, scale=(DIM // HEADS) ** -0.5, mask="causal"
            )
            x = x + self.out(mixed.transpose(0, 2, 1, 3).reshape(batch, length, DIM))
            return x + self.down(nn.gelu_approx(self.up(self.norm2(x))))

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(VOCABULARY, DIM)
            self.blocks = [Block() for _ in range(LAYERS)]
            self.norm = nn.RMSNorm(DIM)

        def __call__(self, tokens: mx.array) -> mx.array:
            x = self.embedding(tokens)
            for block in self.blocks:
                x = block(x)
            return self.embedding.as_linear(self.norm(x))

    mx.random.seed(0)
    return Model()


def mlx_train(compiled: bool) -> Callable[[], object]:
    import mlx.core as mx
    import mlx.nn as nn
    import mlx.optimizers as optim

    model, optimizer = mlx_model(), optim.AdamW(1e-3)
    optimizer.init(model.trainable_parameters())
    tokens = mx.random.randint(0, VOCABULARY, (BATCH, LENGTH + 1))
    mx.eval(model.parameters(), optimizer.state, tokens)

    def loss(model: nn.Module, tokens: mx.array) -> mx.array:
        return nn.losses.cross_entropy(model(tokens[:, :-1]), tokens[:, 1:], reduction="mean")

    loss_and_grad = nn.value_and_grad(model, loss)
    state = [model.state, optimizer.state]

    def step(tokens: mx.array) -> mx.array:
        value, grads = loss_and_grad(model, tokens)
        optimizer.update(model, grads)
        return value

    if compiled:
        step = mx.compile(step, inputs=state, outputs=state)
    return lambda: mx.eval(step(tokens), state)


def mlx_forward() -> Callable[[], object]:
    import mlx.core as mx

    model, token = mlx_model(), mx.array([[17]])
    mx.eval(model.parameters(), token)
    return lambda: mx.eval(model(token))


def torch_model() -> object:
    import torch
    import torch.nn.functional as F
    from torch import nn

    half = DIM // HEADS // 2
    angles = torch.outer(torch.arange(LENGTH).float(), 10000.0 ** (-torch.arange(half).float() / half))
    cosine, sine = angles.cos(), angles.sin()

    def rope(x: torch.Tensor) -> torch.Tensor:
        a, b = x.chunk(2, dim=-1)
        c, s = cosine[: x.shape[2]], sine[: x.shape[2]]
        return torch.cat((a * c - b * s, a * s + b * c), dim=-1)

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm1, self.norm2 = nn.RMSNorm(DIM), nn.RMSNorm(DIM)
            self.qkv = nn.Linear(DIM, 3 * DIM, bias=False)
            self.out = nn.Linear(DIM, DIM, bias=False)
            self.up = nn.Linear(DIM, 4 * DIM, bias=False)
            self.down = nn.Linear(4 * DIM, DIM, bias=False)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            batch, length, _ = x.shape
            heads = self.qkv(self.norm1(x)).view(batch, length, 3, HEADS, DIM // HEADS)
            q, k, v = heads.permute(2, 0, 3, 1, 4)
            mixed = F.scaled_dot_product_attention(rope(q), rope(k), v, is_causal=True)
            x = x + self.out(mixed.transpose(1, 2).reshape(batch, length, DIM))
            return x + self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh"))

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(VOCABULARY, DIM)
            self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
            self.norm = nn.RMSNorm(DIM)

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            x = self.embedding(tokens)
            for block in self.blocks:
                x = block(x)
            return F.linear(self.norm(x), self.embedding.weight)

    torch.manual_seed(0)
    return Model()


def torch_train(compiled: bool) -> Callable[[], object]:
    import torch
    import torch.nn.functional as F

    model = torch_model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    tokens = torch.randint(0, VOCABULARY, (BATCH, LENGTH + 1))
    network = torch.compile(model) if compiled else model

    def step() -> float:
        optimizer.zero_grad()
        scores = network(tokens[:, :-1])
        loss = F.cross_entropy(scores.reshape(-1, VOCABULARY), tokens[:, 1:].reshape(-1))
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def torch_forward() -> Callable[[], object]:
    import torch

    model, token = torch_model(), torch.tensor([[17]])

    def run() -> torch.Tensor:
        with torch.inference_mode():
            return model(token)

    return run


for compiled in (False, True):
    work(
        f"train step 4x256, {'compiled' if compiled else 'eager'}",
        AtMost(1 / 15, "mlx"),
        AtMost(1.2, "torch"),
        group=FIGURES,
        mlx=partial(mlx_train, compiled),
        torch=partial(torch_train, compiled),
    )
work(
    "forward 4x256, one token",
    AtMost(1 / 3, "mlx"),
    AtMost(1 / 3, "torch"),
    group=FIGURES,
    mlx=mlx_forward,
    torch=torch_forward,
)
