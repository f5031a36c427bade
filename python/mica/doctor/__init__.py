"""The doctor: finds the mistakes people make with lazy arrays, while a program runs.

``python -m mica.doctor program.py`` watches a whole program, ``with mica.doctor.watch() as report:`` a part
of one, and ``mica.doctor.explain(fn, *args)`` tells what a function would run without running it.
"""

from __future__ import annotations

from importlib import import_module

# What is imported when it is first used: the static checker needs no engine.
_HOME = {"watch": "watching", "Watch": "watching", "explain": "plan", "Finding": "finding"}


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
