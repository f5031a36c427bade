"""mica.core.metal: former names of memory functions, and of device_info."""

from __future__ import annotations

import warnings

from mica import core


def _moved(name: str) -> None:
    warnings.warn(f"metal.{name} is deprecated; call {name} of mica.core", DeprecationWarning, stacklevel=3)


def clear_cache() -> None:
    """Give cached memory back to the system. Deprecated."""
    _moved("clear_cache")
    core.clear_cache()


def device_info() -> dict[str, str | int]:
    """Return what is known of the Metal device: nothing, as there is none. Deprecated."""
    _moved("device_info")
    return {}


def get_active_memory() -> int:
    """Return the bytes in use by arrays. Deprecated."""
    _moved("get_active_memory")
    return core.get_active_memory()


def get_cache_memory() -> int:
    """Return the freed bytes that are kept for reuse. Deprecated."""
    _moved("get_cache_memory")
    return core.get_cache_memory()


def get_peak_memory() -> int:
    """Return the most bytes in use since the last reset. Deprecated."""
    _moved("get_peak_memory")
    return core.get_peak_memory()


def reset_peak_memory() -> None:
    """Set the peak to 0. Deprecated."""
    _moved("reset_peak_memory")
    core.reset_peak_memory()


def set_cache_limit(limit: int) -> int:
    """Set the most bytes that are kept for reuse; return the previous limit. Deprecated."""
    _moved("set_cache_limit")
    return core.set_cache_limit(limit)


def set_memory_limit(limit: int) -> int:
    """Set the most bytes of memory; return the previous limit. Deprecated."""
    _moved("set_memory_limit")
    return core.set_memory_limit(limit)


def set_wired_limit(limit: int) -> int:
    """Return 0: nothing is wired without a Metal device. Deprecated."""
    _moved("set_wired_limit")
    return core.set_wired_limit(limit)
