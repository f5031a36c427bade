"""Importing this module makes ``mlx`` stand for mica: after it, ``import mlx.core`` gives ``mica.core``.

That holds for everything below ``mlx`` too, and the modules are the very same objects. The version of
``mlx.core`` and of the distribution ``mlx`` are then those of the reference whose API this is. Processes that
``multiprocessing`` and ``execnet`` (``pytest -n``) start do the same. An installed ``mlx`` stays as it is,
and is not seen by this process.

Besides ``python -m mica``, which imports it: ``pytest -p mica.as_mlx``, and ``%load_ext mica.as_mlx`` in a
notebook.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.metadata
import importlib.util
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from types import ModuleType
from typing import Any

REFERENCE_VERSION = "0.32.4"
_ALIAS = "mlx"
_TARGET = __package__
# A package of another distribution (mlx-data), which lies in the folder mlx and needs no array of MLX.
_GUEST = "data"
_ANY = importlib.metadata.DistributionFinder.Context()
_STAND_IN = (
    "there is no GPU here: work for mx.gpu runs on the CPU. "
    "This is said once; python -m mica --strict-devices makes it an error"
)
# What is said when the CPU runs the work for a GPU that is not there; None: that is an error.
_said: str | None = None


def _target_name(name: str) -> str:
    return _TARGET + name.removeprefix(_ALIAS)


def _share(alias: str, target: str) -> None:
    """Enter a module, and all loaded modules below it, under its alias."""
    for name in [n for n in sys.modules if n == target or n.startswith(target + ".")]:
        sys.modules.setdefault(alias + name.removeprefix(target), sys.modules[name])


class _Loader(importlib.abc.Loader):
    """Loads a module by handing out the one that it stands for."""

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        alias = module.__name__
        target = _target_name(alias)
        real = importlib.import_module(target)
        if target == f"{_TARGET}.core":
            sys.modules[_TARGET].__dict__.setdefault("__version__", real.__version__)
            real.__version__ = REFERENCE_VERSION  # type: ignore[attr-defined]
            real._stand_in_for_gpu(_said)
        # The import system hands out what stands in sys.modules after loading.
        sys.modules[alias] = real
        _share(alias, target)


class _Distribution(importlib.metadata.Distribution):
    """What ``importlib.metadata`` answers when a program asks for the version of mlx."""

    def read_text(self, filename: str) -> str | None:
        if filename == "METADATA":
            return f"Metadata-Version: 2.1\nName: {_ALIAS}\nVersion: {REFERENCE_VERSION}\n"
        return None

    def locate_file(self, path: Any) -> Any:
        return path


class _Finder(importlib.metadata.DistributionFinder):
    """Finds mlx and what is below it."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != _ALIAS and not fullname.startswith(_ALIAS + "."):
            return None
        if fullname.split(".")[1:2] == [_GUEST]:
            folders = [os.path.join(entry or os.getcwd(), _ALIAS) for entry in sys.path]
            return importlib.machinery.PathFinder.find_spec(
                fullname, path if fullname.count(".") > 1 else folders
            )
        # The alias of the package itself needs no search, nor does a module that is already loaded.
        real = sys.modules.get(_target_name(fullname))
        found = real.__spec__ if real else importlib.util.find_spec(_target_name(fullname))
        if real is None and found is None:
            return None
        spec = importlib.machinery.ModuleSpec(fullname, _Loader(), origin=found.origin if found else None)
        if found and found.submodule_search_locations is not None:
            spec.submodule_search_locations = list(found.submodule_search_locations)
        return spec

    def find_distributions(
        self, context: importlib.metadata.DistributionFinder.Context = _ANY
    ) -> Iterable[importlib.metadata.Distribution]:
        # A query without name lists all; the alias is not installed, so it is not among them.
        if context.name and context.name.lower() == _ALIAS:
            yield _Distribution()


# ---- new processes ----


def _start() -> str:
    """What a new process executes to see the same mlx."""
    paths = [entry for entry in sys.path if entry]
    core = sys.modules.get(f"{_TARGET}.core")
    is_quiet = core is not None and core._warned_of_gpu()
    more = f"; mica.as_mlx.stand_in_for_gpu({is_quiet})" if _said is not None else ""
    return f"import sys; sys.path += [p for p in {paths!r} if p not in sys.path]; import mica.as_mlx{more}"


class _InChild:
    """Arrives in a new process, before its main module is imported, as the call that makes mlx mean mica."""

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, (_start(), {})


def _tell_spawned(spawn: ModuleType) -> None:
    """Let what a new process of multiprocessing is told begin with the alias."""
    prepare = spawn.get_preparation_data

    def get_preparation_data(name: str) -> dict[str, Any]:
        return {"mica": _InChild(), **prepare(name)}

    spawn.get_preparation_data = get_preparation_data  # type: ignore[attr-defined]


def _tell_gateways(gateways: ModuleType) -> None:
    """Let the program of a new process of execnet, which pytest-xdist uses, begin with the alias.

    Those of another interpreter, where mica need not be, stay as they are.
    """
    arguments_of = gateways.popen_args

    def popen_args(spec: Any) -> list[str]:
        arguments = list(arguments_of(spec))
        if not spec.python and arguments[-2:-1] == ["-c"]:
            arguments[-1] = f"{_start()}; {arguments[-1]}"
        return arguments

    gateways.popen_args = popen_args  # type: ignore[attr-defined]


# What starts processes, and how each lets them have the alias.
_STARTERS: dict[str, Callable[[ModuleType], None]] = {
    "multiprocessing.spawn": _tell_spawned,
    "execnet.gateway_io": _tell_gateways,
}


class _StarterFinder(importlib.abc.MetaPathFinder):
    """Waits for modules that start processes, which most programs never import."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in _STARTERS:
            return None
        place = sys.meta_path.index(self)
        sys.meta_path.remove(self)
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            sys.meta_path.insert(place, self)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                run(module)
                _STARTERS[fullname](module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


# ---- ways in ----


def stand_in_for_gpu(is_quiet: bool = False) -> None:
    """Let the CPU run what programs ask of a GPU that is not there, with one warning or with none."""
    global _said
    _said = "" if is_quiet else _STAND_IN
    loaded = sys.modules.get(f"{_TARGET}.core")
    if loaded is not None:
        loaded._stand_in_for_gpu(_said)


def load_ipython_extension(shell: object) -> None:
    """``%load_ext mica.as_mlx``: as under ``python -m mica``."""
    stand_in_for_gpu()


def _install() -> None:
    loaded = sys.modules.get(_ALIAS)
    if loaded is not None and loaded is not sys.modules[_TARGET]:
        raise ImportError(f"{__name__} must be imported before {_ALIAS}, which is already loaded: {loaded!r}")
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
        for name, tell in _STARTERS.items():
            if name in sys.modules:
                tell(sys.modules[name])
        sys.meta_path.insert(0, _StarterFinder())


_install()
