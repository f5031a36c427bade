"""What the Python array API standard asks of a namespace besides functions (version 2023.12)."""

from __future__ import annotations

from typing import Any

from mica import core

_DTYPES = {
    "bool": ("bool",),
    "signed integer": ("int8", "int16", "int32", "int64"),
    "unsigned integer": ("uint8", "uint16", "uint32", "uint64"),
    "real floating": ("float32", "float64"),
    "complex floating": ("complex64",),
}
_DTYPES["integral"] = _DTYPES["signed integer"] + _DTYPES["unsigned integer"]
_DTYPES["numeric"] = _DTYPES["integral"] + _DTYPES["real floating"] + _DTYPES["complex floating"]


class ArrayLike:
    """Any object with a method ``__mlx_array__`` that returns an array. A name for annotations."""

    def __new__(cls, *args: Any, **kwargs: Any) -> ArrayLike:
        raise TypeError("ArrayLike has no constructor: it is a name for annotations")


ArrayLike.__module__ = "mica.core"


def _check_device(device: object) -> None:
    if device is not None and not isinstance(device, (core.Device, core.DeviceType)):
        raise TypeError(f"[__array_namespace_info__] a Device is expected, not {type(device).__name__}")


class ArrayNamespaceInfo:
    """Answers of the inspection functions of the array API standard."""

    def capabilities(self) -> dict[str, bool | int]:
        """Return what the library can do: Boolean masks read elements; no function has a shape that depends
        on values.
        """
        return {"boolean indexing": True, "data-dependent shapes": False, "max dimensions": 32}

    def default_device(self) -> core.Device:
        """Return the device on which arrays are made unless another is asked for."""
        return core.default_device()

    def devices(self) -> tuple[core.Device, ...]:
        """Return all devices."""
        kinds = (core.cpu, core.gpu)
        return tuple(core.Device(kind, i) for kind in kinds for i in range(core.device_count(kind)))

    def default_dtypes(self, *, device: object | None = None) -> dict[str, core.Dtype]:
        """Return the element types that functions choose by default."""
        _check_device(device)
        return {
            "real floating": core.float32,
            "complex floating": core.complex64,
            "integral": core.int32,
            "indexing": core.int32,
        }

    def dtypes(
        self, *, device: object | None = None, kind: str | tuple[str, ...] | None = None
    ) -> dict[str, core.Dtype]:
        """Return the standard's element types by name.

        Args:
            device: makes no difference.
            kind: ``bool``, ``signed integer``, ``unsigned integer``, ``integral``, ``real floating``,
                ``complex floating``, ``numeric``, or several; all when None.

        Raises:
            ValueError: there is no such kind.
        """
        _check_device(device)
        kinds = ("bool", "numeric") if kind is None else (kind,) if isinstance(kind, str) else tuple(kind)
        unknown = [k for k in kinds if k not in _DTYPES]
        if unknown:
            raise ValueError(
                f"[dtypes] Unsupported dtype kind: {unknown[0]!r}; accepted: {', '.join(_DTYPES)}"
            )
        return {
            name: getattr(core, name if name != "bool" else "bool_") for k in kinds for name in _DTYPES[k]
        }


def __array_namespace_info__() -> ArrayNamespaceInfo:
    """Return an object that answers questions about this array API namespace."""
    return ArrayNamespaceInfo()
