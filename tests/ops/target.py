"""The module under test and the oracles, imported in one place.

``mx`` is the module under test: ``mica.core``, or what MICA_TEST_TARGET names (``mlx.core`` checks the
tests themselves).
``wheel`` is the reference, the installed ``mlx.core``; None when it is not there.
"""

from __future__ import annotations

import importlib
import os
from types import ModuleType

TARGET = os.environ.get("MICA_TEST_TARGET", "mica.core")
LONG = os.environ.get("MICA_TEST_TIER", "quick") == "long"

# The wheel first: an alias of the target for `mlx` must never stand where the oracle is meant.
try:
    wheel: ModuleType | None = importlib.import_module("mlx.core")
except ImportError:
    wheel = None
mx: ModuleType = importlib.import_module(TARGET)
IS_MICA = mx is not wheel


def resolve(module: ModuleType, name: str):
    """The function ``name`` of ``module``; dots lead into submodules (``fast.rope``)."""
    found = module
    for part in name.split("."):
        found = getattr(found, part)
    return found


def live() -> dict | tuple | None:
    """Counters of live objects, or None where the target has none."""
    counters = getattr(mx, "_live", None)
    return counters() if counters is not None else None
