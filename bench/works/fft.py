"""Fourier transforms: single ones, batches, planes, awkward lengths, real numbers."""

from collections.abc import Callable
from functools import partial

from registry import FIGURES, OTHERS, AtMost, work

Run = Callable[[], object]


def numbers(shape: tuple[int, ...], real: bool):
    """The same random numbers for every system."""
    import numpy as np

    random = np.random.default_rng(0)
    x = random.standard_normal(shape).astype(np.float32)
    return x if real else (x + 1j * random.standard_normal(shape).astype(np.float32)).astype(np.complex64)


def mlx_transform(name: str, shape: tuple[int, ...], real: bool) -> Run:
    import mlx.core as mx

    x = mx.array(numbers(shape, real))
    mx.eval(x)
    function = getattr(mx.fft, name)
    return lambda: mx.eval(function(x))


def torch_transform(name: str, shape: tuple[int, ...], real: bool) -> Run:
    import torch

    x = torch.from_numpy(numbers(shape, real))
    function = getattr(torch.fft, name)
    return lambda: function(x)


def jax_transform(name: str, shape: tuple[int, ...], real: bool) -> Run:
    import jax

    x = jax.numpy.asarray(numbers(shape, real))
    function = jax.jit(getattr(jax.numpy.fft, name))
    return lambda: function(x).block_until_ready()


def numpy_transform(name: str, shape: tuple[int, ...], real: bool) -> Run:
    import numpy as np

    x = numbers(shape, real)
    function = getattr(np.fft, name)
    return lambda: function(x)


def transform(
    title: str,
    name: str,
    *shape: int,
    real: bool = False,
    bounds: tuple[AtMost, ...] = (),
    group: str = OTHERS,
) -> None:
    """Register a transform for all systems."""
    systems = {"mlx": mlx_transform, "torch": torch_transform, "jax": jax_transform, "numpy": numpy_transform}
    prepare = {system: partial(make, name, shape, real) for system, make in systems.items()}
    work(title, *bounds, group=group, **prepare)


transform(
    "fft complex64 1M", "fft", 1 << 20, bounds=(AtMost(2, "torch", "numpy"), AtMost(1, "mlx")), group=FIGURES
)
transform("fft complex64 1024 rows of 1024", "fft", 1024, 1024)
transform("fft complex64 16384 rows of 64", "fft", 16384, 64)
transform("fft complex64 256 rows of 4096", "fft", 256, 4096)
transform("fft complex64 256 rows of 1009, a prime", "fft", 256, 1009)
transform("fft complex64 1000003, a prime", "fft", 1000003)
transform("fft complex64 1024", "fft", 1024)
transform("fft2 complex64 1024x1024", "fft2", 1024, 1024)
transform("rfft float32 1M", "rfft", 1 << 20, real=True)
transform("rfft float32 1024 rows of 1024", "rfft", 1024, 1024, real=True)
transform("irfft complex64 1M", "irfft", (1 << 19) + 1)
