"""Convolutions."""

from __future__ import annotations

from tests.ops.cases import X, case, family, ulps, v

family("conv")

C = X(-1, 1)
REAL = ("float16", "bfloat16", "float32")
SUM = ulps(64, 64, half=8, pair=64)

case(
    "conv1d",
    C,
    C,
    shapes=(((2, 9, 4), (6, 3, 4)), ((1, 5, 1), (1, 5, 1))),
    variants=(v(), v(2, 1), v(stride=1, padding=2, dilation=2), v(3, 1, 1, 1)),
    ulp=SUM,
    scaled="abs",
    dtypes=REAL,
    specials=False,
)
case(
    "conv1d",
    C,
    C,
    shapes=(((2, 9, 4), (6, 3, 2)),),
    variants=(v(1, 1, 1, 2),),
    ulp=SUM,
    scaled="abs",
    dtypes=REAL,
    specials=False,
    label="groups",
)
case(
    "conv2d",
    C,
    C,
    shapes=(((2, 7, 6, 4), (3, 3, 2, 4)),),
    variants=(v(), v((2, 1), (1, 0)), v(stride=2, padding=1, dilation=(1, 2))),
    ulp=SUM,
    scaled="abs",
    dtypes=REAL,
    specials=False,
)
case(
    "conv3d",
    C,
    C,
    shapes=(((1, 5, 4, 5, 2), (3, 2, 2, 3, 2)),),
    variants=(v(), v((1, 2, 1), 1)),
    ulp=SUM,
    scaled="abs",
    dtypes=REAL,
    specials=False,
)
case(
    "conv_transpose1d",
    C,
    C,
    shapes=(((2, 5, 4), (3, 3, 4)),),
    variants=(v(), v(2, 1), v(stride=2, output_padding=1)),
    ulp=SUM,
    scaled="abs",
    dtypes=REAL,
    specials=False,
)
case(
    "conv_transpose2d",
    C,
    C,
    shapes=(((2, 4, 5, 4), (3, 3, 2, 4)),),
    variants=(v(), v((2, 1), (1, 0))),
    ulp=SUM,
    scaled="abs",
    dtypes=REAL,
    specials=False,
)
case(
    "conv_transpose3d",
    C,
    C,
    shapes=(((1, 3, 4, 3, 2), (3, 2, 2, 2, 2)),),
    variants=(v(), v(2)),
    ulp=SUM,
    scaled="abs",
    dtypes=REAL,
    specials=False,
)
case(
    "conv_general",
    C,
    C,
    shapes=(((2, 7, 6, 4), (3, 3, 2, 4)),),
    variants=(v(), v(stride=2, padding=1, input_dilation=2), v(kernel_dilation=2, flip=True)),
    ulp=SUM,
    scaled="abs",
    dtypes=REAL,
    specials=False,
)
