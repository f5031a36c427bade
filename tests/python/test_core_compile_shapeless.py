"""compile(shapeless=True): one trace for all sizes, results of plain calls."""

from __future__ import annotations

import numpy as np
import pytest

from tests.ops.target import mx

pytestmark = pytest.mark.mica_only


def counted(function):
    """``function`` compiled for any shape, and a list that grows with each trace."""
    traces: list[int] = []

    def traced(*args, **kwargs):
        traces.append(1)
        return function(*args, **kwargs)

    return mx.compile(traced, shapeless=True), traces


def same(got, want) -> bool:
    """Equal types, shapes and bits."""
    return got.dtype == want.dtype and got.shape == want.shape and bytes(got) == bytes(want)


def matrix(n: int, m: int = 4) -> mx.array:
    """Numbers between -1 and 1."""
    return mx.sin(mx.arange(float(n * m)).reshape(n, m))


def wrote(x):
    """A write into an argument and one into a result."""
    x[0] = 1.0
    y = x * 2
    y[:, 1] += 3.0
    return y


ONCE = {
    "element-wise": lambda x: mx.exp(x * 2 + 1) - x**2 / (1.5 + abs(x)),
    "comparison": lambda x: mx.where(x > 0, x, -x),
    "mean": lambda x: (x - x.mean(0)) / (x.std(0) + 1e-3),
    "softmax": lambda x: mx.softmax(x, axis=0),
    "flatten": lambda x: mx.flatten(x),
    "reshape": lambda x: x.reshape(-1),
    "slice": lambda x: x[:2] * 2,
    "steps": lambda x: x[::-1, ::2],
    "last": lambda x: x[-1],
    "index array": lambda x: x[mx.array([0, 1, 0])],
    "cumsum": lambda x: mx.cumsum(x, axis=0),
    "sort": lambda x: mx.sort(x, axis=0),
    "topk": lambda x: mx.topk(x, 2, axis=0),
    "concatenate": lambda x: mx.concatenate([x, x * 2]),
    "stack": lambda x: mx.stack([x, -x], axis=1),
    "transpose": lambda x: x.T @ x,
    "zeros_like": lambda x: mx.zeros_like(x) + x,
    "tile": lambda x: mx.tile(x, (2, 1)),
    "repeat": lambda x: mx.repeat(x, 2, axis=0),
    "fft": lambda x: mx.abs(mx.fft.fft(x, axis=0)),
    "roll": lambda x: mx.roll(x, 1, axis=0),
    "split": lambda x: mx.split(mx.concatenate([x, x]), 2)[1],
    "split method": lambda x: x.split([1])[1] * 2,
    "pad": lambda x: mx.pad(x, ((1, 0), (0, 2)), constant_values=3.0),
    "tensordot": lambda x: mx.tensordot(x, x, axes=[[1], [1]]),
    "conv": lambda x: mx.conv_general(x[None], mx.ones((2, 3, 4)), padding=1),
    "einsum": lambda x: mx.einsum("ij,kj->ik", x, x),
    "nested lists": lambda x: mx.array([[1.0, 2.0, 3.0, 4.0]]) + mx.addmm(x, x, mx.ones((4, 4))),
    "at": lambda x: x.at[0].add(1.0),
    "write": wrote,
    "rms_norm": lambda x: mx.fast.rms_norm(x, None, 1e-5),
    "view": lambda x: x.view(mx.int32),
    "gradient": lambda x: mx.grad(lambda y: (mx.sin(y) * y).mean())(x),
    "second derivative": lambda x: mx.grad(lambda y: mx.grad(lambda z: (z**3).mean())(y).sum())(x),
    "jvp": lambda x: mx.jvp(mx.tanh, [x], [x * x])[1][0],
    "vmap": lambda x: mx.vmap(lambda row: row / row.sum())(x),
    "captured": lambda x: x + mx.array([1.0, 2.0, 3.0, 4.0]),
}


@pytest.mark.parametrize("name", ONCE)
def test_one_trace(name: str) -> None:
    """One trace serves all sizes, with the bits of plain calls; the first size again is found."""
    function = ONCE[name]
    compiled, traces = counted(lambda x: function(x + 0))
    for n in (3, 5, 2, 8, 3):
        assert same(compiled(matrix(n)), function(matrix(n) + 0)), n
    assert len(traces) == 1


def test_sizes_that_are_read() -> None:
    """A size that Python code asks for belongs to the signature; sizes of other arguments do not."""
    compiled, traces = counted(lambda x, y: x.sum() * y.shape[0] + y.sum())
    for n, m, count in ((3, 3, 1), (4, 3, 1), (4, 5, 2), (9, 3, 2), (8, 5, 2)):
        x, y = mx.ones((n,)), mx.ones((m,))
        assert compiled(x, y).item() == n * m + m
        assert len(traces) == count


@pytest.mark.parametrize(
    "function",
    (
        lambda x: x * len(x),
        lambda x: sum(row.sum() for row in x),
        lambda x: mx.full(x.shape, 2.0) + x,
        lambda x: (x * 2).reshape(x.shape[0] * 2, -1),
        lambda x: mx.broadcast_to(x.sum(), (x.size,)),
        lambda x: mx.checkpoint(lambda y: y * 2)(x).sum() * x.nbytes,
    ),
)
def test_results_follow_sizes(function) -> None:
    """However sizes enter, the results are those of plain calls."""
    compiled, _ = counted(function)
    for n in (2, 3, 7, 2):
        assert same(compiled(matrix(n)), function(matrix(n)))


def test_dimensions_and_types_trace_again() -> None:
    """As in the reference."""
    compiled, traces = counted(lambda x: x.sum(0) * 2)
    for x, count in (
        (mx.ones((3,)), 1),
        (mx.ones((4,)), 1),
        (mx.ones((4, 2)), 2),
        (mx.ones((5,), mx.int32), 3),
    ):
        assert same(compiled(x), x.sum(0) * 2)
        assert len(traces) == count


def test_numbers() -> None:
    """Numbers stay inputs for every size; pinned ones stay part of the signature."""
    compiled, traces = counted(lambda x, a, n: x * a + (1 if n > 2 else 0))
    for size in (2, 3):
        for a in (0.5, 1.5):
            for n in (1, 5):
                x = mx.arange(float(size))
                assert same(compiled(x, a, n), x * a + (1 if n > 2 else 0))
    assert len(traces) <= 3  # once to find that n is pinned


def test_state() -> None:
    """Containers are read and written for every size."""
    state = {"total": mx.array(0.0)}

    def add(x):
        state["total"] = state["total"] + x.sum()
        return x * state["total"]

    compiled = mx.compile(add, inputs=state, outputs=state, shapeless=True)
    total = 0.0
    for n in (2, 3, 4, 2):
        total += n
        assert compiled(mx.ones((n,))).tolist() == [total] * n
        assert state["total"].item() == total


def test_random_state() -> None:
    """Draws from a state that is named advance, for every size, as in plain calls."""
    traces = []

    def noisy(x):
        traces.append(1)
        return x + mx.random.uniform(shape=(1,)) * mx.random.normal((1,))

    f = mx.compile(noisy, inputs=mx.random.state, outputs=mx.random.state, shapeless=True)
    mx.random.seed(5)
    got = [f(mx.ones((n,))).tolist() for n in (2, 3, 4, 2)]
    assert len(traces) == 1
    mx.random.seed(5)
    assert got == [noisy(mx.ones((n,))).tolist() for n in (2, 3, 4, 2)]


def test_wrong_sizes_are_told() -> None:
    """Errors are those of the plain call."""
    compiled, _ = counted(lambda x, y: x + y)
    compiled(mx.ones((3,)), mx.ones((3,)))
    with pytest.raises(ValueError, match="broadcast"):
        compiled(mx.ones((3,)), mx.ones((4,)))
    assert np.array_equal(np.array(compiled(mx.ones((3,)), mx.ones((1,)))), [2.0] * 3)


def test_swallowed_errors() -> None:
    """A function that catches an error of one size is traced for the next."""

    def function(x):
        try:
            return x.reshape(2, 2)
        except ValueError:
            return x

    compiled, _ = counted(function)
    for n in (3, 4, 5, 4):
        assert compiled(mx.ones((n,))).shape == ((2, 2) if n == 4 else (n,))
