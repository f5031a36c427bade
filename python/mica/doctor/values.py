"""What the checker knows of a value: its kind, element type and shape as far as the text says, and its
history."""

from __future__ import annotations

import ast
from typing import Any

LOOP_TAGS = ("elem", "varying", "carried", "decode", "varies")


class Value:
    """An abstract value.

    kind   array, numpy, number, string, none, dtype, module (of Python), api, function, class, instance,
           optimizer, compiled, gradient (a function made by grad), tree (parameters, state, gradients),
           sequence, dict, file, stream, unknown
    dtype  name of the element type, None where it is not known
    shape  tuple of int or None, None where not even the number of axes is known
    data   what belongs to the kind
    tags   history: where it comes from, by name
    """

    __slots__ = ("kind", "dtype", "shape", "data", "tags")

    def __init__(self, kind: str, dtype: str | None = None, shape: tuple | None = None, data: Any = None,
                 tags: dict[str, Any] | None = None) -> None:  # fmt: skip
        self.kind = kind
        self.dtype = dtype
        self.shape = shape
        self.data = data
        self.tags = tags or {}

    def tagged(self, **tags: Any) -> Value:
        """A copy with more history; the identity that matters (who it is) is kept in the tag ``self``."""
        merged = {**self.tags, **tags}
        merged.setdefault("self", self)
        return Value(self.kind, self.dtype, self.shape, self.data, merged)

    @property
    def identity(self) -> Value:
        """The value that this one is a view of the same name of."""
        return self.tags.get("self", self)

    def loops(self, tag: str) -> frozenset:
        """The loops of a tag such as ``elem``."""
        return self.tags.get(tag, frozenset())

    def __repr__(self) -> str:
        return f"<{self.kind} {self.dtype or ''} {self.shape or ''} {sorted(self.tags)}>"


UNKNOWN = Value("unknown")
NONE = Value("none")
STRING = Value("string")


class Loop:
    """A loop or comprehension that is being walked through."""

    __slots__ = ("node", "frame", "changed", "many", "differentiates", "reads")

    def __init__(self, node: ast.AST, frame: Any, changed: frozenset[str], many: bool) -> None:
        self.node = node
        self.frame = frame
        # Names that the body binds, and the targets.
        self.changed = changed
        self.many = many
        self.differentiates = False
        # Names whose value of the turn before was waited for, and where.
        self.reads: list[tuple[str, ast.AST]] = []


class GradientStep:
    """One call of a differentiated function: what MX102 and MX401 follow."""

    __slots__ = ("node", "frame", "order", "path", "update")

    def __init__(self, node: ast.AST, frame: Any, order: int, path: tuple) -> None:
        self.node = node
        self.frame = frame
        self.order = order
        self.path = path
        self.update: tuple[int, tuple] | None = None


class Loaded:
    """What one call of load gave: the tensors of a file."""

    __slots__ = ("leaf", "evaluated")

    def __init__(self) -> None:
        self.leaf = Value("array", tags={"loaded_from": self})
        self.evaluated: list[tuple[Any, Any]] = []


class Compiled:
    """What compile was given, and where."""

    __slots__ = ("function", "inputs", "outputs", "node", "frame", "loops")

    def __init__(self, function: Value, inputs: Value | None, outputs: Value | None, node: Any, frame: Any,
                 loops: tuple) -> None:  # fmt: skip
        self.function = function
        self.inputs = inputs
        self.outputs = outputs
        self.node = node
        self.frame = frame
        self.loops = loops


class Gradient:
    """What grad or value_and_grad was given."""

    __slots__ = ("function", "with_value", "model")

    def __init__(self, function: Value, with_value: bool, model: Value | None) -> None:
        self.function = function
        self.with_value = with_value
        self.model = model


class Sequence:
    """Data of a list or tuple: the elements where they are known, else one for all."""

    __slots__ = ("items", "each", "copies")

    def __init__(self, items: list[Value] | None = None, each: Value = UNKNOWN, copies: bool = False) -> None:
        self.items = items
        self.each = each
        # copies: every element is the same array, more than once.
        self.copies = copies

    def element(self) -> Value:
        """What any element is."""
        if self.items is None:
            return self.each
        if not self.items:
            return UNKNOWN
        return join_all(self.items)


def number(constant: Any = None, **tags: Any) -> Value:
    """A Python number, its value where the text says it."""
    return Value("number", data=constant, tags=tags)


def sequence(items: list[Value] | None = None, each: Value = UNKNOWN, copies: bool = False) -> Value:
    """A list or tuple."""
    return Value("sequence", data=Sequence(items, each, copies))


def merge_loops(values: list[Value], tags: tuple[str, ...] = LOOP_TAGS) -> dict[str, Any]:
    """The loop tags that the result of an operation takes from its operands."""
    out: dict[str, Any] = {}
    for value in values:
        if value.tags:
            for tag in tags:
                loops = value.tags.get(tag)
                if loops:
                    out[tag] = out[tag] | loops if tag in out else loops
    return out


def join(a: Value, b: Value, depth: int = 6) -> Value:
    """What is known of a name that is one or the other."""
    if not depth:
        return UNKNOWN
    if a is b or a.identity is b.identity:
        return a
    if a.kind == "none" or a.kind == "unknown" and a.data == "unset":
        return b
    if b.kind == "none" or b.kind == "unknown" and b.data == "unset":
        return a
    if a.kind != b.kind:
        return UNKNOWN
    kind = a.kind
    if kind == "array":
        tags = {k: v for k, v in a.tags.items() if k != "self" and b.tags.get(k) == v}
        for tag in ("pending", "step", "gradients", "loss"):
            if tag in a.tags or tag in b.tags:
                tags[tag] = a.tags.get(tag) or b.tags.get(tag)
        shape = a.shape if a.shape == b.shape else None
        return Value("array", a.dtype if a.dtype == b.dtype else None, shape, None, tags)
    if kind in ("number", "string"):
        return Value(kind, data=a.data if a.data == b.data else None, tags=merge_loops([a, b]))
    if kind == "sequence":
        x, y = a.data, b.data
        if x.items is not None and y.items is not None and len(x.items) == len(y.items):
            return sequence([join(p, q, depth - 1) for p, q in zip(x.items, y.items, strict=True)])
        return sequence(None, join(x.element(), y.element(), depth - 1))
    if kind in ("numpy", "none", "file", "stream"):
        return a
    if kind == "dtype":
        return a if a.data == b.data else Value("dtype")
    if kind in ("function", "class", "api", "module", "compiled", "gradient", "instance", "optimizer"):
        return a if a.data is b.data or a.data == b.data else UNKNOWN
    return UNKNOWN


def join_all(values: list[Value]) -> Value:
    """`join` of many."""
    out = values[0]
    for value in values[1:]:
        out = join(out, value)
    return out


def arrays_in(value: Value, depth: int = 3) -> list[Value]:
    """The arrays, trees and modules that evaluating a value would evaluate."""
    if value.kind in ("array", "tree", "instance", "optimizer"):
        return [value]
    if depth and value.kind == "sequence":
        items = value.data.items if value.data.items is not None else [value.data.each]
        return [a for item in items for a in arrays_in(item, depth - 1)]
    if depth and value.kind == "dict":
        return [a for item in value.data.values() for a in arrays_in(item, depth - 1)]
    return []


def has_tags(values: list[Value], tag: str, depth: int = 3) -> frozenset:
    """The loops of a tag on values and on what they hold."""
    out: frozenset = frozenset()
    for value in values:
        out |= value.loops(tag)
        if value.kind == "sequence" and depth:
            items = value.data.items if value.data.items is not None else [value.data.each]
            out |= has_tags(items, tag, depth - 1)
    return out
