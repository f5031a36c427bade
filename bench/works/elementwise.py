"""Element-wise work over 16M float32 numbers: memory speed decides, if nothing is touched twice."""

from collections.abc import Callable

from registry import FIGURES, AtMost, work

SIZE = 1 << 24
Run = Callable[[], object]


def mlx_inputs(count: int) -> list:
    import mlx.core as mx

    arrays = [mx.random.normal((SIZE,), key=mx.random.key(i)) for i in range(count)]
    mx.eval(arrays)
    return arrays


def torch_inputs(count: int) -> list:
    import torch

    return [torch.randn(SIZE) for _ in range(count)]


def jax_inputs(count: int) -> list:
    import jax

    return [jax.random.normal(jax.random.key(i), (SIZE,)).block_until_ready() for i in range(count)]


def numpy_inputs(count: int) -> list:
    import numpy as np

    return [np.random.default_rng(i).standard_normal(SIZE, dtype=np.float32) for i in range(count)]


def mlx_chain(compiled: bool) -> Run:
    import mlx.core as mx

    x, w = mlx_inputs(2)

    def chain(x: mx.array, w: mx.array) -> mx.array:
        s = mx.sigmoid(x)
        return s * x + x * x + w * mx.exp(-mx.abs(x)) + mx.tanh(w)

    if compiled:
        chain = mx.compile(chain)
    return lambda: mx.eval(chain(x, w))


def torch_chain(compiled: bool) -> Run:
    import torch

    x, w = torch_inputs(2)

    def chain(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        s = torch.sigmoid(x)
        return s * x + x * x + w * torch.exp(-torch.abs(x)) + torch.tanh(w)

    if compiled:
        chain = torch.compile(chain)
    return lambda: chain(x, w)


def jax_chain(compiled: bool) -> Run:
    import jax
    import jax.numpy as jnp

    x, w = jax_inputs(2)

    def chain(x: jax.Array, w: jax.Array) -> jax.Array:
        s = jax.nn.sigmoid(x)
        return s * x + x * x + w * jnp.exp(-jnp.abs(x)) + jnp.tanh(w)

    if compiled:
        chain = jax.jit(chain)
    return lambda: chain(x, w).block_until_ready()


work(
    "chain 16M, not compiled (torch, jax: compiled)",
    AtMost(1 / 15, "mlx"),
    AtMost(1, "torch"),
    group=FIGURES,
    mlx=lambda: mlx_chain(False),
    torch=lambda: torch_chain(True),
    jax=lambda: jax_chain(True),
)
work(
    "chain 16M, eager",
    mlx=lambda: mlx_chain(False),
    torch=lambda: torch_chain(False),
    jax=lambda: jax_chain(False),
)
work(
    "chain 16M, compiled",
    mlx=lambda: mlx_chain(True),
    torch=lambda: torch_chain(True),
    jax=lambda: jax_chain(True),
)


def mlx_add() -> Run:
    import mlx.core as mx

    x, w = mlx_inputs(2)
    return lambda: mx.eval(x + w)


def torch_add() -> Run:
    x, w = torch_inputs(2)
    return lambda: x + w


def jax_add() -> Run:
    x, w = jax_inputs(2)
    return lambda: (x + w).block_until_ready()


def numpy_add() -> Run:
    x, w = numpy_inputs(2)
    return lambda: x + w


def mlx_exp() -> Run:
    import mlx.core as mx

    (x,) = mlx_inputs(1)
    return lambda: mx.eval(mx.exp(x))


def torch_exp() -> Run:
    import torch

    (x,) = torch_inputs(1)
    return lambda: torch.exp(x)


def jax_exp() -> Run:
    import jax.numpy as jnp

    (x,) = jax_inputs(1)
    return lambda: jnp.exp(x).block_until_ready()


def numpy_exp() -> Run:
    import numpy as np

    (x,) = numpy_inputs(1)
    return lambda: np.exp(x)


def mlx_cast() -> Run:
    import mlx.core as mx

    (x,) = mlx_inputs(1)
    return lambda: mx.eval(x.astype(mx.bfloat16))


def torch_cast() -> Run:
    import torch

    (x,) = torch_inputs(1)
    return lambda: x.to(torch.bfloat16)


def jax_cast() -> Run:
    import jax.numpy as jnp

    (x,) = jax_inputs(1)
    return lambda: x.astype(jnp.bfloat16).block_until_ready()


def mlx_mean_square() -> Run:
    import mlx.core as mx

    x, w = mlx_inputs(2)
    return lambda: mx.eval(mx.mean((x - w) ** 2))


def torch_mean_square() -> Run:
    x, w = torch_inputs(2)
    return lambda: ((x - w) ** 2).mean()


def jax_mean_square() -> Run:
    import jax.numpy as jnp

    x, w = jax_inputs(2)
    return lambda: jnp.mean((x - w) ** 2).block_until_ready()


def numpy_mean_square() -> Run:
    import numpy as np

    x, w = numpy_inputs(2)
    return lambda: np.mean((x - w) ** 2)


work("add 16M", mlx=mlx_add, torch=torch_add, jax=jax_add, numpy=numpy_add)
work("exp 16M", mlx=mlx_exp, torch=torch_exp, jax=jax_exp, numpy=numpy_exp)
work("cast to bfloat16 16M", mlx=mlx_cast, torch=torch_cast, jax=jax_cast)
work(
    "mean((a - b)**2) 16M",
    mlx=mlx_mean_square,
    torch=torch_mean_square,
    jax=jax_mean_square,
    numpy=numpy_mean_square,
)
