"""What the matrix cannot say of few bits and of gathered products: golden words, edge groups, indices that
only the data show to be wrong, and what the reference's CPU lacks.
"""

from __future__ import annotations

import mica.core as mx
import mlx.core as wheel
import numpy as np
import pytest

BITS = (1, 2, 3, 4, 5, 6, 8)
FLOATS = ("float16", "bfloat16", "float32")


def numbers(a) -> np.ndarray:
    """An array of either package in NumPy, bfloat16 as float32."""
    wide = "bfloat16" in str(a.dtype)
    return np.array(a.astype(mx.float32 if isinstance(a, mx.array) else wheel.float32) if wide else a)


@pytest.mark.parametrize(
    ("bits", "words"),
    [
        (2, "55555000 feaaaaa9 aaabffff"),
        (3, "92449200 c9246db4 ff6db5b6"),
        (4, "33221100 77665544 bbaa9988"),
        (5, "8a418820 c5a92839 ca307b9a"),
        (6, "88184080 449038c2 79c69859"),
        (8, "19100800 3a312921 5b524a42"),
    ],
)
def test_golden_words(bits: int, words: str) -> None:
    """The layout: one stream of bits, low bits first."""
    w = mx.array(np.arange(128, dtype=np.float32).reshape(2, 64) / np.float32(64) - np.float32(0.7))
    codes, scales, biases = mx.quantize(w, group_size=32, bits=bits)
    count = min(3, codes.shape[1])
    assert [f"{word:08x}" for word in np.array(codes)[0, :count]] == words.split()[:count]
    if bits == 4:
        assert scales[0].tolist() == [0.03181818127632141, -0.03159722313284874]
        assert biases[0].tolist() == [-0.699999988079071, 0.28437501192092896]


def groups() -> np.ndarray:
    """Groups of 128 at the edges: of one sign, constant, zero, tiny, huge, with infinities and NaN."""
    rng = np.random.default_rng(1)
    w = rng.normal(size=(14, 128)).astype(np.float32)
    w[0] = -np.abs(w[0])
    w[1] = np.abs(w[1])
    w[2], w[3], w[4], w[5] = 0, 1, -1, -0.0
    w[6] *= 1e-9
    w[7] *= 1e4
    w[8, 3], w[9, 70], w[10, 5] = np.inf, -np.inf, np.nan
    w[11] = np.repeat([0.25, 0.75, 1.25, 2.5, 3.5, 5.0, 6.0, -0.25], 16)
    w[12] = np.repeat([1.0, 1.4, 3.0, 6.0, 8.4, 8.5, 12.0, 100.0], 16)
    w[13, ::2] = 0
    return w


@pytest.mark.parametrize("dtype", FLOATS)
def test_edge_groups(dtype: str) -> None:
    """Every mode stores the words that the reference stores."""
    edges = groups()
    finite = np.delete(edges, (8, 9, 10), 0)  # the reference's float modes wrap around or forget these
    modes = [("affine", bits, group) for bits in BITS for group in (32, 64, 128)]
    modes += [("mxfp4", 4, 32), ("mxfp8", 8, 32), ("nvfp4", 4, 16)]
    for mode, bits, group in modes:
        w = edges if mode == "affine" else finite
        got = mx.quantize(mx.array(w).astype(getattr(mx, dtype)), group, bits, mode)
        want = wheel.quantize(wheel.array(w).astype(getattr(wheel, dtype)), group, bits, mode)
        for part, (x, y) in enumerate(zip(got, want, strict=True)):
            assert np.array_equal(numbers(x), numbers(y), equal_nan=part > 0 and mode == "affine"), (
                mode,
                bits,
                group,
                part,
            )


@pytest.mark.parametrize("mode", ["mxfp4", "mxfp8", "nvfp4"])
def test_scale_codes(mode: str) -> None:
    """Scales of groups of every size, next to the powers of two too."""
    edge = np.concatenate([np.float32(top * 2.0**e) * (1 + np.arange(-2, 3) * np.float32(2.0**-23))
                           for e in range(-60, 60) for top in (6, 448, 1)])  # fmt: skip
    edge = edge[edge < 2688] if mode == "nvfp4" else edge  # beyond, elements do not fit
    w = np.zeros((len(edge), 32), np.float32)
    w[:, 7] = edge
    got, want = mx.quantize(mx.array(w), mode=mode), wheel.quantize(wheel.array(w), mode=mode)
    for x, y in zip(got, want, strict=True):
        assert np.array_equal(np.array(x), np.array(y))


def test_what_does_not_fit_saturates() -> None:
    """Infinite elements, and those too large for the scale, become the largest number."""
    for mode, most in (("nvfp4", 6 * 448), ("mxfp8", 2 * 448)):
        w = mx.array([[np.inf, -np.inf] + [0.0] * 30])
        y = mx.dequantize(*mx.quantize(w, mode=mode), mode=mode, dtype=mx.float32)
        assert y[0, :2].tolist() == [most, -most]


def test_tiny_groups_keep_the_smallest_scale() -> None:
    """Below 2^-127 the scale's code is 0; the reference's wraps around to a huge one."""
    w = mx.full((1, 32), 1e-39)
    codes, scales = mx.quantize(w, mode="mxfp4")
    assert scales.tolist() == [[0]]
    assert float(mx.max(mx.abs(mx.dequantize(codes, scales, mode="mxfp4", dtype=mx.float32) - w))) < 3e-39


def test_float64() -> None:
    """Modes without biases store float64 as they store float32; the affine mode refuses it."""
    w = np.random.default_rng(0).normal(size=(2, 64))
    with mx.stream(mx.cpu):
        wide, single = mx.array(w, dtype=mx.float64), mx.array(w.astype(np.float32))
        for mode in ("mxfp4", "mxfp8", "nvfp4"):
            for x, y in zip(mx.quantize(wide, mode=mode), mx.quantize(single, mode=mode), strict=True):
                assert np.array_equal(np.array(x), np.array(y))
        with pytest.raises(RuntimeError, match=r"\[quantize\].*float64"):
            mx.quantize(wide)
        assert mx.from_fp8(mx.to_fp8(mx.array([448.0, -0.25], dtype=mx.float64)), mx.float64).tolist() == [
            448,
            -0.25,
        ]


@pytest.mark.parametrize("dtype", FLOATS)
def test_eight_bits(dtype: str) -> None:
    """All codes are read, and numbers between and beyond them stored, as the reference does."""
    codes = np.arange(256, dtype=np.uint8)
    got = numbers(mx.from_fp8(mx.array(codes), getattr(mx, dtype)))
    want = numbers(wheel.from_fp8(wheel.array(codes), getattr(wheel, dtype)))
    assert np.array_equal(got, want, equal_nan=True)
    x = np.concatenate(
        [np.linspace(-500, 500, 5001), np.linspace(-0.05, 0.05, 5001), [np.inf, -np.inf, -0.0]]
    )
    x = x.astype(np.float32)
    got = mx.to_fp8(mx.array(x).astype(getattr(mx, dtype)))
    want = wheel.to_fp8(wheel.array(x).astype(getattr(wheel, dtype)))
    assert np.array_equal(np.array(got), np.array(want))


def test_empty() -> None:
    """No rows, no columns, nothing to sum: the reference divides by zero here."""
    for mode in ("affine", "mxfp4"):
        parts = mx.quantize(mx.zeros((0, 64)), mode=mode)
        assert parts[0].shape == (0, 8)
        assert mx.dequantize(*parts, mode=mode).shape == (0, 64)
        assert mx.quantized_matmul(mx.zeros((3, 64)), *parts, mode=mode).shape == (3, 0)
        assert (
            mx.quantized_matmul(mx.zeros((3, 0)), *parts, mode=mode, transpose=False).tolist()
            == [[0.0] * 64] * 3
        )
        assert mx.quantized_matmul(
            mx.zeros((0, 64)), *mx.quantize(mx.ones((2, 64)), mode=mode), mode=mode
        ).shape == (0, 2)


def test_matrices_broadcast() -> None:
    """x meets each matrix of a batch of w."""
    rng = np.random.default_rng(2)
    x, w = (
        mx.array(rng.normal(size=(2, 64)).astype(np.float32)),
        mx.array(rng.normal(size=(3, 8, 64)).astype(np.float32)),
    )
    parts = mx.quantize(w)
    want = np.array(x) @ np.swapaxes(np.array(mx.dequantize(*parts)), 1, 2)
    np.testing.assert_allclose(np.array(mx.quantized_matmul(x, *parts)), want, rtol=1e-4, atol=1e-4)
    assert mx.quantized_matmul(x[0], *parts).shape == (3, 8)


@pytest.mark.parametrize("rows", [1, 3, 16, 17, 70])
def test_few_and_many_rows_agree(rows: int) -> None:
    """Rows give the same, nearly, alone and among others, in halves too."""
    rng = np.random.default_rng(rows)
    x = rng.normal(size=(rows, 256)).astype(np.float32)
    for mode in ("affine", "nvfp4"):
        parts = mx.quantize(mx.array(rng.normal(size=(100, 256)).astype(np.float32)), mode=mode)
        dense = np.array(mx.dequantize(*parts, mode=mode, dtype=mx.float32))
        got = np.array(mx.quantized_matmul(mx.array(x), *parts, mode=mode))
        np.testing.assert_allclose(got, x @ dense.T, rtol=1e-4, atol=1e-3)
        back = np.array(mx.quantized_matmul(mx.array(got), *parts, mode=mode, transpose=False))
        np.testing.assert_allclose(back, got @ dense, rtol=1e-4, atol=2e-2)


def both(x, w, mode: str, gx=None, gw=None) -> np.ndarray:
    """The definition of qqmm: quantize, dequantize, multiply."""
    x = mx.dequantize(
        *mx.quantize(x, mode=mode, global_scale=gx), mode=mode, global_scale=gx, dtype=mx.float32
    )
    w = mx.dequantize(
        *mx.quantize(w, mode=mode, global_scale=gw), mode=mode, global_scale=gw, dtype=mx.float32
    )
    return np.matmul(np.array(x, np.float64), np.swapaxes(np.array(w, np.float64), -1, -2))


FORMATS = [
    *(("affine", bits, group) for bits in BITS for group in (32, 64, 128)),
    ("mxfp4", 4, 32),
    ("mxfp8", 8, 32),
    ("nvfp4", 4, 16),
]


@pytest.mark.parametrize(("mode", "bits", "group"), FORMATS)
@pytest.mark.parametrize("transpose", [True, False])
def test_products_of_every_format(mode: str, bits: int, group: int, transpose: bool) -> None:
    """Rows that end within a span of the kernels, several spans, all ways to take rows together."""
    rng = np.random.default_rng(bits)
    for stored, columns in ((19, 5 * 32), (37, 33 * 32), (70, 3 * 128)):
        if columns % group:
            continue
        w = mx.array(rng.normal(size=(stored, columns)).astype(np.float32))
        kind = {"mode": mode, "bits": bits, "group_size": group}
        q = (*mx.quantize(w, **kind), None)[:3]
        wide = numbers(mx.dequantize(*q, **kind)).astype(np.float64)
        wide = wide.T if transpose else wide
        for rows in (1, 2, 3, 8, 13, 16, 17, 40):
            x = rng.normal(size=(rows, wide.shape[0])).astype(np.float32)
            y = mx.quantized_matmul(mx.array(x), *q, transpose=transpose, **kind)
            bound = np.abs(x) @ np.abs(wide) * 2e-6  # codes and biases are summed apart
            assert (np.abs(np.array(y) - x @ wide) <= bound + 1e-6).all(), (stored, columns, rows)


@pytest.mark.parametrize("rows", [1, 2, 8, 20])
def test_nan_codes_reach_their_results_alone(rows: int) -> None:
    w, scales = mx.quantize(mx.ones((24, 96)), mode="mxfp8")
    codes = np.array(w).view(np.uint8)
    codes[5, 70], codes[9, 3] = 0x7F, 0xFF
    for transpose, length in ((True, 96), (False, 24)):
        y = np.array(
            mx.quantized_matmul(
                mx.ones((rows, length)),
                mx.array(codes.view(np.uint32)),
                scales,
                None,
                transpose,
                mode="mxfp8",
            )
        )
        assert sorted(set(np.nonzero(np.isnan(y))[1])) == ([5, 9] if transpose else [3, 70])


@pytest.mark.parametrize("mode", ["nvfp4", "mxfp8", "mxfp4"])
def test_qqmm(mode: str) -> None:
    """Any number of rows, w stored or not, one matrix or several."""
    rng = np.random.default_rng(3)
    x = mx.array(rng.normal(size=(4, 5, 64)).astype(np.float32))
    w = mx.array(rng.normal(size=(3, 6, 64)).astype(np.float32))
    parts = mx.quantize(w[0], mode=mode)
    for given in ((w[0],), parts):
        np.testing.assert_allclose(
            np.array(mx.qqmm(x, *given, mode=mode)), both(x, w[0], mode), rtol=1e-4, atol=1e-4
        )
    rhs = mx.array([2, 0, 1, 2])
    want = np.stack([both(x[i], w[j], mode) for i, j in enumerate(rhs.tolist())])
    for given in ((w,), mx.quantize(w, mode=mode)):
        got = mx.gather_qqmm(x, *given, rhs_indices=rhs, mode=mode)
        np.testing.assert_allclose(np.array(got), want, rtol=1e-4, atol=1e-4)


def test_qqmm_golden_and_global_scales() -> None:
    """The golden product of ones, and scales that the reference's CPU forgets."""
    ones = mx.ones((1, 64))
    assert mx.qqmm(ones, *mx.quantize(ones, mode="nvfp4")).item() == 68.0625
    assert mx.quantized_matmul(ones, *mx.quantize(ones, mode="nvfp4"), mode="nvfp4").item() == 66.0
    rng = np.random.default_rng(4)
    x, w = (mx.array(rng.normal(size=(n, 64)).astype(np.float32)) for n in (3, 5))
    gx, gw = mx.max(mx.abs(x)), mx.max(mx.abs(w))
    for given in ((w,), mx.quantize(w, mode="nvfp4", global_scale=gw)):
        got = np.array(mx.qqmm(x, *given, global_scale_x=gx, global_scale_w=gw))
        np.testing.assert_allclose(got, both(x, w, "nvfp4", gx, gw), rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match="both global_scale_x and global_scale_w"):
        mx.qqmm(x, w, global_scale_x=gx)


def test_qqmm_passes_derivatives_through() -> None:
    """As if the rounding were not there: by x against the stored w, by w against the stored x."""
    rng = np.random.default_rng(5)
    x, w = (mx.array(rng.normal(size=(n, 32)).astype(np.float32)) for n in (3, 5))
    gx, gw = mx.grad(lambda x, w: mx.qqmm(x, w).sum(), argnums=(0, 1))(x, w)
    stored = [mx.dequantize(*mx.quantize(a, mode="nvfp4"), mode="nvfp4", dtype=mx.float32) for a in (x, w)]
    np.testing.assert_allclose(
        np.array(gx), np.tile(np.array(stored[1]).sum(0), (3, 1)), rtol=1e-5, atol=1e-5
    )
    np.testing.assert_allclose(
        np.array(gw), np.tile(np.array(stored[0]).sum(0), (5, 1)), rtol=1e-5, atol=1e-5
    )


def test_expert_scales() -> None:
    """gather_qmm with one global scale for each matrix."""
    rng = np.random.default_rng(6)
    w = mx.array(rng.normal(size=(3, 8, 32)).astype(np.float32))
    x = mx.array(rng.normal(size=(4, 2, 32)).astype(np.float32))
    scale = mx.array([1.5, 2.0, 4.0])
    parts = [mx.quantize(w[i], mode="nvfp4", global_scale=scale[i]) for i in range(3)]
    dense = mx.stack(
        [mx.dequantize(*p, mode="nvfp4", global_scale=g) for p, g in zip(parts, scale, strict=True)]
    )
    rhs = mx.array([2, 1, 0, 2])
    got = mx.gather_qmm(
        x,
        mx.stack([p[0] for p in parts]),
        mx.stack([p[1] for p in parts]),
        rhs_indices=rhs,
        mode="nvfp4",
        global_scale=scale,
    )
    want = np.array(x) @ np.swapaxes(np.array(dense)[rhs.tolist()], 1, 2)
    np.testing.assert_allclose(np.array(got), want, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("bad", [3, -4, 2**31])
def test_indices_out_of_range(bad: int) -> None:
    """Found by the evaluation; negative ones count from the end."""
    a, b = mx.ones((3, 2, 64)), mx.ones((3, 64, 4))
    parts = mx.quantize(mx.ones((3, 4, 64)))
    index = mx.array([0, bad], dtype=mx.int64)
    for lhs, rhs in ((index, None), (None, index)):
        if lhs is None:
            a = mx.ones((2, 2, 64))
        else:
            a, b = mx.ones((3, 2, 64)), mx.ones((1, 64, 4))
        with pytest.raises(IndexError, match=r"\[gather_mm\].*index"):
            mx.eval(mx.gather_mm(a, b if lhs is not None else mx.ones((3, 64, 4)), lhs, rhs))
        one = [p[:1] for p in parts] if lhs is not None else parts
        with pytest.raises(IndexError, match=r"\[gather_qmm\].*index"):
            mx.eval(mx.gather_qmm(a, *one, lhs_indices=lhs, rhs_indices=rhs))
    for segment in ([0, 65], [-1, 3]):
        with pytest.raises(IndexError, match=r"\[segmented_mm\] segment"):
            mx.eval(mx.segmented_mm(mx.ones((2, 64)), mx.ones((64, 2)), mx.array([segment])))


def test_codes_have_no_derivative() -> None:
    """The error says what to differentiate by instead."""
    w, s, b = mx.quantize(mx.ones((8, 64)))
    with pytest.raises(ValueError, match=r"no gradient wrt the quantized weights.*call train\(\) first"):
        mx.vjp(lambda w: mx.quantized_matmul(mx.ones((2, 64)), w, s, b), [w], [mx.ones((2, 8))])


def test_halves_of_gathered_products() -> None:
    """Types that the reference's CPU refuses: sums are float32, rounded once."""
    rng = np.random.default_rng(7)
    a, b = rng.normal(size=(4, 3, 40)), rng.normal(size=(3, 40, 5))
    rhs = mx.array([2, 2, 0, 1])
    for dtype, rough in ((mx.float16, 1e-2), (mx.bfloat16, 6e-2), (mx.float64, 1e-12)):
        with mx.stream(mx.cpu):
            x, y = mx.array(a, dtype=mx.float64).astype(dtype), mx.array(b, dtype=mx.float64).astype(dtype)
            got = mx.gather_mm(x, y, rhs_indices=rhs)
            mask = mx.block_masked_mm(x, y[:1], 32, mask_lhs=mx.array([[True, False]]))
            assert got.dtype == dtype
            assert mask.dtype == dtype
            np.testing.assert_allclose(
                np.array(got.astype(mx.float64)), a @ b[rhs.tolist()], rtol=rough, atol=4 * rough
            )
            np.testing.assert_allclose(
                np.array(mask.astype(mx.float64)), a[..., :32] @ b[:1, :32], rtol=rough, atol=4 * rough
            )


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_derivatives_of_scales_and_biases(bits: int, dtype: str) -> None:
    """Both follow the end of a group that is farther from 0, shared where several elements are it."""
    rng = np.random.default_rng(bits)
    w = rng.normal(size=(5, 64)).astype(dtype)
    w[1], w[2] = -np.abs(w[1]), np.abs(w[2])
    w[3, [2, 9]] = 7
    w[4, :32] = 0
    towards = rng.normal(size=(2, 5, 2)).astype(dtype)
    tangent = rng.normal(size=w.shape).astype(dtype)

    def gradient(m):
        def both(w):
            _, scales, biases = m.quantize(w, group_size=32, bits=bits)
            return (scales * m.array(towards[0]) + biases * m.array(towards[1])).sum()

        return m.grad(both)(m.array(w)), both

    (got, both), (want, _) = gradient(mx), gradient(wheel)
    assert np.isnan(np.array(want)[4, :32]).all() and not np.array(got)[4, :32].any()  # a group of zeros
    expected = np.nan_to_num(np.array(want))
    np.testing.assert_allclose(np.array(got), expected, rtol=5e-3 if dtype == "float16" else 1e-5)
    _, (along,) = mx.jvp(both, [mx.array(w)], [mx.array(tangent)])
    product = float((np.array(got).astype(np.float64) * tangent).sum())
    np.testing.assert_allclose(along.item(), product, rtol=2e-2 if dtype == "float16" else 1e-4)
    for mode in ("mxfp4", "mxfp8", "nvfp4"):
        flat = mx.grad(lambda w, mode=mode: mx.quantize(w, mode=mode)[1].astype(mx.float32).sum())(
            mx.array(w)
        )
        assert not np.array(flat).any()


FORMATS = [("affine", g, b) for g in (32, 128) for b in BITS[1:]] + [
    ("mxfp4", 32, 4),
    ("mxfp8", 32, 8),
    ("nvfp4", 16, 4),
]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("mode", "group", "bits"), FORMATS)
def test_groups_that_are_not_finite(mode: str, group: int, bits: int, dtype: str) -> None:
    """NaN and infinities among the numbers: codes and scales are the reference's, bit for bit."""
    rng = np.random.default_rng(bits)
    for _ in range(4):
        x = rng.normal(size=(4, 128)).astype(np.float32) * 10.0 ** rng.integers(-4, 4)
        specials = (np.nan,) if mode == "nvfp4" else (np.nan, np.inf, -np.inf)
        for row in x[1:]:
            row[rng.integers(0, 128, int(rng.integers(1, 4)))] = rng.choice(specials)
        given = (m.array(x).astype(getattr(m, dtype)) for m in (mx, wheel))
        ours, theirs = (
            m.quantize(a, group_size=group, bits=bits, mode=mode)
            for m, a in zip((mx, wheel), given, strict=True)
        )
        for got, want in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(numbers(got), numbers(want))


@pytest.mark.parametrize("dtype", [*FLOATS, "float64"])
@pytest.mark.parametrize("block", [32, 64])
def test_blocks_left_out_are_as_if_zero(block: int, dtype: str) -> None:
    """Truth values skip blocks, factors multiply them: values and derivatives agree, also under vmap."""
    rng = np.random.default_rng(block)
    m, k, n = 2 * block + 3, 3 * block, 2 * block - 5
    with mx.stream(mx.cpu):
        a, b, c = (
            mx.array(rng.normal(size=shape).astype(np.float32)).astype(getattr(mx, dtype))
            for shape in ((2, m, k), (k, n), (2, m, n))
        )
        out, left, right = (mx.array(rng.random(shape) < 0.6) for shape in ((3, 2), (2, 3, 3), (3, 2)))

        def product(masks: tuple, a: mx.array, b: mx.array) -> mx.array:
            return mx.block_masked_mm(a, b, block, *masks)

        bound = {"float32": 1e-4, "float64": 1e-11, "float16": 0.1, "bfloat16": 1.0}[dtype]
        for masks in ((out, left, right), (None, left, None), (out, None, None)):
            factors = tuple(None if mask is None else mask.astype(a.dtype) for mask in masks)
            skipped = mx.vjp(lambda a, b, masks=masks: product(masks, a, b), [a, b], [c])
            wide = mx.vjp(lambda a, b, masks=factors: product(masks, a, b), [a, b], [c])
            for one, other in zip([*skipped[0], *skipped[1]], [*wide[0], *wide[1]], strict=True):
                assert one.dtype == other.dtype
                assert mx.max(mx.abs(one - other)).item() < bound
        each = mx.vmap(lambda a, left: product((out, left, right), a, b))(a, left)
        assert mx.array_equal(each, product((out, left, right), a, b))
