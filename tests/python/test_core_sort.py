"""Sequences long enough for the sort that several threads share."""

from __future__ import annotations

import numpy as np
import pytest

from tests.ops.target import mx

RANDOM = np.random.default_rng(0)
SIZE = (1 << 15) + 1


def normal(dtype: type) -> np.ndarray:
    """Normal numbers with ties, infinities and NaN."""
    x = RANDOM.standard_normal(SIZE).astype(dtype)
    x[::5] = np.round(x[::5])
    x[1::97], x[2::101], x[3::103] = np.inf, -np.inf, np.nan
    return x


def integers(dtype: type, small: bool) -> np.ndarray:
    """The whole range of a type, or a hundred values."""
    limits = np.iinfo(dtype)
    low, high = (0, 100) if small else (limits.min, limits.max)
    return RANDOM.integers(low, high, SIZE, dtype=dtype, endpoint=True)


INPUTS = {
    "float32": lambda: normal(np.float32),
    "float64": lambda: normal(np.float64),
    "float16": lambda: normal(np.float16),
    "complex64": lambda: RANDOM.integers(-50, 50, (SIZE, 2)).astype(np.float32).view(np.complex64)[:, 0],
    "bool": lambda: RANDOM.integers(0, 2, SIZE).astype(bool),
    "one value": lambda: np.full(SIZE, 3, np.int32),
    **{
        f"{np.dtype(t).name} {'few' if small else 'full'}": lambda t=t, small=small: integers(t, small)
        for t in (np.int8, np.uint16, np.int32, np.uint32, np.int64, np.uint64)
        for small in (False, True)
    },
}


@pytest.mark.parametrize("name", INPUTS)
def test_long_sequences(name: str) -> None:
    """The values and the stable order that NumPy finds; a second row is sorted apart from the first."""
    x = INPUTS[name]()
    a = mx.array(x, dtype=mx.float64) if name == "float64" else mx.array(x)
    np.testing.assert_array_equal(np.array(mx.sort(a)), np.sort(x))
    np.testing.assert_array_equal(np.array(mx.argsort(a)), np.argsort(x, kind="stable"))
    rows = mx.stack([a, a[::-1]])
    np.testing.assert_array_equal(np.array(mx.sort(rows))[1], np.sort(x))


# Lengths around what one vector, a few and a network hold, and around where keys are parted.
LENGTHS = (
    1,
    2,
    3,
    4,
    5,
    7,
    8,
    9,
    15,
    16,
    17,
    31,
    32,
    33,
    63,
    64,
    65,
    127,
    128,
    129,
    130,
    255,
    256,
    257,
    700,
    2049,
)
TYPES = (
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
    "float16",
    "bfloat16",
    "float32",
    "float64",
)


def extremes(dtype: str) -> np.ndarray:
    """The least and the greatest values of a type, and for floats what compares in no simple way."""
    if dtype.startswith(("int", "uint")):
        limits = np.iinfo(dtype)
        return np.array([limits.min, limits.min + 1, 0, 1, limits.max - 1, limits.max], dtype)
    return np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, -np.nan])


def patterns(dtype: str, n: int) -> dict[str, np.ndarray]:
    """Sequences that are bad for some way of sorting; float16 and bfloat16 as float64 they hold exactly."""
    if dtype.startswith(("int", "uint")):
        limits = np.iinfo(dtype)
        drawn = RANDOM.integers(limits.min, limits.max, n, dtype=dtype, endpoint=True)
    else:
        drawn = RANDOM.standard_normal(n).astype("float32" if dtype == "bfloat16" else dtype)
        if dtype == "bfloat16":
            drawn = (drawn.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
    special = extremes(dtype).astype(drawn.dtype)
    rising = np.sort(drawn)
    return {
        "drawn": drawn,
        "rising": rising,
        "falling": rising[::-1].copy(),
        "organ pipe": np.concatenate([rising[::2], rising[1::2][::-1]]),
        "one value": np.full(n, drawn[0]),
        "two values": np.where(np.arange(n) % 3 == 0, drawn[0], drawn[-1]),
        "few values": drawn[RANDOM.integers(0, min(n, 5), n)],
        "one other": np.where(np.arange(n) == n // 2, special[0], special[-1]),
        "extremes": special[RANDOM.integers(0, special.size, n)],
        "mixed": np.where(RANDOM.random(n) < 0.2, special[RANDOM.integers(0, special.size, n)], drawn),
        "steps": rising[np.arange(n) // 32 * 32],
        "alike": alike(dtype, n),
    }


def alike(dtype: str, n: int) -> np.ndarray:
    """One far number, and others that differ in their last bits alone."""
    if dtype in ("float64", "int64", "uint64"):
        bits = (RANDOM.integers(0, 3, n) + np.where(np.arange(n) % 40 < 20, 1 << 45, 1 << 62)).astype(
            np.int64
        )
        return bits.view(dtype)
    return RANDOM.integers(0, 2, n).astype(np.float32 if dtype == "bfloat16" else dtype)


def given(x: np.ndarray, dtype: str) -> mx.array:
    """An array of mica's type from NumPy's."""
    return mx.array(x, dtype=getattr(mx, dtype))


def read(a: mx.array) -> np.ndarray:
    """Values as NumPy reads them; bfloat16 as float32."""
    return np.array(a.astype(mx.float32) if a.dtype == mx.bfloat16 else a)


def in_order(x: np.ndarray) -> np.ndarray:
    """Sorted, NaN last, -0 before 0."""
    if x.dtype.kind != "f":
        return np.sort(x)
    return x[np.lexsort((~np.signbit(x), x))]


@pytest.mark.parametrize("dtype", TYPES)
def test_lengths_and_patterns(dtype: str) -> None:
    """Values with their signs of zero, and the stable order, along rows and down columns."""
    for n in LENGTHS:
        for name, x in patterns(dtype, n).items():
            a = given(x, dtype)
            found, wanted = read(mx.sort(a)), in_order(x)
            np.testing.assert_array_equal(found, wanted, f"{name}, {n}")
            if x.dtype.kind == "f":
                numbers = ~np.isnan(wanted)
                np.testing.assert_array_equal(
                    np.signbit(found)[numbers], np.signbit(wanted)[numbers], f"{name}, {n}"
                )
            np.testing.assert_array_equal(read(mx.argsort(a)), np.argsort(x, kind="stable"), f"{name}, {n}")


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("n", [9, 33, 200])
def test_rows_and_columns(dtype: str, n: int) -> None:
    """Many sequences side by side, each sorted by itself."""
    x = np.stack(list(patterns(dtype, n).values()) * 3)
    a, columns = given(x, dtype), given(np.ascontiguousarray(x.T), dtype)
    order = np.argsort(x, -1, kind="stable")
    np.testing.assert_array_equal(read(mx.sort(a, -1)), np.sort(x, -1))
    np.testing.assert_array_equal(read(mx.argsort(a, -1)), order)
    np.testing.assert_array_equal(read(mx.sort(columns, 0)), np.sort(x, -1).T)
    np.testing.assert_array_equal(read(mx.argsort(columns, 0)), order.T)


@pytest.mark.parametrize("n", [2, 30, 64, 65, 300, 3000])
def test_complex(n: int) -> None:
    """By real, then by imaginary part; numbers with a NaN come last, as they came."""
    parts = RANDOM.integers(-3, 4, (n, 2)).astype(np.float32)
    parts[RANDOM.random((n, 2)) < 0.1] = np.nan
    x = parts.view(np.complex64)[:, 0]
    last = np.isnan(x)
    order = np.lexsort((np.where(last, 0, x.imag), np.where(last, 0, x.real), last))
    np.testing.assert_array_equal(np.array(mx.argsort(mx.array(x))), order)
    np.testing.assert_array_equal(np.array(mx.sort(mx.array(x))), x[order])


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("n", [1, 2, 8, 33, 64, 65, 130, 257, 700, 2049])
def test_partition(dtype: str, n: int) -> None:
    """The element at kth, what stands before and after it, and indices of the very elements."""
    for name, x in patterns(dtype, n).items():
        a, wanted = given(x, dtype), in_order(x)
        for kth in sorted({0, 1 % n, n // 3, n // 2, n - 1 - min(n - 1, 9), n - 1}):
            found = read(mx.partition(a, kth))
            where = read(mx.argpartition(a, kth))
            np.testing.assert_array_equal(found[kth], wanted[kth], f"{name}, {kth}")
            np.testing.assert_array_equal(in_order(found[:kth]), wanted[:kth], f"{name}, {kth}")
            np.testing.assert_array_equal(in_order(found[kth:]), wanted[kth:], f"{name}, {kth}")
            np.testing.assert_array_equal(np.sort(where), np.arange(n), f"{name}, {kth}")
            np.testing.assert_array_equal(x[where][kth], wanted[kth], f"{name}, {kth}")
            np.testing.assert_array_equal(np.sort(x[where][:kth]), np.sort(x)[:kth], f"{name}, {kth}")


@pytest.mark.parametrize("dtype", TYPES)
def test_partition_keeps_the_order(dtype: str) -> None:
    """Elements below the kth, equal to it and above it stand as they came, whatever the instruction set."""
    for n in (5, 40, 300, 3000):
        for name, x in patterns(dtype, n).items():
            if x.dtype.kind == "f":
                x = np.where(np.isnan(x), 0, x) + 0.0  # one zero
            for kth in (n // 7, n // 2, n - 2):
                pivot = np.sort(x)[kth]
                order = np.argsort(np.where(x < pivot, -1, np.where(x > pivot, 1, 0)), kind="stable")
                a = given(x, dtype)
                np.testing.assert_array_equal(read(mx.partition(a, kth)), x[order], f"{name}, {n}, {kth}")
                np.testing.assert_array_equal(read(mx.argpartition(a, kth)), order, f"{name}, {n}, {kth}")


def test_partition_of_columns() -> None:
    """Columns beside each other, each by itself, and rows of a long one."""
    x = RANDOM.standard_normal((3, 150, 21)).astype(np.float32)
    np.testing.assert_array_equal(read(mx.partition(given(x, "float32"), 70, 1))[:, 70], np.sort(x, 1)[:, 70])
    where = read(mx.argpartition(given(x, "float32"), 70, 1))
    np.testing.assert_array_equal(np.take_along_axis(x, where, 1)[:, 70], np.sort(x, 1)[:, 70])
    long = RANDOM.standard_normal((2, 300000)).astype(np.float32)
    top = read(mx.topk(given(long, "float32"), 10))
    np.testing.assert_array_equal(np.sort(top), np.sort(long)[:, -10:])
