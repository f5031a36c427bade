"""Linear algebra: one large matrix, and many small ones. Peers use all threads where their libraries do."""

from collections.abc import Callable
from functools import partial

from registry import AtMost, work

Run = Callable[[], object]


def matrix(name: str, batch: int, size: int):
    """A float32 matrix that the function accepts, and a right-hand side."""
    import numpy as np

    random = np.random.default_rng(0)
    a = random.standard_normal((*([batch] if batch else []), size, size))
    if name in ("cholesky", "eigh"):
        a = a @ a.swapaxes(-1, -2) / size
    return (a + np.eye(size)).astype("float32"), random.standard_normal(a.shape[:-1] + (8,)).astype("float32")


def arguments(name: str, a, b) -> tuple:
    """What the function is called with."""
    return (a, b) if name == "solve" else (a,)


def mlx_linalg(name: str, batch: int, size: int) -> Run:
    import mlx.core as mx

    inputs = arguments(name, *(mx.array(x) for x in matrix(name, batch, size)))
    function = getattr(mx.linalg, name)
    return lambda: mx.eval(function(*inputs, stream=mx.cpu))


def torch_linalg(name: str, batch: int, size: int) -> Run:
    import torch

    inputs = arguments(name, *(torch.from_numpy(x) for x in matrix(name, batch, size)))
    function = getattr(torch.linalg, name)
    return lambda: function(*inputs)


def numpy_linalg(name: str, batch: int, size: int) -> Run:
    import numpy as np

    inputs = arguments(name, *matrix(name, batch, size))
    function = getattr(np.linalg, name)
    return lambda: function(*inputs)


for name in ("solve", "inv", "cholesky", "qr", "svd", "eigh", "det"):
    for batch, size in ((0, 256), (0, 512), (1000, 8)):
        work(
            f"linalg.{name} {f'{batch} of ' if batch else ''}{size}x{size}",
            AtMost(1, "mlx"),
            AtMost(2, "torch", "numpy"),
            mlx=partial(mlx_linalg, name, batch, size),
            torch=partial(torch_linalg, name, batch, size),
            numpy=partial(numpy_linalg, name, batch, size),
        )
