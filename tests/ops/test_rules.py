"""Every function of the tables is batched and differentiated, or says what to do instead."""

from __future__ import annotations

import pytest

from tests.ops.cases import Case
from tests.ops.check import outcome
from tests.ops.target import mx
from tests.ops.test_matrix import CASES, arguments
from tests.ops.test_transforms import arrays_of, leaves_of, shapes_of

pytestmark = pytest.mark.mica_only
cases = [c for c in CASES if c.domains]


def modes(function, arrays: list, outputs: list) -> dict:
    """The transformations of a function whose results are a list."""
    ones = [mx.ones_like(x) for x in outputs]
    pairs = [mx.stack([a, a]) for a in arrays]
    return {
        "vjp": lambda: mx.vjp(function, arrays, ones),
        "jvp": lambda: mx.jvp(function, arrays, [mx.ones_like(a) for a in arrays]),
        "vmap": lambda: mx.vmap(function)(*pairs),
        "vmap of vjp": lambda: mx.vmap(lambda *args: mx.vjp(function, args, ones)[1])(*pairs),
        "jvp of vmap": lambda: mx.jvp(mx.vmap(function), pairs, [mx.ones_like(a) for a in pairs])[1],
    }


@pytest.mark.parametrize("case", cases, ids=[c.label for c in cases])
def test_rule_or_advice(case: Case) -> None:
    """The only errors are those of derivatives that do not exist, and they name the way out."""
    name = "float32" if "float32" in case.dtypes else case.dtypes[0]
    arrays = arrays_of(arguments(case, shapes_of(case, 1)[0], name))
    for variant in case.variants[:2]:
        outputs = outcome(lambda: case.run(mx, arrays, variant))  # noqa: B023
        if outputs.error is not None:
            continue
        plain = leaves_of(case.run(mx, arrays, variant))
        if not all(isinstance(x, mx.array) for x in plain):
            continue  # einsum_path gives no arrays
        for mode, run in modes(
            lambda *args: leaves_of(case.run(mx, args, variant)),  # noqa: B023
            arrays,
            plain,
        ).items():
            error = outcome(lambda: [x for part in run() for x in leaves_of(part)]).error  # noqa: B023
            if error is not None:
                assert isinstance(error, ValueError), (mode, error)
                assert "stop_gradient" in str(error), (mode, error)
