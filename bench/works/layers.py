"""What networks are made of: norms, attention, convolution."""

from collections.abc import Callable
from functools import partial

from registry import work

Run = Callable[[], object]


def mlx_norm(kind: str) -> Run:
    import mlx.core as mx

    x = mx.random.normal((2048, 4096)).astype(mx.bfloat16)
    weight, bias = mx.ones(4096, mx.bfloat16), mx.zeros(4096, mx.bfloat16)
    mx.eval(x, weight, bias)
    if kind == "rms":
        return lambda: mx.eval(mx.fast.rms_norm(x, weight, 1e-5))
    return lambda: mx.eval(mx.fast.layer_norm(x, weight, bias, 1e-5))


def torch_norm(kind: str) -> Run:
    import torch
    import torch.nn.functional as F

    x = torch.randn(2048, 4096).to(torch.bfloat16)
    weight, bias = torch.ones(4096, dtype=torch.bfloat16), torch.zeros(4096, dtype=torch.bfloat16)
    if kind == "rms":
        return lambda: F.rms_norm(x, (4096,), weight, 1e-5)
    return lambda: F.layer_norm(x, (4096,), weight, bias, 1e-5)


for kind in ("rms", "layer"):
    work(f"{kind}_norm bfloat16 2048x4096", mlx=partial(mlx_norm, kind), torch=partial(torch_norm, kind))


def mlx_attention(dtype: str, queries: tuple[int, ...], keys: tuple[int, ...]) -> Run:
    import mlx.core as mx

    q, k, v = (mx.random.normal(shape).astype(getattr(mx, dtype)) for shape in (queries, keys, keys))
    mx.eval(q, k, v)
    mask, scale = "causal" if queries[2] > 1 else None, queries[3] ** -0.5
    return lambda: mx.eval(mx.fast.scaled_dot_product_attention(q, k, v, scale=scale, mask=mask))


def torch_attention(dtype: str, queries: tuple[int, ...], keys: tuple[int, ...]) -> Run:
    import torch
    import torch.nn.functional as F

    q, k, v = (torch.randn(*shape).to(getattr(torch, dtype)) for shape in (queries, keys, keys))
    return lambda: F.scaled_dot_product_attention(
        q, k, v, is_causal=queries[2] > 1, enable_gqa=queries[1] != keys[1]
    )


CAUSAL, DECODE = ((1, 16, 1024, 64),) * 2, ((1, 32, 1, 128), (1, 8, 4096, 128))
for name, dtype, shapes in (
    ("causal float32 16x1024x64", "float32", CAUSAL),
    ("causal bfloat16 16x1024x64", "bfloat16", CAUSAL),
    ("decode float32 32/8x4096x128", "float32", DECODE),
):
    work(
        f"attention {name}",
        mlx=partial(mlx_attention, dtype, *shapes),
        torch=partial(torch_attention, dtype, *shapes),
    )


def mlx_convolution() -> Run:
    import mlx.core as mx

    x, w = mx.random.normal((8, 56, 56, 64)), mx.random.normal((64, 3, 3, 64))
    mx.eval(x, w)
    return lambda: mx.eval(mx.conv2d(x, w, padding=1))


def torch_convolution() -> Run:
    import torch
    import torch.nn.functional as F

    x, w = torch.randn(8, 64, 56, 56), torch.randn(64, 64, 3, 3)
    return lambda: F.conv2d(x, w, padding=1)


work("conv2d 8x56x56x64, 3x3", mlx=mlx_convolution, torch=torch_convolution)
