"""Programs that Hypothesis draws: however they are run, they give the same bits; NumPy judges each step.

A failure is shrunk to the shortest program that shows it and printed as Python. The quick tier draws the same
programs always; the long tier draws new ones at every run.
"""

from __future__ import annotations

import functools
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from tests.ops import target, values
from tests.ops.check import compare_values
from tests.ops.program_axes import view
from tests.ops.program_base import FLOATS, Program, Step
from tests.ops.program_elementwise import arithmetic, elementwise, number
from tests.ops.programs import programs
from tests.ops.target import mx

ROOT = Path(__file__).resolve().parents[2]
LONG = target.LONG
pytestmark = pytest.mark.mica_only

# Steps through which a derivative passes at almost every point.
CALM = (elementwise,) * 5 + (arithmetic, number, view)


def drawing(quick: int, long: int, **kwargs):
    """Settings: so many programs; the same ones always in the quick tier."""
    return settings(
        max_examples=long if LONG else quick,
        derandomize=not LONG,
        database=None,
        deadline=None,
        print_blob=LONG,
        suppress_health_check=list(HealthCheck),
        phases=[p for p in hypothesis.Phase if p is not hypothesis.Phase.explain],
        **kwargs,
    )


def evaluated(x):
    """``x``, computed now."""
    mx.eval(x)
    return x


def same_bits(label: str, got, want) -> None:
    """Equal types, shapes, bits (any NaN equals any)."""
    assert len(got) == len(want), label
    for i, (x, y) in enumerate(zip(got, want, strict=True)):
        assert x.dtype == y.dtype and x.shape == y.shape, f"{label}, result {i}: {x.dtype}{x.shape}"
        assert values.bits(x) == values.bits(y), f"{label}, result {i}: {x}, step by step {y}"


def host(x) -> np.ndarray:
    """Values in NumPy's widest type of their kind."""
    name = values.dtype_name(x.dtype)
    return values.quantized(values.to_numpy(x), name)


def check_step(step: Step, arrays, result) -> None:
    """One step against NumPy, from the very values that mica gave it."""
    name = values.dtype_name(result.dtype)
    given_values = [host(x) for x in arrays]
    with np.errstate(all="ignore"):
        want = np.asarray(step.ref(*given_values))
        size = step.size(*given_values) if step.size and values.is_float(name) else None
    got = values.to_numpy(result)
    if not values.is_float(name):
        want = want.astype(got.dtype)
    elif not np.iscomplexobj(got):
        want = np.asarray(want, np.float64)
    if size is not None:
        size = np.broadcast_to(np.where(np.isfinite(size), size, values.LARGEST[name]), want.shape)
    allowed = 0.0 if step.ulp is None else step.ulp.get(name, 0.0)
    message = compare_values(got, want, name, allowed, False, size)
    assert message is None, f"{step.text}: {message}"


@drawing(600, 6000)
@given(programs())
def test_every_step_is_numpy(program: Program) -> None:
    """Shapes and values of each step, rounded once, from the values that the step got."""
    found = program.all_values(program.arrays(), evaluated)
    for step, result in zip(program.steps, found[len(program.inputs) :], strict=True):
        check_step(step, [found[i] for i in step.args], result)


@drawing(600, 6000)
@given(programs())
def test_any_way_gives_the_same_bits(program: Program) -> None:
    """Step by step, all at once, compiled, compiled for any shape, replayed with other values."""
    arrays = program.arrays()
    want = program.run(arrays, evaluated)
    lazy = program.run(program.arrays())
    mx.eval(lazy)
    same_bits("at once", lazy, want)
    compiled = mx.compile(lambda *args: program.run(args))
    same_bits("compiled", compiled(*arrays), want)
    shapeless = mx.compile(lambda *args: program.run(args), shapeless=True)
    same_bits("compiled for any shape", shapeless(*arrays), want)
    others = [values.to_array(mx, np.flip(x).copy(), name) for x, name in program.inputs]
    want = program.run(others, evaluated)
    same_bits("replayed", compiled(*others), want)
    same_bits("replayed for any shape", shapeless(*others), want)


@drawing(400, 4000)
@given(programs(most=8), st.data())
def test_vmap_is_the_loop(program: Program, data) -> None:
    """Batched over any of the inputs: what the program gives for one after another."""
    chosen = data.draw(st.lists(st.booleans(), min_size=len(program.inputs), max_size=len(program.inputs)))
    if not any(chosen):
        chosen[0] = True
    rng = np.random.default_rng(1)
    axes, stacked, batches = [], [], [[] for _ in range(3)]
    for (x, name), batched in zip(program.inputs, chosen, strict=True):
        many = [x, rng.permutation(x.ravel()).reshape(x.shape), np.flip(x).copy()] if batched else [x] * 3
        axis = data.draw(st.integers(0, x.ndim)) if batched else None
        axes.append(axis)
        stacked.append(values.to_array(mx, np.stack(many, axis) if batched else x, name))
        for k in range(3):
            batches[k].append(values.to_array(mx, many[k], name))
    got = mx.vmap(lambda *args: program.run(args), in_axes=tuple(axes))(*stacked)
    for k in range(3):
        want = program.run(batches[k])
        for i, (x, y) in enumerate(zip(got, want, strict=True)):
            assert x.dtype == y.dtype and x.shape == (3, *y.shape), (
                f"{axes}: {x.dtype}{x.shape}, loop {y.shape}"
            )
            if not program.loose:
                assert values.bits(x[k]) == values.bits(y), f"{axes}, batch {k}, result {i}: {x[k]}, loop {y}"
            elif not program.jumps:
                p, q = host(x[k]), host(y)
                rough = {"float16": 0.05, "bfloat16": 0.3, "float64": 1e-9}
                names = {name for _, name in program.inputs} | {values.dtype_name(y.dtype)}
                bound = max(rough.get(n, 1e-4) for n in names) if y.dtype != mx.bool_ else 0
                finite = np.abs(q)[np.isfinite(q)]
                scale = float(finite.max()) if finite.size else 1.0
                if values.dtype_name(y.dtype) in values.FLOATS + values.COMPLEX:
                    assert np.allclose(p, q, rtol=bound, atol=bound * max(scale, 1e-3), equal_nan=True), (
                        f"{axes}, batch {k}, result {i}: {x[k]}, loop {y}"
                    )


def loss_of(program: Program):
    """The sum of all results that are real and rounded."""

    def loss(*args):
        total = mx.array(0.0, dtype=mx.float64)
        for i, out in enumerate(program.run(args)):
            if values.dtype_name(out.dtype) in FLOATS:
                total = total + (i + 1) * mx.sum(out.astype(mx.float64))
        return total

    return loss


def gradients(loss, arrays) -> list:
    """The derivative by every input."""
    found = mx.grad(loss, tuple(range(len(arrays))))(*arrays)
    return list(found) if isinstance(found, (list, tuple)) else [found]


@drawing(300, 3000)
@given(programs(most=8, dtypes=("float32", "float64", "float32", "bfloat16")))
def test_gradients_of_any_way_are_the_same(program: Program) -> None:
    """At once, compiled, checkpointed: the same bits of gradients."""
    arrays = program.arrays()
    loss = loss_of(program)
    want = gradients(loss, arrays)
    mx.eval(want)
    same_bits("checkpointed", gradients(mx.checkpoint(loss), arrays), want)
    compiled = mx.compile(lambda *args: gradients(loss, args))
    same_bits("compiled", compiled(*arrays), want)
    same_bits("compiled, again", compiled(*arrays), want)


def several(found) -> list:
    """A list, of one result too."""
    return list(found) if isinstance(found, (list, tuple)) else [found]


@drawing(100, 2000)
@given(programs(most=6, dtypes=("float32", "float64", "bfloat16")))
def test_transforms_compiled_on_either_side(program: Program) -> None:
    """vmap, jvp and gradients of a compiled function, and these compiled, also for any shape: the same
    bits.
    """
    arrays = program.arrays()
    stacked = [mx.stack([x, x[::-1] if x.ndim else x]) for x in arrays]
    ones = [mx.ones_like(x) for x in arrays]
    run = lambda *args: several(program.run(args))  # noqa: E731
    loss = loss_of(program)
    forms = {
        "vmap": (lambda f: mx.vmap(f), run, stacked),
        "jvp": (lambda f: lambda *args: mx.jvp(f, args, ones)[1], run, arrays),
        "gradient": (lambda f: lambda *args: gradients(f, args), loss, arrays),
    }
    for name, (transform, function, given_arrays) in forms.items():
        want = several(transform(function)(*given_arrays))
        mx.eval(want)
        inside, outside = transform(mx.compile(function)), mx.compile(transform(function))
        both, shapeless = mx.compile(inside), mx.compile(transform(function), shapeless=True)
        for form, way in (("inside", inside), ("outside", outside), ("both", both), ("any", shapeless)):
            same_bits(f"{name}, compiled {form}", several(way(*given_arrays)), want)
        same_bits(f"{name}, again", several(both(*given_arrays)), want)


@drawing(300, 3000)
@given(programs(most=8, dtypes=("float64",), differentiated=True))
def test_jvp_is_the_transpose_of_vjp(program: Program) -> None:
    """The derivative along a direction is the gradient times that direction."""
    arrays = program.arrays()
    rng = np.random.default_rng(2)
    tangents = [values.to_array(mx, rng.uniform(-1, 1, x.shape), name) for x, name in program.inputs]
    loss = loss_of(program)
    products = [host(g * t) for g, t in zip(gradients(loss, arrays), tangents, strict=True)]
    back = sum(float(np.sum(p)) for p in products)
    size = sum(float(np.sum(np.abs(p))) for p in products)
    forward = mx.jvp(loss, arrays, tangents)[1][0].item()
    kinds = {values.dtype_name(x.dtype) for x in program.all_values(arrays)}
    rough = max({"bfloat16": 0.1, "float16": 0.01, "float32": 1e-5}.get(kind, 1e-8) for kind in kinds)
    if np.isfinite(back) and np.isfinite(forward):
        assert abs(back - forward) <= rough * (size + abs(forward) + 1e-3), (back, forward)


@drawing(300, 3000)
@given(programs(most=5, dtypes=("float64",), kinds=CALM))
def test_gradient_is_the_difference_quotient(program: Program) -> None:
    """Along a direction, with steps of two sizes: where these agree the function is smooth, and its
    derivative
    is theirs.
    """
    arrays = program.arrays()
    rng = np.random.default_rng(3)
    directions = [values.to_array(mx, rng.uniform(-1, 1, x.shape), name) for x, name in program.inputs]
    loss = loss_of(program)

    def quotient(h: float) -> float:
        above = loss(*[x + h * d for x, d in zip(arrays, directions, strict=True)]).item()
        below = loss(*[x - h * d for x, d in zip(arrays, directions, strict=True)]).item()
        return (above - below) / (2 * h)

    near, far = quotient(1e-6), quotient(2e-6)
    value = abs(loss(*arrays).item())
    products = [host(g * d) for g, d in zip(gradients(loss, arrays), directions, strict=True)]
    back, size = (sum(float(np.sum(f(p))) for p in products) for f in (np.asarray, np.abs))
    noise = 1e-9 * value + 1e-7
    if np.isfinite(near + far) and abs(near - far) <= 1e-5 * abs(near) + noise:
        assert abs(back - near) <= 1e-4 * (size + abs(near)) + 10 * noise, (back, near)


# ---- processes under other settings ----


def digest_of_programs(count: int) -> str:
    """One line a program: a digest of its results. Inputs are large enough to be split over threads."""
    lines = []

    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[hypothesis.Phase.generate],
    )
    @given(programs(most=8, scale=3000))
    def collect(program: Program) -> None:
        digest = hashlib.sha1()
        for x in program.run(program.arrays()):
            digest.update(values.bits(x))
        text = " ".join(step.text.split("(")[0] for step in program.steps)
        lines.append(f"{digest.hexdigest()} {text}")

    collect()
    return "\n".join(lines)


@functools.cache
def digests(**others: str) -> list[str]:
    """The digests of a process under these settings."""
    code = f"from tests.ops.test_programs import digest_of_programs as d; print(d({400 if LONG else 40}))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, **others},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()


SETTINGS = [{"MICA_THREADS": "2"}]
if LONG:
    SETTINGS += [{"MICA_THREADS": "7"}, {"MICA_FUSE": "0"}, {"MICA_THREADS": "2", "MICA_FUSE": "0"}]


@pytest.mark.parametrize("others", SETTINGS, ids=str)
def test_settings_give_the_same_bits(others: dict[str, str]) -> None:
    """Neither threads nor fusion change a bit of a large program."""
    one, other = digests(MICA_THREADS="1"), digests(**others)
    assert len(one) > 20 and len(one) == len(other)
    assert [pair for pair in zip(one, other, strict=True) if pair[0] != pair[1]] == []
