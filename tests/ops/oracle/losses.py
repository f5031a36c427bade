"""mx.fast: cross entropy and the gated delta rule."""

from __future__ import annotations

import numpy as np

from tests.ops.cases import X, case, family, ulps
from tests.ops.values import FLOATS

family("losses")


def cross_entropy(x, t):
    """log(sum(exp(x))) - x[t] along the last axis."""
    top = x.max(-1, keepdims=True)
    at = np.take_along_axis(x, np.asarray(t)[..., None], -1)
    return (np.log(np.sum(np.exp(x - top), -1, keepdims=True)) + (top - at))[..., 0]


TARGET = X(0, 4, dtype="int32")
case(
    "fast.cross_entropy",
    X(-4, 4),
    TARGET,
    shapes=(
        ((6, 5), (6,)),
        ((5,), ()),
        ((2, 3, 5), (2, 3)),
        ((3, 2500), (3,)),
        ((6, 5), (5,)),
        ((), ()),
        ((0, 5), (0,)),
    ),
    ref=cross_entropy,
    ulp=ulps(4),
    scaled=True,
    dtypes=(*FLOATS, "int32", "complex64"),
)
for kind in ("uint8", "int64", "uint64", "float32", "bool_"):
    case(
        "fast.cross_entropy",
        X(-4, 4),
        X(0, 4, dtype=kind),
        shapes=(((6, 5), (6,)),),
        ref=cross_entropy,
        ulp=ulps(4),
        scaled=True,
        dtypes=("float32", "float16"),
        label=f"{kind} targets",
    )


def gated_delta(q, k, v, gamma, beta, state=None, mask=None):
    """The recurrence, step by step."""
    batch, time, heads, values = v.shape
    q, k = (np.repeat(a, heads // a.shape[2] if a.shape[2] else 1, 2) for a in (q, k))
    s = (
        np.zeros((batch, heads, values, q.shape[3]))
        if state is None
        else np.array(state, np.result_type(state, 1.0))
    )
    out = np.zeros(v.shape, np.result_type(q, v))
    for t in range(time):
        decayed = s * (gamma[:, t, :, None, None] if gamma.ndim == 3 else gamma[:, t, :, None])
        error = v[:, t] - np.einsum("bhvk,bhk->bhv", decayed, k[:, t])
        following = decayed + np.einsum("bhv,bhk->bhvk", beta[:, t, :, None] * error, k[:, t])
        seen = np.ones(batch, bool) if mask is None else np.asarray(mask)[:, t] != 0
        s = np.where(seen[:, None, None, None], following, s)
        out[:, t] = np.where(seen[:, None, None], np.einsum("bhvk,bhk->bhv", s, q[:, t]), 0)
    return [out, s]


N, GATE = X(-1, 1), X(0.1, 0.9)
DELTA = ulps(64, 64, half=3, pair=512)


def shapes_of(batch, time, heads, values_heads, keys, values):
    """Shapes of q, k, v, gamma and beta."""
    return (
        (batch, time, heads, keys),
        (batch, time, heads, keys),
        (batch, time, values_heads, values),
        (batch, time, values_heads),
        (batch, time, values_heads),
    )


case(
    "fast.gated_delta_update",
    N,
    N,
    N,
    GATE,
    GATE,
    shapes=(
        (*shapes_of(2, 3, 1, 2, 4, 5)[:3], (2, 3, 2, 4), (2, 3, 2)),
        shapes_of(2, 3, 1, 2, 4, 5),
        shapes_of(1, 5, 2, 2, 3, 2),
        shapes_of(0, 2, 1, 1, 2, 2),
    ),
    ref=gated_delta,
    ulp=DELTA,
    scaled=True,
    dtypes=(*FLOATS, "complex64", "int32"),
)
case(
    "fast.gated_delta_update",
    N,
    N,
    N,
    GATE,
    GATE,
    N,
    X(dtype="bool_"),
    shapes=(
        (*shapes_of(2, 4, 1, 2, 4, 3), (2, 2, 3, 4), (2, 4)),
        (*shapes_of(1, 70, 2, 4, 37, 19), (1, 4, 19, 37), (1, 70)),
    ),
    ref=gated_delta,
    ulp=DELTA,
    scaled=True,
    dtypes=("float32", "float16", "float64"),
    label="state and mask",
)
