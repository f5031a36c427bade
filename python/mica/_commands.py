"""Commands of ``python -m mica`` and of ``mica``: name -> "module:function" that takes the arguments and returns the status.

No command's module is imported before it is asked for, and the table needs no engine.
"""

from __future__ import annotations

from importlib import import_module

COMMANDS = {
    "lint": "mica.doctor.command:main",
    "doctor": "mica.doctor.runtime.command:main",
}


def run(arguments: list[str]) -> int | None:
    """Run the command that the first argument names; None if it names none."""
    entry = COMMANDS.get(arguments[0]) if arguments else None
    if entry is None:
        return None
    module, _, function = entry.partition(":")
    return getattr(import_module(module), function)(arguments[1:])
