"""Convolutions forwards and backwards, channels last in all systems: what layers of image, speech and video
models do."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from registry import AtMost, work

Run = Callable[[], object]


@dataclass(frozen=True)
class Layer:
    """A convolution: input (batch, *size, inputs), window for each axis."""

    batch: int
    size: tuple[int, ...]
    inputs: int
    outputs: int
    window: int = 3
    stride: int = 1
    padding: int = 1
    groups: int = 1
    transposed: bool = False


LAYERS = {
    "conv2d 3x3 8x56x56x64": Layer(8, (56, 56), 64, 64),
    "conv2d 3x3 8x7x7x512": Layer(8, (7, 7), 512, 512),
    "conv2d 3x3 stride 2 8x56x56x64": Layer(8, (56, 56), 64, 128, stride=2),
    "conv2d 1x1 8x56x56x64": Layer(8, (56, 56), 64, 256, window=1, padding=0),
    "conv2d 7x7 stride 2 8x112x112x3": Layer(8, (112, 112), 3, 64, window=7, stride=2, padding=3),
    "conv2d 3x3 depthwise 8x28x28x128": Layer(8, (28, 28), 128, 128, groups=128),
    "conv2d 3x3 32 groups 8x28x28x128": Layer(8, (28, 28), 128, 128, groups=32),
    "conv1d 5 8x1000x128": Layer(8, (1000,), 128, 128, window=5, padding=2),
    "conv3d 3x3x3 2x8x28x28x32": Layer(2, (8, 28, 28), 32, 32),
    "conv_transpose2d 4x4 stride 2 8x28x28x64": Layer(
        8, (28, 28), 64, 64, window=4, stride=2, transposed=True
    ),
}


def mlx_layer(layer: Layer, dtype: str, backward: bool) -> Run:
    import mlx.core as mx

    axes = len(layer.size)
    function = getattr(mx, f"conv{'_transpose' * layer.transposed}{axes}d")
    settings = {"stride": layer.stride, "padding": layer.padding, "groups": layer.groups}
    window = (layer.outputs, *(layer.window,) * axes, layer.inputs // layer.groups)
    x = mx.random.normal((layer.batch, *layer.size, layer.inputs)).astype(getattr(mx, dtype))
    w = mx.random.normal(window).astype(getattr(mx, dtype))

    def forward(x: mx.array, w: mx.array) -> mx.array:
        return function(x, w, **settings)

    c = mx.ones_like(forward(x, w)) * 0.5
    mx.eval(x, w, c)
    if backward:
        return lambda: mx.eval(mx.vjp(forward, [x, w], [c]))
    return lambda: mx.eval(forward(x, w))


def torch_layer(layer: Layer, dtype: str, backward: bool) -> Run:
    import torch
    import torch.nn.functional as F

    axes = len(layer.size)
    function = getattr(F, f"conv{'_transpose' * layer.transposed}{axes}d")
    settings = {"stride": layer.stride, "padding": layer.padding, "groups": layer.groups}
    ends = (layer.inputs, layer.outputs) if layer.transposed else (layer.outputs, layer.inputs)

    def last(*shape: int) -> torch.Tensor:
        x = torch.randn(shape).to(getattr(torch, dtype))
        formats = {2: torch.channels_last, 3: torch.channels_last_3d}
        return x.contiguous(memory_format=formats[axes]) if axes in formats else x

    x = last(layer.batch, layer.inputs, *layer.size)
    w = last(ends[0], ends[1] // layer.groups, *(layer.window,) * axes)
    if not backward:

        def run() -> torch.Tensor:
            with torch.no_grad():
                return function(x, w, **settings)

        return run
    x.requires_grad_()
    w.requires_grad_()
    c = torch.full_like(function(x, w, **settings), 0.5)
    return lambda: torch.autograd.grad(function(x, w, **settings), (x, w), c)


for name, layer in LAYERS.items():
    for dtype in ("float32", "bfloat16"):
        for backward in (False, True):
            work(
                f"{name} {dtype}{' and derivatives' * backward}",
                *([AtMost(2, "torch")] if dtype == "float32" else []),
                mlx=partial(mlx_layer, layer, dtype, backward),
                torch=partial(torch_layer, layer, dtype, backward),
            )
