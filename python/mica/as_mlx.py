"""Importing this module makes ``mlx`` stand for mica: after it, ``import mlx.core`` gives ``mica.core``.

That holds for everything below ``mlx`` too, and the modules are the very same objects. The version of
``mlx.core`` and of the distribution ``mlx`` are then those of the reference whose API this is.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.metadata
import importlib.util
import sys
from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import Any

REFERENCE_VERSION = "0.32.4"
_ALIAS = "mlx"
_TARGET = __package__
_ANY = importlib.metadata.DistributionFinder.Context()


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


def _install() -> None:
    loaded = sys.modules.get(_ALIAS)
    if loaded is not None and loaded is not sys.modules[_TARGET]:
        raise ImportError(f"{__name__} must be imported before {_ALIAS}, which is already loaded: {loaded!r}")
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


_install()
