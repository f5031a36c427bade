"""Products over labelled axes, distinct elements, cross entropy, and the gated delta rule."""

from collections.abc import Callable
from functools import partial

from registry import work

Run = Callable[[], object]


def mlx_einsum(subscripts: str, *shapes: tuple[int, ...]) -> Run:
    import mlx.core as mx

    operands = [mx.random.normal(shape) for shape in shapes]
    mx.eval(operands)
    return lambda: mx.eval(mx.einsum(subscripts, *operands))


def torch_einsum(subscripts: str, *shapes: tuple[int, ...]) -> Run:
    import torch

    operands = [torch.randn(*shape) for shape in shapes]
    return lambda: torch.einsum(subscripts, *operands)


def numpy_einsum(subscripts: str, *shapes: tuple[int, ...]) -> Run:
    import numpy as np

    rng = np.random.default_rng(0)
    operands = [rng.standard_normal(shape, dtype=np.float32) for shape in shapes]
    return lambda: np.einsum(subscripts, *operands, optimize=True)


for subscripts, *shapes in (
    ("ij,jk->ik", (768, 768), (768, 768)),
    ("blhd,bmhd->bhlm", (2, 256, 8, 64), (2, 256, 8, 64)),
    ("bi,bi->b", (4096, 512), (4096, 512)),
    ("ij,jk,kl->il", (512, 64), (64, 512), (512, 64)),
):
    work(
        f"einsum {subscripts} {'x'.join(map(str, shapes[0]))}",
        mlx=partial(mlx_einsum, subscripts, *shapes),
        torch=partial(torch_einsum, subscripts, *shapes),
        numpy=partial(numpy_einsum, subscripts, *shapes),
    )


def mlx_kron() -> Run:
    import mlx.core as mx

    a, b = mx.random.normal((64, 64)), mx.random.normal((32, 32))
    mx.eval(a, b)
    return lambda: mx.eval(mx.kron(a, b))


def torch_kron() -> Run:
    import torch

    a, b = torch.randn(64, 64), torch.randn(32, 32)
    return lambda: torch.kron(a, b)


def numpy_kron() -> Run:
    import numpy as np

    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((n, n), dtype=np.float32) for n in (64, 32))
    return lambda: np.kron(a, b)


work("kron 64x64, 32x32", mlx=mlx_kron, torch=torch_kron, numpy=numpy_kron)

DISTINCT = 1000


def mlx_unique() -> Run:
    import mlx.core as mx

    x = mx.random.randint(0, DISTINCT, (1 << 20,))
    mx.eval(x)
    return lambda: mx.eval(mx.unique(x, DISTINCT, return_counts=True))


def torch_unique() -> Run:
    import torch

    x = torch.randint(0, DISTINCT, (1 << 20,), dtype=torch.int32)
    return lambda: torch.unique(x, return_counts=True)


def numpy_unique() -> Run:
    import numpy as np

    x = np.random.default_rng(0).integers(0, DISTINCT, 1 << 20, dtype=np.int32)
    return lambda: np.unique(x, return_counts=True)


work("unique 1M int32, counts", mlx=mlx_unique, torch=torch_unique, numpy=numpy_unique)

ROWS, CLASSES = 256, 32000


def mlx_cross_entropy(differentiate: bool) -> Run:
    import mlx.core as mx

    logits, targets = mx.random.normal((ROWS, CLASSES)), mx.random.randint(0, CLASSES, (ROWS,))
    mx.eval(logits, targets)
    if not differentiate:
        return lambda: mx.eval(mx.fast.cross_entropy(logits, targets))
    gradient = mx.grad(lambda logits: mx.fast.cross_entropy(logits, targets).mean())
    return lambda: mx.eval(gradient(logits))


def torch_cross_entropy(differentiate: bool) -> Run:
    import torch
    import torch.nn.functional as F

    logits = torch.randn(ROWS, CLASSES, requires_grad=differentiate)
    targets = torch.randint(0, CLASSES, (ROWS,))
    if not differentiate:
        return lambda: F.cross_entropy(logits, targets, reduction="none")
    return lambda: torch.autograd.grad(F.cross_entropy(logits, targets), logits)


for name, differentiate in (("loss", False), ("gradient", True)):
    work(
        f"cross entropy {ROWS}x{CLASSES}, {name}",
        mlx=partial(mlx_cross_entropy, differentiate),
        torch=partial(torch_cross_entropy, differentiate),
    )


def mlx_gated_delta(differentiate: bool) -> Run:
    import mlx.core as mx

    q, k, v = (mx.random.normal((1, 512, 8, 64)) * scale for scale in (1, 0.1, 1))
    gamma, beta = (mx.sigmoid(mx.random.normal((1, 512, 8)) + shift) for shift in (3, 0))
    mx.eval(q, k, v, gamma, beta)
    if not differentiate:
        return lambda: mx.eval(mx.fast.gated_delta_update(q, k, v, gamma, beta))
    gradient = mx.grad(lambda *a: mx.fast.gated_delta_update(*a)[0].sum(), argnums=(0, 1, 2, 3, 4))
    return lambda: mx.eval(gradient(q, k, v, gamma, beta))


for name, differentiate in (("forward", False), ("gradient", True)):
    work(f"gated delta rule 512x8x64x64, {name}", mlx=partial(mlx_gated_delta, differentiate))
