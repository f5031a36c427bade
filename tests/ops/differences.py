"""Where mica is meant to differ from the wheel, each with the reason and what mica does instead.

The matrix reads this file: a function named here is judged by NumPy alone, or by nobody where it cannot be;
all the rest must
agree with the wheel in results, dtypes and exception classes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.ops import target


@dataclass(frozen=True)
class Difference:
    """One meant difference."""

    name: str
    reason: str
    instead: str


DIFFERENCES = (
    Difference(
        "index out of range",
        "the wheel reads and writes outside memory",
        "IndexError at the call, or at the evaluation for index arrays",
    ),
    Difference("x[mask]", "the wheel refuses boolean masks in reads", "NumPy's result"),
    Difference(
        "float64 exp sin cos erf erfinv sigmoid",
        "the wheel uses float32 polynomials",
        "within 2 ulp of float64",
    ),
    Difference(
        "float32 transcendental functions",
        "the wheel is off by up to 4e-7",
        "within the tolerance of the case",
    ),
    Difference(
        "float16 NaN and infinities as uint32",
        "the wheel gives 0, other than from bfloat16 and float32",
        "what float32 gives",
    ),
    Difference("mean", "the wheel sums in the result dtype, which overflows", "sums wide, rounds once"),
    Difference("sum, var, std, cumsum of halves", "the wheel sums in halves", "sums in float32, rounds once"),
    Difference(
        "reflected & | ^ << >> @, +x, round(x), divmod(x, 2), x // of arrays on the right",
        "the wheel has no such operators",
        "they work",
    ),
    Difference("array(2**63, uint64)", "the wheel raises", "the value"),
    Difference(
        "compile with a pending captured array", "the wheel refuses it", "an input whose history runs once"
    ),
    Difference("compile with a new Python float", "the wheel traces again", "one trace"),
    Difference(
        "an Ellipsis for no axis between index arrays",
        "the wheel takes the arrays for adjacent",
        "as NumPy: the common axes come first",
    ),
    Difference("conv1d of input with more spatial axes", "the wheel convolves over them", "ValueError"),
    Difference(
        "convolutions with negative padding and input dilation (transposed ones whose padding exceeds the "
        "window)",
        "the wheel cuts the input before it puts zeros between its elements: wrong sizes",
        "cuts afterwards: what the documented size of the result says",
    ),
    Difference("conv with groups=0", "the wheel dies", "ValueError"),
    Difference(
        "vmap of bitwise, shift, divmod, not_equal, logical_xor, slice updates, .at, addmm, argmax, conv; "
        "jvp of addmm; vjp of minmax, conv_general",
        "the wheel gives wrong shapes or values",
        "what a loop, or the difference quotient, gives",
    ),
    Difference(
        "reductions over nothing",
        "the wheel reads garbage or never returns for some layouts",
        "the neutral element",
    ),
    Difference("logsumexp of integers", "the wheel gives inf or garbage", "float32 values"),
    Difference("round(x, decimals) of float64", "the wheel multiplies in float32", "float64 throughout"),
    Difference(
        "nan_to_num of float64 and complex64, median(axis=()), random.uniform(float64)",
        "the wheel refuses",
        "works",
    ),
    Difference(
        "floor_divide and divmod of halves",
        "the wheel floors the rounded quotient",
        "the floor of the exact quotient",
    ),
    Difference("isclose, allclose of unsigned integers", "the wheel's difference wraps", "compares values"),
    Difference("as_strided of views", "the wheel fails at eval", "strides over the row-major elements"),
    Difference(
        "linalg of matrices without rows; of NaN in eig, eigvals",
        "the wheel dies",
        "empty results; RuntimeError at evaluation",
    ),
    Difference(
        "linalg.cholesky of a matrix that is not positive definite",
        "the wheel gives an unfinished factor",
        "RuntimeError at evaluation",
    ),
    Difference("linalg.eigh of NaN", "the wheel gives values that are none", "NaN"),
    Difference(
        "linalg.eigh, eigvalsh with UPLO other than 'L' and 'U'",
        "the wheel reads the upper triangle",
        "ValueError",
    ),
    Difference("linalg.solve", "the wheel does not broadcast leading axes", "as in solve_triangular"),
    Difference(
        "linalg.det, slogdet of halves beyond 3 x 3", "the wheel refuses", "computed in float32, rounded once"
    ),
    Difference("derivatives of linalg", "the wheel has none", "standard formulas"),
    Difference("evaluation in another thread", "the wheel refuses it", "works unless a stream was asked for"),
    Difference("allocation that cannot be satisfied", "the wheel dies", "MemoryError"),
    Difference("hadamard_transform(float64)", "the wheel refuses it", "a float64 result"),
    Difference(
        "hadamard_transform of 36 elements",
        "the wheel gives garbage",
        "ValueError, as for all sizes but m * 2^k",
    ),
    Difference(
        "istft with a complex window", "the wheel's result is some 1e8 too large", "the window's real part"
    ),
    Difference(
        "to_fp8, from_fp8, quantize and dequantize of E4M3 codes in float64",
        "the wheel gives garbage",
        "as in float32",
    ),
    Difference(
        "quantize of groups below 2^-126 in mxfp4 and mxfp8",
        "the wheel's exponent of the scale wraps: numbers near 1e37 come back",
        "the smallest scale",
    ),
    Difference(
        "quantize of an infinity in nvfp4",
        "the wheel stores 0 for it",
        "the largest code: 6 of the largest scale",
    ),
    Difference(
        "derivatives of quantize's scales and biases for a group of zeros", "the wheel gives NaN", "0"
    ),
    Difference(
        "derivative of a quantized product by its codes (nn.QQLinear trained in eval mode)",
        "RuntimeError of the wheel, which names no way out",
        "ValueError that says to call train()",
    ),
    Difference("qqmm and gather_qqmm", "the wheel's CPU has some cases alone", "all shapes, modes and types"),
    Difference("dimensions over 2^31 - 1", "the wheel has 32-bit shapes", "64-bit shapes"),
)

# Single outcomes that differ on purpose: what the line of a failure matches, and why.
_MEANT = tuple(
    (re.compile(pattern), reason)
    for pattern, reason in (
        (
            r"^(zeros|ones|empty)\(('a'|2\.5)\).*TypeError",
            "a wrong type of shape is a TypeError that says so",
        ),
        (
            r"^array\(\[300, -1, 2\], dtype='uint(32|64)'\).*a result",
            "explicit conversions wrap for every unsigned type",
        ),
        (r"^array\(1j, dtype='bool_'\)", "a complex number that is not 0 is true, as in NumPy"),
        (r"(floor_divide|divmod|//).*complex64 is not accepted", "complex numbers have no floor"),
        (
            r"^softmax.*(dtype float32, expected|expected np\.uint32\(2147483648\))",
            "of an axis of size 1 too the result has softmax's type; no garbage for uint32",
        ),
        (r"^flip\(axis=\(0, 0\)\).*given twice", "an axis given twice is a mistake"),
        (r"^cum(max|min).* float16 \(nan,\)", "NaN is passed on, as in NumPy and for the other types"),
        (
            r"array\(bool_\).*(2147483648|1099511627776)|(2147483648|1099511627776).*array\(bool_\)",
            "an integer beyond int32 meets bool as int64 and is not cut",
        ),
        (
            r"(/|//|logaddexp|divide).*a result, expected ValueError: Converting",
            "operations in floating point take any integer",
        ),
        (
            r"array\(uint64\) / -1:|-1 / array\(uint64\):",
            "negative numbers do not wrap before division",
        ),
        (
            r"^linalg\.(det|slogdet).* b?float16 .*a result, expected ValueError: \[linalg::lu_factor\]",
            "determinants of halves exist beyond 3 x 3 too",
        ),
        (
            r"^vecdot.*a result, expected ValueError: \[vecdot\] axis is out of bounds",
            "leading axes broadcast, as the array API standard asks",
        ),
        (
            r"^conv.* float64 .*got unsupported data type",
            "float64 is convolved with every geometry, not with some alone",
        ),
        (r"^conv3d.*Can only handle groups != 1 in 1D or 2D", "three axes have groups too"),
        (r"^vjp divmod", "the derivative of the remainder is that of remainder"),
        (r"^hadamard_transform.* float64 .*a result", "float64 is transformed in float64"),
    )
)


def is_meant(line: str) -> bool:
    """Whether a failure, written as "call dtype layout: what happened", is a difference that is meant."""
    return target.IS_MICA and any(pattern.search(line) for pattern, _ in _MEANT)


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


@dataclass(frozen=True)
class Refusal:
    """Calls that one side refuses and the other does not, or with another class: what matches all three."""

    call: str
    mica: str
    wheel: str
    reason: str


# Outcomes are texts: "result", "died", "hangs", or "Class: message".
REFUSALS = (
    Refusal("", "", r"^(died|hangs)$", "a wrong call never ends the process, nor waits for ever"),
    Refusal(
        "",
        "",
        r"SmallVector out of range|cannot create std::vector|^SystemError|could not be translated",
        "an accident inside the wheel, not an answer about the arguments",
    ),
    Refusal(
        "",
        r"^IndexError: .*(out of range|reaches outside)",
        "",
        "an index or an axis out of range is an IndexError, whatever else is wrong, and never read",
    ),
    Refusal(
        "", r"^TypeError: ", r"^RuntimeError: std::bad_cast", "a wrong type is a TypeError that says which"
    ),
    Refusal(
        r"\bmx\.(cpu|gpu)\)",
        "",
        r"^TypeError: .*incompatible function arguments",
        "a stream or device may follow the last positional argument of every function",
    ),
    Refusal(
        r"\bnp\.",
        "",
        r"^TypeError: .*incompatible function arguments",
        "NumPy arrays are taken for numbers, operands and indices wherever arrays are",
    ),
    Refusal(
        r"^mx\.(trunc|arange|conv\w+|equal|array_equal|ones|zeros|full)\(",
        "^result|^ValueError: .*complex64 is not accepted",
        r"^TypeError: .*incompatible function arguments|std::bad_cast",
        "numbers as operands of every element-wise function; None for what has a default; one window "
        "parameter for all axes",
    ),
    Refusal(
        r"\([^=]*\b(a|b|x|arrays|subscripts|input|logits)=",
        "",
        r"^TypeError: .*incompatible function arguments",
        "arguments may be named that the wheel takes by position alone",
    ),
    Refusal(
        r"^mx\.conv",
        "^result",
        "got unsupported data type|Can only handle groups",
        "float64 is convolved with every geometry, and three axes have groups too",
    ),
    Refusal(r"^mx\.(floor_divide|divmod)\(", "^ValueError: .*complex64", "", "complex numbers have no floor"),
    Refusal(
        r"^mx\.(divide|arctan2|logaddexp)\(",
        "^result",
        "^ValueError: Converting",
        "operations in floating point take any integer",
    ),
    Refusal(
        r"^mx\.(slice|slice_update|full_like)\(",
        "^ValueError: .*(slice size|cannot be broadcast)",
        "^result",
        "sizes that the result cannot have are refused, not left out",
    ),
    Refusal(
        r"^mx\.linalg\.cross\(",
        "^result",
        "^ValueError: .*cannot be broadcast",
        "vectors of two and of three elements have a product, as in NumPy",
    ),
    Refusal(
        r"^mx\.vecdot\(", "^result", "axis is out of bounds", "leading axes broadcast, as in the standard"
    ),
    Refusal(
        r"^mx\.take_along_axis\(",
        "^ValueError: .*indices must be integers",
        "^RuntimeError",
        "what the call shows to be wrong is refused by the call, not by the evaluation",
    ),
    Refusal(
        r"^mx\.(dequantize|fast\.gated_delta_update)\(",
        "^ValueError: .*shape",
        "^result",
        "operands whose shapes do not fit are not read beyond their ends",
    ),
    Refusal(r"^mx\.convolve\(", "^ValueError: .*complex64", "^result", "the wheel drops the imaginary parts"),
    Refusal(r"^mx\.flip\(", "^ValueError: .*given twice", "^result", "an axis given twice is a mistake"),
    Refusal("", "^result", "Maximum size exceeded|32-bit|supported range", "sizes have 64 bits"),
    Refusal(
        r"^mx\.conv_transpose",
        "^result",
        "Spatial dimensions of input",
        "the result has the documented size, whatever the padding cuts",
    ),
    Refusal(r"^mx\.hadamard_transform\(", "^result", "Unsupported type", "float64 is transformed in float64"),
    Refusal(
        r"^mx\.roll\(",
        "^ValueError: .*shifts for|^result",
        "^result|At least one shift",
        "shifts and axes broadcast, as in NumPy; the wheel drops the surplus ones",
    ),
    Refusal(
        r"^mx\.as_strided\(",
        "^ValueError: .*their numbers differ",
        "",
        "one stride an axis; the wheel reads what lies behind the strides",
    ),
    Refusal(
        r"^mx\.linalg\.norm\(", "^ValueError: .*given twice", "^result", "an axis given twice is a mistake"
    ),
    Refusal(
        "",
        "^TypeError: .*(stream or device is needed|unsupported operand|arguments are too many)",
        "^(ValueError|IndexError|result)",
        "a bool or a number is no device; operators ask the other operand before they refuse it",
    ),
)


def error_class_differs(call: str, mica: str, wheel: str) -> bool:
    """Whether these outcomes of a call, of which one at least is an error, are meant to differ."""
    return target.IS_MICA and any(
        re.search(r.call, call) and re.search(r.mica, mica) and re.search(r.wheel, wheel, re.S)
        for r in REFUSALS
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
