"""mx.fast: normalisations, rotary embeddings, attention."""

from __future__ import annotations

import numpy as np

from tests.ops.cases import X, case, family, ulps, v
from tests.ops.values import FLOATS

family("fast")

N = X(-2, 2)
NORM = ulps(8, half=2)
HALF_AND_SINGLE = ("float16", "bfloat16", "float32")


def rms_norm(x, w, eps):
    """x / sqrt(mean(x^2) + eps) * w."""
    return x / np.sqrt(np.mean(x * x, -1, keepdims=True) + eps) * (1 if w is None else w)


def layer_norm(x, w, b, eps):
    """(x - mean) / sqrt(var + eps) * w + b."""
    y = (x - np.mean(x, -1, keepdims=True)) / np.sqrt(np.var(x, -1, keepdims=True) + eps)
    return y * (1 if w is None else w) + (0 if b is None else b)


case(
    "fast.rms_norm",
    N,
    N,
    shapes=(
        ((3, 8), (8,)),
        ((2, 3, 33), (33,)),
        ((5,), (5,)),
        ((1, 1), (1,)),
        ((3, 8), (7,)),
        ((2, 1030), (1030,)),
        ((3, 8), (1, 8)),
        ((0, 8), (8,)),
    ),
    variants=(v(1e-5), v(0.1), v(eps=1e-6)),
    ref=lambda x, w, eps: rms_norm(x, w, eps),
    ulp=NORM,
    scaled=True,
    dtypes=FLOATS + ("int32",),
)
case(
    "fast.rms_norm",
    N,
    shapes=(((3, 8),), ((2, 3, 33),)),
    variants=(v(None, 1e-5),),
    ref=rms_norm,
    ulp=NORM,
    scaled=True,
    dtypes=FLOATS,
    label="no weight",
)
case(
    "fast.rms_norm",
    N,
    X(-2, 2, dtype="float32"),
    shapes=(((3, 8), (8,)),),
    variants=(v(1e-5),),
    ref=rms_norm,
    ulp=NORM,
    scaled=True,
    dtypes=FLOATS,
    label="float32 weight",
)
case(
    "fast.layer_norm",
    N,
    N,
    N,
    shapes=(
        ((3, 8), (8,), (8,)),
        ((2, 3, 33), (33,), (33,)),
        ((5,), (5,), (5,)),
        ((3, 8), (7,), (8,)),
        ((2, 1030), (1030,), (1030,)),
        ((3, 8), (8,), (1,)),
    ),
    variants=(v(1e-5), v(0.1)),
    ref=layer_norm,
    ulp=ulps(16, half=4),
    scaled=True,
    dtypes=FLOATS + ("int32",),
)
case(
    "fast.layer_norm",
    N,
    shapes=(((3, 8),), ((2, 3, 33),)),
    variants=(v(None, None, 1e-5),),
    ref=layer_norm,
    ulp=NORM,
    scaled=True,
    dtypes=FLOATS,
    label="plain",
)
case(
    "fast.layer_norm",
    N,
    N,
    shapes=(((3, 8), (8,)),),
    variants=(v(1e-5),),
    ref=lambda x, b, eps: layer_norm(x, None, b, eps),
    ulp=NORM,
    scaled=True,
    dtypes=FLOATS,
    label="bias only",
    call=lambda m, x, b, eps: m.fast.layer_norm(x, None, b, eps),
)
case(
    "fast.layer_norm",
    N,
    N,
    shapes=(((3, 8), (8,)),),
    variants=(v(1e-5),),
    ref=lambda x, w, eps: layer_norm(x, w, None, eps),
    ulp=NORM,
    scaled=True,
    dtypes=FLOATS,
    label="weight only",
    call=lambda m, x, w, eps: m.fast.layer_norm(x, w, None, eps),
)


def rope(x, dims, traditional, base, scale, offset, freqs=None):
    """Rotates pairs of features by angles that grow with the position."""
    half = dims // 2
    inverse = 1 / np.asarray(freqs, np.float64) if freqs is not None else base ** (-np.arange(half) / half)
    offset = np.asarray(offset, np.float64).reshape((-1,) + (1,) * (x.ndim - 1))
    positions = (np.arange(x.shape[-2])[:, None] + offset) * scale
    angle = positions * inverse
    cos, sin = np.cos(angle), np.sin(angle)
    y = np.array(x, np.float64)
    first, second = (
        (slice(0, dims, 2), slice(1, dims, 2)) if traditional else (slice(0, half), slice(half, dims))
    )
    a, b = x[..., first], x[..., second]
    y[..., first], y[..., second] = a * cos - b * sin, a * sin + b * cos
    return y


def _rope(m, x, dims, traditional, base, scale, offset, freqs=None):
    if isinstance(offset, (list, float)):
        offset = m.array(offset)
    return m.fast.rope(
        x,
        dims,
        traditional=traditional,
        base=base,
        scale=scale,
        offset=offset,
        freqs=None if freqs is None else m.array(freqs),
    )


case(
    "fast.rope",
    N,
    shapes=(((2, 3, 5, 8),), ((2, 1, 8),), ((1, 2, 1, 8),), ((2, 33, 8),), ((5, 8),)),
    call=_rope,
    ref=rope,
    ulp=ulps(32, half=4),
    scaled=True,
    dtypes=FLOATS,
    variants=(
        v(8, False, 10000.0, 1.0, 0),
        v(8, True, 10000.0, 1.0, 0),
        v(4, False, 100.0, 0.5, 3),
        v(4, True, 10000.0, 2.0, 7),
        v(8, False, None, 1.0, 2, [1.0, 2.0, 4.0, 8.0]),
        v(9, False, 10000.0, 1.0, 0),
        v(10, False, 10000.0, 1.0, 0),
        v(8, False, None, 1.0, 0),
        v(8, False, 10000.0, 1.0, 0, [1.0, 2.0, 4.0, 8.0]),
    ),
)
case(
    "fast.rope",
    N,
    shapes=(((2, 3, 5, 8),), ((2, 4, 8),)),
    call=_rope,
    ref=rope,
    ulp=ulps(32, half=4),
    scaled=True,
    dtypes=FLOATS,
    vmap=False,
    variants=(
        v(8, False, 10000.0, 1.0, [0, 5]),
        v(8, True, 10000.0, 1.0, [3, 1]),
        v(8, False, 10000.0, 1.0, 2.5),
    ),
    label="array offset",
)


def attention(q, k, v_, mask=None, sinks=None, scale=1.0, causal=False):
    """softmax(q k^T scale + mask) v, with grouped heads and sinks."""
    groups = q.shape[1] // k.shape[1]
    k, v_ = np.repeat(k, groups, 1), np.repeat(v_, groups, 1)
    s = np.matmul(q, np.swapaxes(k, -1, -2)) * scale
    if causal:
        rows, columns = s.shape[-2:]
        s = np.where(np.arange(columns)[None, :] <= np.arange(rows)[:, None] + columns - rows, s, -np.inf)
    if mask is not None:
        s = np.where(mask, s, -np.inf) if np.asarray(mask).dtype == bool else s + mask
    top = s.max(-1, keepdims=True)
    extra = 0.0
    if sinks is not None:
        sink = np.asarray(sinks)[None, :, None, None]
        top = np.maximum(top, sink)
        extra = np.exp(sink - top)
    e = np.exp(s - top)
    return np.matmul(e / (e.sum(-1, keepdims=True) + extra), v_)


def _attention(m, q, k, v_, *rest, scale=0.3, mask=None, sinks=False):
    rest = list(rest)
    if mask == "array":
        mask = rest.pop(0)
    return m.fast.scaled_dot_product_attention(
        q, k, v_, scale=scale, mask=mask, **({"sinks": rest.pop(0)} if sinks else {})
    )


A = ulps(16, half=2)
QKV = (
    ((2, 4, 5, 8), (2, 4, 7, 8), (2, 4, 7, 8)),
    ((1, 4, 3, 8), (1, 2, 9, 8), (1, 2, 9, 6)),
    ((1, 2, 1, 16), (1, 1, 40, 16), (1, 1, 40, 16)),
    ((1, 2, 70, 8), (1, 2, 70, 8), (1, 2, 70, 8)),
)
BAD = (
    ((4, 5, 8), (4, 7, 8), (4, 7, 8)),
    ((1, 3, 5, 8), (1, 2, 7, 8), (1, 2, 7, 8)),
    ((1, 2, 5, 8), (1, 2, 7, 6), (1, 2, 7, 8)),
    ((1, 2, 5, 8), (1, 2, 7, 8), (1, 2, 6, 8)),
)
case(
    "fast.scaled_dot_product_attention",
    N,
    N,
    N,
    shapes=QKV + BAD,
    call=_attention,
    ref=lambda q, k, w, scale=0.3: attention(q, k, w, scale=scale),
    ulp=A,
    scaled=True,
    dtypes=FLOATS,
    variants=(v(), v(scale=1.0)),
)
case(
    "fast.scaled_dot_product_attention",
    N,
    N,
    N,
    shapes=QKV[:1] + QKV[2:],
    call=_attention,
    ref=lambda q, k, w, mask: attention(q, k, w, scale=0.3, causal=True),
    ulp=A,
    scaled=True,
    dtypes=FLOATS,
    variants=(v(mask="causal"), v(mask="other")),
    label="causal",
)
MASKS = tuple((*QKV[0], mask) for mask in ((5, 7), (2, 1, 5, 7), (1, 4, 1, 7), (2, 4, 5, 7), (3, 5, 7))) + (
    (*QKV[1], (3, 9)),
)
case(
    "fast.scaled_dot_product_attention",
    N,
    N,
    N,
    N,
    shapes=MASKS,
    call=_attention,
    variants=(v(mask="array"),),
    ulp=A,
    scaled=True,
    dtypes=FLOATS,
    diff=(0, 1, 2),
    label="additive mask",
    ref=lambda q, k, w, bias, mask: attention(q, k, w, bias, scale=0.3),
)


def _some(q, k, w, keep, mask):
    return attention(q, k, w, np.asarray(keep) | (np.arange(np.shape(keep)[-1]) == 0), scale=0.3)


case(
    "fast.scaled_dot_product_attention",
    N,
    N,
    N,
    X(dtype="bool_"),
    shapes=MASKS,
    variants=(v(mask="array"),),
    ulp=A,
    scaled=True,
    dtypes=FLOATS,
    diff=(0, 1, 2),
    label="boolean mask",
    ref=_some,
    call=lambda m, q, k, w, keep, mask: _attention(
        m, q, k, w, m.logical_or(keep, m.arange(keep.shape[-1]) == 0), mask=mask
    ),
)
case(
    "fast.scaled_dot_product_attention",
    N,
    N,
    N,
    N,
    shapes=((*QKV[0], (4,)), (*QKV[1], (4,)), (*QKV[0], (3,))),
    call=_attention,
    variants=(v(sinks=True), v(sinks=True, mask="causal")),
    ulp=A,
    scaled=True,
    dtypes=FLOATS,
    diff=(0, 1, 2),
    label="sinks",
    ref=lambda q, k, w, sink, sinks, mask=None: attention(q, k, w, None, sink, 0.3, mask == "causal"),
)
