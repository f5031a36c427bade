"""Losses agree with the reference in values and gradients, and refuse what it refuses."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from oracle import MICA, MLX, compare, integers, normal, same_outcome, uniform

LOGITS = 3 * normal(6, 5)
CLASSES = integers(5, 6)
PROBABILITIES = uniform(6, 5, low=0.01)
PROBABILITIES /= PROBABILITIES.sum(axis=1, keepdims=True)
LOG = np.log(PROBABILITIES)
A, B, C = normal(6, 5), normal(6, 5, seed=1), normal(6, 5, seed=2)
SIGNS = np.where(normal(6, 5, seed=3) > 0, 1, -1).astype(np.float32)
SAME = A.copy()
SAME[:3] = B[:3]

# (call, inputs); {r} stands for the reduction
LOSSES = [
    ("cross_entropy(a, b{r})", [LOGITS, CLASSES]),
    ("cross_entropy(a, b, label_smoothing=0.2{r})", [LOGITS, CLASSES]),
    ("cross_entropy(a, b, c{r})", [LOGITS, CLASSES, uniform(6)]),
    ("cross_entropy(a, b, axis=0{r})", [LOGITS, integers(6, 5)]),
    ("cross_entropy(a, b, axis=1, label_smoothing=0.1{r})", [3 * normal(2, 4, 3), integers(4, 2, 3)]),
    ("cross_entropy(a, b{r})", [LOGITS, PROBABILITIES]),
    ("cross_entropy(a, b, weights=c, label_smoothing=0.2{r})", [LOGITS, PROBABILITIES, uniform(6)]),
    ("cross_entropy(a, b{r})", [1000 * LOGITS, CLASSES]),
    ("binary_cross_entropy(a, b{r})", [LOGITS, uniform(6, 5)]),
    ("binary_cross_entropy(a, b, c{r})", [LOGITS, uniform(6, 5), uniform(6, 5, seed=1)]),
    ("binary_cross_entropy(a, b, with_logits=False{r})", [PROBABILITIES, uniform(6, 5)]),
    ("binary_cross_entropy(a, b, with_logits=False{r})", [np.array([0.0, 1.0], np.float32), uniform(2)]),
    ("l1_loss(a, b{r})", [SAME, B]),
    ("mse_loss(a, b{r})", [A, B]),
    ("nll_loss(a, b{r})", [LOG, CLASSES]),
    ("nll_loss(a, b, axis=0{r})", [LOG, integers(6, 5)]),
    ("gaussian_nll_loss(a, b, c{r})", [A, B, uniform(6, 5)]),
    ("gaussian_nll_loss(a, b, c, full=True, eps=0.5{r})", [A, B, uniform(6, 5)]),
    ("kl_div_loss(a, b{r})", [LOG, LOG[::-1].copy()]),
    ("kl_div_loss(a, b, axis=0{r})", [LOG, LOG[::-1].copy()]),
    ("smooth_l1_loss(a, b{r})", [SAME, B]),
    ("smooth_l1_loss(a, b, beta=0.3{r})", [A, B]),
    ("triplet_loss(a, b, c{r})", [A, B, C]),
    ("triplet_loss(a, b, c, axis=0, p=4, margin=0.3, eps=1e-3{r})", [A, B, C]),
    ("hinge_loss(a, b{r})", [A, SIGNS]),
    ("huber_loss(a, b{r})", [SAME, B]),
    ("huber_loss(a, b, delta=0.3{r})", [A, B]),
    ("log_cosh_loss(a, b{r})", [100 * A, B]),
    ("cosine_similarity_loss(a, b{r})", [A, B]),
    ("cosine_similarity_loss(a, b, axis=0, eps=5.0{r})", [A, B]),
    ("margin_ranking_loss(a, b, c{r})", [A, B, SIGNS]),
    ("margin_ranking_loss(a, b, c, margin=0.4{r})", [A, B, SIGNS]),
]


def call(side, program, inputs, reduction, dtype=None):
    keyword = f", reduction={reduction!r}" if reduction else ""
    names = dict(zip("abc", side.arrays(inputs, dtype), strict=False))
    return side.run("nn.losses." + program.format(r=keyword), **names)


@pytest.mark.parametrize(("program", "inputs"), LOSSES, ids=[p for p, _ in LOSSES])
@pytest.mark.parametrize("reduction", [None, "none", "mean", "sum"])
def test_values(program, inputs, reduction):
    compare(call(MICA, program, inputs, reduction), call(MLX, program, inputs, reduction), scale=5.0)


@pytest.mark.parametrize(("program", "inputs"), LOSSES, ids=[p for p, _ in LOSSES])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_halves(program, inputs, dtype):
    got, want = (call(side, program, inputs, "none", dtype) for side in (MICA, MLX))
    compare(got, want, scale=8.0)


@pytest.mark.parametrize(("program", "inputs"), LOSSES, ids=[p for p, _ in LOSSES])
def test_gradients(program, inputs):
    def gradient(side):
        return side.mx.grad(lambda a: call(side, program, [a, *inputs[1:]], "sum"))(side.array(inputs[0]))

    compare(gradient(MICA), gradient(MLX), scale=20.0)


@pytest.mark.parametrize(
    "program",
    [
        "nn.losses.mse_loss(mx.ones((3,)), mx.ones((3,)), reduction='other')",
        "nn.losses.cross_entropy(mx.ones((3, 2)), mx.array([0, 1, 0]), reduction='other')",
        "nn.losses.mse_loss(mx.ones((3,)), mx.ones((3, 1)))",
        "nn.losses.l1_loss(mx.ones((3,)), mx.ones((1,)))",
        "nn.losses.smooth_l1_loss(mx.ones((3,)), mx.ones((1,)))",
        "nn.losses.gaussian_nll_loss(mx.ones((3,)), mx.ones((3,)), mx.ones((1,)))",
        "nn.losses.margin_ranking_loss(mx.ones((3,)), mx.ones((3,)), mx.ones((1,)))",
        "nn.losses.binary_cross_entropy(mx.ones((3,)), mx.ones((2,)))",
        "nn.losses.binary_cross_entropy(mx.ones((3,)), mx.ones((3,)), mx.ones((1,)))",
        "nn.losses.cross_entropy(mx.ones((3, 2)), mx.array([0, 1]))",
        "nn.losses.cross_entropy(mx.ones((3, 2)), mx.ones((3, 3)))",
        "nn.losses.cross_entropy(mx.ones((3, 2)), mx.array([0, 1, 0]), mx.ones((2,)))",
        "nn.losses.cross_entropy(mx.ones((3, 2)), mx.array([0, 1, 0]), label_smoothing=1.0)",
        "nn.losses.cross_entropy(mx.ones((3, 2)), mx.array([0, 1, 0]), label_smoothing=-0.1)",
    ],
)
def test_refusals(program):
    assert same_outcome(program) == ("raises", "ValueError")


def test_signatures():
    names = [name for name in dir(MLX.nn.losses) if name.endswith(("_loss", "_entropy"))]
    for name in names:
        got, want = (inspect.signature(getattr(side.nn.losses, name)).parameters for side in (MICA, MLX))
        assert [(p.name, p.default) for p in got.values()] == [(p.name, p.default) for p in want.values()]


@pytest.mark.parametrize("p", [1, 2, 3, 1.5])
def test_triplets_of_any_power(p: float) -> None:
    rng = np.random.default_rng(3)
    arrays = [rng.normal(size=(4, 5)).astype(np.float32) for _ in range(3)]
    ours = MICA.nn.losses.triplet_loss(*map(MICA.mx.array, arrays), p=p)
    theirs = MLX.nn.losses.triplet_loss(*map(MLX.mx.array, arrays), p=p)
    np.testing.assert_allclose(np.array(ours), np.array(theirs), rtol=1e-4)


@pytest.mark.parametrize("smoothing", [0, 0.1])
def test_cross_entropy_of_probabilities_that_do_not_add_to_one(smoothing: float) -> None:
    rng = np.random.default_rng(4)
    x, t = (rng.random((3, 4)).astype(np.float32) * 3 for _ in range(2))
    ours, theirs = (
        lib.nn.losses.cross_entropy(lib.mx.array(x), lib.mx.array(t), label_smoothing=smoothing)
        for lib in (MICA, MLX)
    )
    np.testing.assert_allclose(np.array(ours), np.array(theirs), rtol=1e-5)
