"""Products with every format of few bits against wide sums, and products that leave out blocks."""

from __future__ import annotations

import mica.core as mx
import numpy as np
import pytest

FORMATS = [
    *(("affine", bits, group) for bits in (1, 2, 3, 4, 5, 6, 8) for group in (32, 64, 128)),
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
        wide = np.array(mx.dequantize(*q, **kind).astype(mx.float32)).astype(np.float64)
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


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
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
