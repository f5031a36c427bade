"""Matrices in few bits: products with few and many rows, products with experts, and the conversions."""

from collections.abc import Callable
from functools import partial

from registry import work

Run = Callable[[], object]

SIZE, EXPERTS, EXPERT_SIZE = 4096, 8, 1024
# Mode, bits and group size.
FORMATS = {
    "affine4": ("affine", 4, 64),
    "affine8": ("affine", 8, 64),
    "mxfp4": ("mxfp4", 4, 32),
    "mxfp8": ("mxfp8", 8, 32),
    "nvfp4": ("nvfp4", 4, 16),
}


def settings(name: str) -> dict[str, object]:
    """The keyword arguments that name a format."""
    mode, bits, group = FORMATS[name]
    return {"mode": mode, "bits": bits, "group_size": group}


def mlx_quantized_matmul(name: str, rows: int, transpose: bool) -> Run:
    import mlx.core as mx

    x = mx.random.normal((rows, SIZE))
    w, scales, biases = (*mx.quantize(mx.random.normal((SIZE, SIZE)), **settings(name)), None)[:3]
    mx.eval(x, w, scales)
    multiply = partial(mx.quantized_matmul, transpose=transpose, **settings(name))
    return lambda: mx.eval(multiply(x, w, scales, biases))


def mlx_gather_qmm(name: str, tokens: int) -> Run:
    import mlx.core as mx

    w = mx.random.normal((EXPERTS, EXPERT_SIZE, EXPERT_SIZE))
    x = mx.random.normal((tokens, 1, EXPERT_SIZE))
    experts = mx.random.randint(0, EXPERTS, (tokens,))
    w, scales, biases = (*mx.quantize(w, **settings(name)), None)[:3]
    mx.eval(x, experts, w, scales)
    multiply = partial(mx.gather_qmm, rhs_indices=experts, transpose=True, **settings(name))
    return lambda: mx.eval(multiply(x, w, scales, biases))


def mlx_quantize(name: str) -> Run:
    import mlx.core as mx

    w = mx.random.normal((SIZE, SIZE))
    mx.eval(w)
    return lambda: mx.eval(mx.quantize(w, **settings(name)))


def mlx_dequantize(name: str) -> Run:
    import mlx.core as mx

    stored = mx.quantize(mx.random.normal((SIZE, SIZE)), **settings(name))
    mx.eval(stored)
    return lambda: mx.eval(mx.dequantize(*stored, **settings(name)))


for name in FORMATS:
    for rows in (1, 8, 64, 512):
        work(
            f"quantized matmul {name} {rows}x{SIZE}x{SIZE}",
            mlx=partial(mlx_quantized_matmul, name, rows, True),
        )
    work(f"quantize {name} {SIZE}x{SIZE}", mlx=partial(mlx_quantize, name))
    work(f"dequantize {name} {SIZE}x{SIZE}", mlx=partial(mlx_dequantize, name))
for rows in (1, 64):
    work(
        f"quantized matmul affine4 {rows}x{SIZE}x{SIZE}, not transposed",
        mlx=partial(mlx_quantized_matmul, "affine4", rows, False),
    )
for tokens in (8, 256):
    work(
        f"gather_qmm affine4 {tokens} tokens, {EXPERTS} experts",
        mlx=partial(mlx_gather_qmm, "affine4", tokens),
    )
