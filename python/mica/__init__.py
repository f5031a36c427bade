"""mica: arrays for machine learning, with the API of MLX.

``mica.core``, ``mica.nn``, ``mica.optimizers`` and ``mica.utils`` are imported when they are first used.
A program written for MLX runs unchanged with ``python -m mica program.py`` or after ``import mica.as_mlx``.
"""

from __future__ import annotations

from importlib import import_module

# typing is left out at run time: its import takes longer than the engine's.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SUBMODULES = frozenset({"core", "nn", "optimizers", "utils"})


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return import_module(f"{__name__}.{name}")
    if name == "__version__":
        return import_module(f"{__name__}.core").__version__
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_SUBMODULES, "__version__"})
