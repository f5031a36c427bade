"""What running a function shows of element types: which it takes, and what it then gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gen
import shown

Kinds = dict[str, tuple[str, ...]]  # given type to types of results
Refused = dict[str, list[str]]  # class of exception to given types


def short(name: str) -> str:
    """``bool`` for ``bool_``."""
    return "bool" if name == "bool_" else name


def listed(names: list[str]) -> str:
    """Element types in few words."""
    from tests.ops import values

    groups = {
        "every type": values.ALL,
        "real types": values.REALS,
        "integers": values.INTEGERS,
        "unsigned integers": values.UNSIGNED,
        "signed integers": values.SIGNED,
        "floats": values.FLOATS,
    }
    rest, words = list(names), []
    for word, group in groups.items():
        if all(m in rest for m in group):
            words.append(word)
            rest = [n for n in rest if n not in group]
    return ", ".join([*words, *map(short, rest)])


def small_shapes(case) -> tuple[tuple[int, ...], ...]:
    """The smallest shapes with elements that the case knows."""
    import math

    if case.elementwise:
        return ((3,),) * len(case.domains)
    full = [group for group in case.shapes if all(math.prod(s) > 0 for s in group)]
    return min(full or case.shapes, key=lambda group: sum(math.prod(s) for s in group))


def call_case(case, shapes, name: str, variant):
    """The outcome of one call, with values from the case's domains."""
    import numpy as np

    from tests.ops import values
    from tests.ops.check import outcome
    from tests.ops.target import mx

    rng = np.random.default_rng(0)
    arrays = [
        values.to_array(mx, domain.draw(rng, shape, name), domain.dtype or name)
        for domain, shape in zip(case.domains, shapes, strict=False)
    ]
    return outcome(lambda: case.run(mx, arrays, variant))


def lines_of(kinds_of: Kinds, refused: Refused) -> list[str]:
    """Types in groups that give the same; those that are refused by class of exception."""
    if not kinds_of:
        return []
    # One type of result whatever comes in, or the argument's.
    always = len(kinds_of) > 1 and all(
        len(set(kinds)) == 1 and set(kinds) == set(next(iter(kinds_of.values())))
        for kinds in kinds_of.values()
    )
    results: dict[tuple[str, ...], list[str]] = {}
    for name, kinds in kinds_of.items():
        same = ("same" if kind == name and not always else kind for kind in kinds)
        results.setdefault(tuple(dict.fromkeys(same)), []).append(name)
    lines = []
    for kinds, names in results.items():
        to = " and ".join("the same type" if k == "same" else short(k) for k in kinds)
        lines.append(f"{listed(names)} → {to}")
    lines += [f"{kind}: {listed(names)}" for kind, names in refused.items()]
    return lines


def of_cases(cases: list) -> list[str]:
    """What the oracle's first plain case shows."""
    from tests.ops import values

    # Cases that take the result apart, or move its type, say nothing of it.
    cases = [c for c in cases if c.domains and c.call is None and any(d.dtype is None for d in c.domains)]
    if not cases:
        return []
    case, kinds_of, refused = cases[0], {}, {}
    for name in values.ALL:
        got = call_case(case, small_shapes(case), name, case.variants[0])
        if got.error is not None:
            refused.setdefault(type(got.error).__name__, []).append(name)
            continue
        kinds_of[name] = tuple(kind for kind, _ in got.leaves)
    return lines_of(kinds_of, refused)


def tried(run: Callable[[str], Any]) -> tuple[Kinds, Refused]:
    """What ``run`` gives for each type. Nothing is evaluated: a type is taken or refused at the call, faults
    of the numbers that were drawn come later."""
    from tests.ops import values, vocabulary
    from tests.ops.target import mx

    kinds_of: Kinds = {}
    refused: Refused = {}
    for name in values.ALL:
        try:
            leaves = vocabulary.leaves_of(mx, run(name))
        except Exception as error:  # noqa: BLE001 - the class of any exception is what is told
            refused.setdefault(type(error).__name__, []).append(name)
            continue
        if leaves:
            kinds_of[name] = tuple(name_of(leaf) for leaf in leaves)
    return kinds_of, refused


def name_of(array: Any) -> str:
    """``bool_`` for an array of bool."""
    return str(array.dtype).rpartition(".")[2].replace("bool", "bool_").replace("bool__", "bool_")


def of_call(f: gen.Function, function: str, arguments: str) -> list[str]:
    """What a right call shows when the arrays of its first array's type are of each other type in turn; of a
    function without arrays, when it is asked for each type."""
    from tests.ops import vocabulary
    from tests.ops.target import mx

    scope = vocabulary.names(mx)
    args, kwargs = eval(f"(lambda *a, **k: (a, k))({arguments})", scope)  # noqa: S307
    call = eval(function, scope)  # noqa: S307
    asked = next((p for p in f.parameters if p.kind.rstrip("?") == "dtype"), None)
    keys = [p.name for p in f.parameters if p.kind.rstrip("?") == "key"]
    at = [p.name for p in f.parameters]
    varied = [a for name, a in zip(at, args, strict=False) if name not in keys]
    varied += args[len(at) :]
    varied += [a for name, a in kwargs.items() if name not in keys]
    arrays = vocabulary.leaves_of(mx, varied)
    if arrays:
        first = next((a.dtype for a in arrays if mx.issubdtype(a.dtype, mx.inexact)), arrays[0].dtype)
        kept = {id(a) for a in arrays if a.dtype != first}

        def replaced(tree: Any, name: str) -> Any:
            if isinstance(tree, mx.array):
                return tree if id(tree) in kept else tree.astype(getattr(mx, name))
            if isinstance(tree, (list, tuple)):
                return type(tree)(replaced(item, name) for item in tree)
            return tree

        def other(name: str) -> Any:
            given = [a if n in keys else replaced(a, name) for n, a in zip(at, args, strict=False)]
            given += [replaced(a, name) for a in args[len(at) :]]
            return call(*given, **{n: a if n in keys else replaced(a, name) for n, a in kwargs.items()})

        kinds_of, refused = tried(other)
        if asked is not None and asked.default is None:
            kinds_of = {name: (f"`{asked.name}`",) for name in kinds_of}
        return lines_of(kinds_of, refused)
    if asked is None:
        leaves = vocabulary.leaves_of(mx, call(*args, **kwargs))
        return (
            ["the result is " + " and ".join(dict.fromkeys(short(name_of(a)) for a in leaves))]
            if leaves
            else []
        )
    place = at.index(asked.name)
    plain, named = args[:place], {n: a for n, a in kwargs.items() if n != asked.name}
    usual = vocabulary.leaves_of(mx, call(*plain, **named))
    kinds_of, refused = tried(lambda name: call(*plain, **named, dtype=getattr(mx, name)))
    lines = [f"{short(name_of(usual[0]))} unless `{asked.name}` says another", *lines_of(kinds_of, refused)]
    return [line.replace(" → the same type", "") for line in lines]


def rows(f: gen.Function, name: str, cases: list, example: str) -> list[str]:
    """Which types of arguments give which types of results, and which are refused."""
    if lines := of_cases(cases):
        return lines
    from tests.ops import one_mistake

    # Statements of the example first: their numbers fit the function. Where the result's type is asked for,
    # what only some calls refuse (a last axis that it does not divide) is not about types.
    asked = any(p.kind.rstrip("?") == "dtype" and p.default is None for p in f.parameters)
    calls = [*shown.right_calls(name, [], example), *shown.right_calls(name, cases, "")]
    found = [
        (bool(call.arrays), of_call(f, call.function, call.arguments))
        for call in calls[:8]
        if one_mistake.is_right(call)
    ]
    kinds = []
    for with_arrays in (True, False):
        some = [lines for has, lines in found if has is with_arrays and lines]
        if some:
            kinds.append(
                min(some, key=lambda lines: sum("Error: " in x for x in lines)) if asked else some[0]
            )
    if len(kinds) == 2 and kinds[1][0].startswith("the result is "):
        return [*kinds[0], kinds[1][0] + " where no array is given"]
    return kinds[0] if kinds else []
