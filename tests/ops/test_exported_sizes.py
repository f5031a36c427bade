"""Every case exported for any size: other sizes give what eager gives, or are refused."""

# ruff: noqa: B023 - the lambdas are called where they stand
from __future__ import annotations

import numpy as np
import pytest

from tests.ops.cases import Case, V
from tests.ops.check import Failures, outcome
from tests.ops.target import mx
from tests.ops.test_matrix import LONG, arguments
from tests.ops.test_transforms import arrays_of, compiled_cases, dtypes_of, gradients_of, shapes_of

pytestmark = pytest.mark.mica_only

Shapes = tuple[tuple[int, ...], ...]


def other_sizes(shapes: Shapes) -> list[Shapes]:
    """Each axis alone, and all axes of one size together, one longer, doubled, and of one element; all at
    once; axes in the other order.
    """
    found: list[Shapes] = []
    sizes = sorted({n for shape in shapes for n in shape})

    def add(change) -> None:
        found.append(
            tuple(tuple(change(n, i, k) for k, n in enumerate(shape)) for i, shape in enumerate(shapes))
        )

    for change in (lambda n: n + 1, lambda n: 2 * n, lambda n: 1, lambda n: n + 13):
        for size in sizes:
            add(lambda n, i, k: change(n) if n == size else n)
        for input_, shape in enumerate(shapes):
            for axis in range(len(shape)):
                add(lambda n, i, k: change(n) if (i, k) == (input_, axis) else n)
        add(lambda n, i, k: change(n))
    found.append(tuple(shape[::-1] for shape in shapes))
    return [group for group in dict.fromkeys(found) if sum(np.prod(s) for s in group) <= 40_000]


def differs(got, want) -> str | None:
    """None when the results are equal, bit by bit but for the sign of zeros."""
    for (got_name, x), (want_name, y) in zip(got.leaves, want.leaves, strict=True):
        equal_nan = x.dtype.kind in "fc"
        if got_name != want_name or x.shape != y.shape:
            return f"{got_name}{x.shape}, eager {want_name}{y.shape}"
        if not np.array_equal(x, y, equal_nan=equal_nan):
            return "not the values of eager"
    return None


def check(case: Case, variant: V, function, shapes: Shapes, name: str, path, failures: Failures) -> None:
    """One function exported with the first shapes, and called with others."""
    traced = arrays_of(arguments(case, shapes, name))
    if outcome(lambda: function(*traced)).error is not None:
        return
    mx.export_function(path, function, *traced, shapeless=True)
    imported = mx.import_function(path)
    for group in [shapes, *shapes_of(case, 8), *other_sizes(shapes)]:
        drawn = outcome(lambda: arrays_of(arguments(case, group, name)))
        if drawn.error is not None or [len(s) for s in group] != [len(s) for s in shapes]:
            continue
        arrays = arrays_of(arguments(case, group, name))
        eager = outcome(lambda: function(*arrays))
        got = outcome(lambda: imported(*arrays))
        label = f"{case.name}{variant} {name} traced with {shapes}, called with {group}"
        failures.checked += 1
        if got.error is not None:
            refused = isinstance(got.error, ValueError) and "exported for" in str(got.error)
            if group == shapes or not (refused or eager.error is not None):
                failures.add(label, f"{type(got.error).__name__}: {str(got.error)[:200]}")
        elif eager.error is not None:
            failures.add(label, f"a result where eager raises {str(eager.error)[:200]}")
        elif message := differs(got, eager):
            failures.add(label, message)


@pytest.mark.parametrize("case", compiled_cases, ids=[c.label for c in compiled_cases])
def test_other_sizes(case: Case, tmp_path) -> None:
    """The case and its derivative."""
    failures, shapes = Failures(), shapes_of(case, 1)[0]
    name = dtypes_of(case, "float32")[0]
    for variant in case.variants if LONG else case.variants[:2]:

        def plain(*args):
            return case.run(mx, args, variant)

        def derivative(*args):
            return gradients_of(plain, list(args))

        for function in (plain, derivative):
            check(case, variant, function, shapes, name, tmp_path / "case", failures)
    if failures.checked:
        failures.raise_any()
