"""Reductions over nothing. The wheel reads garbage or loops for ever on some layouts, so NumPy and the
rules judge.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from tests.ops import target, values
from tests.ops.layouts import arranged
from tests.ops.target import mx, wheel

SHAPES = ((0,), (0, 3, 2), (3, 0, 2), (3, 2, 0), (0, 0))
AXES = (None, 0, 1, -1, (0, 1), (0, -1), ())
LAYOUTS = ("contiguous", "transposed", "strided", "negative", "offset")
NUMPY = {
    "sum": np.sum,
    "prod": np.prod,
    "all": np.all,
    "any": np.any,
    "mean": np.mean,
    "max": np.max,
    "min": np.min,
}
DTYPES = ("float32", "int8", "uint64", "bool_", "complex64", "bfloat16", "float64")

# The wheel survives these.
safe = LAYOUTS if target.IS_MICA else ("contiguous",)


@pytest.mark.mica_only
@pytest.mark.parametrize("name", NUMPY)
def test_reduction_over_nothing(name: str) -> None:
    """Neutral elements, NaN for mean; max and min refuse an axis of size 0 and pass when another one is."""
    for shape in SHAPES:
        for axis in AXES:
            for layout in safe:
                for dtype in DTYPES:
                    label = f"{name}(axis={axis}) {dtype} {layout} {shape}"
                    host = np.zeros(shape, np.float64)
                    try:
                        with np.errstate(all="ignore"), warnings.catch_warnings():
                            warnings.simplefilter("ignore", RuntimeWarning)
                            want = NUMPY[name](host, axis=axis)
                    except (ValueError, np.exceptions.AxisError) as error:
                        kind = IndexError if isinstance(error, np.exceptions.AxisError) else ValueError
                        with pytest.raises(kind):
                            mx.eval(getattr(mx, name)(arranged(mx, host, dtype, layout), axis=axis))
                            print(label)
                        continue
                    got = getattr(mx, name)(arranged(mx, host, dtype, layout), axis=axis)
                    same_kind = getattr(wheel, name)(
                        values.to_array(wheel, np.ones((1,) * len(shape)), dtype), axis=axis
                    )
                    assert values.dtype_name(got.dtype) == values.dtype_name(same_kind.dtype), label
                    assert got.shape == np.shape(want), label
                    assert np.array_equal(values.to_numpy(got), np.asarray(want), equal_nan=True), label


@pytest.mark.parametrize("name", ("argmax", "argmin", "max", "min"))
def test_order_statistics_of_nothing(name: str) -> None:
    """There is no largest element of nothing."""
    with pytest.raises(ValueError):
        mx.eval(getattr(mx, name)(mx.zeros((0,))))


@pytest.mark.parametrize(
    "name", ("softmax", "sort", "argsort", "cumsum", "cumprod", "cummax", "cummin", "logcumsumexp")
)
@pytest.mark.parametrize("shape", ((0,), (0, 3), (3, 0)), ids=str)
def test_along_an_axis_of_nothing(name: str, shape: tuple[int, ...]) -> None:
    """Functions that keep the shape return an empty array."""
    got = getattr(mx, name)(mx.zeros(shape), axis=-1)
    mx.eval(got)
    assert got.shape == shape
