"""The commands of ``mica``: ``mica info`` and ``python -m mica info``.

A first argument that names a command runs it, unless there is a file or folder of that name: then it is a
program, as everything else is.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib import import_module

# Command: the function (module:name, called with the remaining arguments; returns the exit status) and what
# it does.
COMMANDS: dict[str, tuple[str, str]] = {
    "info": ("mica._info:main", "what mica runs on: version, processor, libraries, devices, settings"),
    "lint": ("mica.doctor.command:main", "mistakes with lazy arrays, found without running"),
    "doctor": ("mica.doctor.runtime.command:main", "mistakes with lazy arrays, found while a program runs"),
}


def find(arguments: list[str]) -> Callable[[list[str]], int] | None:
    """The function of the command that the first argument names; None when it is no command."""
    if not arguments or arguments[0] not in COMMANDS or os.path.exists(arguments[0]):
        return None
    module, _, name = COMMANDS[arguments[0]][0].partition(":")
    return getattr(import_module(module), name)


def usage() -> str:
    """The commands, a line for each."""
    width = max(len(name) for name in COMMANDS)
    return "\n".join(f"  {name:{width}}  {text}" for name, (_, text) in COMMANDS.items())


def main() -> None:
    """The console script: what ``python -m mica`` does."""
    from mica import __main__ as module
    from mica import _launch

    # As under ``python -m``: modules of the current folder come first.
    if not sys.flags.safe_path:
        sys.path.insert(0, os.getcwd())
    _launch.main(module.__doc__ or "")
