"""The same bits for any number of threads, fused or not; the matrix under each instruction set."""

from __future__ import annotations

import functools
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@functools.cache
def digests(**settings: str) -> dict[str, str]:
    """What tests.ops.digest prints under these settings: label, dtype and kind to the digest."""
    result = subprocess.run(
        [sys.executable, "-m", "tests.ops.digest"],
        cwd=ROOT,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    lines = [line.split() for line in result.stdout.splitlines()]
    return {f"{label} {name} {kind}": digest for label, name, digest, kind in lines}


def different(settings: dict[str, str], kinds: tuple[str, ...] = ("same", "product")) -> list[str]:
    """Which digests differ from those with one thread."""
    plain, other = digests(MICA_THREADS="1"), digests(**settings)
    assert len(plain) > 100
    return [name for name in plain if plain[name] != other.get(name) and name.split()[-1] in kinds]


@pytest.mark.mica_only
def test_threads_and_instructions_give_the_same_bits() -> None:
    """Work is split the same way always; all but products of matrices is one body without contraction."""
    assert different({"MICA_THREADS": "2"}) == []
    assert different({"MICA_ISA": "portable"}, ("same",)) == []


@pytest.mark.mica_only
@pytest.mark.long
@pytest.mark.parametrize(
    "settings", ({"MICA_THREADS": "5"}, {"MICA_FUSE": "0"}, {"MICA_DISABLE_COMPILE": "1"}), ids=str
)
def test_settings_give_the_same_bits(settings: dict[str, str]) -> None:
    """Neither fusion nor more threads than processors change a bit."""
    assert different(settings) == []


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


WRONG = {
    "MICA_ISA": "bogus",
    "MICA_THREADS": "two",
    "MICA_FUSE": "maybe",
    "MICA_MEMORY_LIMIT": "3 apples",
}


@pytest.mark.mica_only
@pytest.mark.parametrize("variable", WRONG)
def test_wrong_settings_are_refused(variable: str) -> None:
    """A value that a setting does not take is an error that names the variable and what is accepted."""
    result = subprocess.run(
        [sys.executable, "-c", "import mica.core"],
        env={**os.environ, variable: WRONG[variable]},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode and f"{variable} is '{WRONG[variable]}'; accepted: " in result.stderr
