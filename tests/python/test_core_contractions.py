"""What the matrix cannot say of einsum, unique, cross entropy and the gated delta rule: messages, memory that
runs out, faults of the data, derivatives of derivatives.
"""

from __future__ import annotations

from collections.abc import Callable

import mica.core as mx
import numpy as np
import pytest

RNG = np.random.default_rng(0)


def normal(*shape: int) -> mx.array:
    """The same numbers in each run of the file."""
    return mx.array(RNG.standard_normal(shape, dtype=np.float32))


@pytest.mark.parametrize(
    ("subscripts", "shapes", "message"),
    [
        ("ij,jk", [(2, 3)], r"\[einsum\] Number of operands, 1, does not match .* 2"),
        ("ijk", [(2, 3)], r"subscripts 3 for input 0 with 2 dimensions"),
        ("ij,jk", [(2, 3), (4, 5)], r"dimension 0 of input 1 with shape \(4, 5\) to size 3"),
        ("ij->ii", [(2, 3)], r"Repeat indices not allowed in output"),
        ("ij->ik", [(2, 3)], r"subscript 'k' is in no input of 'ij->ik'"),
        ("i1", [(2, 3)], r"must be letters, but got '1'"),
        ("é", [(2,)], r"must be letters, but got 'é'"),
        ("i......", [(2, 3)], r"must be letters, but got '.'"),
        ("ii", [(2, 3)], r"input 0 with shape \(2, 3\)|Cannot broadcast"),
        ("", [], r"At least one operand"),
    ],
)
def test_einsum_says_what_is_wrong(subscripts: str, shapes: list, message: str) -> None:
    """ValueError, before anything is computed, from einsum and einsum_path."""
    operands = [mx.zeros(shape) for shape in shapes]
    for function in (mx.einsum, mx.einsum_path):
        with pytest.raises(ValueError, match=message.replace("einsum", function.__name__)):
            function(subscripts, *operands)


def test_einsum_arguments() -> None:
    """Text, then arrays."""
    a = mx.ones((2, 2))
    for call in (
        lambda: mx.einsum(),
        lambda: mx.einsum(a, a),
        lambda: mx.einsum("ij", [1.0]),
        lambda: mx.einsum("i", 1),
    ):
        with pytest.raises(TypeError, match=r"\[einsum\]"):
            call()
    with pytest.raises(TypeError, match=r"\[einsum_path\] operand 0 is of type int"):
        mx.einsum_path("i", 1)
    assert mx.einsum("ij->", a, stream=mx.cpu).item() == 4


def test_einsum_of_many_operands() -> None:
    """Hundreds of operands neither recurse nor take for ever; 32 axes are the most."""
    vectors = [mx.full((2,), 1.0) for _ in range(400)]
    assert mx.einsum(",".join("i" * 400) + "->i", *vectors).tolist() == [1.0, 1.0]
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN"
    with pytest.raises(ValueError, match="32 subscripts"):
        mx.einsum(f"{','.join(letters)}->{letters}", *[mx.ones(1) for _ in letters])
    assert mx.einsum("...->...", mx.ones((1,) * 32)).ndim == 32


def test_einsum_path_prefers_the_cheap_order() -> None:
    """The plan of a chain of matrices, and its cost."""
    a, b, c = mx.zeros((100, 2)), mx.zeros((2, 100)), mx.zeros((100, 3))
    path, text = mx.einsum_path("ij,jk,kl->il", a, b, c)
    assert path == [(1, 2), (0, 1)]
    assert "Naive FLOP count:  180000" in text and "Optimized FLOP count:  2400" in text


def test_einsum_costs_no_copies() -> None:
    """Products of matrices in any order of axes are read where they lie."""
    a, b = normal(64, 48), normal(48, 32)
    mx.eval(a, b)
    for subscripts, x, y in (("ij,jk->ik", a, b), ("ij,jk->ki", a, b), ("ji,kj->ik", a.T, b.T)):
        mx.clear_cache()
        mx.reset_peak_memory()
        before = mx.get_active_memory()
        result = mx.einsum(subscripts, x, y)
        mx.eval(result)
        assert mx.get_peak_memory() - before <= 2 * result.nbytes + 65536


# ---- faults of the data ----


@pytest.mark.parametrize("target", [3, -4, 100])
def test_target_out_of_range(target: int) -> None:
    """IndexError where the loss or its gradient is evaluated; the call itself succeeds."""
    logits, targets = normal(4, 3), mx.array([0, 1, target, 2])
    loss = mx.fast.cross_entropy(logits, targets)
    with pytest.raises(IndexError, match=rf"\[cross_entropy\] target {target} is out of range for 3 classes"):
        mx.eval(loss)
    gradient = mx.grad(lambda x: mx.fast.cross_entropy(x, targets).sum())(logits)
    with pytest.raises(IndexError, match="cross_entropy"):
        mx.eval(gradient)
    assert mx.fast.cross_entropy(logits, mx.array([0, 1, -1, 2])).shape == (4,)


def test_cross_entropy_of_infinities() -> None:
    """Classes that are ruled out, also a whole chunk of them, leave the loss finite."""
    x = np.full((1, 3000), -np.inf, np.float32)
    x[0, 2500:2502] = 1.0
    assert mx.fast.cross_entropy(mx.array(x), mx.array([2500])).item() == pytest.approx(np.log(2))
    assert mx.fast.cross_entropy(mx.array(x), mx.array([0])).item() == np.inf
    assert np.isnan(mx.fast.cross_entropy(mx.array([[np.nan, 1.0]]), mx.array([1])).item())


# ---- derivatives of derivatives ----


def quotient(function: Callable, x: mx.array, direction: mx.array, step: float) -> np.ndarray:
    """The central difference of an array-valued function."""
    return (np.array(function(x + step * direction)) - np.array(function(x - step * direction))) / (2 * step)


def test_cross_entropy_twice() -> None:
    """Gradients of gradients, by reverse and by forward mode."""
    x, targets = mx.array(RNG.standard_normal((3, 5)), dtype=mx.float64), mx.array([0, 4, 2])
    weights, v = mx.array(RNG.standard_normal((2, 3, 5)), dtype=mx.float64)
    gradient = mx.grad(lambda x: (mx.fast.cross_entropy(x, targets) ** 2).sum())
    want = quotient(gradient, x, v, 1e-4)
    (forward,) = mx.jvp(gradient, [x], [v])[1]
    np.testing.assert_allclose(np.array(forward), want, rtol=1e-3, atol=1e-3)
    reverse = mx.grad(lambda x: (gradient(x) * weights).sum())(x)
    np.testing.assert_allclose(
        (np.array(reverse) * np.array(v)).sum(), (want * np.array(weights)).sum(), rtol=1e-3
    )


def test_gated_delta_twice() -> None:
    """The derivative's kernel has derivatives."""
    double = mx.float64
    q, k, v = (mx.array(RNG.standard_normal((1, 4, 1, 3)) / 2, dtype=double) for _ in range(3))
    gamma, beta = (mx.array(RNG.uniform(0.2, 0.9, (1, 4, 1)), dtype=double) for _ in range(2))
    direction = mx.array(RNG.standard_normal(k.shape), dtype=double)

    def gradient(k: mx.array) -> mx.array:
        return mx.grad(lambda k: (mx.fast.gated_delta_update(q, k, v, gamma, beta)[0] ** 2).sum())(k)

    want = quotient(gradient, k, direction, 1e-5)
    (forward,) = mx.jvp(gradient, [k], [direction])[1]
    np.testing.assert_allclose(np.array(forward), want, rtol=1e-6, atol=1e-8)
    reverse = mx.grad(lambda k: (gradient(k) * direction).sum())(k)
    np.testing.assert_allclose(
        (np.array(reverse) * np.array(direction)).sum(), (want * np.array(direction)).sum(), rtol=1e-6
    )


def test_gated_delta_shapes() -> None:
    """Each argument is named in what is raised."""
    q, v, g = mx.ones((1, 2, 2, 3)), mx.ones((1, 2, 4, 5)), mx.ones((1, 2, 4))
    update = mx.fast.gated_delta_update
    for arguments, message in (
        ((q[0], q, v, g, g), "q must have 4 dimensions"),
        ((q, q[:, :1], v, g, g), "k has shape"),
        ((q, q, v[:, :1], g, g), "agree in batch and time"),
        ((q, q, mx.ones((1, 2, 3, 5)), g, g), "multiple"),
        ((q, q, v, g[:, :1], g), "gamma has shape"),
        ((q, q, v, g, mx.ones((1, 2, 3))), "beta has shape"),
        ((q, q, v, g, g, mx.ones((1, 4, 3, 5))), "initial_state has shape"),
        ((q, q, v, g, g, None, mx.ones((2,))), "mask has shape"),
    ):
        with pytest.raises(ValueError, match=message):
            update(*arguments)
    out, state = update(q[:, :0], q[:, :0], v[:, :0], g[:, :0], g[:, :0], mx.full((1, 4, 5, 3), 2.0))
    assert out.shape == (1, 0, 4, 5) and mx.all(state == 2).item()


def test_same_bits_for_any_number_of_threads_and_masks() -> None:
    """A mask of ones changes nothing; long sequences cross the segments of the derivative."""
    q, k, v = (normal(2, 70, 2, 20) / 4 for _ in range(3))
    gamma, beta = (mx.sigmoid(normal(2, 70, 2)) for _ in range(2))

    def loss(q, k, v, gamma, beta, mask=None):
        out, state = mx.fast.gated_delta_update(q, k, v, gamma, beta, None, mask)
        return (out * out).sum() + state.sum()

    every = tuple(range(5))
    plain = mx.grad(loss, argnums=every)(q, k, v, gamma, beta)
    masked = mx.grad(loss, argnums=every)(q, k, v, gamma, beta, mx.ones((2, 70)))
    assert all(mx.array_equal(a, b).item() for a, b in zip(plain, masked, strict=True))


# ---- memory that runs out ----


@pytest.mark.parametrize("what", ["einsum", "unique", "cross_entropy", "gated_delta"])
def test_every_allocation_can_fail(what: str) -> None:
    """Each failed allocation is a MemoryError, after which the same call works; nothing stays behind."""
    a, targets = normal(6, 6), mx.array([0, 1, 2, 3, 4, 5])
    q, g = normal(1, 40, 1, 4), mx.sigmoid(normal(1, 40, 1))
    calls = {
        "einsum": lambda: mx.einsum("ij,jk,kk->ik", a, a, a),
        "unique": lambda: mx.unique(a, 40, True, True, True)[2],
        "cross_entropy": lambda: mx.grad(lambda x: mx.fast.cross_entropy(x, targets).sum())(a),
        "gated_delta": lambda: mx.grad(lambda q: mx.fast.gated_delta_update(q, q, q, g, g)[0].sum())(q),
    }
    mx.eval(a, targets, q, g)
    want = np.array(calls[what]())
    for count in range(2000):
        mx._fail_after(count)
        try:
            got = np.array(calls[what]())
        except MemoryError:
            continue
        finally:
            mx._fail_after(-1)
        np.testing.assert_array_equal(got, want)
        break
    else:
        pytest.fail("the call never succeeded")
    np.testing.assert_array_equal(np.array(calls[what]()), want)


ZERO_FACTORS = [(1.0, 0.0), (0.0, 1.0), (0.0, 3.0), (0.0, 0.0)]


@pytest.mark.parametrize(("alpha", "beta"), ZERO_FACTORS)
@pytest.mark.parametrize("lead", [(), (3,)], ids=["matrix", "batch"])
@pytest.mark.parametrize("dtype", [mx.float16, mx.bfloat16, mx.float32, mx.float64, mx.complex64], ids=str)
def test_addmm_does_not_read_what_a_factor_of_zero_drops(dtype, lead, alpha: float, beta: float) -> None:
    """BLAS's rule: NaN and infinities there are not seen, in values and in derivatives."""
    ones = mx.ones((*lead, 2, 2), dtype=dtype)
    for bad in (float("nan"), float("inf")):
        other = mx.full((*lead, 2, 2), bad, dtype=dtype)
        c, a = (ones if beta else other), (ones if alpha else other)
        want = 2 * alpha + beta
        got = mx.addmm(c, a, ones, alpha, beta)
        assert got.dtype == dtype and got.shape == ones.shape
        assert np.array_equal(np.array(got.astype(mx.complex64)), np.full(ones.shape, want, np.complex64))
        if dtype == mx.complex64:
            continue
        _, grads = mx.vjp(lambda *x: mx.addmm(*x, alpha, beta), [c, a, ones], [ones])
        for g, expected in zip(grads, (beta, 2 * alpha, 2 * alpha), strict=True):
            assert np.array_equal(np.array(g.astype(mx.float32)), np.full(ones.shape, expected, np.float32))
        _, (t,) = mx.jvp(lambda *x: mx.addmm(*x, alpha, beta), [c, a, ones], [ones] * 3)
        assert np.array_equal(
            np.array(t.astype(mx.float32)), np.full(ones.shape, 4 * alpha + beta, np.float32)
        )


def test_addmm_with_a_factor_of_zero_keeps_the_shape_of_the_product() -> None:
    """A row as addend, nothing to sum, batched operands, wrong shapes."""
    row = mx.array([1.0, 2.0])
    nan = mx.full((2,), float("nan"))
    assert mx.addmm(row, mx.ones((3, 4)), mx.ones((4, 2)), 0.0, 1.0).tolist() == [[1.0, 2.0]] * 3
    assert mx.addmm(nan, mx.ones((3, 0)), mx.ones((0, 2)), 1.0, 0.0).tolist() == [[0.0, 0.0]] * 3
    batched = mx.vmap(lambda c, a: mx.addmm(c, a, mx.ones((2, 2)), 0.0, 2.0))
    got = batched(mx.stack([row, row + 1]), mx.full((2, 3, 2), float("nan")))
    assert got.tolist() == [[[2.0, 4.0]] * 3, [[4.0, 6.0]] * 3]
    only_a = mx.vmap(lambda a: mx.addmm(row, a, mx.ones((2, 2)), 0.0))
    assert only_a(mx.ones((4, 1, 2))).tolist() == [[[1.0, 2.0]]] * 4
    with pytest.raises(ValueError, match=r"\[addmm\] shape \(3,\) of the addend"):
        mx.addmm(mx.ones((3,)), mx.ones((2, 2)), mx.ones((2, 2)), 1.0, 0.0)
