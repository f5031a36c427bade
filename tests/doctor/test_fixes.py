"""Fixes: the mended program gives the same results, keeps its comments, and needs no second fix."""

from __future__ import annotations

import numpy as np
import pytest
from mica.doctor.config import Config
from mica.doctor.rules import RULES

pytest.importorskip("libcst")

HEAD = "import mlx.core as mx\nimport mlx.nn as nn\n"
# Rule, program before, program after. Both are run where the first can be; `r` is compared.
CASES = [
    ("MX204", "x = mx.random.normal((2, 64)).astype(mx.float16)\nw = mx.ones((64,))\n"
     "r = mx.fast.rms_norm(x.astype(mx.float32), w, 1e-5).astype(x.dtype)  # normed\n",
     "x = mx.random.normal((2, 64)).astype(mx.float16)\nw = mx.ones((64,))\n"
     "r = mx.fast.rms_norm(x, w, 1e-5).astype(x.dtype)  # normed\n"),
    ("MX205", "x = mx.random.normal((2, 64)).astype(mx.float16)\n"
     "r = mx.softmax(\n    x.astype(mx.float32),  # up\n    axis=-1,\n).astype(x.dtype)\n",
     "x = mx.random.normal((2, 64)).astype(mx.float16)\n"
     "r = mx.softmax(\n    x,  # up\n    axis=-1, precise=True,\n)\n"),
    ("MX205", "s = mx.random.normal((2, 8)).astype(mx.bfloat16)\n"
     "r = mx.softmax(s.astype(mx.float32), axis=-1).astype(mx.bfloat16)\n",
     "s = mx.random.normal((2, 8)).astype(mx.bfloat16)\n"
     "r = mx.softmax(s, axis=-1, precise=True).astype(mx.bfloat16)\n"),
    ("MX206", "r = mx.linspace(0, 1, 5, dtype=mx.float64)  # fine\n",
     "r = mx.linspace(0, 1, 5, dtype=mx.float32)  # fine\n"),
    ("MX201", "x = mx.arange(4).astype(mx.float16)\nr = x * mx.array(0.5)\n",
     "x = mx.arange(4).astype(mx.float16)\nr = x * 0.5\n"),
    ("MX201", "x = mx.arange(4).astype(mx.float16)\nr = mx.maximum(x, mx.array(-1.5))\n",
     "x = mx.arange(4).astype(mx.float16)\nr = mx.maximum(x, -1.5)\n"),
    ("MX202", "x = mx.ones((3,), dtype=mx.float16)\nr = x + mx.full((3,), 0.25)\n",
     "x = mx.ones((3,), dtype=mx.float16)\nr = x + mx.full((3,), 0.25, dtype=x.dtype)\n"),
    ("MX403", 'mx.save("a.npy", mx.arange(3))\nr = mx.load(open("a.npy", "rb"))  # path\n',
     'mx.save("a.npy", mx.arange(3))\nr = mx.load("a.npy")  # path\n'),
    ("MX602", "x = mx.arange(6).reshape(2, 3)\nr = mx.concatenate([x] * 4)\n",
     "x = mx.arange(6).reshape(2, 3)\nr = mx.tile(x, (4,) + (1,) * (x.ndim - 1))\n"),
    ("MX602", "x = mx.arange(6).reshape(2, 3)\nr = mx.concatenate([x, x], axis=-1)\n",
     "x = mx.arange(6).reshape(2, 3)\nr = mx.tile(x, 2)\n"),
    ("MX602", "x = mx.arange(24).reshape(2, 3, 4)\nr = mx.concatenate([x] * 3, axis=1)\n",
     "x = mx.arange(24).reshape(2, 3, 4)\nr = mx.tile(x, (1, 3) + (1,) * (x.ndim - 2))\n"),
    ("MX602", "x = mx.arange(24).reshape(2, 3, 4)\nr = mx.concatenate(2 * [x], axis=-2)\n",
     "x = mx.arange(24).reshape(2, 3, 4)\nr = mx.tile(x, (2, 1))\n"),
    ("MX702", "x, W, b = mx.ones((2, 3)), mx.ones((4, 3)), mx.ones((4,))\nr = (x @ W.T + b) * 2\n",
     "x, W, b = mx.ones((2, 3)), mx.ones((4, 3)), mx.ones((4,))\nr = (mx.addmm(b, x, W.T)) * 2\n"),
    ("MX506", 'r = nn.average_gradients({"w": mx.ones((2,))}, communication_type=mx.float16)["w"]\n',
     'r = nn.average_gradients({"w": mx.ones((2,))})["w"]\n'),
    ("MX506", 'r = nn.average_gradients(\n    {"w": mx.ones((2,))},  # all\n'
     '    communication_type=mx.float16,\n)["w"]\n',
     'r = nn.average_gradients(\n    {"w": mx.ones((2,))},  # all\n)["w"]\n'),
    ("MX504", 'x = mx.ones((3,)).to("cuda")  # there\nx.cpu()\nr = x\n',
     "x = mx.ones((3,))  # there\npass\nr = x\n"),
    ("MX502",
     "def loss_fn(model, x):\n    return model(x).sum()\n\n\ndef step(model: nn.Module, x):\n"
     "    loss = loss_fn(model, x)  # the loss\n    loss.backward()\n    return loss\n\n\n"
     "r = step(nn.Linear(3, 1), mx.zeros((1, 3))) * 0\n",
     "def loss_fn(model, x):\n    return model(x).sum()\n\n\ndef step(model: nn.Module, x):\n"
     "    loss, grads = nn.value_and_grad(model, loss_fn)(model, x)  # the loss\n    return loss\n\n\n"
     "r = step(nn.Linear(3, 1), mx.zeros((1, 3))) * 0\n"),
    ("MX502", "w = mx.array([1.0, 2.0])\nloss = (w * w).sum()\n# backwards\nloss.backward()  # now\n"
     "r = loss - 5\n",
     "w = mx.array([1.0, 2.0])\nloss, grads = mx.value_and_grad(lambda w: (w * w).sum())(w)\n"
     "# backwards\n# now\nr = loss - 5\n"),
]  # fmt: skip
# Programs that stop with an error before they are mended, and what they give afterwards.
RAISES = {"MX506": [1, 1], "MX504": [1, 1, 1], "MX502": 0}


def fix(text: str, rule: str, unsafe: bool = True) -> str:
    from mica.doctor.fixes import fix_text

    return fix_text("program.py", text, {rule}, unsafe, Config())[0]


# Left alone: a comment would be lost, or it is not clear what to differentiate.
LEFT = [
    ("MX602", "x = mx.ones((2,))\ny = mx.concatenate([x,  # the first half\n    x])  # the second half\n"),
    ("MX506", "g = nn.average_gradients(\n    communication_type=mx.float16,  # halves\n"
     "    gradients={},\n)\n"),
    ("MX502", "w = mx.ones((2,))\nx = mx.ones((2,))\nloss = (w * x).sum()\nloss.backward()\n"),
    ("MX502", "w = mx.ones((2,))\nloss = mx.sum(w * w)\nloss.backward()  # the last statement\n"),
]  # fmt: skip
# Mended with --unsafe-fixes only: another type would change the result, or raise.
UNCERTAIN = [
    ("MX205", "def f(x):\n    return mx.softmax(x.astype(mx.float32), axis=-1).astype(x.dtype)\n"),
    ("MX204", "def f(x, w):\n    return mx.fast.rms_norm(x.astype(mx.float32), w, 1e-5).astype(x.dtype)\n"),
    ("MX205", "x = mx.ones((2,), mx.bfloat16)\ny = mx.softmax(x.astype(mx.float32)).astype(mx.float16)\n"),
    ("MX205", "def f(x):\n    return mx.softmax(x.astype(mx.float32)).astype(x.dtype)\n\n\n"
     "y = f(mx.ones((2,), mx.float16))\nz = f(mx.ones((2,), mx.int32))\n"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "text"), LEFT)
def test_left_alone(rule: str, text: str) -> None:
    assert fix(HEAD + text, rule) == HEAD + text


@pytest.mark.parametrize(("rule", "text"), UNCERTAIN)
def test_unsafe_where_types_are_not_known(rule: str, text: str) -> None:
    assert fix(HEAD + text, rule, unsafe=False) == HEAD + text
    assert fix(HEAD + text, rule) != HEAD + text


def result(text: str) -> np.ndarray:
    """The value of ``r``, on mica."""
    import mica.core as mx

    mx.random.seed(0)
    names: dict = {}
    exec(text.replace("import mlx.", "import mica."), names)
    return np.array(names["r"].astype(mx.float32))


@pytest.mark.parametrize(("rule", "before", "after"), CASES, ids=[f"{c[0]}-{i}" for i, c in enumerate(CASES)])
def test_fix(rule: str, before: str, after: str) -> None:
    assert fix(HEAD + before, rule) == HEAD + after
    assert fix(HEAD + after, rule) == HEAD + after, "not idempotent"
    if RULES[rule].fix == "unsafe":
        assert fix(HEAD + before, rule, unsafe=False) == HEAD + before


@pytest.mark.parametrize(("rule", "before", "after"), CASES, ids=[f"{c[0]}-{i}" for i, c in enumerate(CASES)])
def test_mended_program_gives_the_same(
    rule: str, before: str, after: str, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mica.core")
    monkeypatch.chdir(tmp_path)  # type: ignore[arg-type]
    mended = result(HEAD + after)
    if rule in RAISES:
        with pytest.raises((AttributeError, TypeError)):
            result(HEAD + before)
        np.testing.assert_array_equal(mended, np.array(RAISES[rule], dtype=np.float32))
        return
    tolerance = 8e-3 if "bfloat16" in before else 1e-3 if "float16" in before else 1e-6
    np.testing.assert_allclose(mended, result(HEAD + before), rtol=tolerance, atol=tolerance)


def test_fix_in_place_and_diff(tmp_path: object, monkeypatch: pytest.MonkeyPatch, capsys: object) -> None:
    from pathlib import Path

    from mica.doctor.command import main

    monkeypatch.chdir(tmp_path)  # type: ignore[arg-type]
    text = HEAD + 'x = mx.ones((3,)).to("cuda")\ny = mx.zeros((2,), mx.float64)\n'
    Path("a.py").write_text(text)
    assert main(["a.py", "--diff"]) == 1
    assert Path("a.py").read_text() == text
    out = capsys.readouterr().out  # type: ignore[attr-defined]
    assert '-x = mx.ones((3,)).to("cuda")\n+x = mx.ones((3,))\n' in out
    assert main(["a.py", "--fix"]) == 1
    assert Path("a.py").read_text() == text.replace('.to("cuda")', "")
    assert main(["a.py", "--fix", "--unsafe-fixes"]) == 0
    assert "float32" in Path("a.py").read_text()
