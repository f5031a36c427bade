"""Pages of what is no function: the constants of mica.core, and the methods and properties of arrays."""

from __future__ import annotations

import enum
import re

import gen
import outside

# What the names stand for that are neither element types nor kinds of them.
CONSTANTS = {
    "e": "Euler's number.",
    "euler_gamma": "Euler's constant, the limit of the harmonic series less the logarithm.",
    "pi": "Half the circumference of the unit circle.",
    "inf": "Positive infinity.",
    "nan": "Not a number.",
    "newaxis": "None: a new axis of size 1, in an index.",
    "cpu": "The kind of device that a processor is: `mx.DeviceType.cpu`.",
    "gpu": "The kind of device that a GPU is: `mx.DeviceType.gpu`.",
}
# Methods that stand for no function of their name, and the function that they are.
SAME = {"conj": "conjugate", "T": "transpose", "mT": "matrix_transpose"}
OPERATORS = {
    "__abs__": ("abs(x)", "abs"),
    "__neg__": ("-x", "negative"),
    "__pos__": ("+x", "positive"),
    "__invert__": ("~x", "bitwise_invert"),
    "__add__": ("x + y", "add"),
    "__sub__": ("x - y", "subtract"),
    "__mul__": ("x * y", "multiply"),
    "__truediv__": ("x / y", "divide"),
    "__floordiv__": ("x // y", "floor_divide"),
    "__mod__": ("x % y", "remainder"),
    "__divmod__": ("divmod(x, y)", "divmod"),
    "__pow__": ("x ** y", "power"),
    "__matmul__": ("x @ y", "matmul"),
    "__and__": ("x & y", "bitwise_and"),
    "__or__": ("x | y", "bitwise_or"),
    "__xor__": ("x ^ y", "bitwise_xor"),
    "__lshift__": ("x << y", "left_shift"),
    "__rshift__": ("x >> y", "right_shift"),
    "__eq__": ("x == y", "equal"),
    "__ne__": ("x != y", "not_equal"),
    "__lt__": ("x < y", "less"),
    "__le__": ("x <= y", "less_equal"),
    "__gt__": ("x > y", "greater"),
    "__ge__": ("x >= y", "greater_equal"),
    "__round__": ("round(x, n)", "round"),
}
PROTOCOLS = {
    "__getitem__": (
        "x[index]",
        "A part: integers, slices, None and `...` give views; arrays of integers "
        "gather; a boolean mask selects, and is evaluated for the size of the result; True and False take "
        "all or nothing along an axis that they add.",
    ),
    "__setitem__": (
        "x[index] = y",
        "The name `x` stands for the changed array afterwards; no other array changes.",
    ),
    "__len__": ("len(x)", "The size of the first axis; a TypeError without axes."),
    "__iter__": ("iter(x)", "The parts along the first axis, as views."),
    "__bool__": ("bool(x)", "The only element. Evaluates; a ValueError for several."),
    "__int__": ("int(x), float(x), complex(x)", "The only element as a Python number. Evaluates."),
    "__format__": ("format(x, spec)", "A 0-d array as its number; others as `str(x)`. Evaluates."),
    "__repr__": ("repr(x)", "Evaluates."),
    "__copy__": ("copy.copy(x), copy.deepcopy(x)", "Another array of the same elements."),
    "__reduce__": ("pickle.dumps(x)", "Evaluates."),
    "__hash__": ("hash(x)", "By identity."),
    "__array__": ("np.asarray(x)", "A NumPy array over the same memory where NumPy has the type. Evaluates."),
    "__dlpack__": ("x.__dlpack__()", "A DLPack capsule over the same memory. Evaluates."),
    "__array_namespace__": (
        "x.__array_namespace__()",
        "`mica.core`, for libraries of the array API standard.",
    ),
}


def constants_page() -> tuple[str, list[str]]:
    """The page of constants, and the names that it tells."""
    import mica.core as mx

    lines = ["# Constants", "", "Element types, kinds of them, devices and numbers.", ""]
    lines += ["| element type | bytes | kinds |", "|---|---|---|"]
    names = [name for name in dir(mx) if not name.startswith("_")]
    types = [name for name in names if isinstance(getattr(mx, name), mx.Dtype)]
    kinds = [name for name in names if isinstance(getattr(mx, name), mx.DtypeCategory)]
    order = sorted(types, key=lambda name: hash(getattr(mx, name)))
    for name in order:
        dtype = getattr(mx, name)
        of = [kind for kind in kinds if mx.issubdtype(dtype, getattr(mx, kind))]
        lines.append(f"| `{name}` | {dtype.size} | {', '.join(f'`{kind}`' for kind in of)} |")
    lines += ["", "| kind, for [issubdtype](issubdtype.md) | holds |", "|---|---|"]
    for kind in kinds:
        holds = [name for name in order if mx.issubdtype(getattr(mx, name), getattr(mx, kind))]
        lines.append(f"| `{kind}` | {', '.join(f'`{name}`' for name in holds)} |")
    lines += ["", "| name | value | meaning |", "|---|---|---|"]
    for name, meaning in CONSTANTS.items():
        value = getattr(mx, name)
        lines.append(f"| `{name}` | {value if isinstance(value, enum.Enum) else repr(value)} | {meaning} |")
    return "\n".join(lines) + "\n", [*types, *kinds, *CONSTANTS]


def link(name: str, places: dict[str, str]) -> str:
    """A link to the page of a function from the folder of another family."""
    return f"[{name}](../{places[name]})"


def array_page(places: dict[str, str]) -> tuple[str, list[str]]:
    """The page of arrays' members, and their names; ``places`` has the functions' pages."""
    import mica.core as mx

    signatures = outside.signatures()
    members = [name for name in dir(mx.array) if not name.startswith("_")]
    lines = [
        "# Members of arrays",
        "",
        "For arrays `x`, `y`. Whatever is given for `y` beside an array: numbers,",
    ]
    lines += ["NumPy arrays. `x += y` and the like give the name `x` another array.", ""]
    for heading, wanted in (("Properties", False), ("Methods", True)):
        lines += [f"## {heading}", "", "| member | meaning |", "|---|---|"]
        for name in members:
            found = getattr(mx.array, name)
            if callable(found) != wanted:
                continue
            target = SAME.get(name, name)
            text = outside.text_of(name, found).split("\n")[0]
            if text.startswith("As the function of the same name"):
                text = f"As {link(target, places)}."
            elif target in places:
                text += f" See {link(target, places)}."
            call = signatures.get(f"array.{name}", [name])[0].removeprefix("array.")
            call = re.sub(r", stream: StreamOrDevice = None|stream: StreamOrDevice = None", "", call)
            call = re.sub(r"\(\*\)|\(\*, \)", "()", call).replace(", *)", ")").replace(" | ", " or ")
            lines.append(f"| `{call}` | {text} |")
        lines.append("")
    lines += ["Methods take `stream=` as the functions do.", ""]
    lines += ["## Operators", "", "| operator | function |", "|---|---|"]
    lines += [
        f"| `{text.replace('|', chr(92) + '|')}` | {link(function, places)} |"
        for text, function in OPERATORS.values()
    ]
    lines += ["", "## Protocols", "", "| use | meaning |", "|---|---|"]
    lines += [f"| `{text}` | {meaning} |" for text, meaning in PROTOCOLS.values()]
    for method in (*OPERATORS, *PROTOCOLS):
        if not hasattr(mx.array, method):
            raise gen.TableError(f"tools/members.py: arrays have no {method}")
    return "\n".join(lines) + "\n", [f"array.{name}" for name in members]
