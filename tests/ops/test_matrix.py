"""Every case x dtype x layout x mode. A test is one case in one mode; its failures name dtype, layout,
shapes and arguments.
"""

# ruff: noqa: B023 - the lambdas are called where they stand
from __future__ import annotations

import numpy as np
import pytest

from tests.ops import differences, target, values
from tests.ops.cases import Case, V, X, all_cases
from tests.ops.check import Failures, Outcome, check_errors, compare_values, outcome, refused, tolerance
from tests.ops.layouts import arranged, spread
from tests.ops.target import mx, wheel

CASES = [case for case in all_cases() if not case.missing]
IDS = [case.label for case in CASES]
LONG = target.LONG
FLOATS = values.FLOATS + values.COMPLEX

# Shapes that element-wise functions get: equal, then broadcasting against each other, 0-d with others, empty.
EQUAL = (3, 5, 7)
BROADCAST = ((3, 1, 7), (5, 1), (3, 5, 7))
MIXED = ((), (5, 3), (3,))
EMPTY = (((0,),) * 3, ((3, 0, 2), (3, 1, 2), (2,)))
LARGE = (100_003,)
# Two axes of odd sizes: rows of blocks that do not end where the axis does.
LARGE_MATRIX = (263, 389)
SPECIAL = (0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 1e-3, np.inf, -np.inf, np.nan)

each_case = pytest.mark.parametrize("case", CASES, ids=IDS)


def arguments(
    case: Case,
    shapes,
    name: str,
    layout: str = "contiguous",
    domains: tuple[X, ...] | None = None,
    salt: object = None,
) -> list[tuple[np.ndarray, str]]:
    """Values and dtype of each argument; ``broadcast`` values repeat along the first axis."""
    rng = np.random.default_rng(values.seed_of(case.label, shapes, name, salt))
    drawn = []
    for domain, shape in zip(domains or case.domains, shapes, strict=False):
        x = domain.draw(rng, shape, name)
        drawn.append((spread(x) if layout == "broadcast" else x, domain.dtype or name))
    return drawn


def shape_groups(case: Case) -> list[tuple[tuple[int, ...], ...]]:
    """The shapes that a case is run with: its own, or those of an element-wise function."""
    if not case.elementwise:
        return list(case.shapes)
    count = len(case.domains)
    groups = [(EQUAL,) * count, ((),) * count]
    if count > 1:
        groups += [BROADCAST[-count:], MIXED[:count], MIXED[1:count] + ((),)]
    return groups + [group[:count] for group in EMPTY]


def expected(case: Case, drawn, variant: V) -> Outcome:
    """The wheel's outcome."""
    return outcome(lambda: case.run(wheel, [values.to_array(wheel, x, name) for x, name in drawn], variant))


def reference(case: Case, arrays, variant: V) -> list[np.ndarray] | None:
    """NumPy's results; None where NumPy does not know the function for this kind of number.

    Integers and truth values become float64: only rounded results are judged by NumPy.
    """
    arrays = [
        x.astype(np.float64) if domain.dtype is None and x.dtype.kind in "iub" else x
        for domain, x in zip(case.domains, arrays, strict=False)
    ]
    try:
        with np.errstate(all="ignore"):
            truth = case.ref(*arrays, *variant.args, **variant.kwargs)
    except TypeError:
        return None
    return list(truth) if isinstance(truth, (list, tuple)) else [truth]


def magnitudes(case: Case, drawn, variant: V) -> list[np.ndarray] | None:
    """What results were if nothing cancelled, where the case's units are taken there; None elsewhere."""
    if case.scaled != "abs" or case.ref is None:
        return None
    # The variant is kept: weights such as alpha and beta are of size 1.
    found = reference(case, [np.abs(x) if n != "bool_" else x for x, n in drawn], variant)
    return None if found is None else [np.abs(x) for x in found]


def beyond_the_wheel(case: Case, label: str, want: Outcome, drawn, variant: V) -> Outcome | None:
    """NumPy's outcome, in the dtypes that follow from the case's, where the wheel refuses what mica is meant
    to give; None elsewhere.
    """
    if (
        want.error is None
        or case.ref is None
        or not differences.is_meant(": ".join(refused(label, want.error)))
    ):
        return None
    found = case.ref(*[x for x, _ in drawn], *variant.args, **variant.kwargs)
    names = [name for _, name in drawn if values.is_float(name)] or ["float32"]
    leaves = []
    for x in map(np.asarray, found if isinstance(found, (list, tuple)) else [found]):
        kind = {"c": "complex64", "f": names[0].replace("complex64", "float32")}.get(x.dtype.kind)
        leaves.append((kind or x.dtype.name, x))
    return Outcome(leaves, type(found).__name__, None)


def judge(
    case: Case,
    label: str,
    got: Outcome,
    want: Outcome,
    drawn,
    variant: V,
    failures: Failures,
    exact: bool = False,
) -> None:
    """Compares with the wheel in kind, and in value with NumPy where the case has a reference and the
    result is rounded.
    """
    failures.checked += 1
    if got.error is None and (meant := beyond_the_wheel(case, label, want, drawn, variant)):
        meant.container, want = got.container, meant
    if not check_errors(got, want, label, failures):
        return
    if got.container != want.container or len(got.leaves) != len(want.leaves):
        failures.add(
            label, f"{got.container} of {len(got.leaves)}, expected {want.container} of {len(want.leaves)}"
        )
        return
    truth = size = None
    if case.ref is not None and any(values.is_float(name) for name, _ in want.leaves):
        truth = reference(case, [x for x, _ in drawn], variant)
        size = None if truth is None else magnitudes(case, drawn, variant)
    for i, ((name, x), (wanted_name, wanted)) in enumerate(zip(got.leaves, want.leaves, strict=False)):
        which = f"{label} result {i}" if len(got.leaves) > 1 else label
        if name != wanted_name:
            failures.add(which, f"dtype {name}, expected {wanted_name}")
            continue
        if x.shape != wanted.shape:
            failures.add(which, f"shape {x.shape}, expected {wanted.shape}")
            continue
        by_numpy = truth is not None and values.is_float(name)
        value = np.asarray(truth[i]) if by_numpy else wanted
        allowed = tolerance(case, name)
        if not by_numpy and values.is_float(name) and allowed:
            # The wheel is rounded itself.
            allowed += max(allowed, differences.rough(case.name, name))
        message = compare_values(
            x, value, name, allowed, bool(case.scaled), None if size is None else size[i]
        )
        if message:
            failures.add(which, message + ("" if by_numpy else " (the wheel's)"))


def dtypes_of(case: Case, layout: str, large: bool = False) -> tuple[str, ...]:
    """The dtypes a layout is tried with; plain memory gets all, the rest a sample in the quick tier."""
    if layout == "contiguous" and not large or LONG:
        return case.dtypes
    if large:
        sample = ("float32", "int16", "float16")
    else:
        others = [name for name in case.dtypes if name not in ("float32", "int8")]
        sample = (
            "float32",
            "int8",
            others[values.seed_of(case.label, layout) % len(others)] if others else "float32",
        )
    return tuple(name for name in case.dtypes if name in sample) or case.dtypes[:2]


@each_case
def test_values(case: Case) -> None:
    """Dtypes, shapes, values and errors in every layout."""
    failures = Failures()
    for layout in case.layouts:
        for name in dtypes_of(case, layout):
            for shapes in shape_groups(case):
                for variant in case.variants:
                    drawn = arguments(case, shapes, name, layout)
                    label = f"{case.name}{variant} {name} {layout} {shapes}"
                    want = expected(case, drawn, variant)
                    got = outcome(
                        lambda: case.run(mx, [arranged(mx, x, n, layout) for x, n in drawn], variant)
                    )
                    judge(case, label, got, want, drawn, variant, failures)
    failures.raise_any()


@pytest.mark.parametrize(
    "case", [c for c in CASES if c.elementwise], ids=[c.label for c in CASES if c.elementwise]
)
def test_large(case: Case) -> None:
    """Odd sizes that span several blocks and leave a rest."""
    failures = Failures()
    for name in dtypes_of(case, "contiguous", large=True):
        others = ("strided", "transposed", "negative", "offset", "broadcast")
        turn = values.seed_of("large", case.label, name) % len(others)
        for layout, shape in (("contiguous", LARGE), *((o, LARGE_MATRIX) for o in others)):
            if not LONG and layout not in ("contiguous", others[turn]):
                continue
            drawn = arguments(case, (shape,) * len(case.domains), name, layout)
            variant = case.variants[0]
            want = expected(case, drawn, variant)
            got = outcome(lambda: case.run(mx, [arranged(mx, x, n, layout) for x, n in drawn], variant))
            judge(case, f"{case.name}{variant} {name} {layout} {shape}", got, want, drawn, variant, failures)
    failures.raise_any()


with_specials = [c for c in CASES if c.elementwise and c.specials]


@pytest.mark.parametrize("case", with_specials, ids=[c.label for c in with_specials])
def test_specials(case: Case) -> None:
    """NaN, infinities and zeros of both signs, every combination of them, and both ends of the range."""
    failures = Failures()
    for name in [n for n in case.dtypes if n in values.FLOATS]:
        if differences.special(case.name, name):
            continue
        ends = [values.LARGEST[name], -values.LARGEST[name], 2.0 ** values.PRECISION[name][1]]
        grid = np.meshgrid(*[np.array([*SPECIAL, *ends])] * len(case.domains), indexing="ij")
        drawn = []
        for domain, x in zip(case.domains, grid, strict=False):
            flat = values.quantized(x.ravel(), name)
            drawn.append((flat > 0, "bool_") if domain.dtype == "bool_" else (flat, name))
        variant = case.variants[0]
        want = expected(case, drawn, variant)
        got = outcome(lambda: case.run(mx, [values.to_array(mx, x, n) for x, n in drawn], variant))
        judge(case, f"{case.name}{variant} {name} specials", got, want, drawn, variant, failures)
    if failures.checked:
        failures.raise_any()


along_axes = [
    c
    for c in CASES
    if c.family in ("reduce", "scan", "sort")
    and not c.elementwise
    and len(c.domains) == 1
    and "partition" not in c.name
]


@pytest.mark.parametrize("case", along_axes, ids=[c.label for c in along_axes])
def test_specials_along_axes(case: Case) -> None:
    """Rows with NaN, infinities of either sign and of both, and zeros of both signs."""
    failures = Failures()
    shapes = next((group for group in case.shapes if np.prod(group[0]) <= 200 and len(group[0]) == 3), None)
    # The wheel's scans of halves lose NaN.
    dtypes = ("float32",) if case.family == "scan" else ("float32", "float16")
    for name in [n for n in dtypes if n in case.dtypes] if shapes else []:
        for salt, specials in enumerate(
            ((np.nan,), (np.inf,), (-np.inf,), (np.inf, -np.inf), (0.0, -0.0), (np.nan, np.inf))
        ):
            ((x, _),) = arguments(case, shapes, name, salt=salt)
            rng = np.random.default_rng(salt)
            x = np.where(rng.random(x.shape) < 0.15, rng.choice(specials, x.shape), x)
            for variant in case.variants:
                want = expected(case, [(x, name)], variant)
                got = outcome(lambda: case.run(mx, [values.to_array(mx, x, name)], variant))
                judge(
                    case, f"{case.name}{variant} {name} {specials}", got, want, [(x, name)], variant, failures
                )
    if failures.checked:
        failures.raise_any()
