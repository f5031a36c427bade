"""Packages beside mlx_lm, as they come from pip: graph networks, speech recognition, optimizers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.clients.environment import HERE, answer, needs, run

# Muon iterates in bfloat16, Shampoo takes roots of matrices of high condition: the steps add up noise.
ROUNDING = {"Muon": 2e-3, "Shampoo": 2e-4}


def numbers(side: str, what: str, folder: Path) -> dict[str, np.ndarray]:
    """What other.py finds."""
    made = answer(side, f"{what}.npz", lambda target: run(side, HERE / "other.py", what, target), folder)
    with np.load(made) as file:
        return dict(file)


@pytest.mark.parametrize(
    "what",
    [
        pytest.param("optimizers", marks=[needs("clients"), pytest.mark.long]),
        pytest.param("graphs", marks=[needs("clients-more"), pytest.mark.long]),
        pytest.param("speech", marks=[needs("clients-more"), pytest.mark.long]),
    ],
)
def test_same_numbers(what: str, tmp_path: Path) -> None:
    """Outputs, losses and tokens are the wheel's."""
    ours, theirs = numbers("mica", what, tmp_path), numbers("mlx", what, tmp_path)
    assert ours.keys() == theirs.keys()
    for name, mine in ours.items():
        its = theirs[name]
        if mine.dtype.kind == "f":
            scale = max(1.0, float(np.abs(its).max()))
            allowed = ROUNDING.get(name, 1e-5) * scale
            np.testing.assert_allclose(mine, its, atol=allowed, rtol=0, err_msg=name)
        else:
            assert mine.tolist() == its.tolist(), name
