"""Initializers draw what those of the reference draw from the same seed."""

from __future__ import annotations

import pytest
from oracle import MICA, MLX, compare, same_outcome

INITIALIZERS = [
    "init.constant(0.5)(a)",
    "init.constant(3, mx.int32)(a)",
    "init.normal()(a)",
    "init.normal(1.0, 0.2, mx.float16)(a)",
    "init.uniform()(a)",
    "init.uniform(-2.0, 3.0, mx.bfloat16)(a)",
    "init.identity()(mx.zeros((3, 3)))",
    "init.identity(mx.float16)(mx.zeros((3, 3)))",
    "init.glorot_normal()(a)",
    "init.glorot_normal()(a, gain=2.0)",
    "init.glorot_uniform()(a)",
    "init.glorot_uniform(mx.float16)(a, 0.5)",
    "init.he_normal()(a)",
    "init.he_normal()(a, mode='fan_out', gain=2.0)",
    "init.he_uniform()(a)",
    "init.he_uniform()(a, 'fan_out', 0.5)",
    "init.he_normal()(mx.zeros((4, 3, 2, 5)))",
    "init.glorot_uniform()(mx.zeros((4, 3, 5)))",
    "init.sparse(0.5)(a)",
    "init.sparse(0.3, mean=1.0, std=0.1, dtype=mx.float16)(a)",
    "init.sparse(0.0)(a)",
    "init.sparse(1.0)(a)",
    "init.orthogonal()(mx.zeros((4, 4)))",
    "init.orthogonal(gain=2.0)(a)",
    "init.orthogonal(dtype=mx.float16)(mx.zeros((6, 3)))",
]


@pytest.mark.parametrize("program", INITIALIZERS)
def test_values_from_a_seed(program):
    def run(side):
        side.mx.random.seed(7)
        value = side.run(program, init=side.nn.init, a=side.mx.zeros((5, 6)))
        return value, side.mx.random.uniform(shape=(2,))

    compare(run(MICA), run(MLX), scale=50.0 if "orthogonal" in program else 1.0)


@pytest.mark.parametrize(
    "program",
    [
        "nn.init.identity()(mx.zeros((3, 2)))",
        "nn.init.identity()(mx.zeros((3,)))",
        "nn.init.sparse(0.5)(mx.zeros((3,)))",
        "nn.init.orthogonal()(mx.zeros((3,)))",
        "nn.init.glorot_normal()(mx.zeros((3,)))",
        "nn.init.glorot_uniform()(mx.zeros((3,)))",
        "nn.init.he_normal()(mx.zeros((3,)))",
        "nn.init.he_uniform()(mx.zeros((3,)))",
        "nn.init.he_uniform()(mx.zeros((3, 2)), mode='other')",
        "nn.init.he_normal()(mx.zeros((3, 2)), mode='other')",
    ],
)
def test_refusals(program):
    assert same_outcome(program) == ("raises", "ValueError")
