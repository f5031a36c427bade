"""Type checkers accept the examples and a program written for MLX."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import mica
import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(mica.__file__).parent
PROGRAM = ROOT / "tests/python/program_for_mlx.py"
EXAMPLES = sorted(str(path) for path in (ROOT / "examples").rglob("*.py"))
# Where a checker finds the stubs of mlx that mean mica.
PATHS = [str(PACKAGE / "stubs"), str(PACKAGE.parent), str(ROOT / "examples"), str(ROOT / "examples/gallery")]


def test_the_program_runs() -> None:
    """What is checked below also works."""
    result = subprocess.run(
        [sys.executable, "-m", "mica", str(PROGRAM)], capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0 and not result.stderr, result.stderr
    assert result.stdout.endswith("64 True False\n"), result.stdout


# A layer may return anything: strict checkers say so where a function returns what its layer did.
STRICT = ["--strict", "--follow-imports=silent", "--disable-error-code=no-any-return", str(PROGRAM)]


@pytest.mark.long
@pytest.mark.parametrize("arguments", [[str(PROGRAM), *EXAMPLES], STRICT], ids=["default", "strict"])
def test_mypy(tmp_path: Path, arguments: list[str]) -> None:
    """mypy, as it is configured by default, and at its strictest."""
    pytest.importorskip("mypy")
    command = [sys.executable, "-m", "mypy", "--cache-dir", str(tmp_path), *arguments]
    env = {**os.environ, "MYPYPATH": os.pathsep.join(PATHS)}
    result = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.long
def test_pyright(tmp_path: Path) -> None:
    """pyright (basedpyright, which pip brings whole) in its standard mode."""
    pytest.importorskip("basedpyright")
    settings = {
        "include": [str(PROGRAM), *EXAMPLES],
        "extraPaths": PATHS,
        "typeCheckingMode": "standard",
        "pythonVersion": "3.11",
    }
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "basedpyright", "-p", str(tmp_path), "--pythonpath", sys.executable]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr
