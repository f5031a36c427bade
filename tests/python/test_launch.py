"""`python -m mica program.py` is as `python program.py`, but for what mlx stands for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def run(
    *arguments: str, cwd: Path, launcher: bool = True, text: str = ""
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *(["-m", "mica"] if launcher else []), *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, input=text, timeout=60)


def write(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


STATE = """
import sys, __main__
assert __main__.__dict__ is globals()
print(sys.argv, sys.path[0], __name__, globals().get("__file__"), __package__)
print(__spec__ and __spec__.name, __doc__)
print(sorted(n for n in globals() if n.startswith("__")))
"""


@pytest.mark.parametrize("how", ["file", "relative", "code", "module", "package", "folder", "stdin"])
def test_same_state_as_python(how: str, tmp_path: Path) -> None:
    write(tmp_path, "sub/program.py", STATE)
    write(tmp_path, "package/__init__.py", "")
    write(tmp_path, "package/__main__.py", STATE)
    write(tmp_path, "package/part.py", STATE)
    arguments = {
        "file": [str(tmp_path / "sub/program.py"), "a", "-b", "--help"],
        "relative": ["sub/program.py"],
        "code": ["-c", STATE, "x", "-m"],
        "module": ["-m", "package.part", "x"],
        "package": ["-m", "package", "-c"],
        "folder": ["package", "x"],
        "stdin": ["-", "x"],
    }[how]
    ours = run(*arguments, cwd=tmp_path, text=STATE)
    theirs = run(*arguments, cwd=tmp_path, launcher=False, text=STATE)
    assert theirs.returncode == 0, theirs.stderr
    assert ours.stderr == theirs.stderr
    *state, names = ours.stdout.splitlines()
    *expected, expected_names = theirs.stdout.splitlines()
    assert state == expected
    extra = set(eval(names)) ^ set(eval(expected_names))
    assert extra <= {"__annotations__", "__cached__", "__file__"}


@pytest.mark.parametrize(
    "program",
    [
        "def f():\n    raise ValueError('x')\nf()\n",
        "def (\n",
        "import sys; sys.exit(7)\n",
        "raise KeyboardInterrupt\n",
    ],
)
def test_same_end_as_python(program: str, tmp_path: Path) -> None:
    path = write(tmp_path, "program.py", program)
    ours, theirs = run(path, cwd=tmp_path), run(path, cwd=tmp_path, launcher=False)
    assert (ours.returncode, ours.stderr) == (theirs.returncode, theirs.stderr)
    assert ours.returncode != 0


@pytest.mark.parametrize("arguments", [["nowhere.py"], ["-m", "nowhere"], ["-m"], ["-c"], ["--strange"]])
def test_wrong_options(arguments: list[str], tmp_path: Path) -> None:
    result = run(*arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert "-m mica: " in result.stderr and "Traceback" not in result.stderr


def test_alias_is_the_very_same(tmp_path: Path) -> None:
    program = """
import importlib.metadata, importlib.util, pickle, sys
import mlx.core as mx
import mlx.core.random as random
import mlx.nn.layers.base
import mlx.optimizers as optim, mlx.utils
from mlx.nn import Linear
import mica, mica.core, mica.nn.layers.base, mica.optimizers, mica.utils
import mlx

assert mlx is mica and mx is mica.core and random is mica.core.random and optim is mica.optimizers
assert mlx.nn is mica.nn and mlx.utils is mica.utils and mlx.nn.layers.base is mica.nn.layers.base
assert Linear is mica.nn.Linear and Linear.__module__.startswith("mica.")
assert mica.core.__spec__.name == "mica.core" and mica.nn.__name__ == "mica.nn"
assert mx.__version__ == "0.32.4" != mica.__version__
assert importlib.metadata.version("mlx") == "0.32.4"
assert importlib.metadata.metadata("mlx")["Name"] == "mlx"
assert importlib.util.find_spec("mlx.core") and not importlib.util.find_spec("mlx.nowhere")
assert pickle.loads(pickle.dumps(mx.exp)) is mx.exp
try:
    import mlx.nowhere
except ModuleNotFoundError as error:
    print(error)
"""
    result = run("-c", program, cwd=tmp_path)
    assert (result.stdout, result.stderr) == ("No module named 'mlx.nowhere'\n", "")


def test_alias_after_the_reference_is_refused(tmp_path: Path) -> None:
    program = "import sys\nsys.modules['mlx'] = sys\nimport mica.as_mlx"
    result = run("-c", program, cwd=tmp_path, launcher=False)
    assert result.returncode == 1 and "must be imported before mlx" in result.stderr


def test_package_imports_nothing_by_itself(tmp_path: Path) -> None:
    program = (
        "import sys, mica; assert not [m for m in sys.modules if m.startswith('mica.')]\n"
        "import mica.core; assert 'mica.nn' not in sys.modules and 'numpy' not in sys.modules\n"
        "assert mica.nn.Linear and 'core' in dir(mica)\n"
        "try: mica.nowhere\n"
        "except AttributeError as e: print(e)"
    )
    result = run("-c", program, cwd=tmp_path, launcher=False)
    assert (result.stdout, result.stderr) == ("module 'mica' has no attribute 'nowhere'\n", "")


@pytest.mark.parametrize("command", [["--help"], ["info"], ["lint", "program.py"]], ids=" ".join)
def test_a_reader_that_goes_away(command: list[str], tmp_path: Path) -> None:
    """A command ends without a word when nobody reads what it writes."""
    write(tmp_path, "program.py", "import mlx.core as mx\nfor i in range(9):\n    mx.eval(mx.zeros(i))\n")
    reader, writer = os.pipe()
    os.close(reader)
    line = [sys.executable, "-m", "mica", *command]
    result = subprocess.run(line, cwd=tmp_path, stdout=writer, stderr=subprocess.PIPE, timeout=120)
    os.close(writer)
    assert (result.returncode, result.stderr) == (141, b"")
