"""Every example of the gallery runs, in a short form, leaves its picture, and is shown in docs/gallery.md."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted(path.stem for path in (ROOT / "examples/gallery").glob("*.py") if path.stem != "common")
# Those that take a second; the rest runs in the long tier.
QUICK = {"search"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.long) for name in EXAMPLES]
)
def test_example(name: str, tmp_path: Path) -> None:
    """It runs under the launcher without a word of warning, says a result, and writes a picture."""
    pytest.importorskip("matplotlib")
    if "sklearn" in (ROOT / f"examples/gallery/{name}.py").read_text() or name in (
        "digits",
        "autoencoder",
        "lora",
    ):
        pytest.importorskip("sklearn")
    program = ROOT / f"examples/gallery/{name}.py"
    command = [sys.executable, "-m", "mica", str(program), "--short", "--out", str(tmp_path)]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0 and "Warning" not in result.stderr, result.stderr
    assert f"picture: {tmp_path / name}.png" in result.stdout
    assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_every_example_is_shown() -> None:
    """With its picture, which is small."""
    page = (ROOT / "docs/gallery.md").read_text()
    assert len(EXAMPLES) >= 7
    for name in EXAMPLES:
        assert f"](gallery/{name}.png)" in page and f"(../examples/gallery/{name}.py)" in page, name
        assert (ROOT / f"docs/gallery/{name}.png").stat().st_size < 60_000, name
