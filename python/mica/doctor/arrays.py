"""Types and shapes of results, as far as the text says."""

from __future__ import annotations

from mica.doctor.api import FLOATS, HALF
from mica.doctor.values import Value


def promote(operands: list[Value]) -> tuple[str | None, bool]:
    """The element type of an operation's result, and whether it is float32 by default only."""
    arrays = [v for v in operands if v.kind == "array"]
    if not arrays or any(v.kind not in ("array", "number") for v in operands):
        return None, False
    types = [v.dtype for v in arrays]
    if any(t is None for t in types):
        return None, False
    default = all("default" in v.tags or "literal" in v.tags or v.dtype not in FLOATS for v in arrays)
    floats = [t for t in types if t in FLOATS]
    if not floats:
        if len(set(types)) == 1 and all(isinstance(v.data, int) for v in operands if v.kind == "number"):
            return types[0], False
        return None, False
    if "float64" in floats:
        return "float64", False
    if "float32" in floats or len(set(floats)) > 1:
        return "float32", default
    return floats[0], False


def broadcast(operands: list[Value]) -> tuple | None:
    """The shape that operands broadcast to; sizes that are not known are None."""
    shapes = []
    for value in operands:
        if value.kind == "array":
            if value.shape is None:
                return None
            shapes.append(value.shape)
        elif value.kind != "number":
            return None
    if not shapes:
        return None
    if len(shapes) == 1:
        return shapes[0]
    rank = max(len(s) for s in shapes)
    out = []
    for axis in range(rank):
        sizes = [s[axis - rank + len(s)] for s in shapes if axis - rank + len(s) >= 0]
        big = [n for n in sizes if n != 1]
        out.append(big[0] if big and all(n == big[0] for n in big) else (None if big else 1))
    return tuple(out)


def index_shape(shape: tuple | None, parts: list[Value]) -> tuple | None:
    """The shape of an indexed array."""
    if shape is None:
        return None
    out: list[int | None] = []
    axis = 0
    for part in parts:
        if part.kind == "none":
            out.append(1)
        elif axis >= len(shape):
            return None
        elif part.kind == "number":
            axis += 1
        elif part.kind == "slice":
            whole = all(p.kind == "none" for p in part.data[1])
            out.append(shape[axis] if whole else None)
            axis += 1
        else:
            return None
    return (*out, *shape[axis:])


def shape_of(value: Value) -> tuple | None:
    """The shape that a shape argument says."""
    if value.kind == "number":
        return (value.data if isinstance(value.data, int) else None,)
    if value.kind == "sequence" and value.data.items is not None:
        return tuple(
            v.data if v.kind == "number" and isinstance(v.data, int) else None for v in value.data.items
        )
    return None


def meets_half(values: list[Value]) -> bool:
    """Whether some value is known to be of a half type."""
    return any(v.dtype in HALF for v in values)
