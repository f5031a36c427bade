"""Matrix products: square ones, where arithmetic decides, and with one row, where memory does."""

from collections.abc import Callable
from functools import partial

from registry import FIGURES, AtMost, work

Run = Callable[[], object]


def mlx_product(rows: int, size: int, dtype: str, transposed: bool) -> Run:
    import mlx.core as mx

    x = mx.random.normal((rows, size)).astype(getattr(mx, dtype))
    w = mx.random.normal((size, size)).astype(getattr(mx, dtype))
    mx.eval(x, w)
    return lambda: mx.eval(x @ (w.T if transposed else w))


def torch_product(rows: int, size: int, dtype: str, transposed: bool) -> Run:
    import torch

    x = torch.randn(rows, size).to(getattr(torch, dtype))
    w = torch.randn(size, size).to(getattr(torch, dtype))
    return lambda: x @ (w.T if transposed else w)


def jax_product(rows: int, size: int, dtype: str, transposed: bool) -> Run:
    import jax

    x = jax.random.normal(jax.random.key(0), (rows, size)).astype(dtype)
    w = jax.random.normal(jax.random.key(1), (size, size)).astype(dtype)
    product = jax.jit(lambda x, w: x @ (w.T if transposed else w))
    return lambda: product(x, w).block_until_ready()


def numpy_product(rows: int, size: int, dtype: str, transposed: bool) -> Run:
    import numpy as np

    random = np.random.default_rng(0)
    x = random.standard_normal((rows, size)).astype(dtype)
    w = random.standard_normal((size, size)).astype(dtype)
    return lambda: x @ (w.T if transposed else w)


def product(name: str, *bounds: AtMost, group: str, shape: tuple[int, int, str, bool]) -> None:
    """Register a product for all systems; NumPy has no fast halves and is left out of them."""
    systems = {"mlx": mlx_product, "torch": torch_product, "jax": jax_product}
    if shape[2] == "float32":
        systems["numpy"] = numpy_product
    work(name, *bounds, group=group, **{system: partial(make, *shape) for system, make in systems.items()})


product(
    "matmul float32 2048",
    AtMost(1.15, "torch", "numpy"),
    group=FIGURES,
    shape=(2048, 2048, "float32", False),
)
product("matmul bfloat16 1024", AtMost(2, "torch"), group=FIGURES, shape=(1024, 1024, "bfloat16", False))


def mlx_masked(size: int) -> Run:
    """A tenth of the blocks of the left matrix are there."""
    import mlx.core as mx

    a, b = mx.random.normal((size, size)), mx.random.normal((size, size))
    mask = mx.random.uniform(shape=(size // 64, size // 64)) < 0.1
    mx.eval(a, b, mask)
    return lambda: mx.eval(mx.block_masked_mm(a, b, 64, None, mask, None))


for size in (256, 1024):
    product(f"matmul float32 {size}", group="others", shape=(size, size, "float32", False))
product("matmul float16 1024", group="others", shape=(1024, 1024, "float16", False))
for dtype in ("float32", "bfloat16", "float16"):
    product(f"matvec {dtype} 4096, x @ W.T", group="others", shape=(1, 4096, dtype, True))
    product(f"matvec {dtype} 4096, x @ W", group="others", shape=(1, 4096, dtype, False))
work("block_masked_mm float32 1024, a tenth of the blocks", mlx=partial(mlx_masked, 1024))
