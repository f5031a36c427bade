"""The doctor: finds the mistakes people make with lazy arrays, before running (``mica lint``) and while
running.

``python -m mica.doctor program.py`` watches a whole program, ``with mica.doctor.watch() as report:`` a part
of one, and ``mica.doctor.explain(fn, *args)`` tells what a function would run without running it. These are
imported when they are first used: the static checker works where only Python is.
"""

from __future__ import annotations

from importlib import import_module

_HOME = {
    "watch": "runtime.watching",
    "Watch": "runtime.watching",
    "explain": "runtime.plan",
    "Finding": "runtime.finding",
}


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
