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
    command: Callable[[list[str]], int] = getattr(import_module(module), name)
    return lambda more: until_unread(lambda: command(more))


def until_unread(command: Callable[[], int]) -> int:
    """Run a command whose reader may go away, as in ``mica info | head -1``: then it ends without a word.

    Args:
        command: returns the exit status.

    Returns:
        It, or that of a command which a broken pipe has ended.
    """
    try:
        try:
            return command()
        finally:  # argparse leaves by SystemExit
            sys.stdout.flush()
    except BrokenPipeError:
        # What is still in Python's buffer goes nowhere when the interpreter exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141  # what shells call the end by SIGPIPE


def usage() -> str:
    """The commands, a line for each."""
    width = max(len(name) for name in COMMANDS)
    return "\n".join(f"  {name:{width}}  {text}" for name, (_, text) in COMMANDS.items())


def main() -> None:
    """The console script: what ``python -m mica`` does."""
    from mica import __main__ as module, _launch

    # As under ``python -m``: modules of the current folder come first.
    if not sys.flags.safe_path:
        sys.path.insert(0, os.getcwd())
    _launch.main(module.__doc__ or "")
