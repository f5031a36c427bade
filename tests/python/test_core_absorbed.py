"""Habits that the engine takes away: the same bits as the good form, by the same operations."""

from __future__ import annotations

import io

import numpy as np
import pytest

from tests.ops.target import mx

pytestmark = pytest.mark.mica_only
HALVES = (mx.bfloat16, mx.float16)


def operations(*arrays) -> str:
    """The names of the operations that arrays wait for."""
    text = io.StringIO()
    mx.export_to_dot(text, *arrays)
    return text.getvalue().lower()


@pytest.mark.parametrize("dtype", HALVES, ids=str)
@pytest.mark.parametrize("weight", (None, "half", "float32"))
@pytest.mark.parametrize("shape", ((5, 64), (2, 5000)))
def test_casts_around_norms(dtype, weight, shape) -> None:
    """float32 around a norm or softmax of halves: no cast is run, and the bits are those of the chain."""
    x = (mx.random.normal(shape, key=mx.random.key(1)) * 3).astype(dtype)
    w = mx.random.normal(shape[-1:], key=mx.random.key(2))
    w = {None: None, "half": w.astype(dtype), "float32": w}[weight]
    mx.eval(x, w)
    wide = lambda: x.astype(mx.float32)  # noqa: E731
    for make in (
        lambda: mx.fast.rms_norm(wide(), w, 1e-5),
        lambda: mx.fast.layer_norm(wide(), w, None, 1e-5),
        lambda: mx.fast.layer_norm(wide(), w, w, 1e-5),
        lambda: mx.softmax(wide(), axis=-1),
    ):
        step_by_step = make()
        mx.eval(step_by_step)
        want = step_by_step.astype(dtype)
        folded = make().astype(dtype)
        if weight != "half":
            assert "astype" not in operations(folded)
        assert folded.dtype == dtype and bytes(folded) == bytes(want)
        assert bytes(mx.compile(lambda: make().astype(dtype))()) == bytes(want)  # noqa: B023


def test_casts_that_stay() -> None:
    """A float32 result, another type, and what is differentiated."""
    x = mx.random.normal((4, 32)).astype(mx.bfloat16)
    mx.eval(x)
    norm = mx.fast.rms_norm(x.astype(mx.float32), None, 1e-5)
    assert norm.dtype == mx.float32 and "astype" in operations(norm)
    assert "astype" in operations(norm.astype(mx.float16))
    loss = lambda v: mx.fast.rms_norm(v.astype(mx.float32), None, 1e-5).astype(v.dtype).sum()  # noqa: E731
    g, h = mx.grad(loss)(x), mx.compile(mx.grad(loss))(x)
    assert g.dtype == mx.bfloat16 and bytes(g) == bytes(h)


@pytest.mark.parametrize("axis", (0, 1, -1))
@pytest.mark.parametrize("count", (2, 5))
@pytest.mark.parametrize("join", ("concatenate", "stack"))
def test_copies_of_one_array(join: str, axis: int, count: int) -> None:
    """concatenate([a] * n) and stack([a] * n) repeat without joining."""
    a = mx.arange(6.0).reshape(2, 3)
    for x in (a, a[:1], a[:, :1], mx.zeros((2, 0))):
        result = getattr(mx, join)([x] * count, axis=axis)
        assert "concatenate" not in operations(result)
        assert np.array_equal(np.array(result), getattr(np, join)([np.array(x)] * count, axis=axis))
        vmapped = mx.vmap(lambda v: getattr(mx, join)([v] * count, axis=0))(x)
        assert np.array_equal(np.array(vmapped), getattr(np, join)([np.array(x)] * count, axis=1))
    f = lambda v: (getattr(mx, join)([v] * count, axis=axis) ** 2).sum()  # noqa: E731
    assert np.allclose(np.array(mx.grad(f)(a)), 2 * count * np.array(a))


def test_memory_of_copies() -> None:
    """An axis of size 1 is repeated without memory."""
    a = mx.zeros((1, 100_000)) + 1
    mx.eval(a)
    mx.reset_peak_memory()
    before = mx.get_active_memory()
    total = mx.concatenate([a] * 100).sum()
    mx.eval(total)
    assert total.item() == 1e7 and mx.get_peak_memory() - before < 10_000_000


def test_single_writes_share_memory() -> None:
    """A loop of writes into an array that nobody else holds takes its memory once."""
    x = mx.zeros((100_000,)) + 0.0
    mx.eval(x)
    mx.reset_peak_memory()
    before = mx.get_active_memory()
    for i in range(200):
        x[i] = i
    mx.eval(x)
    assert x[199].item() == 199.0 and mx.get_peak_memory() - before < 3 * 400_000
