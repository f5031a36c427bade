"""Where the wheel is rough or wrong, so that the tests can run on the wheel itself."""

from __future__ import annotations

from tests.ops import target

# Units in the last place to which the wheel is trusted where it is rough: (float16 and bfloat16,
# float32, float64, complex64).
# Only used when the tests run on the wheel itself.
INF = float("inf")
_ROUGH: dict[str, tuple[float, float, float, float]] = {
    "exp": (0, 32, 1e14, 0),
    "sin": (0, 0, 1e17, 0),
    "cos": (0, 0, 1e17, 0),
    "erf": (4, 2e7, 1e16, 0),
    "erfinv": (0, 0, 1e10, 0),
    "sigmoid": (300, 32, 1e12, 0),
    "logaddexp": (0, 0, 1e12, 0),
    "round": (0, 0, 1e12, 0),
    "floor_divide": (INF, 0, 0, 0),
    "cumprod": (32, 0, 0, 0),
    "cumsum": (16, 0, 0, 0),
    "logcumsumexp": (16, 0, 1e12, 0),
    "mean": (INF, 3e4, 3e4, 0),
    "sum": (0, 3e4, 3e4, 3e4),
    "var": (8, 64, 0, 0),
    "std": (8, 0, 0, 0),
    "softmax": (INF, 4096, 1e12, 0),
    "logsumexp": (0, INF, 1e12, 0),
    "fast.rms_norm": (0, 0, 1e12, 0),
    "fast.layer_norm": (0, 0, 1e12, 0),
    "fast.rope": (0, 0, 1e12, 0),
    "fast.scaled_dot_product_attention": (8, 0, 1e12, 0),
}
# Left out on the wheel: its float64 sine of large numbers is NaN, its erf(0) is not 0, its float64 is
# float32.
_SPECIALS = {
    ("sin", "float64"),
    ("cos", "float64"),
    ("exp", "float64"),
    ("sigmoid", "float64"),
    ("erf", "float64"),
    ("erf", "float32"),
    ("erf", "bfloat16"),
    ("erfinv", "float64"),
}


def rough(name: str, dtype: str) -> float:
    """How far the wheel may be off from NumPy in ``name`` for results of ``dtype``."""
    half, single, double, pair = _ROUGH.get(name, (0.0, 0.0, 0.0, 0.0))
    return {"float16": half, "bfloat16": half, "float32": single, "float64": double, "complex64": pair}.get(
        dtype, 0.0
    )


def wheel_fails(error: Exception | None) -> bool:
    """Whether the wheel's exception is an accident inside it, not an answer about the arguments."""
    return error is not None and (
        "cannot create std::vector" in str(error) or isinstance(error, (SystemError, MemoryError))
    )


def special(name: str, dtype: str) -> bool:
    """Whether ``name`` is left out for NaN, infinities and ends of the range."""
    return not target.IS_MICA and (name, dtype) in _SPECIALS


def wheel_lacks(transformation: str, error: Exception) -> bool:
    """Whether the wheel has no such rule, where mica must have one."""
    text = str(error)
    return any(
        phrase in text
        for phrase in (
            "Not implemented",
            "not implemented",
            "NYI",
            "not yet",
            "::jvp]",
            "::vmap]",
            "::vjp]",
            "Cannot calculate",
            "unsupported data type",
            "does not support",
        )
    )


def rough_gradient(name: str) -> bool:
    """Whether the wheel's derivative is off, because the function itself is."""
    return name in ("erf", "erfinv")


# What the wheel gets wrong (measured), so that the tests cannot run on it: batching gives a wrong shape
# or value, or the
# derivative is another function's.
_WHEEL_ERRS = {
    "vmap": {
        "divmod",
        "not_equal",
        "logical_xor",
        "bitwise_and",
        "bitwise_or",
        "bitwise_xor",
        "left_shift",
        "right_shift",
        "bitwise_left_shift",
        "bitwise_right_shift",
        "slice_update",
        "array.__setitem__",
        "array.at.add",
        "array.at.subtract",
        "array.at.multiply",
        "array.at.maximum",
        "array.at.minimum",
        "array.at.divide",
        "addmm",
        "argmax",
        "argmin",
        "searchsorted",
        "minmax",
        "conv1d",
        "conv2d",
        "conv3d",
        "conv_transpose1d",
        "conv_transpose2d",
        "conv_transpose3d",
        "conv_general",
    },
    "jvp": {"addmm"},
    "vjp": {"minmax", "conv_general", "conv_transpose1d"},
}


def wheel_errs(transformation: str, name: str) -> bool:
    """Whether the test runs on the wheel, which is known to be wrong there."""
    return not target.IS_MICA and name in _WHEEL_ERRS.get(transformation, ())
