"""The launcher behind ``python -m mica``: empties the module ``__main__`` and runs a program as it."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import io
import os
import sys
from types import CodeType, TracebackType
from typing import Any

_FOLDER = os.path.dirname(__file__)
_FILES = {
    os.path.join(_FOLDER, *name.split("/"))
    for name in (
        "__main__.py", "_commands.py", "_launch.py", "doctor/__main__.py", "doctor/runtime/command.py"
    )
}  # fmt: skip
# The console script, when that is what was started.
_script = sys.argv[0]


def _fail(message: str) -> SystemExit:
    print(f"{sys.executable} -m mica: {message}", file=sys.stderr)
    return SystemExit(2)


def _is_launcher(traceback: TracebackType) -> bool:
    name = traceback.tb_frame.f_code.co_filename
    if name == _script:
        return True
    return name == "<frozen runpy>" or name in _FILES


def _hide_launcher(kind: type[BaseException], value: BaseException, traceback: TracebackType | None) -> None:
    """Print an exception without the frames of the launcher and of runpy above the program's own."""
    while traceback is not None and _is_launcher(traceback):
        traceback = traceback.tb_next
    value.__traceback__ = traceback
    sys.__excepthook__(kind, value, traceback)


def _run(code: CodeType, **attributes: Any) -> None:
    """Execute code as the module __main__."""
    names = sys.modules["__main__"].__dict__
    builtins = names["__builtins__"]
    names.clear()
    names.update(__name__="__main__", __doc__=None, __package__=None, __loader__=None, __spec__=None)
    names.update(__annotations__={}, __builtins__=builtins, **attributes)
    exec(code, names)


def _set_path(entry: str) -> None:
    if not sys.flags.safe_path:
        sys.path[0] = entry


def _run_spec(code: CodeType, spec: importlib.machinery.ModuleSpec) -> None:
    _run(
        code,
        __file__=spec.origin,
        __cached__=spec.cached,
        __loader__=spec.loader,
        __package__=spec.parent,
        __spec__=spec,
    )


def _run_folder(path: str) -> None:
    """Run the ``__main__`` of a folder or an archive."""
    path = os.path.abspath(path)
    spec = importlib.machinery.PathFinder.find_spec("__main__", [path])
    code = spec.loader.get_code("__main__") if spec and hasattr(spec.loader, "get_code") else None
    if spec is None or code is None:
        raise _fail(f"can't find '__main__' module in {path!r}")
    _set_path(path)
    _run_spec(code, spec)


def _run_file(path: str) -> None:
    if os.path.isdir(path) or path.endswith((".zip", ".pyz")):
        _run_folder(path)
        return
    file_name = os.path.abspath(path)
    try:
        with io.open_code(file_name) as file:
            source = file.read()
    except OSError as error:
        raise _fail(f"can't open file {file_name!r}: {error.strerror}") from None
    _set_path(os.path.dirname(os.path.realpath(path)))
    loader = importlib.machinery.SourceFileLoader("__main__", file_name)
    _run(compile(source, file_name, "exec"), __file__=file_name, __cached__=None, __loader__=loader)


def _find_code(name: str) -> tuple[CodeType, importlib.machinery.ModuleSpec]:
    """The code of a module, or of a package's __main__."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError) as error:
        raise _fail(f"no module named {name!r} ({error})") from None
    if spec is not None and spec.submodule_search_locations is not None:
        if name.endswith(".__main__"):
            raise _fail(f"cannot use the package {name!r} as __main__")
        return _find_code(f"{name}.__main__")
    loader = spec.loader if spec else None
    code = loader.get_code(spec.name) if spec and hasattr(loader, "get_code") else None
    if spec is None or code is None:
        raise _fail(f"no module named {name!r}" if spec is None else f"no code for {name!r}")
    return code, spec


def _run_module(name: str) -> None:
    code, spec = _find_code(name)
    sys.argv[0] = spec.origin or name
    _run_spec(code, spec)


def main(usage: str) -> None:
    """Read the options and run the program, as ``python`` does with its own."""
    from mica import _commands

    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ("-h", "--help"):
        text = f"{usage}\nCommands:\n{_commands.usage()}"
        raise SystemExit(_commands.until_unread(lambda: print(text) or 0))
    command = _commands.find(arguments)
    if command:
        raise SystemExit(command(arguments[1:]))
    is_strict = arguments[0] == "--strict-devices"
    if is_strict:
        del arguments[0]
        if not arguments:
            raise _fail("a program is needed after --strict-devices")
    import mica.as_mlx

    if not is_strict:
        mica.as_mlx.stand_in_for_gpu()

    sys.excepthook = _hide_launcher
    option = arguments[0]
    if option in ("-m", "-c") and len(arguments) < 2:
        raise _fail(f"argument expected for the {option} option")
    if option == "-m":
        sys.argv[:] = arguments[1:]
        _run_module(arguments[1])
    elif option == "-c":
        sys.argv[:] = ["-c", *arguments[2:]]
        _set_path("")
        _run(compile(arguments[1], "<string>", "exec"))
    elif option.startswith("-") and option != "-":
        raise _fail(f"unknown option {option}")
    elif option == "-":
        sys.argv[:] = arguments
        _set_path("")
        _run(compile(sys.stdin.read(), "<stdin>", "exec"), __file__="<stdin>")
    else:
        sys.argv[:] = arguments
        _run_file(option)
