"""What running a function shows of shapes and of errors: its right calls, and those with one mistake."""

from __future__ import annotations

import re
from typing import Any

import gen

# Mistakes that are refused alike everywhere; the index of the reference tells them.
EVERYWHERE = ("unknown keyword", "missing", "too many")
WORDS = {
    "another type": "of another type",
    "another element type": "of another element type",
    "another shape": "of another shape",
    "no axes": "without axes",
    "too large": "too large",
    "out of range": "out of range",
    "given twice": "given twice",
    "negative": "negative",
    "unknown": "unknown",
}


def right_calls(name: str, cases: list, example: str) -> list[Any]:
    """Calls of the oracle that are right; else those of the example."""
    from tests.ops import one_mistake

    found = [call for case in cases for call in one_mistake.right_calls(case)]
    statements = re.findall(r"^>>> (.*(?:\n\.\.\. .*)*)", example, flags=re.M)
    return found or one_mistake.calls_in([s.replace("\n... ", "\n") for s in statements], name)


def result_shapes(tree: Any) -> str:
    """The shapes in a result as ``vocabulary.run`` gives it."""
    if tree[0] == "array":
        value = tree[2]
        return str(tuple(value if isinstance(value, tuple) else value.shape))
    return ", ".join(result_shapes(item) for item in tree[1]) if isinstance(tree[1], list) else ""


def shapes(f: gen.Function, name: str, cases: list, example: str) -> str:
    """How the result's shape follows: the rule of element-wise functions, or calls with their results."""
    from tests.ops import vocabulary, wrong

    arrays = [p.name for p in f.parameters if p.kind in ("array", "operand")]
    if cases and all(case.elementwise for case in cases) and arrays:
        if len(arrays) == 1:
            return f"the result has the shape of `{arrays[0]}`"
        return ", ".join(f"`{a}`" for a in arrays) + " broadcast; the result has their common shape"
    found: dict[str, str] = {}
    for call in right_calls(name, cases, example):
        text = re.sub(r"(?<![.\w])array\((\([^()]*\)), '\w+'\)", r"array of \1", call.arguments)
        got = vocabulary.run(wrong.mx, call.function, call.arguments)
        if got[0] == "result" and got[1] and len(text) < 300 and (shown := result_shapes(got[1])):
            found.setdefault(shown, text)
    lines = [f"`{name.rpartition('.')[2]}({text})` → `{shown}`" for shown, text in list(found.items())[:3]]
    return "; ".join(lines)


def errors(name: str, cases: list, example: str) -> list[str]:
    """For each class of exception and kind of mistake the arguments that it is about, and one text."""
    from tests.ops import one_mistake

    calls = right_calls(name, cases, example)
    found: dict[tuple[str, str], tuple[list[str], str]] = {}
    for mistake in one_mistake.of_calls(calls):
        got = one_mistake.outcome(mistake) if mistake.kind not in EVERYWHERE else None
        if got is None or (mistake.kind == "another element type" and "] the matrix is" in got[1]):
            continue  # right, or a fault of the numbers that were drawn: the type is accepted
        arguments, _ = found.setdefault((got[0], mistake.kind), ([], got[1].split("\n")[0]))
        if mistake.argument not in arguments:
            arguments.append(mistake.argument)
    return [
        f"`{kind}`, {' or '.join(f'`{a}`' for a in arguments)} {WORDS[what]}: `{text}`"
        for (kind, what), (arguments, text) in sorted(found.items())
    ]
