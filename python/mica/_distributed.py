"""mica.core.distributed: collective operations of a group of processes.

There is one kind of group: this process alone. In it every collective gives its argument back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mica import core

_BACKENDS = ("any", "mpi", "nccl", "jaccl", "ring")


class Group:
    """Processes that communicate with each other. ``init`` makes the group of all."""

    __slots__ = ("_rank", "_size")
    _rank: int
    _size: int

    def __new__(cls, *args: Any, **kwargs: Any) -> Group:
        raise TypeError("Group has no constructor; call mica.core.distributed.init()")

    def rank(self) -> int:
        """Return this process' number in the group, from 0."""
        return self._rank

    def size(self) -> int:
        """Return the number of processes in the group."""
        return self._size

    def split(self, color: int, key: int = -1) -> Group:
        """Split the group into one for each color.

        Args:
            color: processes that give the same number come into the same group.
            key: orders the ranks in it; negative: by the ranks in this group.

        Raises:
            RuntimeError: the group has one process only.
        """
        _require_int("split", "color", color)
        _require_int("split", "key", key)
        raise RuntimeError("[split] Cannot split the distributed group further: it has one process")


Group.__module__ = "mica.core.distributed"
_alone: Group = object.__new__(Group)
_alone._rank = 0
_alone._size = 1


def _require_int(function: str, name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"[{function}] argument '{name}' is of type {type(value).__name__}; accepted: int")


def _require_group(function: str, group: object) -> None:
    if group is not None and not isinstance(group, Group):
        raise TypeError(
            f"[{function}] argument 'group' is of type {type(group).__name__}; accepted: Group, None"
        )


def is_available(backend: str = "any") -> bool:
    """Return whether processes can be connected by a backend: there is none."""
    if not isinstance(backend, str):
        raise TypeError(f"[is_available] backend is of type {type(backend).__name__}; accepted: str")
    return False


def init(
    strict: bool = False,
    backend: str = "any",
    *,
    all_gather_factory: Callable[[int, int], Callable[[bytes, int], bytes]] | None = None,
) -> Group:
    """Return the group of all processes: this one alone.

    Args:
        strict: whether a group that no backend connects is an error.
        backend: ``any``, ``mpi``, ``nccl``, ``jaccl`` or ``ring``.
        all_gather_factory: not used by a group of one process.

    Raises:
        ValueError: there is no backend of that name.
        RuntimeError: ``strict``, and the backend cannot connect processes.
    """
    if not isinstance(strict, bool):
        raise TypeError(f"[init] strict is of type {type(strict).__name__}; accepted: bool")
    if not isinstance(backend, str):
        raise TypeError(f"[init] backend is of type {type(backend).__name__}; accepted: str")
    if backend not in _BACKENDS:
        known = ", ".join(repr(name) for name in _BACKENDS)
        raise ValueError(f"[init] there is no backend {backend!r}; accepted: {known}")
    if strict:
        raise RuntimeError(
            f"[init] Cannot initialize the distributed backend {backend!r}: it is not available"
        )
    return _alone


def _whole(function: str, x: Any, group: Group | None, stream: Any) -> core.array:
    """The argument as an array: what every collective of one process gives."""
    _require_group(function, group)
    if isinstance(x, (str, bytes, list, tuple, dict)) or x is None:
        raise ValueError(f"[{function}] Invalid type {type(x).__name__} for 'x'; accepted: array, number")
    try:
        whole = x if isinstance(x, core.array) else core.array(x)
    except (ValueError, RuntimeError) as error:
        raise type(error)(f"[{function}] {str(error).removeprefix('[array] ')}") from None
    return core.positive(whole, stream=stream)


def all_sum(x: core.array, *, group: Group | None = None, stream: Any = None) -> core.array:
    """Return the sum of the arrays of all processes: same shape and dtype."""
    return _whole("all_sum", x, group, stream)


def all_max(x: core.array, *, group: Group | None = None, stream: Any = None) -> core.array:
    """Return the element-wise maximum of the arrays of all processes."""
    return _whole("all_max", x, group, stream)


def all_min(x: core.array, *, group: Group | None = None, stream: Any = None) -> core.array:
    """Return the element-wise minimum of the arrays of all processes."""
    return _whole("all_min", x, group, stream)


def all_gather(x: core.array, *, group: Group | None = None, stream: Any = None) -> core.array:
    """Return the arrays of all processes, joined along the first axis in the order of ranks."""
    return _whole("all_gather", x, group, stream)


def sum_scatter(x: core.array, *, group: Group | None = None, stream: Any = None) -> core.array:
    """Return this process' part, along the first axis, of the sum of the arrays of all processes."""
    return _whole("sum_scatter", x, group, stream)


def send(x: core.array, dst: int, *, group: Group | None = None, stream: Any = None) -> core.array:
    """Send an array to the process of rank ``dst`` when the result, which equals it, is evaluated.

    Raises:
        ValueError: the group has one process only.
    """
    _require_int("send", "dst", dst)
    _whole("send", x, group, stream)
    raise ValueError("[send] Cannot send to a singleton group")


def recv(
    shape: Sequence[int], dtype: core.Dtype, src: int, *, group: Group | None = None, stream: Any = None
) -> core.array:
    """Receive an array of the given shape and dtype from the process of rank ``src``.

    Raises:
        ValueError: the group has one process only.
    """
    _require_int("recv", "src", src)
    _require_group("recv", group)
    if not isinstance(dtype, core.Dtype):
        raise TypeError(f"[recv] argument 'dtype' is of type {type(dtype).__name__}; accepted: Dtype")
    raise ValueError("[recv] Cannot recv from a singleton group")


def recv_like(x: core.array, src: int, *, group: Group | None = None, stream: Any = None) -> core.array:
    """Receive an array of x's shape and dtype from the process of rank ``src``.

    Raises:
        ValueError: the group has one process only.
    """
    _require_int("recv_like", "src", src)
    _whole("recv_like", x, group, stream)
    raise ValueError("[recv_like] Cannot recv from a singleton group")
