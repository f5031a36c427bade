"""Each kind of mistake in each argument of each function, one at a time: what the pages tell of errors, and
what the tests of their texts ask.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tests.ops import mistakes, vocabulary, wrong
from tests.ops.cases import Case
from tests.ops.mistakes import Call

# Wrong values by kind of parameter, with what is wrong about them.
WRONG = {
    "array": (("object()", "another type"), ("'a'", "another type")),
    "operand": (("object()", "another type"),),
    "arrays": (("object()", "another type"), ("[object()]", "another type")),
    "index": (("object()", "another type"), ("1.5", "another type")),
    "key": (("object()", "another type"), ("mx.array([1.0, 2.0])", "another element type")),
    "int": (("1.5", "another type"), ("'a'", "another type"), ("2**70", "too large"), ("-100", "negative")),
    "axis": (
        ("1.5", "another type"),
        ("100", "out of range"),
        ("-100", "out of range"),
        ("2**70", "too large"),
    ),
    "axes": (("1.5", "another type"), ("100", "out of range"), ("(0, 0)", "given twice")),
    "dims": (
        ("1.5", "another type"),
        ("[1.5]", "another type"),
        ("[2**70]", "too large"),
        ("[-5]", "negative"),
    ),
    "shape": (
        ("1.5", "another type"),
        ("[1.5]", "another type"),
        ("[2**70]", "too large"),
        ("[-5]", "negative"),
    ),
    "bool": (("object()", "another type"), ("'a'", "another type")),
    "float": (("'a'", "another type"), ("object()", "another type")),
    "dtype": (("'float32'", "another type"), ("5", "another type")),
    "string": (("5", "another type"), ("'no such name'", "unknown")),
    "order": (("object()", "another type"), ("'no such name'", "unknown")),
    "mask": (("'no such name'", "unknown"), ("5", "another type")),
}

# Rows that are one form of a function have other names for its arguments; "" for one that it lacks.
NAMES = {
    ("split", "sections"): "indices_or_sections",
    ("pad", "low"): "pad_width",
    ("pad", "high"): "",
    ("arange", "start"): "stop",
}


@dataclass(frozen=True)
class Mistake:
    """A wrong call: what is wrong with which argument ("" for none), and the text of what was given."""

    kind: str
    argument: str
    given: str
    call: Call


def parameters(name: str) -> list[tuple[str, str, bool]]:
    """Name, kind, positional only; of a function in a table."""
    return wrong.SIGNATURES[name][0] if name in wrong.SIGNATURES else []


def of_arrays(call: Call, i: int, argument: str) -> Iterator[Mistake]:
    """An array of other types and shapes in place ``i``."""
    shape, dtype = call.arrays[i]
    others = [
        ("another element type", f"array({shape}, {other!r})")
        for other in ("bool_", "int32", "float32", "complex64")
        if other != dtype
    ]
    others += [
        ("another shape", f"array({other}, {dtype!r})")
        for other in (
            (*shape[:-1], shape[-1] + 1) if shape else (3,),
            (shape[0] + 5, *shape[1:]) if shape else (2, 3),
            (*shape, 7),
        )
    ]
    others.append(("no axes", f"array((), {dtype!r})"))
    for kind, given in others:
        yield Mistake(kind, argument, given, call.with_arg(i, given))


def of_call(call: Call) -> Iterator[Mistake]:
    """Every mistake in one right call."""
    name = call.function.removeprefix("mx.")
    known = parameters(name)
    variadic = wrong.SIGNATURES.get(name, ([], False))[1]
    for i, text in enumerate(call.args):
        argument, kind, _ = (
            known[0 if variadic else i] if known and (variadic or i < len(known)) else ("", "", True)
        )
        kind = kind.rstrip("?")
        for given, what in WRONG.get("array" if variadic else kind, ()):
            if given != text:
                yield Mistake(what, argument, given, call.with_arg(i, given))
        if i < len(call.arrays) and kind in ("array", "operand", "index", "mask", "key"):
            yield from of_arrays(call, i, argument)
    positions = 1 if variadic else len(call.args)
    for argument, kind, positional in known[positions:]:
        if positional:
            continue
        rest = tuple(pair for pair in call.kwargs if pair[0] != argument)
        for given, what in WRONG.get(kind.rstrip("?"), ()):
            changed = Call(call.function, call.args, (*rest, (argument, given)), call.arrays)
            yield Mistake(what, argument, given, changed)
    added = Call(call.function, call.args, (*call.kwargs, ("unknown", "1")), call.arrays)
    yield Mistake("unknown keyword", "unknown", "", added)
    yield Mistake("missing", "", "", Call(call.function, (), (), call.arrays))
    many = ("object()",) * (0 if variadic else len(known) + 2 - len(call.args))
    if many:
        yield Mistake("too many", "", "", Call(call.function, call.args + many, (), call.arrays))


def is_right(call: Call) -> bool:
    """Whether the call gives a result."""
    return vocabulary.run(wrong.mx, call.function, call.arguments)[0] != "error"


def of_calls(calls: list[Call]) -> list[Mistake]:
    """The mistakes in the first two calls that are right, each once."""
    found: dict[str, Mistake] = {}
    for call in list(filter(is_right, calls))[:2]:
        for mistake in of_call(call):
            place = (call.function.removeprefix("mx."), mistake.argument)
            name = NAMES.get(place, mistake.argument)
            if name or not mistake.argument:
                found.setdefault(str(mistake.call), replace(mistake, argument=name))
    return list(found.values())


def of_case(case: Case) -> list[Mistake]:
    """The mistakes in right calls of a case."""
    return of_calls(right_calls(case))


def right_calls(case: Case) -> list[Call]:
    """The right calls of a case; with integers where floats are wrong."""
    calls = mistakes.right_calls(case)
    return list(filter(is_right, calls)) or list(filter(is_right, map(of_integers, calls)))


def of_integers(call: Call) -> Call:
    """The same call with int32 for float32."""
    args = tuple(text.replace("'float32'", "'int32'") for text in call.args)
    arrays = tuple((shape, dtype.replace("float32", "int32")) for shape, dtype in call.arrays)
    return Call(call.function, args, call.kwargs, arrays)


def calls_in(statements: list[str], name: str) -> list[Call]:
    """The calls of a function in an example, with names replaced by what was assigned to them."""
    known: dict[str, ast.expr] = {}

    class Inline(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            return known.get(node.id, node)

    found = []
    for statement in statements:
        tree = Inline().visit(ast.parse(statement))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == f"mx.{name}":
                found.append(call_of(node))
        assigned = [node for node in tree.body if isinstance(node, ast.Assign)]
        for target, value in [(target, node.value) for node in assigned for target in node.targets]:
            if isinstance(target, ast.Name):
                known[target.id] = value
            elif isinstance(target, ast.Tuple):
                for i, item in enumerate(target.elts):
                    part = f"({ast.unparse(value)})[{i}]"
                    known[ast.unparse(item)] = ast.parse(part, mode="eval").body
    return [call for call in found if call is not None]


def call_of(node: ast.Call) -> Call | None:
    """A call of an example as text, unpacked arguments one by one; None where a name is not known."""
    args: list[str] = []
    arrays: list[tuple[tuple[int, ...], str]] = []
    for argument in node.args:
        text = ast.unparse(argument).removeprefix("*")
        try:
            value = eval(text, vocabulary.names(wrong.mx))  # noqa: S307
        except NameError:
            return None
        unpacked = isinstance(argument, ast.Starred)
        for i, item in enumerate(value if unpacked else [value]):
            if isinstance(item, wrong.mx.array) and len(arrays) == len(args):
                dtype = str(item.dtype).rpartition(".")[2].replace("bool", "bool_")
                arrays.append((tuple(item.shape), dtype))
            args.append(f"({text})[{i}]" if unpacked else text)
    kwargs = tuple((k.arg, ast.unparse(k.value)) for k in node.keywords if k.arg)
    return Call(ast.unparse(node.func), tuple(args), kwargs, tuple(arrays))


def outcome(mistake: Mistake) -> tuple[str, str] | None:
    """Class and text of what the call raises; None when it is taken after all."""
    got = vocabulary.run(wrong.mx, mistake.call.function, mistake.call.arguments)
    return (got[1], got[2]) if got[0] == "error" else None
