"""What an operation costs when there is nothing to compute: building, evaluating, reading, tracing."""

import os
from collections.abc import Callable
from itertools import count

from registry import FIGURES, AtMost, Limit, work

Run = Callable[[], object]
US, MS = 1e-6, 1e-3


def mlx_additions() -> Run:
    import mlx.core as mx

    def run() -> None:
        x = mx.array(0.0)
        for _ in range(1000):
            x = x + 1.0
        mx.eval(x)

    return run


def torch_additions() -> Run:
    import torch

    def run() -> torch.Tensor:
        x = torch.tensor(0.0)
        for _ in range(1000):
            x = x + 1.0
        return x

    return run


def jax_additions() -> Run:
    import jax.numpy as jnp

    def run() -> object:
        x = jnp.array(0.0)
        for _ in range(1000):
            x = x + 1.0
        return x.block_until_ready()

    return run


def numpy_additions() -> Run:
    import numpy as np

    def run() -> np.ndarray:
        x = np.array(0.0, dtype=np.float32)
        for _ in range(1000):
            x = x + 1.0
        return x

    return run


work(
    "1000 dependent scalar additions, each",
    Limit(1.5 * US),
    group=FIGURES,
    calls=1000,
    mlx=mlx_additions,
    torch=torch_additions,
    jax=jax_additions,
    numpy=numpy_additions,
)


def mlx_build_and_eval() -> Run:
    import mlx.core as mx

    x, y = mx.array([1.0, 2.0, 3.0]), mx.array([4.0, 5.0, 6.0])
    mx.eval(x, y)

    def run() -> None:
        for _ in range(200):
            mx.eval(x + y)

    return run


def torch_build() -> Run:
    import torch

    x, y = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([4.0, 5.0, 6.0])

    def run() -> None:
        for _ in range(200):
            _ = x + y

    return run


work(
    "build and eval of one small addition",
    Limit(10 * US),
    group=FIGURES,
    calls=200,
    mlx=mlx_build_and_eval,
    torch=torch_build,
)


def mlx_items() -> Run:
    import mlx.core as mx

    x = mx.arange(10_000, dtype=mx.float32)
    mx.eval(x)

    def run() -> float:
        total = 0.0
        for value in x:
            total += value.item()
        return total

    return run


def torch_items() -> Run:
    import torch

    x = torch.arange(10_000, dtype=torch.float32)

    def run() -> float:
        total = 0.0
        for value in x:
            total += value.item()
        return total

    return run


def numpy_items() -> Run:
    import numpy as np

    x = np.arange(10_000, dtype=np.float32)

    def run() -> float:
        total = 0.0
        for value in x:
            total += value.item()
        return total

    return run


work(
    "item() in a loop over an array, each",
    Limit(100e-9),
    group=FIGURES,
    calls=10_000,
    mlx=mlx_items,
    torch=torch_items,
    numpy=numpy_items,
)


def mlx_first_call() -> Run:
    """Each run compiles a function that no run before has seen, so no cache can know it."""
    import mlx.core as mx

    steps = [mx.sin, mx.cos, mx.tanh, mx.sigmoid, mx.square, mx.abs, mx.exp, mx.negative]
    x = mx.random.normal((64,))
    mx.eval(x)
    numbers = count(int.from_bytes(os.urandom(6), "big"))

    def run() -> None:
        code = next(numbers)

        def function(x: mx.array) -> mx.array:
            y = x
            for i in range(15):
                y = steps[(code >> (3 * i)) % len(steps)](y) + x
            return y

        mx.eval(mx.compile(function)(x))

    return run


work("first call of a compiled function of 30 operations", Limit(5 * MS), group=FIGURES, mlx=mlx_first_call)


def mlx_new_number() -> Run:
    import mlx.core as mx

    x = mx.random.normal((64,))
    mx.eval(x)
    function = mx.compile(lambda x, t: mx.exp(x * t) + mx.sin(x) * t - mx.cos(x))
    numbers = count(int.from_bytes(os.urandom(3), "big"))
    return lambda: mx.eval(function(x, next(numbers) * 1e-3))


work("compiled function, new Python number in each call", AtMost(1 / 1000, "mlx"), mlx=mlx_new_number)


def mlx_small_operations() -> Run:
    import mlx.core as mx

    x = mx.random.normal((16, 16))
    mx.eval(x)

    def run() -> None:
        y = x
        for _ in range(100):
            y = mx.sin(y).reshape(256).reshape(16, 16)
            y = y + mx.sum(y)
        mx.eval(y)

    return run


def torch_small_operations() -> Run:
    import torch

    x = torch.randn(16, 16)

    def run() -> torch.Tensor:
        y = x
        for _ in range(100):
            y = torch.sin(y).reshape(256).reshape(16, 16)
            y = y + torch.sum(y)
        return y

    return run


work(
    "500 small operations (sin, reshape, sum, add), each",
    calls=500,
    mlx=mlx_small_operations,
    torch=torch_small_operations,
)
