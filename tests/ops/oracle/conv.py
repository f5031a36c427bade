"""Convolutions, against windows added up one tap at a time in float64."""

from __future__ import annotations

from functools import partial

import numpy as np

from tests.ops.cases import X, case, family, ulps, v

family("conv")

C = X(-1, 1)
REAL = ("float16", "bfloat16", "float32", "float64")
SUM = ulps(64, 64, half=8, pair=64)


def per_axis(value, axes: int) -> list[int]:
    """A number for each axis, from one for all or from one for each."""
    return [value] * axes if np.ndim(value) == 0 else list(value)


def conv_general(
    x, w, stride=1, padding=0, kernel_dilation=1, input_dilation=1, groups=1, flip=False
) -> np.ndarray:
    """Any convolution, in float64."""
    axes = x.ndim - 2
    if isinstance(padding, tuple) and np.ndim(padding[0]) == 1:
        low, high = (per_axis(p, axes) for p in padding)
    else:
        low = high = per_axis(padding, axes)
    stride, reach, spread = (per_axis(p, axes) for p in (stride, kernel_dilation, input_dilation))
    spatial = [max((n - 1) * d + 1, 0) for n, d in zip(x.shape[1:-1], spread, strict=True)]
    z = np.zeros((x.shape[0], *spatial, x.shape[-1]))
    z[(slice(None), *(slice(None, None, d) for d in spread))] = x
    z = np.pad(z, [(0, 0), *((max(a, 0), max(b, 0)) for a, b in zip(low, high, strict=True)), (0, 0)])
    z = z[
        (
            slice(None),
            *(slice(max(-a, 0), n - max(-b, 0)) for a, b, n in zip(low, high, z.shape[1:-1], strict=True)),
        )
    ]
    if flip:
        w = np.flip(w, tuple(range(1, axes + 1)))
    window, each, outputs = w.shape[1:-1], w.shape[-1], w.shape[0] // groups
    places = [
        (n - (d * (k - 1) + 1)) // s + 1
        for n, k, d, s in zip(z.shape[1:-1], window, reach, stride, strict=True)
    ]
    y = np.zeros((x.shape[0], *places, w.shape[0]))
    for tap in np.ndindex(*window):
        starts = [t * d for t, d in zip(tap, reach, strict=True)]
        seen = z[
            (
                slice(None),
                *(slice(a, a + (n - 1) * s + 1, s) for a, n, s in zip(starts, places, stride, strict=True)),
            )
        ]
        for g in range(groups):
            mine = slice(g * outputs, (g + 1) * outputs)
            y[..., mine] += seen[..., g * each : (g + 1) * each] @ w[(mine, *tap)].T
    return y


def conv(x, w, stride=1, padding=0, dilation=1, groups=1) -> np.ndarray:
    """What conv1d, conv2d and conv3d compute."""
    return conv_general(x, w, stride, padding, dilation, 1, groups)


def conv_transpose(x, w, stride=1, padding=0, dilation=1, output_padding=0, groups=1) -> np.ndarray:
    """What conv_transpose1d, conv_transpose2d and conv_transpose3d compute."""
    axes = x.ndim - 2
    reach = [d * (k - 1) for d, k in zip(per_axis(dilation, axes), w.shape[1:-1], strict=True)]
    low = [r - p for r, p in zip(reach, per_axis(padding, axes), strict=True)]
    high = [a + extra for a, extra in zip(low, per_axis(output_padding, axes), strict=True)]
    return conv_general(x, w, 1, (low, high), dilation, stride, groups, True)


product = partial(case, ulp=SUM, scaled="abs", dtypes=REAL, specials=False)

product(
    "conv1d",
    C,
    C,
    ref=conv,
    shapes=(((2, 9, 4), (6, 3, 4)), ((1, 5, 1), (1, 5, 1)), ((3, 6, 5), (20, 1, 5))),
    variants=(v(), v(2, 1), v(stride=1, padding=2, dilation=2), v(3, 1, 1, 1)),
)
product(
    "conv1d",
    C,
    C,
    ref=conv,
    shapes=(((2, 9, 4), (6, 3, 2)),),
    variants=(v(1, 1, 1, 2), v(2, 3, 2, groups=2)),
    label="groups",
)
product(
    "conv2d",
    C,
    C,
    ref=conv,
    shapes=(((2, 7, 6, 4), (3, 3, 2, 4)), ((1, 9, 11, 3), (17, 5, 4, 3))),
    variants=(v(), v((2, 1), (1, 0)), v(stride=2, padding=1, dilation=(1, 2))),
)
product(
    "conv2d",
    C,
    C,
    ref=conv,
    shapes=(((2, 7, 6, 11), (11, 3, 2, 1)),),
    variants=(v(groups=11), v((2, 3), (1, 4), (2, 1), groups=11)),
    label="depthwise",
)
product(
    "conv3d",
    C,
    C,
    ref=conv,
    shapes=(((1, 5, 4, 5, 2), (3, 2, 2, 3, 2)),),
    variants=(v(), v((1, 2, 1), 1)),
)
product(
    "conv3d",
    C,
    C,
    ref=conv,
    shapes=(((1, 4, 4, 3, 4), (6, 2, 2, 2, 2)),),
    variants=(v(1, 1, 1, 2), v(2, (0, 1, 2), (1, 2, 1), 2)),
    label="groups",
)
product(
    "conv_transpose1d",
    C,
    C,
    ref=conv_transpose,
    shapes=(((2, 5, 4), (3, 3, 4)),),
    variants=(v(), v(2, 1), v(stride=2, output_padding=1), v(3, dilation=2), v(5)),
)
product(
    "conv_transpose2d",
    C,
    C,
    ref=conv_transpose,
    shapes=(((2, 4, 5, 4), (3, 3, 2, 4)),),
    variants=(v(), v((2, 1), (1, 0)), v(2, 1, (2, 1), (1, 0))),
)
product(
    "conv_transpose2d",
    C,
    C,
    ref=conv_transpose,
    shapes=(((2, 4, 5, 4), (6, 3, 2, 2)),),
    variants=(v(groups=2), v(2, 1, groups=2)),
    label="groups",
)
product(
    "conv_transpose3d",
    C,
    C,
    ref=conv_transpose,
    shapes=(((1, 3, 4, 3, 2), (3, 2, 2, 2, 2)),),
    variants=(v(), v(2), v((1, 2, 3), 1, 1, (0, 1, 2))),
)
product(
    "conv_general",
    C,
    C,
    ref=conv_general,
    shapes=(((2, 7, 6, 4), (3, 3, 2, 4)),),
    variants=(
        v(),
        v(stride=2, padding=1, input_dilation=2),
        v(kernel_dilation=2, flip=True),
        v((2, 3), ([1, 0], [4, 2]), (1, 2), (3, 2), flip=True),
        v(padding=([-1, 2], [2, -2])),
        v(padding=9, stride=4),
    ),
)
product(
    "conv_general",
    C,
    C,
    ref=conv_general,
    shapes=(((2, 7, 4), (8, 3, 2)),),
    variants=(v(2, ([1], [4]), 2, 3, 2, True), v(groups=2, input_dilation=2)),
    label="groups",
)
product(
    "convolve",
    C,
    C,
    ref=lambda a, b, mode="full": np.convolve(a, b, mode),
    shapes=(((9,), (4,)), ((3,), (8,)), ((5,), (1,)), ((6,), (6,))),
    variants=(v(), v("same"), v(mode="valid")),
)
