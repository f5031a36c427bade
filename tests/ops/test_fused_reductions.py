"""Reductions that take their elements from the running tape: the bits of stepwise evaluation, for all types,
layouts and sizes, on one and two threads, and without the memory of what is reduced.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys

import mica.doctor
import numpy as np
import pytest

from tests.ops import target, values
from tests.ops.target import mx

pytestmark = pytest.mark.skipif(not target.IS_MICA, reason="how the reference evaluates is its own")

DTYPES = ("float32", "float16", "bfloat16", "float64", "complex64", "int8", "uint32", "int64", "bool_")
# Around the sizes of blocks (1024), chunks (1024) and segments (16384) of the kernels.
SHAPES = (
    ((7,), (0,)),
    ((1025,), (0,)),
    ((40001,), (0,)),
    ((3, 1023), (1,)),
    ((70, 33), (1,)),
    ((33, 70), (0,)),
    ((2100, 5), (0,)),
    ((1030, 300), (0,)),
    ((3, 2, 16390), (2,)),
    ((5, 40, 37), (1,)),
    ((37, 5, 40), (0, 2)),
    ((6, 11, 70), (0, 1, 2)),
    ((1, 1), (0, 1)),
)
REDUCTIONS = ("sum", "prod", "max", "min", "all", "any", "mean", "var")


def numbers(shape: tuple[int, ...], dtype: str, seed: int) -> np.ndarray:
    """Values near one, both signs, with zeros of both signs among them."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.75, 1.25, shape) * rng.choice([-1, 1], shape)
    x.reshape(-1)[:: max(3, x.size // 5)] *= 0
    if dtype == "complex64":
        return x + 1j * rng.uniform(-1, 1, shape)
    if dtype == "bool_":
        return x > 0
    return x if "float" in dtype else np.abs(np.round(3 * x))


def arrays(shape: tuple[int, ...], dtype: str, layout: str) -> list:
    """Two operands of a shape that lie in memory as the layout says."""
    made = []
    for seed in range(2):
        if layout == "transposed":
            made.append(values.to_array(mx, numbers(shape[::-1], dtype, seed), dtype).T)
        elif layout == "mixed" and seed:
            made.append(values.to_array(mx, numbers(shape[::-1], dtype, seed), dtype).T)
        elif layout == "strided":
            whole = values.to_array(mx, numbers((*shape[:-1], 2 * shape[-1]), dtype, seed), dtype)
            made.append(whole[..., ::-2])
        elif layout == "broadcast":
            one = values.to_array(mx, numbers((*shape[:-1], 1), dtype, seed), dtype)
            made.append(mx.broadcast_to(one, shape))
        else:
            made.append(values.to_array(mx, numbers(shape, dtype, seed), dtype))
    mx.eval(made)
    return made


def chain(x, y):
    """Element-wise work in the operands' type."""
    if x.dtype == mx.bool_:
        return x != y
    return x * y + x


def stepwise(name: str, x, axes: tuple[int, ...]):
    """The reduction of an evaluated array."""
    mx.eval(x)
    return getattr(mx, name)(x, axis=axes)


@pytest.mark.parametrize("layout", ["contiguous", "transposed", "mixed", "strided", "broadcast"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_bits(dtype: str, layout: str) -> None:
    for shape, axes in SHAPES:
        x, y = arrays(shape, dtype, layout)
        for name in REDUCTIONS:
            wanted = values.bits(stepwise(name, chain(x, y), axes))
            fused = getattr(mx, name)(chain(x, y), axis=axes)
            assert values.bits(fused) == wanted, (name, shape, axes)
            held = chain(x, y)
            fused = getattr(mx, name)(held, axis=axes)
            assert values.bits(fused) == wanted, (name, shape, axes, "held")
            assert values.bits(held) == values.bits(chain(x, y)), (name, shape, axes, "held")


SUMS_ON_THREADS = """
import hashlib
import mica.core as mx
digest = hashlib.sha1()
for shape in ((1 << 18,), (513, 777), (3000, 40), (40, 3000), (5, 70, 300)):
    x, y = (mx.random.normal(shape, key=mx.random.key(i)) for i in range(2))
    mx.eval(x, y)
    for axis in (None, 0, len(shape) - 1):
        for dtype in (mx.float32, mx.bfloat16, mx.float64):
            a, b = x.astype(dtype), y.astype(dtype)
            found = [mx.sum(a * b + a, axis=axis), mx.max(a - b, axis=axis), mx.mean((a - b) ** 2, axis=axis)]
            found += [mx.sum(a.T * a.T, axis=axis), mx.any(a > b, axis=axis)]
            for r in found:
                digest.update(repr(r.astype(mx.float32).tolist()).encode())
print(digest.hexdigest())
"""


def test_threads_and_fusion_give_the_same_bits() -> None:
    """In a process each: with one thread, with two and with five, and without fusion."""
    found = set()
    for settings in ({"MICA_THREADS": "1"}, {"MICA_THREADS": "2"}, {"MICA_THREADS": "5"}, {"MICA_FUSE": "0"}):
        result = subprocess.run(
            [sys.executable, "-c", SUMS_ON_THREADS],
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert result.returncode == 0, result.stderr
        found.add(result.stdout)
    assert len(found) == 1


@pytest.fixture(name="taken")
def taken_memory():
    """Measures how many bytes beyond what was active an evaluation takes."""
    limit = mx.get_memory_limit()

    def taken(*results) -> int:
        gc.collect()
        before = mx.get_active_memory()
        mx.reset_peak_memory()
        mx.eval(*results)
        return max(mx.get_peak_memory() - before, 0)

    yield taken
    mx.set_memory_limit(limit)


SMALL = 256 * 1024  # registers of a few threads, partial results


def test_what_is_reduced_takes_no_memory(taken) -> None:
    x, y = (mx.random.normal((1024, 2048), key=mx.random.key(i)) for i in range(2))
    mx.eval(x, y)
    for axis in (None, 0, 1):
        results = [  # not inside of the assertion, which holds what it shows
            mx.sum(mx.exp(x), axis=axis),
            mx.mean(mx.square(x - y), axis=axis),
            mx.max(mx.abs(x.astype(mx.float16)), axis=axis),
            mx.all(x > y, axis=axis),
            mx.compile(lambda x, axis=axis: mx.sum(mx.exp(x), axis=axis))(x),
        ]
        for i, result in enumerate(results):
            assert taken(result) <= SMALL, (axis, i)


def test_what_is_held_is_written_once(taken) -> None:
    """An intermediate that a name holds is one more result of the tape."""
    x = mx.random.normal((1 << 20,))
    mx.eval(x)
    y = mx.exp(x)
    total = mx.sum(y)
    assert x.nbytes <= taken(total) <= x.nbytes + SMALL
    assert taken(y) == 0


def test_broadcast_operand(taken) -> None:
    """2^28 elements of one number are never laid out: 1 GiB does not fit."""
    one = mx.array(0.5)
    count = 1 << 28
    mx.set_memory_limit(mx.get_active_memory() + (1 << 20))
    total = mx.sum(mx.square(mx.broadcast_to(one, (count,))))
    assert taken(total) <= 1 << 20
    assert total.item() == count / 4


def test_gradients_and_batches_of_fused_reductions() -> None:
    x, y = (mx.random.normal((33, 65), key=mx.random.key(i)) for i in range(2))

    def loss(x, y):
        return mx.mean(mx.square(mx.exp(x) - y), axis=-1)

    value, grad = mx.value_and_grad(lambda x: loss(x, y).sum())(x)
    mx.eval(value, grad)  # together: the sum and what the derivative keeps come from one tape
    d = mx.exp(x) - y
    mx.eval(d)
    assert mx.allclose(grad, 2 / 65 * d * mx.exp(x), rtol=1e-5, atol=1e-6)
    batched = mx.vmap(loss)(x, y)
    each = mx.stack([loss(x[i], y[i]) for i in range(33)])
    assert values.bits(batched) == values.bits(each) == values.bits(loss(x, y))
    _, tangent = mx.jvp(lambda x: loss(x, y).sum(), [x], [mx.ones_like(x)])
    assert mx.allclose(tangent[0], grad.sum(), rtol=1e-4)


def test_several_reductions_of_one_tape(taken) -> None:
    """One of them is taken from the tape; the others read what it wrote."""
    x = mx.random.normal((300, 1000))
    mx.eval(x)
    e = mx.exp(x)
    found = [mx.sum(e), mx.max(e, axis=0), mx.min(e * 2, axis=1), mx.sum(e, axis=1)]
    del e
    assert taken(*found) <= x.nbytes + SMALL
    e = mx.exp(x)
    mx.eval(e)
    wanted = [mx.sum(e), mx.max(e, axis=0), mx.min(e * 2, axis=1), mx.sum(e, axis=1)]
    for a, b in zip(found, wanted, strict=True):
        assert values.bits(a) == values.bits(b)


def test_plan_shows_one_step() -> None:
    """`explain` counts the operands alone, and one step for chain, sum and reshape."""
    x, y = mx.random.normal((1 << 16,)), mx.random.normal((1 << 16,))
    mx.eval(x, y)
    plan = mica.doctor.explain(lambda: mx.sum(mx.square(x - y)))
    step = next(s for s in plan.steps if "sum" in s.nodes)
    assert step.nodes == ["subtract", "square", "sum"]
    assert step.read == x.nbytes + y.nbytes and step.written <= 8


def test_out_of_memory(taken) -> None:
    """What did not fit is there on the next try."""
    x = mx.random.normal((1 << 20,))
    mx.eval(x)
    y = mx.exp(x)
    total = mx.sum(y)
    mx.set_memory_limit(mx.get_active_memory() + x.nbytes // 2)
    with pytest.raises(MemoryError):
        mx.eval(total)
    mx.set_memory_limit(mx.get_active_memory() + 4 * x.nbytes)
    assert taken(total) >= x.nbytes
    mx.eval(y)
    assert values.bits(total) == values.bits(mx.sum(y))
