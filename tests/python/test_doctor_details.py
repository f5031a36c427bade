"""What run-time findings and plans say: counts, names, ranges, bytes."""

from __future__ import annotations

import mica.core as mx
import mica.nn as nn
import pytest
from mica import doctor
from mica.doctor.runtime import report

HALF = mx.float16


@pytest.mark.parametrize("front", [False, True])
def test_weights_of_quantized_layers_are_differentiated(front):
    """Its weights are asked for where it comes first, its input behind other layers."""
    layer = nn.QQLinear(64, 64)
    model = nn.Sequential(nn.Linear(64, 64), layer) if front else layer
    model.eval()
    step = nn.value_and_grad(model, lambda model, x: model(x).sum())
    with pytest.raises(ValueError, match="train"), doctor.watch() as watch:
        step(model, mx.ones((2, 64)))
    assert [f.rule for f in watch.findings] == ["MX801"]


def test_quantized_layers_in_other_transformations():
    layer = nn.QQLinear(64, 64)
    layer.eval()
    x = mx.ones((2, 64))
    with doctor.watch() as watch:
        mx.eval(mx.compile(lambda x: layer(x))(x), mx.vmap(lambda x: layer(x[None]))(x))
    assert [f.rule for f in watch.findings] == ["MX802"]


@pytest.mark.parametrize("evaluated", [False, True])
def test_promotions_are_counted_all(evaluated):
    x, y = mx.ones((64, 64), dtype=HALF), None
    mx.eval(x)
    with doctor.watch() as watch:
        y = mx.ones((64, 64))
        if evaluated:
            mx.eval(y)
        for _ in range(20):
            mx.eval(x + y)
    (finding,) = watch.findings
    assert (finding.cost.count, finding.cost.bytes) == (20, 20 * 4 * 64 * 64)


class Cut(nn.Module):
    def __call__(self, x, n):
        return x[:n]


CUTS = {
    "n changed from 8 to 9": lambda x, i: (lambda x, n: x[:n], (x, i), {}),
    "width changed from 8 to 9": lambda x, i: (lambda x, *, width: x[:width], (x,), {"width": i}),
    "cfg['n'] changed from 8 to 9": lambda x, i: (lambda x, cfg: x[: cfg["n"]], (x, {"n": i}), {}),
    "sizes[1] changed from 8 to 9": lambda x, i: (lambda x, sizes: x[: sizes[1]], (x, [3, i]), {}),
    "argument 1 changed from 8 to 9": lambda x, i: (lambda x, *rest: x[: rest[0]], (x, i), {}),
    "x changed its shape from (8,) to (9,)": lambda x, i: (lambda x: x + 1, (x[:i],), {}),
    "n of a module": lambda x, i: (Cut(), (x, i), {}),
    "n of a derivative": lambda x, i: (mx.grad(lambda x, n: x[:n].sum()), (x, i), {}),
}


@pytest.mark.parametrize("said", CUTS)
def test_retraces_name_the_argument_of_the_program(said):
    x = mx.zeros((20,))
    with doctor.watch() as watch:
        compiled = mx.compile(CUTS[said](x, 1)[0])
        for i in range(1, 10):
            _, args, kwargs = CUTS[said](x, i)
            compiled(*args, **kwargs)
    (finding,) = (f for f in watch.findings if f.rule == "MX302")
    assert finding.message.endswith(said if " of a " not in said else "n changed from 8 to 9")


def test_findings_are_known_afterwards():
    with doctor.watch() as watch:
        mx.eval(mx.ones((64, 64), dtype=HALF) * mx.array(2.0))
        for ask in (lambda: watch.findings, watch.text, lambda: report.as_json(watch)):
            with pytest.raises(RuntimeError, match="when the watch ends"):
                ask()
    assert [f.rule for f in watch.findings] == ["MX201"]


def test_what_is_not_finite_has_no_range():
    for array, said in ((lambda: mx.ones((3,)) / mx.zeros((3,)), "float32[3] no finite element, 3 infinite"),
                        (lambda: mx.log(mx.array([0, 1])), "float32[2] in [0, 0], 1 infinite")):  # fmt: skip
        with doctor.watch(nan=True) as watch:
            mx.eval(array())
        (finding,) = watch.findings
        assert said in finding.message and "nan" not in finding.message


def test_explain_counts_bytes_that_exist():
    column = mx.broadcast_to(mx.random.normal((256, 1)), (256, 256))
    for plan, read in (
        (doctor.explain(lambda: mx.ones((256, 256)) + mx.ones((256, 1))), 2 * 4),
        (doctor.explain(lambda c: mx.exp(c) + c * c, column), 4 * 256),
        (doctor.explain(lambda c, d: c * d + c, mx.arange(9.0), mx.arange(9.0)), 2 * 4 * 9),
        (doctor.explain(lambda c: c[:8] + 1.0, mx.zeros((256, 256)) + 1.0), 4 * 8 * 256 + 4),
    ):
        (step,) = [s for s in plan.steps if not s.is_view]
        assert abs(step.read - read) <= 4
