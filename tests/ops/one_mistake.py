"""Each kind of mistake in each argument of each function, one at a time: what the pages tell of errors, and
what the tests of their texts ask.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

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


def of_case(case: Case) -> list[Mistake]:
    """The mistakes in the first right calls of a case, each once."""
    found: dict[str, Mistake] = {}
    right = [
        c
        for c in mistakes.right_calls(case)
        if vocabulary.run(wrong.mx, c.function, c.arguments)[0] != "error"
    ]
    for call in right[:2]:
        for mistake in of_call(call):
            found.setdefault(str(mistake.call), mistake)
    return list(found.values())


def outcome(mistake: Mistake) -> tuple[str, str] | None:
    """Class and text of what the call raises; None when it is taken after all."""
    got = vocabulary.run(wrong.mx, mistake.call.function, mistake.call.arguments)
    return (got[1], got[2]) if got[0] == "error" else None
