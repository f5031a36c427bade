"""Convolutions, as far as layers need them."""

from __future__ import annotations

from tests.ops.cases import X, case, family, ulps, v
from tests.ops.values import FLOATS

family("conv")

C = X(-1, 1)
SUMS = ulps(64, 64, half=2)


def conv(name, shapes, variants, **kwargs):
    """A convolution; the wheel judges values, its own differences the derivatives."""
    case(
        name,
        C,
        C,
        shapes=shapes,
        variants=variants,
        ulp=SUMS,
        scaled=True,
        dtypes=(*FLOATS, "int32"),
        **kwargs,
    )


ONE = (((2, 9, 4), (6, 3, 4)), ((1, 5, 1), (2, 1, 1)), ((2, 9, 4), (6, 3, 3)), ((2, 9), (6, 3, 4)))
GROUPS = (((2, 9, 4), (6, 3, 2)),)
TWO = (((2, 7, 6, 3), (4, 3, 2, 3)), ((1, 5, 5, 1), (2, 1, 1, 1)))
THREE = (((1, 4, 5, 4, 2), (3, 2, 3, 2, 2)),)

conv("conv1d", ONE, (v(), v(2), v(1, 2), v(stride=2, padding=1, dilation=2), v(0), v(1, -1)))
conv("conv1d", GROUPS, (v(groups=2), v(2, 1, 1, 2)), label="groups")
conv("conv2d", TWO, (v(), v(2), v((2, 1)), v(1, (1, 2)), v(padding=1, dilation=(1, 2))))
conv("conv3d", THREE, (v(), v(2, 1), v((1, 2, 1), (0, 1, 1))))
conv("conv_transpose1d", ONE[:2], (v(), v(2), v(2, 1), v(stride=2, padding=1, output_padding=1)))
conv("conv_transpose2d", TWO, (v(), v(2), v((2, 1), (1, 0))))
conv("conv_transpose3d", THREE, (v(), v(2, 1)))
conv(
    "conv_general",
    ONE[:2] + TWO,
    (
        v(),
        v(flip=True),
        v(2, 1),
        v(padding=2, kernel_dilation=2),
        v(input_dilation=2),
        v(1, 1, 1, 2, 1, True),
    ),
)
