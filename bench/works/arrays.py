"""Reductions, scans, order, movement, random numbers and transforms of arrays."""

from collections.abc import Callable
from functools import partial

from registry import work

Run = Callable[[], object]


def mlx_do(body: Callable, *shape: int) -> Run:
    """Run body(mx, x) over normal numbers."""
    import mlx.core as mx

    x = mx.random.normal(shape)
    mx.eval(x)
    return lambda: mx.eval(body(mx, x))


def torch_do(body: Callable, *shape: int) -> Run:
    """Run body(torch, x) over normal numbers."""
    import torch

    x = torch.randn(*shape)
    return lambda: body(torch, x)


def jax_do(body: Callable, *shape: int) -> Run:
    """Run body(jax.numpy, x), compiled, over normal numbers."""
    import jax
    import jax.numpy as jnp

    x = jax.random.normal(jax.random.key(0), shape).block_until_ready()
    compiled = jax.jit(lambda x: body(jnp, x))
    return lambda: compiled(x).block_until_ready()


def numpy_do(body: Callable, *shape: int) -> Run:
    """Run body(numpy, x) over normal numbers."""
    import numpy as np

    x = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    return lambda: body(np, x)


def everywhere(name: str, shape: tuple[int, ...], **bodies: Callable) -> None:
    """Register the same work for several systems."""
    start = {"mlx": mlx_do, "torch": torch_do, "jax": jax_do, "numpy": numpy_do}
    work(name, **{system: partial(start[system], body, *shape) for system, body in bodies.items()})


SQUARE = (4096, 4096)
everywhere(
    "sum 16M", (1 << 24,),
    mlx=lambda mx, x: mx.sum(x), torch=lambda torch, x: torch.sum(x),
    jax=lambda jnp, x: jnp.sum(x), numpy=lambda np, x: np.sum(x),
)  # fmt: skip
everywhere(
    "softmax 4096x4096", SQUARE,
    mlx=lambda mx, x: mx.softmax(x, axis=-1), torch=lambda torch, x: torch.softmax(x, dim=-1),
    jax=lambda jnp, x: jnp.exp(x - (m := x.max(-1, keepdims=True))) / jnp.exp(x - m).sum(-1, keepdims=True),
)  # fmt: skip
for axis in (0, 1):
    everywhere(
        f"sum over axis {axis}, 4096x4096", SQUARE,
        mlx=lambda mx, x, axis=axis: mx.sum(x, axis=axis),
        torch=lambda torch, x, axis=axis: torch.sum(x, dim=axis),
        jax=lambda jnp, x, axis=axis: jnp.sum(x, axis=axis),
        numpy=lambda np, x, axis=axis: np.sum(x, axis=axis),
    )  # fmt: skip
everywhere(
    "argmax over axis 1, 4096x4096", SQUARE,
    mlx=lambda mx, x: mx.argmax(x, axis=1), torch=lambda torch, x: torch.argmax(x, dim=1),
    jax=lambda jnp, x: jnp.argmax(x, axis=1), numpy=lambda np, x: np.argmax(x, axis=1),
)  # fmt: skip
everywhere(
    "transposed copy 4096x4096", SQUARE,
    mlx=lambda mx, x: mx.contiguous(x.T), torch=lambda torch, x: x.T.contiguous(),
    numpy=lambda np, x: np.ascontiguousarray(x.T),
)  # fmt: skip
everywhere(
    "cumsum over axis 1, 4096x4096", SQUARE,
    mlx=lambda mx, x: mx.cumsum(x, axis=1), torch=lambda torch, x: torch.cumsum(x, dim=1),
    jax=lambda jnp, x: jnp.cumsum(x, axis=1), numpy=lambda np, x: np.cumsum(x, axis=1),
)  # fmt: skip
everywhere(
    "sort 1M", (1 << 20,),
    mlx=lambda mx, x: mx.sort(x), torch=lambda torch, x: torch.sort(x),
    jax=lambda jnp, x: jnp.sort(x), numpy=lambda np, x: np.sort(x),
)  # fmt: skip
everywhere(
    "sort of rows, 64x4096", (64, 4096),
    mlx=lambda mx, x: mx.sort(x, axis=-1), torch=lambda torch, x: torch.sort(x, dim=-1),
    jax=lambda jnp, x: jnp.sort(x, axis=-1), numpy=lambda np, x: np.sort(x, axis=-1),
)  # fmt: skip
everywhere(
    "10 largest of rows, 64x4096", (64, 4096),
    mlx=lambda mx, x: mx.topk(x, 10, axis=-1), torch=lambda torch, x: torch.topk(x, 10, dim=-1, sorted=False),
    numpy=lambda np, x: np.partition(x, 4086, axis=-1)[:, 4086:],
)  # fmt: skip
everywhere(
    "cumsum over axis 0, 1024x1024", (1024, 1024),
    mlx=lambda mx, x: mx.cumsum(x, axis=0), torch=lambda torch, x: torch.cumsum(x, dim=0),
    jax=lambda jnp, x: jnp.cumsum(x, axis=0), numpy=lambda np, x: np.cumsum(x, axis=0),
)  # fmt: skip
everywhere(
    "cummax over axis 1, 1024x1024", (1024, 1024),
    mlx=lambda mx, x: mx.cummax(x, axis=1), torch=lambda torch, x: torch.cummax(x, dim=1),
    numpy=lambda np, x: np.maximum.accumulate(x, axis=1),
)  # fmt: skip
everywhere(
    "repeat thrice over axis 1, 1024x1024", (1024, 1024),
    mlx=lambda mx, x: mx.repeat(x, 3, axis=1), torch=lambda torch, x: torch.repeat_interleave(x, 3, dim=1),
    jax=lambda jnp, x: jnp.repeat(x, 3, axis=1), numpy=lambda np, x: np.repeat(x, 3, axis=1),
)  # fmt: skip
for reduction in ("sum", "max", "argmax", "var"):
    everywhere(
        f"{reduction} of rows of 16, 65536x16", (65536, 16),
        mlx=lambda mx, x, name=reduction: getattr(mx, name)(x, axis=-1),
        torch=lambda torch, x, name=reduction: getattr(torch, "amax" if name == "max" else name)(x, dim=-1),
        jax=lambda jnp, x, name=reduction: getattr(jnp, name)(x, axis=-1),
        numpy=lambda np, x, name=reduction: getattr(np, name)(x, axis=-1),
    )  # fmt: skip
everywhere(
    "fft 1M", (1 << 20,),
    mlx=lambda mx, x: mx.fft.fft(x), torch=lambda torch, x: torch.fft.fft(x),
    jax=lambda jnp, x: jnp.fft.fft(x), numpy=lambda np, x: np.fft.fft(x),
)  # fmt: skip


def mlx_random() -> Run:
    import mlx.core as mx

    return lambda: mx.eval(mx.random.normal((1 << 22,)))


def torch_random() -> Run:
    import torch

    return lambda: torch.randn(1 << 22)


def jax_random() -> Run:
    import jax

    key = jax.random.key(0)
    draw = jax.jit(lambda key: jax.random.normal(key, (1 << 22,)))
    return lambda: draw(key).block_until_ready()


def numpy_random() -> Run:
    import numpy as np

    random = np.random.default_rng(0)
    return lambda: random.standard_normal(1 << 22, dtype=np.float32)


work("random normal 4M", mlx=mlx_random, torch=torch_random, jax=jax_random, numpy=numpy_random)


def mlx_take() -> Run:
    import mlx.core as mx

    table, rows = mx.random.normal((32768, 512)), mx.random.randint(0, 32768, (8192,))
    mx.eval(table, rows)
    return lambda: mx.eval(mx.take(table, rows, axis=0))


def torch_take() -> Run:
    import torch

    table, rows = torch.randn(32768, 512), torch.randint(0, 32768, (8192,))
    return lambda: table[rows]


def numpy_take() -> Run:
    import numpy as np

    random = np.random.default_rng(0)
    table, rows = random.standard_normal((32768, 512), dtype=np.float32), random.integers(0, 32768, 8192)
    return lambda: np.take(table, rows, axis=0)


work("take 8192 rows of 512", mlx=mlx_take, torch=torch_take, numpy=numpy_take)
