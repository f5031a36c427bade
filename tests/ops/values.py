"""Values for the matrix: dtypes by name, conversion from and to NumPy, units in the last place.

The conversions of bfloat16 are done here, so that neither the target nor the wheel is trusted with them.
"""

from __future__ import annotations

import zlib
from types import ModuleType

import numpy as np

from tests.ops import target

BOOL = ("bool_",)
UNSIGNED = ("uint8", "uint16", "uint32", "uint64")
SIGNED = ("int8", "int16", "int32", "int64")
HALVES = ("float16", "bfloat16")
FLOATS = ("float16", "bfloat16", "float32", "float64")
COMPLEX = ("complex64",)
INTEGERS = UNSIGNED + SIGNED
REALS = BOOL + INTEGERS + FLOATS
ALL = REALS + COMPLEX

# Significant bits after the leading one, smallest normal exponent.
PRECISION = {
    "float16": (10, -14),
    "bfloat16": (7, -126),
    "float32": (23, -126),
    "float64": (52, -1022),
    "complex64": (23, -126),
}
LARGEST = {
    "float16": 65504.0,
    "bfloat16": 3.3895313892515355e38,
    "float32": float(np.finfo(np.float32).max),
    "float64": float(np.finfo(np.float64).max),
    "complex64": float(np.finfo(np.float32).max),
}

NUMPY = {name: np.dtype(name) for name in INTEGERS + ("float16", "float32", "float64", "complex64")}
NUMPY["bool_"] = np.dtype(np.bool_)


def dtype_name(dtype: object) -> str:
    """``bool_`` for ``mlx.core.bool``, ``float32`` for ``mlx.core.float32``."""
    name = repr(dtype).rsplit(".", 1)[-1]
    return "bool_" if name == "bool" else name


def is_float(name: str) -> bool:
    """Whether values of this dtype are rounded."""
    return name in PRECISION


def seed_of(*parts: object) -> int:
    """The same seed for the same parts, in every process."""
    return zlib.crc32(repr(parts).encode())


def bfloat16_bits(x: np.ndarray) -> np.ndarray:
    """Float32 values as the bits of the nearest bfloat16 (half to even); NaN stays NaN."""
    x = np.asarray(x, np.float32)
    bits = x.view(np.uint32) if x.ndim else np.asarray(x.reshape(1).view(np.uint32)[0])
    rounded = ((bits.astype(np.uint64) + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
    return np.where(np.isnan(x), np.uint16(0x7FC0), rounded).astype(np.uint16)


def bfloat16_values(bits: np.ndarray) -> np.ndarray:
    """The float32 values of bfloat16 bits."""
    wide = np.asarray(bits, np.uint16).astype(np.uint32) << 16
    return np.atleast_1d(wide).view(np.float32).reshape(np.shape(bits))


def quantized(x: np.ndarray, name: str) -> np.ndarray:
    """``x`` rounded to the values of a dtype, in the widest NumPy type of its kind (float64, complex128,
    the integer).
    """
    with np.errstate(all="ignore"):
        if name == "bfloat16":
            return bfloat16_values(bfloat16_bits(np.asarray(x, np.float32))).astype(np.float64)
        if name == "complex64":
            return np.asarray(x).astype(np.complex64).astype(np.complex128)
        if name in FLOATS:
            return np.asarray(x).astype(NUMPY[name]).astype(np.float64)
        return np.asarray(x).astype(NUMPY[name])


def to_array(module: ModuleType, x: np.ndarray, name: str):
    """An array of ``module`` with the (already quantized) values of ``x``."""
    x = np.asarray(x)
    if name == "bfloat16":
        bits = module.array(np.ascontiguousarray(np.atleast_1d(bfloat16_bits(x))))
        return bits.view(module.bfloat16).reshape(x.shape)
    dtype = getattr(module, name)
    host = np.ascontiguousarray(np.atleast_1d(x.astype(NUMPY[name])))
    result = module.array(host, dtype=dtype) if host.size else module.zeros(host.shape, dtype=dtype)
    return result if result.shape == x.shape else result.reshape(x.shape)


def to_numpy(a) -> np.ndarray:
    """The values of an array, exactly: float32 for bfloat16, the same type otherwise."""
    name = dtype_name(a.dtype)
    if a.size == 0:
        return np.zeros(a.shape, NUMPY.get(name, np.dtype(np.float32)))
    if name == "bfloat16":
        module = target.mx if isinstance(a, target.mx.array) else target.wheel
        return bfloat16_values(np.array(a.reshape((-1,)).view(module.uint16))).reshape(a.shape)
    return np.array(a)


def bits(a) -> bytes:
    """Dtype, shape and bytes of an array, with all NaN made equal: two arrays are the same when these are."""
    x = to_numpy(a)
    if x.dtype.kind == "f":
        x = np.where(np.isnan(x), np.array(np.nan, x.dtype), x).astype(x.dtype)
    if x.dtype.kind == "c":
        parts = np.stack([x.real, x.imag])
        x = np.where(np.isnan(parts), np.array(np.nan, parts.dtype), parts)
    return f"{dtype_name(a.dtype)}{a.shape}".encode() + np.ascontiguousarray(x).tobytes()


def spacing(x: np.ndarray, name: str) -> np.ndarray:
    """One unit in the last place of ``name`` at the magnitude of ``x`` (subnormals count with their fixed
    step).
    """
    mantissa, smallest = PRECISION[name]
    magnitude = np.abs(np.asarray(x, np.complex128 if np.iscomplexobj(x) else np.float64))
    with np.errstate(all="ignore"):
        exponent = np.where(
            magnitude > 0, np.floor(np.log2(np.where(magnitude > 0, magnitude, 1.0))), smallest
        )
        exponent = np.where(np.isfinite(exponent), np.maximum(exponent, smallest), smallest)
        return np.ldexp(1.0, (exponent - mantissa).astype(np.int64))
