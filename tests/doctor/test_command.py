"""The command: formats, selection, suppression, exit status, stdin, notebooks, cache."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from mica.doctor.command import main

ROOT = Path(__file__).resolve().parents[2]
WRONG = """import mlx.core as mx
y = mx.random.normal((10,))
for v in y:
    print(v.item())
z = y.cuda()
"""
BOTH = {("MX101", 4), ("MX504", 5)}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("wrong.py").write_text(WRONG)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    status = main([*arguments, "--jobs", "1"])
    return status, capsys.readouterr().out


def found(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, set[tuple[str, int]]]:
    status, out = run(capsys, *arguments, "--output-format", "json")
    return status, {(r["code"], r["location"]["row"]) for r in json.loads(out)}


def test_text_shows_place_line_caret_and_cure(capsys: pytest.CaptureFixture[str]) -> None:
    status, out = run(capsys, "wrong.py")
    assert status == 1
    assert "wrong.py:4:11: MX101 eval-in-loop" in out
    assert "     4 |     print(v.item())\n       |           ^^^^^^^^\n  cure: " in out
    assert "Found 2 findings." in out


def test_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    Path("right.py").write_text("x = 1\n")
    assert run(capsys, "right.py")[0] == 0
    assert run(capsys, "wrong.py", "--exit-zero")[0] == 0
    assert run(capsys, "wrong.py", "--select", "XY1")[0] == 2
    assert run(capsys, "--no-such-option")[0] == 2
    assert run(capsys, "absent.py")[0] == 1


def test_what_cannot_be_written_is_said_in_a_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for option in ("--output-file", "--write-baseline"):
        assert main(["wrong.py", option, "absent/out", "--no-cache"]) == 2
        assert capsys.readouterr().err == "mica lint: absent/out: No such file or directory\n"
    pytest.importorskip("libcst")

    def refuse(self: Path, data: bytes) -> int:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "write_bytes", refuse)
    assert main(["wrong.py", "--fix", "--no-cache"]) == 2
    assert capsys.readouterr().err == "mica lint: wrong.py: Permission denied\n"


def test_summary_counts_what_fix_would_mend(capsys: pytest.CaptureFixture[str]) -> None:
    """Not what only --unsafe-fixes mends, nor a form that is found but not mended."""
    pytest.importorskip("libcst")
    text = "y = mx.softmax(x.astype(mx.float32)).astype(x.dtype)\n"
    Path("wrong.py").write_text(WRONG + f"def f(x):\n    {text}w = mx.zeros((2,), mx.float64)\n")
    assert "Found 4 findings. 1 may be fixed with --fix." in run(capsys, "wrong.py")[1]
    run(capsys, "wrong.py", "--fix")
    assert "Found 3 findings.\n" in run(capsys, "wrong.py")[1]
    split = text.replace(").astype(x", ")\nz = y.astype(x")
    Path("wrong.py").write_text(f"import mlx.core as mx\nx = mx.ones((2,), mx.float16)\n{split}")
    assert "Found 1 finding.\n" in run(capsys, "wrong.py")[1]


def test_chains_that_are_too_deep(capsys: pytest.CaptureFixture[str]) -> None:
    Path("wrong.py").write_text("if x == 0: pass\n" + "".join(f"elif x == {i}: pass\n" for i in range(500)))
    Path("sum.py").write_text("y = " + "+".join(["1"] * 50_000))
    status, out = run(capsys, "wrong.py", "sum.py")
    assert status == 1
    assert out.count("too deep to be checked (nesting, or a long chain of elif, operators or calls)") == 2


def test_select_ignore_and_slugs(capsys: pytest.CaptureFixture[str]) -> None:
    assert found(capsys, "wrong.py")[1] == BOTH
    assert found(capsys, "wrong.py", "--select", "MX1")[1] == {("MX101", 4)}
    assert found(capsys, "wrong.py", "--select", "device-move,MX2")[1] == {("MX504", 5)}
    assert found(capsys, "wrong.py", "--ignore", "MX101")[1] == {("MX504", 5)}
    assert found(capsys, "wrong.py", "--select", "MX101", "--ignore", "MX1")[1] == {("MX101", 4)}


def test_noqa(capsys: pytest.CaptureFixture[str]) -> None:
    text = WRONG.replace("v.item())", "v.item())  # noqa: E501, MX101").replace("cuda()", "cuda()  # noqa")
    Path("wrong.py").write_text(text)
    assert found(capsys, "wrong.py") == (0, set())
    Path("wrong.py").write_text(WRONG.replace("cuda()", "cuda()  # noqa: MX101"))
    assert found(capsys, "wrong.py")[1] == BOTH


def test_baseline_knows_lines_by_their_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "wrong.py", "--write-baseline", "known.json")[0] == 0
    Path("wrong.py").write_text("\n\n" + WRONG + "w = y.cpu()\n")
    assert found(capsys, "wrong.py", "--baseline", "known.json") == (1, {("MX504", 8)})
    Path("known.json").write_text("[]")
    assert run(capsys, "wrong.py", "--baseline", "known.json")[0] == 2


def test_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    Path("pyproject.toml").write_text('[tool.mica.lint]\nignore = ["MX5"]\nexclude = ["third"]\n')
    Path("third").mkdir()
    Path("third/other.py").write_text(WRONG)
    assert found(capsys, ".") == (1, {("MX101", 4)})
    assert found(capsys, ".", "--isolated")[1] == BOTH
    Path("pyproject.toml").write_text('[tool.mica.lint.per-file-ignores]\n"wrong.py" = ["MX101"]\n')
    assert found(capsys, "wrong.py")[1] == {("MX504", 5)}
    Path("pyproject.toml").write_text("[tool.mica.lint]\nselct = []\n")
    assert run(capsys, "wrong.py")[0] == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('ignore = "MX1"', "ignore = 'MX1'; it takes a list of strings: ignore = [\"MX7\"]"),
        ("exclude = [1]", "exclude = [1]; it takes a list of strings"),
        ("baseline = false", "baseline = False; it takes a string"),
        ("cache = 1", "cache = 1; it takes true or false"),
        ("jobs = -1", "jobs = -1; it takes a number that is not negative"),
        ('per-file-ignores = {"a" = "MX1"}', "it takes a table of lists of strings"),
        ('per-file-ignores = {"a" = ["QQ"]}', "no rule is called 'QQ'"),
    ],
)
def test_settings_of_other_types(text: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("pyproject.toml").write_text(f"[tool.mica.lint]\n{text}\n")
    assert main(["wrong.py"]) == 2
    assert message in capsys.readouterr().err
    Path("pyproject.toml").write_text("[tool.mica]\nlint = 3\n")
    assert main(["wrong.py"]) == 2
    assert "it takes a table" in capsys.readouterr().err


def test_sarif_is_valid(capsys: pytest.CaptureFixture[str]) -> None:
    sarif = pytest.importorskip("sarif_pydantic")
    Path("broken.py").write_text("def f(:\n")
    Path("bias.py").write_text(
        "import mlx.core as mx\nx, b = mx.ones((2, 2)), mx.ones((2,))\ny = x @ x + b\n"
    )
    _, out = run(capsys, ".", "--output-format", "sarif")
    sarif.Sarif.model_validate_json(out)
    document = json.loads(out)
    assert document["version"] == "2.1.0"
    (the_run,) = document["runs"]
    levels = {r["ruleId"]: r["level"] for r in the_run["results"]}
    assert levels == {"MX101": "warning", "MX504": "error", "MX702": "note"}
    rules = the_run["tool"]["driver"]["rules"]
    for result in the_run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        region = result["locations"][0]["physicalLocation"]["region"]
        assert (region["startLine"], region["startColumn"]) < (region["endLine"], region["endColumn"])
    (note,) = the_run["invocations"][0]["toolExecutionNotifications"]
    assert "not valid Python" in note["message"]["text"]


def test_github_and_output_file(capsys: pytest.CaptureFixture[str]) -> None:
    _, out = run(capsys, "wrong.py", "--output-format", "github", "--output-file", "out.txt")
    assert out == ""
    lines = Path("out.txt").read_text().splitlines()
    assert lines[0].startswith(
        "::warning title=mica (MX101),file=wrong.py,line=4,col=11,endLine=4,endColumn=19::MX101 "
    )
    assert lines[1].startswith("::error title=mica (MX504),file=wrong.py,line=5,")


def test_statistics_and_explain(capsys: pytest.CaptureFixture[str]) -> None:
    assert "     1  MX101  eval-in-loop" in run(capsys, "wrong.py", "--statistics")[1]
    assert "## Use instead" in run(capsys, "--explain", "MX204")[1]
    assert "MX802" in run(capsys, "--explain", "all")[1]
    assert run(capsys, "--explain", "MX000")[0] == 2


def test_stdin(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(WRONG.encode())))
    status, out = run(capsys, "-", "--stdin-filename", "named.py")
    assert status == 1
    assert "named.py:4:11: MX101" in out


def test_notebook(capsys: pytest.CaptureFixture[str]) -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# title"]},
        {"cell_type": "code", "source": ["%pip install mlx\n", "import mlx.core as mx"]},
        {"cell_type": "code", "source": "if True:\n    !ls\nx = mx.ones((3,)).cuda()"},
    ]
    Path("book.ipynb").write_text(json.dumps({"cells": cells}))
    status, out = run(capsys, "book.ipynb")
    assert status == 1
    assert "book.ipynb:cell 3:3:5: MX504" in out
    Path("book.ipynb").write_text("{")
    assert "not a notebook" in run(capsys, "book.ipynb")[1]


def test_broken_file_does_not_hide_others(capsys: pytest.CaptureFixture[str]) -> None:
    Path("broken.py").write_text("def f(:\n")
    status, rows = found(capsys, ".")
    assert status == 1
    assert rows == {*BOTH, (None, 1)}


def test_columns_count_characters(capsys: pytest.CaptureFixture[str]) -> None:
    Path("wrong.py").write_text('import mlx.core as mx\nx = ("äöü€", mx.ones((3,)).cuda())\n')
    assert "wrong.py:2:14: MX504" in run(capsys, "wrong.py")[1]


def test_cache_sees_changes_in_imported_files(capsys: pytest.CaptureFixture[str]) -> None:
    Path("main.py").write_text("from helper import make\nfor v in make():\n    print(v.item())\n")
    Path("helper.py").write_text("import mlx.core as mx\ndef make():\n    return mx.ones((3,))\n")
    for _ in range(2):
        assert found(capsys, "main.py")[1] == {("MX101", 3)}
    assert Path(".mica_cache/lint").is_dir()
    Path("helper.py").write_text("def make():\n    return [1.0]\n")
    assert found(capsys, "main.py")[1] == set()


def test_needs_no_engine() -> None:
    code = (
        "import sys; from mica.doctor.command import main; status = main(['wrong.py', '-q']);"
        "assert not {'mica.core', 'mlx', 'numpy', 'libcst'} & set(sys.modules); sys.exit(status)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.returncode == 1, ran.stderr
    ran = subprocess.run([sys.executable, "-m", "mica.lint", "wrong.py"], capture_output=True, text=True)
    assert (ran.returncode, "MX101" in ran.stdout) == (1, True)


def test_flake8_plugin() -> None:
    from mica.doctor.flake8 import Checker

    rows = list(Checker(None, "wrong.py", WRONG.splitlines(True)).run())  # type: ignore[arg-type]
    assert [(line, column, text[:5]) for line, column, text, _ in rows] == [(4, 10, "MX101"), (5, 4, "MX504")]


def test_flake8_finds_the_plugin(tmp_path: Path) -> None:
    """flake8 itself, with the package's entry points as an installed package has them."""
    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    info = tmp_path / "site" / "mica_array-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mica-array\nVersion: 1.0\n")
    lines = [
        f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in rows.items()) for group, rows in points.items()
    ]
    (info / "entry_points.txt").write_text("\n".join(lines))
    (tmp_path / "wrong.py").write_text(WRONG)
    (tmp_path / "quiet.py").write_text("".join(line + "  # noqa: MX\n" for line in WRONG.splitlines()))
    command = [sys.executable, "-m", "flake8", "--isolated", "--select", "MX", "wrong.py", "quiet.py"]
    env = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    ran = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert ran.returncode == 1 and not ran.stderr
    found = [line.split(" ")[:2] for line in ran.stdout.splitlines()]
    assert found == [["wrong.py:4:11:", "MX101"], ["wrong.py:5:5:", "MX504"]]


def test_pre_commit_hook(tmp_path: Path) -> None:
    """The hook's entry, called as pre-commit calls it: with the names of the changed files."""
    text = (ROOT / ".pre-commit-hooks.yaml").read_text()
    rows = dict(re.findall(r"^[- ] (\w+): (.+)$", text, re.M))
    assert (rows["id"], rows["language"]) == ("mica-lint", "python")
    words = rows["entry"].split()
    assert words[0] == "python"
    (tmp_path / "wrong.py").write_text(WRONG)
    (tmp_path / "right.py").write_text("import mlx.core as mx\n")
    for names, status in ((["right.py"], 0), (["wrong.py", "right.py"], 1)):
        command = [sys.executable, *words[1:], *names]
        ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert (ran.returncode, "MX101" in ran.stdout) == (status, status == 1), ran.stderr
