"""Shape and view operations, joining and splitting."""

from __future__ import annotations

import numpy as np

from tests.ops.cases import EXACT, X, case, family, ulps, v
from tests.ops.values import ALL

family("shape")

ANY = (X(),)
S3 = ((3, 4, 5),)
SMALL = ("float32", "int8", "complex64", "bfloat16", "bool_")


def shape(name, variants, shapes=(S3,), domains=ANY, **kwargs):
    """A function that moves elements and computes nothing."""
    kwargs.setdefault("ulp", EXACT)
    case(name, *domains, shapes=shapes, variants=variants, **kwargs)


shape(
    "reshape",
    (
        v((12, 5)),
        v((-1,)),
        v([5, 3, -1]),
        v((3, 2, 2, 5)),
        v((60, 1, 1)),
        v((7, 8)),
        v((-1, -1)),
        v((0, -1)),
        v(()),
    ),
    shapes=(S3, ((0, 4),), ((1,),), ((),)),
)
shape("reshape", (v(12, 5), v(-1), v((5, 12)), v(7)), call=lambda m, x, *a: x.reshape(*a), label="method")
shape(
    "transpose",
    (v(), v((1, 0, 2)), v([2, 0, 1]), v((-1, 0, 1)), v((0, 0, 1)), v((0, 1)), v((0, 1, 3))),
    shapes=(S3, ((),), ((4,),)),
)
shape("transpose", (v(), v(1, 0, 2), v((2, 0, 1))), call=lambda m, x, *a: x.transpose(*a), label="method")
shape("permute_dims", (v(), v((1, 0, 2)), v((0, 1))))
shape("matrix_transpose", (v(),), shapes=(S3, ((4, 2),), ((4,),)), later=True)
shape(
    "squeeze",
    (v(), v(axis=0), v(axis=(0, 2)), v(-1), v(axis=1), v(axis=5), v(axis=(0, 0)), v([0])),
    shapes=(((1, 3, 1),), ((1, 1, 1),), S3),
)
shape(
    "expand_dims", (v(0), v(-1), v((0, 2)), v([0, -1]), v(4), v((0, 0)), v(-5), v(axis=1)), shapes=(S3, ((),))
)
shape(
    "flatten",
    (v(), v(1), v(0, 1), v(start_axis=1, end_axis=-1), v(2, 1), v(0, 9), v(-9, -1), v(5)),
    shapes=(S3, ((),), ((0, 3),)),
)
shape("unflatten", (v(0, (3, 1)), v(1, (2, -1)), v(-1, (5, 1, 1)), v(1, (3, 2)), v(5, (1, 1)), v(0, ())))
shape(
    "broadcast_to",
    (v((2, 3, 4, 5)), v((3, 4, 5)), v((3, 4, 1)), v((4, 5)), v([1, 3, 4, 5]), v((3, 0, 5))),
    shapes=(S3, ((3, 1, 5),), ((1,),), ((),)),
)
shape("moveaxis", (v(0, 2), v(-1, 0), v(1, 1), v(3, 0), v(0, -4)))
shape("swapaxes", (v(0, 2), v(-1, 1), v(1, 1), v(0, 3), v(-4, 0)))
shape("flip", (v(), v(0), v(axis=-1), v(axis=(0, 2)), v([1]), v(3), v(axis=(0, 0))), later=True)
shape(
    "roll",
    (v(1), v(-2, 0), v(7, axis=1), v((1, 2), (0, 1)), v((1, 2)), v(1, axis=(0, 2)), v(0), v(1, 3)),
    later=True,
)
shape("tile", (v(2), v((2, 1, 3)), v([2, 2]), v((2, 1, 1, 1)), v(0), v(())), shapes=(S3, ((),), ((2,),)))
shape("repeat", (v(2), v(3, 1), v(repeats=2, axis=-1), v(0), v(1), v(2, 3), v(-1)), shapes=(S3, ((4,),)))
shape(
    "stack",
    (v(), v(1), v(axis=-1), v(axis=2), v(4), v(-5)),
    shapes=(((3, 4), (3, 4)), ((), ())),
    domains=(X(), X()),
    call=lambda m, a, b, *p, **k: m.stack([a, b], *p, **k),
)
shape(
    "stack",
    (v(),),
    shapes=(((3,), (4,)), ((3,), (3, 1))),
    domains=(X(), X()),
    call=lambda m, a, b: m.stack([a, b]),
    label="unequal",
)
for name in ("concatenate", "concat"):
    shape(
        name,
        (v(), v(1), v(axis=-1), v(None), v(3), v(axis=-4)),
        domains=(X(), X()),
        later=name == "concat",
        shapes=(((3, 4, 5), (3, 4, 5)), ((2, 3), (2, 1)), ((2, 3), (1, 3)), ((0, 3), (2, 3)), ((3,), (3, 1))),
        call=lambda m, a, b, *p, _name=name, **k: getattr(m, _name)([a, b], *p, **k),
    )
shape(
    "concatenate",
    (v(axis=0),),
    domains=(X(), X(dtype="float16")),
    shapes=(((2, 3), (1, 3)),),
    diff=(0,),
    call=lambda m, a, b, **k: m.concatenate([a, b], **k),
    label="promotion",
)
shape(
    "split",
    (
        v(3),
        v(2, 1),
        v(5, axis=-1),
        v([1, 2]),
        v((1, -1), axis=1),
        v([3, 1], axis=2),
        v(2),
        v(0),
        v(2, 3),
        v([]),
    ),
)
shape("unstack", (v(), v(axis=1), v(axis=-1), v(axis=3)), later=True)
shape("broadcast_arrays", (v(),), domains=(X(), X()), shapes=(((3, 1), (4,)), ((), (2, 2)), ((2,), (3,))))
shape(
    "meshgrid",
    (v(), v(sparse=True), v(indexing="ij"), v(indexing="zz")),
    domains=(X(), X()),
    shapes=(((3,), (4,)), ((1,), (2,))),
    later=True,
)
for name in ("atleast_1d", "atleast_2d", "atleast_3d"):
    shape(name, (v(),), shapes=(((),), ((3,),), ((3, 4),), ((2, 3, 4, 1),)), later=True)
shape("atleast_2d", (v(),), domains=(X(), X()), shapes=(((), (3,)),), label="several", later=True)
shape(
    "pad",
    (
        v(1),
        v((1, 2)),
        v([(0, 1), (2, 0), (1, 1)]),
        v(1, constant_values=3),
        v(2, mode="edge"),
        v(((1, 0),), "edge"),
        v(0),
        v(-1),
        v(1, "wrap"),
    ),
    later=True,
    grad=X(),
)
shape(
    "pad",
    (v(1, "reflect"), v([(0, 1), (2, 0), (1, 3)], mode="reflect"), v(2, "symmetric")),
    label="mirrored",
    later=True,
)
shape(
    "diagonal",
    (v(), v(1), v(-1, 1, 2), v(offset=0, axis1=2, axis2=0), v(0, 1, 1), v(0, 0, 3), v(9)),
    later=True,
)
shape("diag", (v(), v(1), v(-2), v(k=1)), shapes=(((4,),), ((3, 4),), S3, ((),)), later=True)
shape("tril", (v(), v(1), v(k=-1)), shapes=(S3, ((4, 4),), ((3,),)), later=True)
shape("triu", (v(), v(1), v(k=-1)), shapes=(S3, ((4, 4),), ((3,),)), later=True)
shape(
    "trace",
    (v(), v(1), v(0, 1, 2), v(offset=-1, axis1=0, axis2=2), v(0, 0, 0)),
    shapes=(S3, ((4, 4),)),
    dtypes=("int8", "int32", "uint8", "bool_"),
    diff=(),
    later=True,
)
shape(
    "trace",
    (v(), v(1), v(0, 1, 2), v(offset=-1, axis1=0, axis2=2)),
    shapes=(S3, ((4, 4),)),
    dtypes=("float32", "float64", "complex64"),
    ulp=ulps(4),
    label="derivative",
)
shape("contiguous", (v(), v(True), v(allow_col_major=True)), shapes=(S3, ((),), ((0, 2),)))
shape(
    "as_strided",
    (v((3, 4), (4, 1)), v((2, 3, 4), (1, 1, 1), 5), v((5, 2), (0, 7)), v([4], [2], offset=50)),
    dtypes=SMALL,
    vmap=False,
    layouts=("contiguous",),
)
shape(
    "view",
    tuple(v(name) for name in ALL if name != "complex64"),
    call=lambda m, x, name: m.view(x, getattr(m, name)),
    nondiff=True,
    shapes=(((3, 8),),),
    vmap=False,
    dtypes=[n for n in ALL if n not in ("bool_", "complex64", "float16", "bfloat16", "float32", "float64")],
)
shape(
    "kron",
    (v(),),
    domains=(X(), X()),
    shapes=(((2, 3), (3, 2)), ((3,), (2, 2)), ((), (2,))),
    later=True,
    dtypes=("int32", "float32", "complex64"),
    ulp=EXACT | {"complex64": 4.0},
)
shape(
    "diff",
    (v(), v(2), v(n=1, axis=0), v(0), v(axis=3), v(9)),
    later=True,
    dtypes=("int32", "bool_", "uint8", "int64"),
    diff=(),
)
shape(
    "diff",
    (v(), v(2), v(n=1, axis=0)),
    later=True,
    dtypes=("float32", "float64", "complex64"),
    ulp=ulps(4),
    scaled=True,
    label="derivative",
)

# Methods and properties that move elements.
shape("array.T", (v(),), call=lambda m, x: x.T, shapes=(S3, ((3,),), ((),)))
shape(
    "array.squeeze",
    (v(), v(0), v(axis=(0, 2))),
    call=lambda m, x, *a, **k: x.squeeze(*a, **k),
    shapes=(((1, 3, 1),),),
)
shape("array.flatten", (v(), v(1), v(0, 1)), call=lambda m, x, *a: x.flatten(*a))
shape("array.moveaxis", (v(0, 2),), call=lambda m, x, *a: x.moveaxis(*a))
shape("array.swapaxes", (v(0, 2),), call=lambda m, x, *a: x.swapaxes(*a))
shape("array.split", (v(2, 1), v([1], axis=0)), call=lambda m, x, *a, **k: x.split(*a, **k))
shape(
    "array.view",
    (v("uint8"), v("int16")),
    call=lambda m, x, name: x.view(getattr(m, name)),
    dtypes=("int32", "uint16"),
    nondiff=True,
    vmap=False,
)

_ = np
