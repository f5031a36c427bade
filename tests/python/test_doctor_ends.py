"""Programs that end under the doctor end as they do without it."""

import json
import subprocess
import sys
import textwrap

import mica.core as mx
import pytest
from mica import doctor
from mica.doctor.rules import RULES


def _run(folder, program, *options, doctor=True):
    (folder / "program.py").write_text(textwrap.dedent(program))
    command = [sys.executable, "-m", "mica", *(["doctor", *options] if doctor else []), "program.py"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


RAISING = """
    import mlx.core as mx
    import mlx.nn as nn

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 3)

        def __call__(self, x):
            try:
                return self.layer(x)
            except ValueError as error:
                raise RuntimeError("wrong size") from error

    def run():
        {action}

    run()
"""


@pytest.mark.parametrize("action", ["1 / 0", "Model()(mx.ones((2, 4)))", "raise SystemExit(3)",
                                    "raise KeyboardInterrupt", "print(mx.ones(2))"])  # fmt: skip
def test_tracebacks_are_those_of_the_program(tmp_path, action):
    """Under the doctor a program ends as without it; the report follows."""
    text = RAISING.format(action=action)
    ours = _run(tmp_path, text, "--output-file", "report.txt")
    theirs = _run(tmp_path, text, doctor=False)
    assert (ours.returncode, ours.stdout) == (theirs.returncode, theirs.stdout)
    assert ours.stderr == theirs.stderr
    assert "No mistakes found" in (tmp_path / "report.txt").read_text()


@pytest.mark.parametrize("action", ["mx.ones(2).cuda()", "mx.ones(2).to('gpu')"])
def test_moves_between_devices_are_explained(tmp_path, action):
    result = _run(
        tmp_path, RAISING.format(action=action), "--output-format", "json", "--output-file", "r.json"
    )
    assert result.returncode == 1
    assert RULES["MX504"].cure in result.stderr
    (finding,) = json.loads((tmp_path / "r.json").read_text())["findings"]
    assert finding["rule"] == "MX504" and finding["line"] == 17

    with pytest.raises(AttributeError) as caught, doctor.watch() as watch:
        mx.ones(2).missing()
    assert not watch.findings and not getattr(caught.value, "__notes__", None)
