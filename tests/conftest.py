"""Options of the whole test run."""

from __future__ import annotations

import os

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--tier long`` runs everything; the quick tier samples dtypes, sizes and instruction sets."""
    parser.addoption("--tier", choices=("quick", "long"), default=os.environ.get("MICA_TEST_TIER", "quick"))


def pytest_configure(config: pytest.Config) -> None:
    """Hands the tier to modules that read it while they are imported, and to the processes they start."""
    os.environ["MICA_TEST_TIER"] = config.getoption("--tier")
    config.addinivalue_line("markers", "mica_only: holds for mica alone, the reference is known to differ")
    config.addinivalue_line("markers", "long: only in the long tier")
    config.addinivalue_line("markers", "unsanitized: measures or limits what sanitizers take for themselves")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skips what does not belong to this tier, or to this target."""
    on_wheel = os.environ.get("MICA_TEST_TARGET", "mica.core") == "mlx.core"
    for item in items:
        if on_wheel and item.get_closest_marker("mica_only"):
            item.add_marker(pytest.mark.skip(reason="the reference differs, see tests/ops/differences.py"))
        if "san.so" in os.environ.get("LD_PRELOAD", "") and item.get_closest_marker("unsanitized"):
            item.add_marker(pytest.mark.skip(reason="a sanitizer takes time and memory of its own"))
        if config.getoption("--tier") != "long" and item.get_closest_marker("long"):
            item.add_marker(pytest.mark.skip(reason="long tier"))
