"""``mlx.extension``: extensions in C++ and Metal are built against MLX's library, which is not here.

The names are there, so that a setup script that only imports them runs; making one says what to do instead.
"""

from __future__ import annotations

from typing import Any, NoReturn


def _refuse(name: str) -> NoReturn:
    raise RuntimeError(
        f"[{name}] extensions are built against the C++ library of MLX, which mica does not have: build this "
        "one with MLX, or write it with mica's C API (include/mica/mica.h), mx.custom_function or mx.compile"
    )


class CMakeExtension:
    """An extension that CMake builds: refused."""

    def __init__(self, name: str, sourcedir: str = "") -> None:
        _refuse("CMakeExtension")


class CMakeBuild:
    """The command that builds such extensions: refused."""

    def __init__(self, dist: Any, **kw: Any) -> None:
        _refuse("CMakeBuild")


class BuildExtension:
    """The command that builds extensions with Metal kernels: refused."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _refuse("BuildExtension")

    @classmethod
    def with_options(cls, **options: Any) -> type[BuildExtension]:
        """The command with options, which are not looked at."""
        return cls


class MetalLibrary:
    """Metal kernels of an extension: refused."""

    def __init__(self, name: str, sources: Any, **options: Any) -> None:
        _refuse("MetalLibrary")


class MetalExtension:
    """An extension with Metal kernels: refused."""

    def __init__(self, name: str, sources: Any, *args: Any, **kwargs: Any) -> None:
        _refuse("MetalExtension")
