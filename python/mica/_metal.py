"""mica.core.metal: former names of memory functions, and of device_info."""

from __future__ import annotations

import os
import warnings

from mica import core


def _moved(name: str) -> None:
    warnings.warn(f"metal.{name} is deprecated; call {name} of mica.core", DeprecationWarning, stacklevel=3)


def clear_cache() -> None:
    """Give cached memory back to the system. Deprecated."""
    _moved("clear_cache")
    core.clear_cache()


def device_info() -> dict[str, str | int]:
    """Return what is known of the Metal device: nothing, as there is none. Deprecated.

    Where the CPU stands in for the GPU (``python -m mica``), sizes that fit it.
    """
    _moved("device_info")
    return core.device_info(core.gpu)


def stand_in_info() -> dict[str, str | int]:
    """What ``device_info`` says of a GPU that the CPU stands in for: the keys of a Metal device."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    info = core.device_info(core.cpu)
    limit = core.get_memory_limit()
    sizes = {"max_buffer_length": limit, "max_recommended_working_set_size": limit, "memory_size": memory}
    return {**info, **sizes, "resource_limit": 499000}


def get_active_memory() -> int:
    """Return the bytes in use by arrays. Deprecated."""
    _moved("get_active_memory")
    return core.get_active_memory()


def get_cache_memory() -> int:
    """Return the freed bytes that are kept for reuse. Deprecated."""
    _moved("get_cache_memory")
    return core.get_cache_memory()


def get_peak_memory() -> int:
    """Return the most bytes in use when memory was taken since the last reset. Deprecated."""
    _moved("get_peak_memory")
    return core.get_peak_memory()


def reset_peak_memory() -> None:
    """Set the peak to 0, until memory is next taken. Deprecated."""
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
