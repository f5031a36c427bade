"""Functions of mlx.core that need a treatment of their own: c_NAME."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from mica.doctor import api
from mica.doctor.values import (
    NONE,
    UNKNOWN,
    Compiled,
    Gradient,
    Loaded,
    Value,
    has_tags,
    merge_loops,
    sequence,
)

if TYPE_CHECKING:
    from mica.doctor.interpreter import Interpreter as Base
else:
    Base = object


class Special(Base):
    """array, astype, concatenate, load, compile, grad and others."""

    # ---- functions with a treatment of their own, c_NAME ----

    def c_array(self, args: list[Value], kwargs: dict[str, Value], node: ast.AST) -> Value:
        first = args[0] if args else kwargs.get("val", UNKNOWN)
        given, dtype = self.dtype_argument("array", args[1:], kwargs, node)
        if not given and len(args) > 1:
            given = True
        tags: dict[str, Any] = {}
        for tag in ("carried", "decode"):
            loops = has_tags([first], tag)
            if loops:
                tags[tag] = loops
        shape: tuple | None = None
        if first.kind == "number":
            shape = ()
            if not given and isinstance(first.data, float):
                dtype, tags["literal"] = "float32", node
            elif not given and isinstance(first.data, int):
                dtype = "bool_" if isinstance(first.data, bool) else "int32"
        elif first.kind == "sequence":
            items = first.data.items
            if items is not None:
                shape = (len(items),)
                if any(v.kind == "sequence" for v in items):
                    shape = None
                elif not given and items and all(v.kind == "number" and v.data is not None for v in items):
                    if any(isinstance(v.data, float) for v in items):
                        dtype, tags["default"] = "float32", node
                    else:
                        dtype = "int32"
        elif first.kind == "array":
            dtype, shape = (dtype if given else first.dtype), first.shape
        return Value("array", dtype, shape, None, tags)

    def c_astype(self, args: list[Value], kwargs: dict[str, Value], node: ast.AST) -> Value:
        if len(args) < 2 and "dtype" not in kwargs:
            return UNKNOWN
        return self.cast(args[0], kwargs.get("dtype", args[-1]), kwargs, node)

    def cast(self, value: Value, to: Value, kwargs: dict[str, Value], node: ast.AST) -> Value:
        """astype, as a method or function."""
        if to.kind == "dtype":
            self.check_float64(to, kwargs, node)
        self.check_normed_cast(value, to, node)
        self.check_loaded_cast(value)
        dtype = self.dtype_name(to)
        tags = {k: value.tags[k] for k in ("loss", "gradients", "iota") if k in value.tags}
        tags.update(merge_loops([value]))
        if value.tags.get("pending") or "loaded_from" in value.tags:
            tags["pending"] = True
        if dtype == "float32" and (value.dtype in api.HALF or value.dtype is None):
            tags["upcast"] = value.identity
        return Value("array", dtype, value.shape, None, tags)

    def c_concatenate(self, args: list[Value], kwargs: dict[str, Value], node: ast.AST) -> Value:
        first = args[0] if args else UNKNOWN
        self.check_copies(node, first)
        if first.kind != "sequence":
            return Value("array", tags={**merge_loops(args), "pending": True})
        items = first.data.items if first.data.items is not None else [first.data.each]
        result = self.combine(node, items)
        growing = [v for v in items if "self" in v.tags and v.loops("carried")]
        if growing:
            result.tags["grows"] = growing
        result.shape = None
        return result

    c_concat = c_concatenate

    def c_stack(self, args: list[Value], kwargs: dict[str, Value], node: ast.AST) -> Value:
        first = args[0] if args else UNKNOWN
        items = [UNKNOWN]
        if first.kind == "sequence":
            items = first.data.items if first.data.items is not None else [first.data.each]
        result = self.combine(node, items or [UNKNOWN])
        result.shape = None
        return result

    def c_expand_dims(self, args: list[Value], kwargs: dict[str, Value], node: ast.AST) -> Value:
        return self.reshaped("expand_dims", args, kwargs, node)

    def c_eval(self, args: list[Value], kwargs: dict[str, Value], node: ast.AST) -> Value:
        self.on_eval(node, args)
        return NONE

    def c_async_eval(self, args: list[Value], kwargs: dict[str, Value], node: ast.AST) -> Value:
        self.on_async(node, args)
        return NONE

    def c_load(self, args: list[Value], kwargs: dict[str, Value], node: ast.AST) -> Value:
        first = args[0] if args else UNKNOWN
        if first.kind == "file":
            found = self.locate(node, self.frame)
            self.report("MX403", found or node, self.frame)
        group = Loaded()
        if isinstance(first.data, str) and first.data.endswith(".npy"):
            return group.leaf
        tree = Value("tree", data=("loaded", group))
        metadata = kwargs.get("return_metadata")
        return sequence([tree, UNKNOWN]) if metadata is not None and metadata.data is True else tree

    def c_compile(self, args: list[Value], kwargs: dict[str, Value], node: ast.AST) -> Value:
        function = args[0] if args else kwargs.get("fun")
        if function is None:
            return Value("partial", data=(Value("api", data="mlx.core.compile"), [], kwargs))
        unknown = UNKNOWN if "**" in kwargs else None
        inputs = kwargs.get("inputs", args[1] if len(args) > 1 else unknown)
        outputs = kwargs.get("outputs", args[2] if len(args) > 2 else unknown)
        loops = () if self.once() or self.stored else tuple(self.loops)
        compiled = Compiled(function, inputs, outputs, node, self.frame, loops)
        value = Value("compiled", data=compiled)
        self.check_compile_in_forward(compiled)
        if function.kind == "function":
            function.data.compiled = True
            if self.frame.caller is None:
                self.frame.deferred.append((function.data, compiled))
        return value

    def c_grad(self, args: list[Value], kwargs: dict[str, Value], node: ast.AST) -> Value:
        return self.differentiate(args[0] if args else kwargs.get("fun", UNKNOWN), False, None)

    def c_value_and_grad(self, args: list[Value], kwargs: dict[str, Value], node: ast.AST) -> Value:
        return self.differentiate(args[0] if args else kwargs.get("fun", UNKNOWN), True, None)

    def differentiate(self, function: Value, with_value: bool, model: Value | None) -> Value:
        """A function made by grad or value_and_grad."""
        if function.kind == "function":
            function.data.differentiated = True
        return Value("gradient", data=Gradient(function, with_value, model))

    def c_vmap(self, args: list[Value], kwargs: dict[str, Value], node: ast.AST) -> Value:
        return UNKNOWN

    c_jvp = c_vjp = c_vmap

    def c_checkpoint(self, args: list[Value], kwargs: dict[str, Value], node: ast.AST) -> Value:
        return args[0] if args else UNKNOWN

    def c_stream(self, args: list[Value], kwargs: dict[str, Value], node: ast.AST) -> Value:
        if args and args[0].kind == "stream":
            return args[0]
        return Value("stream")

    c_new_stream = c_Device = c_default_stream = c_new_thread_local_stream = c_stream

    def c_set_default_device(self, args: list[Value], kwargs: dict[str, Value], node: ast.AST) -> Value:
        if args and args[0].kind == "stream":
            self.cpu_default = args[0].data == "cpu"
        return NONE

    c_set_default_stream = c_set_default_device

    def c_view(self, args: list[Value], kwargs: dict[str, Value], node: ast.AST) -> Value:
        _, dtype = self.dtype_argument("view", args[1:], kwargs, node)
        return Value("array", dtype, None, None, {**merge_loops(args[:1]), "pending": True})
