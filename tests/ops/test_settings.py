"""The same bits for any number of threads, fused or not; the matrix under each instruction set."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def digests(**settings: str) -> dict[str, str]:
    """What tests.ops.digest prints under these settings."""
    result = subprocess.run(
        [sys.executable, "-m", "tests.ops.digest"],
        cwd=ROOT,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    return {" ".join(line.split()[:2]): line.split()[2] for line in result.stdout.splitlines()}


@pytest.fixture(scope="module")
def one_thread() -> dict[str, str]:
    """The digests with one thread."""
    return digests(MICA_THREADS="1")


@pytest.mark.mica_only
def test_two_threads_give_the_same_bits(one_thread: dict[str, str]) -> None:
    """Work is split the same way always."""
    two = digests(MICA_THREADS="2")
    assert [name for name in one_thread if one_thread[name] != two.get(name)] == []


@pytest.mark.mica_only
@pytest.mark.long
@pytest.mark.parametrize(
    "settings", ({"MICA_THREADS": "5"}, {"MICA_FUSE": "0"}, {"MICA_DISABLE_COMPILE": "1"}), ids=str
)
def test_settings_give_the_same_bits(one_thread: dict[str, str], settings: dict[str, str]) -> None:
    """Neither fusion nor more threads than processors change a bit."""
    other = digests(**settings)
    assert [name for name in one_thread if one_thread[name] != other.get(name)] == []


SETS = ("baseline", "neon") if platform.machine() == "aarch64" else ("baseline", "avx2", "avx512")


@pytest.mark.mica_only
@pytest.mark.long
@pytest.mark.parametrize("isa", SETS)
def test_matrix_under_instruction_set(isa: str) -> None:
    """The quick matrix in a process that uses no better set; sets that the machine lacks fall back to what
    it has.
    """
    environment = {**os.environ, "MICA_ISA": isa, "MICA_TEST_TIER": "quick"}
    result = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-x",
            "--tier",
            "quick",
            "--no-header",
            "-p",
            "no:cacheprovider",
            "tests/ops/test_matrix.py",
            "tests/ops/test_transforms.py",
        ],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert result.returncode == 0, result.stdout[-3000:]
