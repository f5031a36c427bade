"""Attributes and indexes."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from mica.doctor import api
from mica.doctor.arrays import index_shape
from mica.doctor.project import Instance
from mica.doctor.values import (
    NONE,
    UNKNOWN,
    Loop,
    Sequence,
    Value,
    merge_loops,
    number,  # fmt: skip
    sequence,
)

if TYPE_CHECKING:
    from mica.doctor.interpreter import Interpreter as Base
else:
    Base = object

BUILTINS = frozenset(
    """abs all any bool dict enumerate filter float format int isinstance len list map max min open print
    range repr reversed
    round set sorted str sum super tuple zip getattr setattr hasattr next iter type""".split()
)
MODULES = frozenset(
    """mlx.core mlx.nn mlx.optimizers mlx.utils mlx.core.fast mlx.core.linalg mlx.core.random mlx.core.fft
    mlx.nn.losses mlx.nn.utils mlx.nn.init mlx.nn.layers mlx.core.distributed""".split()
)
# Longer lists are known by one element for all.
MANY = 256
LIST_CHANGES = frozenset(
    "append extend insert pop remove clear update setdefault add discard popitem".split()
)


class Indexing(Base):
    """What is taken out of a value."""

    # ---- attributes and indexes ----

    def e_Attribute(self, node: ast.Attribute) -> Value:
        if node.attr in api.METADATA:
            owner = self.evaluate(node.value, load=False) if isinstance(node.value, ast.Name) else (
                self.evaluate(node.value))  # fmt: skip
        else:
            owner = self.evaluate(node.value)
        return self.attribute(node, owner, node.attr)

    def attribute(self, node: ast.AST, owner: Value, name: str) -> Value:
        """An attribute of a value."""
        kind = owner.kind
        if kind == "module":
            return self.attribute_of_module(owner, name)
        if kind == "api":
            if owner.data == "mlx.nn.Module" or owner.data.startswith("mlx.nn."):
                return Value("api", data=f"{owner.data}.{name}")
            return Value("bound", data=(owner, name))
        if kind == "numpy_api":
            return Value("numpy_api", data=f"{owner.data}.{name}")
        if kind == "array":
            if name == "dtype":
                return Value("dtype", data=owner.dtype or owner.identity)
            if name == "shape":
                if owner.shape is None:
                    return Value("shape", data=owner)
                return sequence([number(n) for n in owner.shape])
            if name in ("ndim", "size", "nbytes", "itemsize"):
                return number(len(owner.shape) if name == "ndim" and owner.shape is not None else None)
            if name == "T":
                return self.transposed(owner)
            if name in ("real", "imag"):
                return Value("array", tags={"pending": True})
            return Value("bound", data=(owner, name))
        if kind == "instance":
            return self.attribute_of_instance(node, owner, name)
        if kind == "class":
            found = owner.data.lookup(name)
            if found is not None and found.kind == "function" and found.data.kind == "class":
                return Value("function", data=found.data.bound(owner.data.value))
            return found if found is not None else Value("bound", data=(owner, name))
        if kind == "optimizer":
            if name == "state":
                return Value("tree", data=("state", owner))
            return Value("bound", data=(owner, name))
        if kind == "unknown":
            if name == "dtype":
                return Value("dtype", data=owner.identity)
            if name == "shape":
                return Value("shape", data=owner)
            return Value("bound", data=(owner, name), tags=dict(owner.tags))
        if kind == "bound":
            inner, first = owner.data
            if inner.kind == "array" and first == "at":
                return Value("bound", data=(inner, name))
            return Value("unknown")
        return Value("bound", data=(owner, name))

    def attribute_of_module(self, module: Value, name: str) -> Value:
        """An attribute of a Python module."""
        if module.kind != "module":
            return Value("unknown")
        data = module.data
        if isinstance(data, str):
            if api.is_api(data):
                if data == "mlx.core" and name in api.DTYPES:
                    return Value("dtype", data=name)
                if data == "mlx.core" and name in ("cpu", "gpu"):
                    return Value("stream", data=name)
                full = f"{data}.{name}"
                if full in MODULES:
                    return Value("module", data=full)
                if data.startswith("mlx.nn.layers") and name[:1].isupper() or data == "mlx.nn.layers.base":
                    full = f"mlx.nn.{name}"
                if data == "mlx.optimizers.optimizers":
                    full = f"mlx.optimizers.{name}"
                if full == "mlx.core.random.state":
                    return Value("tree", data=("random", None))
                if full in ("mlx.core.inf", "mlx.core.nan", "mlx.core.pi", "mlx.core.e"):
                    return number()
                return Value("api", data=full)
            if data == "numpy" or data.startswith("numpy."):
                if name in ("pi", "e", "inf", "nan", "newaxis"):
                    return number()
                return Value("numpy_api", data=f"{data}.{name}")
            if name in ("partial", "open", "Path", "BytesIO", "randint", "randrange", "random", "getLogger"):
                return Value("python", data=f"{data}.{name}")
            return Value("unknown")
        frame = data.frame
        if frame is not None and name in frame.env:
            value = frame.env[name]
            if value.kind == "lazy":
                frame.env[name] = UNKNOWN
                frame.env[name] = value = self.resolve(value)
            return value
        return Value("unknown")

    def attribute_of_instance(self, node: ast.AST, owner: Value, name: str) -> Value:
        """An attribute of an object."""
        data: Instance = owner.data
        if name in data.attributes:
            value = data.attributes[name]
            if value.kind == "array" and value.tags.get("pending") and data.layer is None:
                self.check_capture(node, value, None)
            return value
        if data.cls is not None:
            found = data.cls.lookup(name)
            if found is not None:
                if found.kind == "function":
                    of_class = found.data.kind == "class"
                    bound = found.data.bound(data.cls.value if of_class else owner)
                    if found.data.kind == "property":
                        return self.inline(bound, [], {}, node)
                    return Value("function", data=bound)
                if found.kind == "compiled" and found.data.function.kind == "function":
                    return found
                return found
        if data.layer is not None and name == "state":
            return Value("tree", data=("state", owner))
        if data.layer is not None and name in ("weight", "bias", "scales", "biases") and data.cls is None:
            return Value("array", None, (None,) if name == "bias" else None, None, {"parameter": True})
        return Value("bound", data=(owner, name))

    def e_Subscript(self, node: ast.Subscript) -> Value:
        return self.element_of(node)

    def element_of(self, node: ast.Subscript) -> Value:
        """The value of an index expression."""
        owner = self.evaluate(node.value)
        index = self.evaluate(node.slice)
        kind = owner.kind
        if kind == "array":
            return self.index_array(node, owner, index)
        if kind == "sequence":
            data: Sequence = owner.data
            if isinstance(node.slice, ast.Slice):
                return sequence(None, data.element()) if not data.copies else UNKNOWN
            if data.items is not None and isinstance(index.data, int) and index.kind == "number":
                if -len(data.items) <= index.data < len(data.items):
                    return data.items[index.data]
            return data.element()
        if kind == "dict":
            if index.kind == "string" and index.data in owner.data:
                return owner.data[index.data]
            if None in owner.data:
                return owner.data[None]
            return UNKNOWN
        if kind == "bound" and owner.data[1] == "at" and owner.data[0].kind == "array":
            return Value("at", data=(owner.data[0], index))
        if kind == "tree" and owner.data[0] == "loaded":
            return owner.data[1].leaf
        if kind == "tree" and "gradients" in owner.tags:
            return Value("array", tags={"pending": True, "gradients": owner.tags["gradients"]})
        if kind == "numpy":
            return Value("numpy")
        if kind == "shape":
            return number()
        if kind == "unknown":
            return Value("unknown", tags=dict(owner.tags)) if owner.tags else UNKNOWN
        return UNKNOWN

    def e_Slice(self, node: ast.Slice) -> Value:
        parts = [self.evaluate(p) if p is not None else NONE for p in (node.lower, node.upper, node.step)]
        return Value("slice", data=(node, parts))

    def index_array(self, node: ast.Subscript, owner: Value, index: Value) -> Value:
        """A part of an array."""
        parts = index.data.items if index.kind == "sequence" and index.data.items is not None else [index]
        self.check_gather(node, owner, parts)
        tags: dict[str, Any] = {
            k: owner.tags[k]
            for k in ("loaded_from", "default", "gradients", "loss", "iota")
            if k in owner.tags
        }
        tags.update(merge_loops([owner, *parts], ("carried", "decode", "varies")))
        tags["pending"] = True
        elem = owner.loops("elem")
        invariant = frozenset(
            loop for part in parts if part.kind == "number" for loop in part.loops("varying")
            if loop in self.loops and self.is_invariant(node.value, loop)
        )  # fmt: skip
        if invariant:
            elem = elem | invariant
            if parts[0].kind == "number":
                tags["element_of"] = owner
        if elem:
            tags["elem"] = elem
        shape = index_shape(owner.shape, parts)
        if "iota" in tags and not all(p.kind in ("none", "slice") for p in parts):
            del tags["iota"]
        if any(p.kind == "number" for p in parts):
            tags.pop("varies", None)
        growing = self.slice_varies(parts)
        if growing:
            tags["varies"] = tags.get("varies", frozenset()) | growing
        tags["part_of"] = (owner, node)
        return Value("array", owner.dtype, shape, None, tags)

    def slice_varies(self, parts: list[Value]) -> frozenset:
        """The loops on whose turns a slice has another length."""
        out: frozenset = frozenset()
        for part in parts:
            if part.kind == "slice":
                lower, upper, _ = part.data[1]
                if lower.kind == "none" and upper.kind == "number":
                    out |= upper.loops("varying")
        return out

    def is_invariant(self, base: ast.AST, loop: Loop) -> bool:
        """Whether what is indexed stays the same on all turns of a loop."""
        names = {n.id for n in ast.walk(base) if isinstance(n, ast.Name)}
        if loop.frame is not self.frame:
            return True
        return names.isdisjoint(loop.changed)

    def part_of(self, value: Value) -> Value:
        """A row of an array."""
        shape = value.shape[1:] if value.shape else None
        tags = {k: value.tags[k] for k in ("default", "loaded_from") if k in value.tags}
        tags.update(merge_loops([value], ("carried", "decode", "varies")))
        tags["pending"] = True
        return Value("array", value.dtype, shape, None, tags)
