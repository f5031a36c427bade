"""Every case compiled, batched and differentiated."""

# ruff: noqa: B023 - the lambdas are called where they stand
from __future__ import annotations

import numpy as np
import pytest

from tests.ops import differences, target, values
from tests.ops.cases import Case, V
from tests.ops.check import Failures, check_errors, compare_values, outcome, tolerance
from tests.ops.layouts import arranged
from tests.ops.target import mx, wheel
from tests.ops.test_matrix import BROADCAST, CASES, EQUAL, LONG, arguments, magnitudes, reference

# The wheel's compiled code takes a second to build, so that a sample of it has to do.
compiled_cases = [
    c
    for c in CASES
    if c.compiled and c.domains and (target.IS_MICA or values.seed_of("compile", c.label) % 25 == 0)
]
batched_cases = [c for c in CASES if c.vmap and c.domains and not differences.wheel_errs("vmap", c.name)]
differentiated_cases = [c for c in CASES if c.domains and not differences.wheel_errs("vjp", c.name)]


def shapes_of(case: Case, limit: int = 3) -> list[tuple[tuple[int, ...], ...]]:
    """Small shapes of arrays with elements: for element-wise functions equal and broadcasting ones."""
    if case.elementwise:
        count = len(case.domains)
        return [(EQUAL,) * count] if count == 1 else [(EQUAL,) * count, BROADCAST[-count:]]
    small = [group for group in case.shapes if all(0 < np.prod(s) <= 1500 for s in group)]
    small = small or [min(case.shapes, key=lambda group: sum(np.prod(s) for s in group))]
    return small if LONG else small[:limit]


def dtypes_of(case: Case, *names: str) -> list[str]:
    """Those of the dtypes that the case takes, or its first; of linear algebra complex64 besides, which has
    kernels and rules of its own there.
    """
    more = ("complex64",) if case.family == "linalg" else ()
    return [name for name in dict.fromkeys(names + more) if name in case.dtypes] or list(case.dtypes[:1])


def layout_of(case: Case, *parts: object) -> str:
    """One of the layouts that the case allows, by turns: over all cases and dtypes each mode meets each."""
    layouts = [layout for layout in case.layouts if layout != "broadcast"]
    return layouts[values.seed_of("layout", case.label, *parts) % len(layouts)]


def arrays_of(drawn, layout: str = "contiguous") -> list:
    """Arrays of the target."""
    return [arranged(mx, x, name, layout) for x, name in drawn]


def leaves_of(result) -> list:
    """The arrays of a result that may be a list or tuple."""
    return list(result) if isinstance(result, (list, tuple)) else [result]


@pytest.mark.parametrize("case", compiled_cases, ids=[c.label for c in compiled_cases])
def test_compiled(case: Case) -> None:
    """Compiled gives the bits that eager gives (the wheel: nearly)."""
    failures = Failures()
    dtypes = [
        n for n in ("float32", "bfloat16", "int8", "complex64", "float64", "bool_") if n in case.dtypes
    ] or case.dtypes[:1]
    if not target.IS_MICA:
        dtypes = dtypes[:1]
    for name in dtypes:
        for shapes in shapes_of(case, 2):
            for variant in case.variants if LONG or case.elementwise else case.variants[:3]:
                label = f"{case.name}{variant} {name} {shapes}"
                drawn = arguments(case, shapes, name)
                layout = layout_of(case, "compile", name, shapes, str(variant))
                label += f" {layout}"
                arrays = arrays_of(drawn, layout)
                eager = outcome(lambda: case.run(mx, arrays, variant))
                function = mx.compile(lambda *args: case.run(mx, args, variant))
                calls = [outcome(lambda: function(*arrays)), outcome(lambda: function(*arrays))]
                if target.IS_MICA and (LONG or name == dtypes[0]):
                    shapeless = mx.compile(lambda *args: case.run(mx, args, variant), shapeless=True)
                    calls.append(outcome(lambda: shapeless(*arrays)))
                failures.checked += 1
                for got in calls:
                    if not check_errors(got, eager, label, failures):
                        continue
                    for (got_name, x), (want_name, want) in zip(got.leaves, eager.leaves, strict=True):
                        allowed = 0.0 if target.IS_MICA else 2 * max(tolerance(case, want_name), 2)
                        if got_name != want_name:
                            failures.add(label, f"dtype {got_name}, eager {want_name}")
                        elif target.IS_MICA:
                            if not np.array_equal(x, want, equal_nan=x.dtype.kind in "fc"):
                                failures.add(
                                    label,
                                    f"not the bits of eager: {compare_values(x, want, got_name, 0, False)}",
                                )
                        elif message := compare_values(x, want, got_name, allowed, bool(case.scaled)):
                            failures.add(label, message)
    failures.raise_any()


def gradients_of(run, arrays: list) -> list:
    """Cotangents of the arguments, for cotangents of ones."""

    def listed(*args):
        found = run(*args)
        return list(found) if isinstance(found, (tuple, list)) else [found]

    return mx.vjp(listed, arrays, [mx.ones_like(x) for x in listed(*arrays)])[1]


def batched_twice(run, arrays: list):
    """Over a batch of two equal examples."""
    return mx.vmap(run)(*[mx.stack([x, x]) for x in arrays])


@pytest.mark.mica_only
@pytest.mark.parametrize("case", compiled_cases, ids=[c.label for c in compiled_cases])
def test_exported(case: Case, tmp_path) -> None:
    """Exported and imported gives the bits of eager, or for its derivative and a batch of it what is close.

    Repeated cotangents become plain arrays in files, which products take by another way.
    """
    failures = Failures()
    shapes, path = shapes_of(case, 1)[0], tmp_path / "case.mlxfn"
    whole = {"": lambda run, arrays: run(*arrays), " vjp": gradients_of, " vmap": batched_twice}
    each = [(name, v) for name in dtypes_of(case, "float32") for v in case.variants[: None if LONG else 1]]
    for name, variant in each:
        arrays = arrays_of(arguments(case, shapes, name), layout_of(case, "export", name))
        for kind, transform in whole.items():
            label = f"{case.name}{variant} {name} {shapes}{kind}"

            def function(*args, transform=transform, variant=variant):
                return transform(lambda *inner: case.run(mx, inner, variant), args)

            def exported(function=function, arrays=arrays):
                mx.export_function(path, function, *arrays)
                return mx.import_function(path)(*arrays)

            eager = outcome(lambda function=function, arrays=arrays: function(*arrays))
            if kind and eager.error is not None:
                continue
            failures.checked += 1
            got = outcome(exported)
            if not check_errors(got, eager, label, failures):
                continue
            for (got_name, x), (want_name, want) in zip(got.leaves, eager.leaves, strict=True):
                equal_nan = x.dtype.kind in "fc"
                same = np.array_equal(x, want, equal_nan=equal_nan)
                if kind and not same and x.shape == want.shape:
                    same = np.allclose(x, want, rtol=1e-4, atol=1e-4, equal_nan=equal_nan)
                if got_name != want_name or not same:
                    failures.add(label, f"not what eager gives ({got_name}, eager {want_name})")
    failures.raise_any()


@pytest.mark.mica_only
@pytest.mark.parametrize("case", compiled_cases, ids=[c.label for c in compiled_cases])
def test_compiled_for_any_shape(case: Case) -> None:
    """One function compiled without shapes, called with one shape after another, and with the first again."""
    failures = Failures()
    name = "float32" if "float32" in case.dtypes else case.dtypes[0]
    count = len(case.domains)
    groups = [
        *shapes_of(case),
        *([((),) * count, ((4,),) * count, ((0,),) * count] if case.elementwise else []),
    ]
    for variant in case.variants if LONG else case.variants[:2]:
        function = mx.compile(lambda *args: case.run(mx, args, variant), shapeless=True)
        for shapes in [*groups, groups[0]]:
            label = f"{case.name}{variant} {name} {shapes}"
            arrays = arrays_of(arguments(case, shapes, name), layout_of(case, "any shape", shapes))
            eager = outcome(lambda: case.run(mx, arrays, variant))
            got = outcome(lambda: function(*arrays))
            failures.checked += 1
            if check_errors(got, eager, label, failures):
                for (got_name, x), (want_name, want) in zip(got.leaves, eager.leaves, strict=True):
                    if got_name != want_name or not np.array_equal(x, want, equal_nan=x.dtype.kind in "fc"):
                        failures.add(
                            label, f"{got_name}{x.shape}, not the bits of eager {want_name}{want.shape}"
                        )
    failures.raise_any()


@pytest.mark.parametrize("case", batched_cases, ids=[c.label for c in batched_cases])
def test_vmap(case: Case) -> None:
    """Batched over each argument alone and over all of them gives what a loop gives."""
    failures = Failures()
    count = len(case.domains)
    for name in dtypes_of(case, *(case.dtypes if LONG else ("float32", "int32"))):
        for shapes in shapes_of(case, 2) + ([((),) * count] if case.elementwise else []):
            for variant in case.variants if LONG else case.variants[:6]:
                drawn = arguments(case, shapes, name)
                if outcome(lambda: case.run(mx, arrays_of(drawn), variant)).error is not None:
                    continue
                choices = [tuple(0 if i == j else None for i in range(count)) for j in range(count)]
                choices += [(0,) * count, (-1,) * count] if count > 1 else [(-1,)]
                for axes in choices:
                    batches = [arguments(case, shapes, name, salt=k) for k in range(3)]
                    label = f"vmap {case.name}{variant} {name} {shapes} in_axes={axes}"
                    message = vmap_differs(case, variant, drawn, batches, axes)
                    failures.checked += 1
                    if message:
                        failures.add(label, message)
    if failures.checked:
        failures.raise_any()


def vmap_differs(case: Case, variant: V, drawn, batches, axes) -> str | None:
    """None when vmap equals the loop over the batch."""
    stacked = [
        x if axis is None else np.stack([batch[i][0] for batch in batches], axis)
        for i, ((x, _), axis) in enumerate(zip(drawn, axes, strict=False))
    ]
    layout = layout_of(case, "vmap", [name for _, name in drawn], str(variant), axes)
    arrays = [arranged(mx, x, name, layout) for x, (_, name) in zip(stacked, drawn, strict=False)]
    got = outcome(lambda: mx.vmap(lambda *args: case.run(mx, args, variant), in_axes=axes)(*arrays))
    if got.error is not None:
        if not target.IS_MICA and differences.wheel_lacks("vmap", got.error):
            return None
        return f"{type(got.error).__name__}: {str(got.error)[:200]}"
    for k, batch in enumerate(batches):
        single = [
            x if axis is None else batch[i][0]
            for i, ((x, _), axis) in enumerate(zip(drawn, axes, strict=False))
        ]
        want = outcome(
            lambda: case.run(
                mx, [values.to_array(mx, x, n) for x, (_, n) in zip(single, drawn, strict=False)], variant
            )
        )
        if want.error is not None:
            return None
        sizes = magnitudes(case, [(x, n) for x, (_, n) in zip(single, drawn, strict=False)], variant)
        sizes = sizes or [None] * len(want.leaves)
        for (got_name, x), (name, y), size in zip(got.leaves, want.leaves, sizes, strict=True):
            if got_name != name:
                return f"dtype {got_name}, the loop's is {name}"
            if x.shape != (len(batches), *y.shape):
                return f"shape {x.shape}, expected {(len(batches), *y.shape)}"
            allowed = 0.0 if case.elementwise and target.IS_MICA else 2 * max(tolerance(case, name), 1)
            message = compare_values(x[k], y, name, allowed, bool(case.scaled), size)
            if message:
                return f"in batch {k}: {message}"
    return None


def pairing(cotangents, tangents) -> float:
    """The sum of products of two lists of arrays."""
    return float(
        sum(
            np.sum(np.asarray(c, np.float64) * np.asarray(t, np.float64))
            for c, t in zip(cotangents, tangents, strict=False)
        )
    )


def difference_quotient(case: Case, variant: V, drawn, directions, step: float) -> list[np.ndarray] | None:
    """The derivative along ``directions`` by central differences of the reference, in float64; None
    without a reference.

    Functions that only move elements are differenced with the wheel in float64.
    """

    def at(sign: float):
        moved = [
            x if d is None else np.asarray(x, np.float64) + sign * step * d
            for (x, _), d in zip(drawn, directions, strict=False)
        ]
        if case.ref is not None:
            return reference(case, moved, variant)
        arrays = [
            values.to_array(wheel, x, n if d is None else "float64")
            for x, (_, n), d in zip(moved, drawn, directions, strict=False)
        ]
        result = outcome(lambda: case.run(wheel, arrays, variant))
        return None if result.error else [x for _, x in result.leaves]

    above, below = at(1.0), at(-1.0)
    if above is None or below is None:
        return None
    with np.errstate(invalid="ignore"):
        # Infinities that stay do not move.
        return [
            np.where(a == b, 0.0, (np.asarray(a, np.float64) - np.asarray(b, np.float64)) / (2 * step))
            for a, b in zip(above, below, strict=False)
        ]


@pytest.mark.parametrize("case", differentiated_cases, ids=[c.label for c in differentiated_cases])
def test_derivatives(case: Case) -> None:
    """vjp against central differences, jvp against vjp, checkpoint against vjp; without a derivative, what
    the wheel does.
    """
    failures = Failures()
    if case.nondiff:
        check_without_derivative(case, failures)
    elif case.diff:
        for name in [n for n in ("float32", "float64", "bfloat16") if n in case.dtypes]:
            alone = [((),) * len(case.domains), ((0,),) * len(case.domains)] if case.elementwise else []
            for shapes in shapes_of(case) + (alone if name == "float32" and target.IS_MICA else []):
                for variant in case.variants if LONG else case.variants[:8]:
                    if case.name == "std" and variant.kwargs.get("axis") == ():
                        continue  # sqrt has no derivative at 0
                    check_derivative(case, name, shapes, variant, failures)
    if failures.checked:
        failures.raise_any()


def check_without_derivative(case: Case, failures: Failures) -> None:
    """Zeros of the argument's shape, or an error of the wheel's class."""
    if "float32" not in case.dtypes:
        return
    shapes, variant = shapes_of(case, 1)[0], case.variants[0]
    drawn = arguments(case, shapes, "float32")

    def gradients(module):
        arrays = [values.to_array(module, x, n) for x, n in drawn]
        outputs = leaves_of(case.run(module, arrays, variant))
        ones = [module.ones_like(out) for out in outputs]
        return module.vjp(lambda *args: case.run(module, args, variant), arrays, ones)[1]

    got, want = outcome(lambda: gradients(mx)), outcome(lambda: gradients(wheel))
    label = f"vjp {case.name}{variant} float32 {shapes}"
    failures.checked += 1
    if want.error is not None:
        # mica may give zeros where the wheel has no rule.
        if got.error is not None and got.error_class is not want.error_class:
            failures.add(
                label,
                f"{type(got.error).__name__}: {str(got.error)[:120]}, "
                f"expected {type(want.error).__name__} or zeros",
            )
        return
    if got.error is not None:
        failures.add(label, f"{type(got.error).__name__}: {str(got.error)[:200]}")
        return
    for (name, x), (_, y) in zip(got.leaves, want.leaves, strict=True):
        message = compare_values(x, y, name, 4, True)
        if message:
            failures.add(label, message)


def check_derivative(case: Case, name: str, shapes, variant: V, failures: Failures) -> None:
    """One dtype, one set of shapes, one way to call."""
    label = f"{case.name}{variant} {name} {shapes}"
    drawn = arguments(case, shapes, name, domains=case.grad_domains)
    layout = layout_of(case, "vjp", name, shapes, str(variant))
    label += f" {layout}"
    arrays = arrays_of(drawn, layout)
    same_bits = target.IS_MICA
    if outcome(lambda: case.run(mx, arrays, variant)).error is not None:
        return
    outputs = [out for out in leaves_of(case.run(mx, arrays, variant))]
    if not target.IS_MICA and any(out.size == 0 for out in outputs):
        return  # the wheel may never return from a sum over nothing
    kinds = [values.dtype_name(out.dtype) for out in outputs]
    if not all(kind in values.FLOATS for kind in kinds):
        return
    rng = np.random.default_rng(values.seed_of("direction", label))
    cotangents = [
        values.quantized(rng.uniform(0.5, 1.5, out.shape) * rng.choice([-1, 1], out.shape), kind)
        for out, kind in zip(outputs, kinds, strict=False)
    ]
    seeds = [values.to_array(mx, c, kind) for c, kind in zip(cotangents, kinds, strict=False)]
    failures.checked += 1

    def function(*some):
        full = list(arrays)
        for i, value in zip(case.diff, some, strict=False):
            full[i] = value
        return case.run(mx, full, variant)

    inputs = [arrays[i] for i in case.diff]
    got = outcome(lambda: mx.vjp(function, inputs, seeds)[1])
    if got.error is not None:
        if target.IS_MICA or not differences.wheel_lacks("vjp", got.error):
            failures.add(f"vjp {label}", f"{type(got.error).__name__}: {str(got.error)[:200]}")
        return
    for i, (kind, x) in zip(case.diff, got.leaves, strict=False):
        if kind != drawn[i][1] or x.shape != np.shape(drawn[i][0]):
            failures.add(
                f"vjp {label}",
                f"argument {i}: {kind}{x.shape}, expected {drawn[i][1]}{np.shape(drawn[i][0])}",
            )
            return
    loose = {"float32": 3e-4, "float64": 2e-6 if target.IS_MICA else 2e-4, "bfloat16": 0.25, "float16": 0.01}[
        name
    ]
    if differences.rough_gradient(case.name) and not target.IS_MICA:
        loose *= 100
    for _trial in range(2):
        directions: list[np.ndarray | None] = [None] * len(drawn)
        for i in case.diff:
            directions[i] = values.quantized(rng.uniform(-1, 1, np.shape(drawn[i][0])), name)
        wanted = difference_quotient(case, variant, drawn, directions, 1e-5 if case.ref is not None else 1e-3)
        along = [directions[i] for i in case.diff]
        backward = pairing([x for _, x in got.leaves], along)
        size = (
            sum(
                np.sum(np.abs(np.asarray(x, np.float64) * d))
                for (_, x), d in zip(got.leaves, along, strict=False)
            )
            + 1e-2
        )
        if wanted is not None:
            forward = pairing(cotangents, wanted)
            if not abs(forward - backward) <= loose * size:
                failures.add(
                    f"vjp {label}",
                    f"along a direction {backward:.9g}, difference quotient {forward:.9g} (size {size:.3g})",
                )
                return
        if name == "bfloat16" or differences.wheel_errs("jvp", case.name):
            continue
        tangents = [values.to_array(mx, d, name) for d in along]
        pushed = outcome(lambda: mx.jvp(function, inputs, tangents)[1])
        if pushed.error is not None:
            if target.IS_MICA or not differences.wheel_lacks("jvp", pushed.error):
                failures.add(f"jvp {label}", f"{type(pushed.error).__name__}: {str(pushed.error)[:200]}")
            break
        forward = pairing(cotangents, [x for _, x in pushed.leaves])
        if not abs(forward - backward) <= loose * size:
            failures.add(f"jvp {label}", f"{forward:.9g}, vjp gives {backward:.9g} (size {size:.3g})")
            return
    again = outcome(lambda: mx.vjp(mx.checkpoint(function), inputs, seeds)[1])
    if again.error is not None:
        failures.add(f"checkpoint {label}", f"{type(again.error).__name__}: {str(again.error)[:200]}")
        return
    for (_, x), (_, y) in zip(again.leaves, got.leaves, strict=True):
        if not np.allclose(
            x, y, rtol=0 if same_bits else 1e-5, atol=0 if same_bits else 1e-5, equal_nan=True
        ):
            failures.add(f"checkpoint {label}", "gradients differ from those without")
            return
