"""Printing: the text is the reference's, recorded in tests/golden/print by tests/golden/record.py."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ops.target import TARGET, mx

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
RECORD = runpy.run_path(str(GOLDEN / "record.py"), run_name="record")


@pytest.mark.parametrize("group", RECORD["EXPRESSIONS"])
def test_text(group: str) -> None:
    """Character for character."""
    want = (GOLDEN / "print" / f"{group.replace(' ', '_')}.txt").read_text()
    assert RECORD["printed"](mx, group).replace(TARGET + ".", "mlx.core.") == want


def test_options() -> None:
    """Set, asked for, and restored by the context, also after an exception."""
    assert mx.get_printoptions().precision == -1
    mx.set_printoptions(precision=2)
    try:
        assert repr(mx.array(1.0)) == "array(1.00, dtype=float32)" and mx.get_printoptions().precision == 2
        with pytest.raises(KeyError), mx.printoptions(precision=4):
            assert "1.0000" in repr(mx.array(1.0))
            raise KeyError
        assert "1.00," in repr(mx.array(1.0))
    finally:
        mx.set_printoptions(precision=-1)
    assert repr(mx.array(1.0)) == "array(1, dtype=float32)"


def test_format_of_many_elements() -> None:
    """A format specification needs one element."""
    with pytest.raises(TypeError):
        format(mx.array([1, 2]), ".2f")


def test_large_arrays_print_at_once() -> None:
    """Only what is shown is touched."""
    assert len(repr(mx.broadcast_to(mx.array(1.0), (1000, 1000, 100)))) < 5000


def test_printing_writes_nothing_else() -> None:
    """Importing and printing leave standard error empty."""
    result = subprocess.run(
        [sys.executable, "-c", f"import {TARGET} as mx; print(mx.arange(3))"], capture_output=True, text=True
    )
    assert result.stdout == "array([0, 1, 2], dtype=int32)\n" and result.stderr == ""
