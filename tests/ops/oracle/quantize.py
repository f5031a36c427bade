"""Arrays in few bits, products with them, and products of gathered, segmented and masked matrices."""

from __future__ import annotations

import functools

import numpy as np

from tests.ops.cases import EXACT, X, case, family, ulps, v
from tests.ops.target import wheel
from tests.ops.values import FLOATS

family("quantize")

N = X(-2, 2)
HALF_AND_SINGLE = ("float16", "bfloat16", "float32")
WIDTHS = (1, 2, 3, 4, 5, 6, 8)
AFFINE = tuple(v(group, bits) for bits in WIDTHS for group in (32, 64, 128))
MODES = (("mxfp4", 32, 4), ("mxfp8", 32, 8), ("nvfp4", 16, 4))
# Sums of up to 256 products in float32 against float64, halves rounded once.
PRODUCT = ulps(48, half=1.5)

case(
    "quantize",
    N,
    shapes=(((4, 128),), ((2, 3, 256),), ((64,),), ((2, 65),), ((),)),
    variants=AFFINE + (v(), v(16), v(64, 7), v(mode="none")),
    dtypes=HALF_AND_SINGLE + ("int32", "bool_", "complex64"),
    ulp=EXACT,
    diff=(),
    layouts=("contiguous", "strided", "broadcast"),
)
case(
    "quantize",
    N,
    shapes=(((4, 128),), ((2, 3, 64),), ((2, 24),)),
    variants=tuple(v(mode=mode) for mode, _, _ in MODES)
    + (v(64, mode="mxfp4"), v(bits=8, mode="nvfp4"), v(mode="mxfp8", bits=4)),
    dtypes=HALF_AND_SINGLE,
    ulp=EXACT,
    nondiff=True,
    label="floats",
    layouts=("contiguous", "broadcast"),
)
case(
    "quantize",
    N,
    X(0.5, 8, dtype="float32"),
    shapes=(((4, 64), ()), ((4, 64), (1,)), ((4, 64), (2,))),
    variants=(v("nvfp4"), v("mxfp4")),
    dtypes=HALF_AND_SINGLE,
    ulp=EXACT,
    nondiff=True,
    call=lambda m, w, g, mode: m.quantize(w, mode=mode, global_scale=g),
    label="global scale",
    layouts=("contiguous",),
)

WORDS = X(0, 2**32 - 1, dtype="uint32")
SCALE_CODES = X(100, 140, dtype="uint8")


def unpack(words, bits: int) -> np.ndarray:
    """The codes in rows of words: a stream of bits, low bits first."""
    words = np.ascontiguousarray(np.asarray(words).astype(np.uint32))
    bytes_ = words.view(np.uint8).reshape(*words.shape[:-1], -1)
    stream = np.unpackbits(bytes_, axis=-1, bitorder="little")
    digits = stream.reshape(*words.shape[:-1], -1, bits)
    return (digits * (1 << np.arange(bits))).sum(-1).astype(np.float64)


def affine(words, scales, biases, group: int, bits: int) -> np.ndarray:
    """Codes times scales plus biases."""
    return unpack(words, bits) * np.repeat(scales, group, -1) + np.repeat(biases, group, -1)


for bits in WIDTHS:
    case(
        "dequantize",
        WORDS,
        N,
        N,
        shapes=(((2, 2 * bits), (2, 2), (2, 2)), ((3, 4, bits), (3, 4, 1), (3, 4, 1))),
        variants=(v(32, bits),) if bits != 4 else (v(32, 4), v(64), v(32, 7)),
        ref=None if bits == 4 else lambda w, s, b, group, bits, dtype=None: affine(w, s, b, group, bits),
        dtypes=("float32", "float64") if bits != 4 else FLOATS + ("int32",),
        ulp=ulps(8) if bits != 4 else EXACT,
        scaled="abs",
        label=f"{bits} bits",
        diff=(1, 2),
        layouts=("contiguous", "strided"),
    )
case(
    "dequantize",
    WORDS,
    SCALE_CODES,
    shapes=(((3, 8), (3, 2)), ((2, 2, 4), (2, 2, 1)), ((3, 8), (3, 4)), ((3, 8), (2, 2)), ((8,), (2,))),
    variants=(v(mode="mxfp4"), v(mode="mxfp4", dtype="float32"), v(mode="mxfp4", dtype="int32")),
    dtypes=("float32",),
    ulp=EXACT,
    nondiff=True,
    label="mxfp4",
    layouts=("contiguous", "strided"),
)
case(
    "dequantize",
    X(0, 2**30, dtype="uint32"),
    SCALE_CODES,
    shapes=(((3, 16), (3, 2)), ((2, 8), (2, 2))),
    variants=(v(mode="mxfp8"), v(mode="mxfp8", dtype="float32")),
    dtypes=("float32",),
    ulp=EXACT,
    nondiff=True,
    label="mxfp8",
    layouts=("contiguous",),
)
case(
    "dequantize",
    WORDS,
    X(0, 126, dtype="uint8"),
    X(0.5, 8, dtype="float32"),
    shapes=(((3, 4), (3, 2), ()), ((2, 2), (2, 1), (1,))),
    variants=(v(),),
    dtypes=("float32",),
    ulp=EXACT,
    nondiff=True,
    call=lambda m, w, s, g: m.dequantize(w, s, mode="nvfp4", global_scale=g),
    label="nvfp4",
    layouts=("contiguous",),
)

CODE = X(0, 126, dtype="uint8")
case(
    "to_fp8",
    X(-600, 600),
    shapes=(((5, 7),), ((),), ((0, 3),)),
    ulp=EXACT,
    dtypes=HALF_AND_SINGLE + ("int32",),
    nondiff=True,
)
case(
    "to_fp8",
    X(-0.03, 0.03),
    shapes=(((50, 7),),),
    ulp=EXACT,
    dtypes=HALF_AND_SINGLE,
    nondiff=True,
    label="small",
)
case(
    "from_fp8",
    CODE,
    shapes=(((5, 7),), ((),), ((0, 3),)),
    variants=(v(),) + tuple(v(dtype=d) for d in HALF_AND_SINGLE + ("int32",)),
    dtypes=("uint8",),
    ulp=EXACT,
    nondiff=True,
)
case(
    "from_fp8",
    X(0, 100),
    shapes=(((5,),),),
    dtypes=("int8", "uint32", "float32"),
    nondiff=True,
    label="refused",
)


@functools.cache
def stored(shape: tuple[int, ...], mode: str, group: int, bits: int) -> tuple[list[np.ndarray], np.ndarray]:
    """A quantized matrix, as arrays of numbers, and what it stands for in float64.

    Affine scales and biases are numbers that every float type has.
    """
    rng = np.random.default_rng(bits + group + len(shape))
    parts = list(wheel.quantize(wheel.array(rng.normal(size=shape).astype(np.float32)), group, bits, mode))
    if mode == "affine":
        parts[1:] = [part.astype(wheel.bfloat16).astype(wheel.float32) for part in parts[1:]]
        numbers = [np.array(part) for part in parts]
        return numbers, affine(*numbers, group, bits)
    dense = np.array(wheel.dequantize(*parts, group_size=group, bits=bits, mode=mode, dtype=wheel.float32))
    return [np.array(part) for part in parts], dense.astype(np.float64)


def _product(m, x, shape, mode, group, bits, transpose=True):
    parts = [m.array(part) for part in stored(shape, mode, group, bits)[0]]
    if mode == "affine":
        parts = [parts[0]] + [part.astype(x.dtype) for part in parts[1:]]
    return m.quantized_matmul(x, *parts, transpose=transpose, group_size=group, bits=bits, mode=mode)


def _product_in_float64(x, shape, mode, group, bits, transpose=True):
    dense = stored(shape, mode, group, bits)[1]
    return np.matmul(x, np.swapaxes(dense, -1, -2) if transpose else dense)


FORMATS = tuple(("affine", group, bits) for bits in WIDTHS for group in (32, 64, 128)) + MODES
for mode, group, bits in FORMATS:
    case(
        "quantized_matmul",
        N,
        shapes=(((3, 256),), ((256,),), ((1, 256),), ((2, 9, 256),), ((17, 256),)),
        variants=(v((6, 256), mode, group, bits),),
        call=_product,
        ref=_product_in_float64,
        dtypes=("float32",),
        ulp=PRODUCT,
        scaled=True,
        label=f"{mode} {group} {bits}",
        layouts=("contiguous", "strided"),
    )
    case(
        "quantized_matmul",
        N,
        shapes=(((3, 6),), ((6,),), ((2, 9, 6),)),
        variants=(v((6, 256), mode, group, bits, transpose=False),),
        call=_product,
        ref=_product_in_float64,
        dtypes=("float32",),
        ulp=PRODUCT,
        scaled=True,
        label=f"{mode} {group} {bits} straight",
        layouts=("contiguous", "transposed"),
    )
case(
    "quantized_matmul",
    N,
    shapes=(((3, 128),), ((2, 9, 128),), ((128,),), ((3, 127),)),
    variants=(
        v((40, 128), "affine", 64, 4),
        v((40, 128), "mxfp4", 32, 4),
        v((128, 64), "nvfp4", 16, 4, False),
    ),
    call=_product,
    ref=_product_in_float64,
    dtypes=HALF_AND_SINGLE,
    ulp=PRODUCT,
    scaled=True,
    label="halves",
)


def _by_scales(m, x, scales, biases, transpose=True):
    words = np.random.default_rng(5).integers(0, 2**32, (*scales.shape[:-1], 8), dtype=np.uint32)
    return m.quantized_matmul(x, m.array(words), scales, biases, transpose=transpose, group_size=32)


def _by_scales_in_float64(x, scales, biases, transpose=True):
    words = np.random.default_rng(5).integers(0, 2**32, (*scales.shape[:-1], 8), dtype=np.uint32)
    dense = affine(words, scales, biases, 32, 4)
    return np.matmul(x, np.swapaxes(dense, -1, -2) if transpose else dense)


for transpose, inner in ((True, 64), (False, 5)):
    case(
        "quantized_matmul",
        N,
        N,
        N,
        shapes=(
            ((3, inner), (5, 2), (5, 2)),
            ((2, 3, inner), (2, 5, 2), (2, 5, 2)),
            ((4, 1, 3, inner), (2, 5, 2), (2, 5, 2)),
            ((3, inner), (5, 2), (4, 2)),
        ),
        variants=(v(transpose=transpose),),
        call=_by_scales,
        ref=_by_scales_in_float64,
        dtypes=("float32",),
        ulp=PRODUCT,
        scaled=True,
        label=f"by scales, transpose={transpose}",
        layouts=("contiguous", "strided"),
    )


def _gathered(m, x, lhs, rhs, mode, group, bits, transpose):
    parts = [m.array(part) for part in stored((3, 64, 64), mode, group, bits)[0]]
    return m.gather_qmm(
        x,
        *parts,
        lhs_indices=None if lhs is None else m.array(lhs),
        rhs_indices=None if rhs is None else m.array(rhs),
        transpose=transpose,
        group_size=group,
        bits=bits,
        mode=mode,
    )


def _gathered_in_float64(x, lhs, rhs, mode, group, bits, transpose):
    dense = stored((3, 64, 64), mode, group, bits)[1]
    dense = np.swapaxes(dense, -1, -2) if transpose else dense
    flat = x.reshape(-1, *x.shape[-2:])
    lhs = np.arange(len(flat)).reshape(x.shape[:-2]) if lhs is None else np.array(lhs)
    rhs = np.arange(3) if rhs is None else np.array(rhs)
    lhs, rhs = np.broadcast_arrays(lhs, rhs)
    return np.matmul(flat[lhs], dense[rhs])


case(
    "gather_qmm",
    N,
    shapes=(((4, 2, 64),), ((2, 2, 1, 64),), ((3, 20, 64),), ((1, 1, 64),)),
    variants=tuple(
        v(lhs, rhs, mode, group, bits, transpose)
        for lhs, rhs in (
            (None, None),
            ([0], [2, 0, 2]),
            (None, [[1, 1], [0, 1]]),
            ([[0], [0]], [1, 2, 1]),
            (None, [0.5]),
        )
        for mode, group, bits in (("affine", 32, 4), ("nvfp4", 16, 4))
        for transpose in (True, False)
    ),
    call=_gathered,
    ref=_gathered_in_float64,
    dtypes=("float32",),
    ulp=PRODUCT,
    scaled=True,
    layouts=("contiguous", "strided"),
)

# ---- products of gathered, segmented and masked matrices ----

INDEX = X(0, 2, dtype="uint32")


def gather_mm(a, b, lhs, rhs):
    """Products of the picked matrices."""
    a, b = (x.reshape(int(np.prod(x.shape[:-2])), *x.shape[-2:]) for x in (a, b))
    lhs, rhs = np.broadcast_arrays(lhs.astype(int), rhs.astype(int))
    return np.matmul(a[lhs], b[rhs])


case(
    "gather_mm",
    N,
    N,
    INDEX,
    INDEX,
    shapes=(
        ((3, 4, 5), (3, 5, 6), (4,), (4,)),
        ((3, 1, 5), (3, 5, 6), (7,), (7,)),
        ((1, 3, 2, 5), (3, 1, 5, 6), (2, 1), (3,)),
        ((3, 40, 5), (3, 5, 3), (4,), (4,)),
        ((3, 4, 5), (3, 5, 6), (), ()),
        ((3, 4, 5), (3, 5, 6), (0,), (0,)),
        ((3, 4, 0), (3, 0, 6), (2,), (2,)),
        ((3, 4, 5), (3, 4, 6), (2,), (2,)),
        ((3, 4, 5), (3, 5, 6), (2,), (3,)),
    ),
    ref=gather_mm,
    dtypes=("float32", "int32", "complex64"),
    ulp=PRODUCT,
    scaled="abs",
)
case(
    "gather_mm",
    N,
    N,
    shapes=(((3, 4, 5), (3, 5, 6)), ((4, 5), (5,)), ((2, 1, 4, 5), (3, 5, 6)), ((), (2, 2))),
    dtypes=FLOATS + ("int32",),
    ulp=PRODUCT,
    scaled=True,
    ref=np.matmul,
    layouts=("contiguous",),
    label="in turn",
)


def segmented_mm(a, b, segments):
    """A product for each range of the inner axis."""
    pairs = np.asarray(segments).reshape(-1, 2)
    products = [a[:, i:j] @ b[i:j] if j > i else np.zeros((a.shape[0], b.shape[1])) for i, j in pairs]
    shape = (*np.shape(segments)[:-1], a.shape[0], b.shape[1])
    return np.array(products).reshape(shape)


SEGMENTS = (
    [[0, 5], [5, 10]],
    [[0, 7], [2, 10], [3, 3], [8, 4]],
    [[[0, 10], [9, 10]]],
    [1, 4],
    [[1, 4, 5]],
    [[0.5, 1.0]],
)
case(
    "segmented_mm",
    N,
    N,
    shapes=(((4, 10), (10, 3)), ((1, 10), (10, 1)), ((2, 4, 10), (10, 3)), ((10,), (10, 3))),
    variants=tuple(v(segments) for segments in SEGMENTS),
    call=lambda m, a, b, segments: m.segmented_mm(a, b, m.array(segments)),
    ref=segmented_mm,
    dtypes=FLOATS + ("int32", "complex64"),
    ulp=PRODUCT,
    scaled="abs",
)


def _block(mask, size, m, n):
    return np.repeat(np.repeat(np.asarray(mask, np.float64), size, -2), size, -1)[..., :m, :n]


def block_masked_mm(a, b, out, left, right, size=64):
    """A product of matrices whose blocks are multiplied by factors."""
    a = a * _block(left, size, *a.shape[-2:])
    b = b * _block(right, size, *b.shape[-2:])
    c = np.matmul(a, b)
    return c * _block(out, size, *c.shape[-2:])


BLOCKS = (
    ((70, 100), (100, 40), (2, 1), (2, 2), (2, 1)),
    ((3, 5, 64), (64, 65), (3, 1, 2), (1, 1), (1, 2)),
    ((5, 64), (64, 65), (2, 2), (1, 1), (1, 2)),
)
for label, domain in (("truth values", X(0, 1, dtype="bool_")), ("factors", X(-1, 1))):
    case(
        "block_masked_mm",
        N,
        N,
        domain,
        domain,
        domain,
        shapes=BLOCKS,
        call=lambda m, a, b, *masks, block_size=64: m.block_masked_mm(a, b, block_size, *masks),
        ref=block_masked_mm,
        variants=(v(),),
        dtypes=("float32",),
        ulp=ulps(64),
        scaled="abs",
        label=label,
    )
case(
    "block_masked_mm",
    N,
    N,
    shapes=(((70, 100), (100, 40)), ((5,), (5, 3))),
    variants=(v(), v(32), v(16)),
    ref=lambda a, b, size=64: np.matmul(a, b),
    dtypes=FLOATS + ("complex64", "int32"),
    ulp=ulps(64, half=2),
    scaled="abs",
    label="no mask",
    layouts=("contiguous",),
)


# ---- both operands quantized; the wheel multiplies one row ----


def _both(m, x, shape, mode, group, bits):
    parts = [m.array(part) for part in stored(shape, mode, group, bits)[0]]
    return m.qqmm(x, *parts, mode=mode)


for mode, group, bits in MODES:
    case(
        "qqmm",
        N,
        shapes=(((1, 128),), ((128,),), ((1, 1, 128),), ((1, 64),)),
        variants=(v((24, 128), mode, group, bits),),
        call=_both,
        dtypes=HALF_AND_SINGLE + ("float64", "int32"),
        ulp=ulps(24, half=16),
        scaled=True,
        label=mode,
        diff=(),
        layouts=("contiguous", "strided"),
    )
