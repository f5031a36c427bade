"""Where mica refuses a call that the wheel takes, takes one that the wheel refuses, or raises another class:
each with the reason. All other wrong calls must give the wheel's class of exception.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.ops import target


@dataclass(frozen=True)
class Refusal:
    """Calls that one side refuses and the other does not, or with another class: what matches all three."""

    call: str
    mica: str
    wheel: str
    reason: str


# What the wheel computes for real matrices alone.
REAL_ON_THE_WHEEL = (
    "inv|tri_inv|pinv|cholesky|cholesky_inv|lu|lu_factor|qr|solve|solve_triangular|det|slogdet"
)

# Outcomes are texts: "result", "died", "hangs", or "Class: message".
REFUSALS = (
    Refusal("", "", r"^(died|hangs)$", "a wrong call never ends the process, nor waits for ever"),
    Refusal(
        "",
        "",
        r"SmallVector out of range|cannot create std::vector|^SystemError|could not be translated"
        r"|\[(squeeze|repeat)\] Axis",
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
        "^result|^ValueError: ",
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
    Refusal(
        r"^mx\.(floor_divide|divmod)\(|\) // \(",
        "^ValueError: .*complex64",
        "",
        "complex numbers have no floor",
    ),
    Refusal(
        r"^mx\.(divide|arctan2|logaddexp)\(",
        "^result",
        "^ValueError: Converting",
        "operations in floating point take any integer",
    ),
    Refusal(
        r"^mx\.(slice|slice_update|full_like)\(",
        "^ValueError: .*(slice size|cannot be broadcast|does not fit into)",
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
        rf"^mx\.linalg\.({REAL_ON_THE_WHEEL})\(.*complex64",
        "^(result|RuntimeError)",
        r"^ValueError: .*(float32 or float64|[Cc]omplex)",
        "complex matrices have inverses, factors and determinants, too",
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
    Refusal(r"^mx\.conv\w+\(", "^ValueError: .*complex64", "^result", "the wheel drops the imaginary parts"),
    Refusal(r"^mx\.flip\(", "^ValueError: .*given twice", "^result", "an axis given twice is a mistake"),
    Refusal("", "^result", "Maximum size exceeded|32-bit|supported range", "sizes have 64 bits here, not 32"),
    Refusal(
        r"^mx\.conv_transpose",
        "^result",
        "Spatial dimensions of input",
        "the result has the documented size, whatever the padding cuts",
    ),
    Refusal(
        r"^mx\.(median|nan_to_num|take_along_axis|put_along_axis|array|quantize)\(",
        "^result",
        "start_axis|Does not yet support|of dimension|^RuntimeError: std::bad_cast|zero size array",
        "no axis, float64 and complex64, indices of any rank for the flattened array, numbers that wrap, "
        "and matrices without rows work",
    ),
    Refusal(
        r"^\(.* (&|\||\^|<<|>>|@|//) \(",
        "",
        "^TypeError: unsupported operand type",
        "the operators & | ^ << >> @ // have the array on the right, too",
    ),
    Refusal(r"^mx\.pad\(.*b'x'", "^TypeError", "^result", "bytes are no widths of axes"),
    Refusal(
        r"\bNone\b",
        "^(result|ValueError)",
        r"^TypeError: .*incompatible function arguments",
        "None asks for the default wherever there is one",
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
        "^TypeError: .*(stream or device is needed|unsupported operand|not supported between|are too many)",
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
        (r"(floor_divide|divmod|//).*complex64.* is not accepted", "complex numbers have no floor"),
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
            rf"^linalg\.({REAL_ON_THE_WHEEL})\b.* complex64 .*a result, expected ValueError: \[linalg::",
            "complex matrices have inverses, factors and determinants, too",
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
