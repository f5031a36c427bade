"""The tables of docs/coming-from-*.md: every right side runs, and gives what the left side does."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = sorted(DOCS.glob("coming-from-*.md"))
CODE = re.compile(r"^`(.+)`$")


def rows(page: Path) -> list[tuple[str, str]]:
    """The first two cells of every row; a bar inside of code is no border."""
    found = []
    for line in page.read_text().splitlines():
        if not line.startswith("| ") or line.startswith(("| NumPy |", "| PyTorch |", "| MLX |")):
            continue
        there, here = re.split(r" \| ?", line.removeprefix("| "))[:2]
        found.append((there.strip(), here.strip()))
    return found


def prelude(page: Path) -> str:
    """The lines that the rows of a page use."""
    block = re.search(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    assert block
    return block[1]


def run(code: str, names: dict[str, Any]) -> Any:
    """The value of code whose last line is an expression; None when it is none."""
    *body, last = ast.parse(code).body
    is_value = isinstance(last, ast.Expr)
    exec(compile(ast.Module(body if is_value else [*body, last], []), "<row>", "exec"), names)  # noqa: S102
    if not is_value:
        return None
    return eval(compile(ast.Expression(last.value), "<row>", "eval"), names)  # noqa: S307


def close(got: Any, want: Any) -> None:
    """Require equal values; of sequences of arrays, one by one."""
    if isinstance(want, (list, tuple)) and any(isinstance(item, np.ndarray) for item in want):
        assert len(got) == len(want)
        for g, w in zip(got, want, strict=True):
            close(g, w)
    else:
        np.testing.assert_allclose(np.array(got), np.array(want), rtol=1e-4, atol=1e-5)


# Rows of the page for NumPy whose two sides are meant to differ: numbers drawn, and loops.
OTHER_VALUES = ("random", "vmap")


CASES = [
    pytest.param(page, there, here, id=f"{page.stem.rsplit('-', 1)[-1]}-{here[:60]}")
    for page in PAGES
    for there, here in rows(page)
]


@pytest.mark.parametrize(("page", "there", "here"), CASES)
def test_row(page: Path, there: str, here: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The right side runs; where both sides are expressions of NumPy and mica, they agree."""
    monkeypatch.chdir(tmp_path)
    code, theirs = CODE.match(here), CODE.match(there)
    assert code, f"no code: {here}"
    if code[1].startswith("$ ") or "as_mlx" in code[1]:
        command = [sys.executable, "-c", code[1]]
        if code[1].startswith("$ "):
            command = shlex.split(code[1].removeprefix("$ ").replace("python", sys.executable, 1))
        result = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert result.returncode == 0, result.stderr
        return
    names: dict[str, Any] = {"__name__": "row"}
    exec(prelude(page), names)  # noqa: S102
    # The files that rows read.
    np.save("a.npy", np.array(names["x"]))
    if "model" in names:
        names["model"].save_weights("model.safetensors")
    got = run(code[1], names)
    mx = names["mx"]
    mx.eval(
        [item for item in (got if isinstance(got, (list, tuple)) else [got]) if isinstance(item, mx.array)]
    )
    if "np" in names and theirs and got is not None and not any(word in here for word in OTHER_VALUES):
        close(got, run(theirs[1], names))


def test_pages() -> None:
    """There are three, each with enough to be of use."""
    assert [page.stem.rsplit("-", 1)[-1] for page in PAGES] == ["mlx", "numpy", "pytorch"]
    assert all(len(rows(page)) >= 20 for page in PAGES)
