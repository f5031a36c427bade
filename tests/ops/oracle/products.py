"""Products over labelled axes: einsum and its relatives; differences."""

from __future__ import annotations

import numpy as np

from tests.ops.cases import X, case, family, ulps, v
from tests.ops.values import ALL, FLOATS

family("products")

M = X(-1, 1)
SMALL = X(-4, 4)
PRODUCT = ulps(16, 16, half=1, pair=64)
# Products of halves that are not summed in one matrix product are rounded on the way.
CHAIN = ulps(32, 32, half=8, pair=128)


def _einsum(m, *arguments):
    return m.einsum(arguments[-1], *arguments[:-1])


def _ref(*arguments):
    return np.einsum(arguments[-1], *arguments[:-1])


def einsum(label, shapes, *specs, dtypes=FLOATS + ("complex64", "int32"), ulp=PRODUCT, domain=M, **kwargs):
    """One or several notations for operands of the same shapes."""
    case(
        "einsum",
        *(domain,) * len(shapes),
        shapes=(shapes,),
        variants=tuple(v(spec) for spec in specs),
        call=_einsum,
        ref=_ref,
        ulp=ulp,
        scaled="abs",
        dtypes=dtypes,
        label=label,
        **kwargs,
    )


einsum(
    "one",
    ((3, 4, 5),),
    "ijk",
    "kji",
    "ijk->",
    "ijk->k",
    "ijk->ki",
    "i...->...i",
    "...->...",
    "ij->ij",
    dtypes=ALL,
)
einsum("diagonal", ((4, 4),), "ii", "ii->i", "ii->", "ij->ji", "...i->...", "jj", dtypes=ALL)
einsum("diagonals", ((3, 3, 2, 2),), "iijj", "iijj->ij", "iijj->ji", "iijk->kj", "ii...->...i", "...jj")
einsum("cube", ((3, 3, 3),), "iii->i", "iii", "iij->j", "iji->j")
einsum(
    "pair",
    ((4, 5), (5, 3)),
    "ij,jk",
    "ij,jk->ik",
    "ij,jk->ki",
    "ij,jk->",
    "ij , jk -> ik",
    "Zj,jA",
    "ij,jk->ijk",
    "ij,kl->il",
    "ij,jk->j",
    "ij,jk->k",
    "ij,jk->ikk",
    "ij,jk->iq",
    "ij",
    "ijk,jk",
    "i1,1j",
    "ij.,jk",
    "ij,jk->i->k",
)
einsum(
    "square",
    ((4, 4), (4, 4)),
    "ij,ij",
    "ij,ij->ij",
    "ij,ji",
    "ij,ji->i",
    "ii,jj->ij",
    "ij,kj->ki",
    "ji,jk",
    "ij,ij->i",
)
einsum("vectors", ((5,), (5,)), "i,i", "i,i->i", "i,j", "i,j->ji", "i,j->", "i,j->j", domain=X(0.2, 1))
einsum("scalars", ((), (5,)), ",i", ",i->", ",i->i", ",...")
einsum(
    "batch",
    ((2, 4, 5), (2, 5, 3)),
    "bij,bjk",
    "bij,bjk->bik",
    "bij,bjk->ikb",
    "...ij,...jk->...ik",
    "bij,bjk->bk",
    "bij,bjk->ik",
)
einsum("shared", ((2, 4, 5), (5, 3)), "...ij,jk->...ik", "bij,jk", "...j,jk", "bij,jk->kib")
einsum("ellipses", ((2, 3, 4), (3, 5, 4)), "ij...,jk...->ik...", "aj...,jk...", "ijk,jlk->il", "ijk,jlk->kil")
einsum(
    "wide", ((3, 2, 4, 5), (2, 5, 3)), "...ij,...jk", "...ij,...jk->...ki", "abij,bjk->aik", "abij,bja->ib"
)
einsum("ones", ((3, 1), (3, 4)), "ij,ij->ij", "ij,ij->i", "ij,kl->il", dtypes=FLOATS + ("complex64",))
einsum("empty", ((2, 0), (0, 4)), "ij,jk", "ij,jk->")
einsum(
    "three",
    ((3, 4), (4, 5), (5, 2)),
    "ij,jk,kl",
    "ij,jk,kl->li",
    "ij,jk,kl->",
    "ij,jk,kl->jl",
    dtypes=FLOATS,
    ulp=CHAIN,
)
einsum(
    "five",
    ((2, 3, 4), (2, 4, 3), (3,), (2,), ()),
    "bij,bjk,i,b,->bk",
    "bij,bjk,k,b,->i",
    dtypes=("float32", "float64"),
    ulp=CHAIN,
)
einsum(
    "attention",
    ((2, 7, 3, 8), (2, 5, 3, 8)),
    "blhd,bmhd->bhlm",
    "blhd,bmhd->blhm",
    "blhd,bmhd->bld",
    dtypes=FLOATS,
)
case(
    "einsum",
    X(-1, 1),
    X(-1, 1, dtype="float32"),
    shapes=(((4, 5), (5, 3)),),
    variants=(v("ij,jk"), v("ij,jk->ijk")),
    call=_einsum,
    ref=_ref,
    ulp=PRODUCT,
    scaled="abs",
    label="types",
)


def _path(m, *arrays):
    path, text = m.einsum_path(arrays[-1], *arrays[:-1])
    return [np.array([place for step in path for place in step]), np.array([ord(c) for c in text])]


case(
    "einsum_path",
    *(M,) * 5,
    shapes=(
        ((3, 4), (4, 5), (5, 2), (2, 6), (6, 3)),
        ((2, 2),) * 5,
        ((9, 1), (1, 9), (9, 1), (1, 9), (9, 9)),
        ((3, 4),) * 5,
    ),
    variants=(
        v("ij,jk,kl,lm,mn"),
        v("ij,jk,kl,lm,mi->j"),
        v("ab,cd,ef,gh,ij->"),
        v("ij,ij,ij,ij,ij->i"),
        v("i"),
    ),
    call=_path,
    dtypes=("float32",),
    vmap=False,
    compiled=False,
    diff=(),
    layouts=("contiguous",),
)

# ---- relatives ----

AXES = (
    v(),
    v(1),
    v(0),
    v(axes=2),
    v(3),
    v(-1),
    v([[1], [0]]),
    v(([-1], [-2])),
    v([[0, 1], [0, 1]]),
    v([[1], [0, 1]]),
    v([[1]]),
)
case(
    "tensordot",
    M,
    M,
    shapes=(((4, 5), (5, 4)), ((4, 5), (4, 5)), ((5, 5), (5, 5)), ((0, 3), (3, 0))),
    variants=AXES,
    ref=np.tensordot,
    ulp=PRODUCT,
    scaled="abs",
    dtypes=FLOATS + ("complex64", "int32"),
    label="axes",
)
case(
    "tensordot",
    M,
    M,
    shapes=(((2, 3, 4), (4, 3, 5)),),
    variants=(v(1), v([[1, 2], [1, 0]]), v([[2, 1], [0, 1]]), v([[2], [0]]), v([[1], [1]])),
    ref=np.tensordot,
    ulp=PRODUCT,
    scaled="abs",
    dtypes=FLOATS,
    label="3-D",
)
case(
    "inner",
    M,
    M,
    shapes=(
        ((5,), (5,)),
        ((4, 5), (3, 5)),
        ((2, 4, 5), (5,)),
        ((), (3,)),
        ((3,), (4,)),
        ((2, 0), (0,)),
        ((2, 3, 4), (5, 4)),
    ),
    ref=np.inner,
    ulp=PRODUCT,
    scaled="abs",
    dtypes=FLOATS + ("complex64", "int32", "bool_"),
    label="ranks",
)
case(
    "outer",
    SMALL,
    SMALL,
    shapes=(((5,), (3,)), ((2, 3), (4,)), ((), (3,)), ((0,), (3,))),
    ref=np.outer,
    ulp=ulps(0.5, half=0.5, pair=2),
    label="ranks",
)
case(
    "kron",
    SMALL,
    SMALL,
    shapes=(
        ((3,), (4,)),
        ((2, 3), (4, 2)),
        ((2,), (2, 3)),
        ((2, 3), (2,)),
        ((), (3,)),
        ((2, 1, 3), (1, 2, 2)),
        ((0, 2), (2,)),
    ),
    label="ranks",
    ref=np.kron,
    ulp=ulps(0.5, half=0.5, pair=2),
)


def _vecdot(a, b, axis=-1):
    return np.sum(np.moveaxis(np.conj(a), axis, -1) * np.moveaxis(b, axis, -1), -1)


case(
    "vecdot",
    SMALL,
    SMALL,
    shapes=(
        ((5,), (5,)),
        ((3, 4), (3, 4)),
        ((1, 4), (3, 4)),
        ((2, 3, 4), (2, 1, 4)),
        ((3,), (4,)),
        ((), ()),
        ((2, 0), (2, 0)),
    ),
    variants=(v(), v(axis=-1), v(axis=2)),
    ref=_vecdot,
    ulp=ulps(8, half=0.6, pair=32),
    scaled="abs",
    label="ranks",
)
case(
    "vecdot",
    SMALL,
    SMALL,
    shapes=(((3, 4), (3, 4)), ((2, 3, 4), (2, 3, 1))),
    variants=(v(axis=0), v(axis=-2)),
    ref=_vecdot,
    ulp=ulps(8, half=0.6, pair=32),
    scaled="abs",
    label="axis",
)

# ---- differences ----

case(
    "diff",
    X(-50, 50),
    shapes=(((7,),), ((4, 5),), ((0, 3),), ((),)),
    variants=(v(), v(2), v(n=0), v(-1), v(9), v(axis=0), v(1, 1), v(axis=-2), v(axis=5)),
    label="orders",
    ref=lambda x, n=1, axis=-1: (
        np.diff(x, n, axis) if n <= x.shape[axis] else np.diff(x, x.shape[axis], axis)
    ),
    ulp=ulps(1, half=4, pair=8),
    scaled=True,
)
