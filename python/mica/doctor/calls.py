"""Calls: of the array API, of Python's own functions, and of functions of the project."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from mica.doctor import api
from mica.doctor.arrays import index_shape
from mica.doctor.project import Instance
from mica.doctor.values import (
    NONE,
    STRING,
    UNKNOWN,
    Value,
    has_tags,
    join_all,
    merge_loops,
    number,  # fmt: skip
    sequence,
)

if TYPE_CHECKING:
    from mica.doctor.interpreter import Interpreter as Base
else:
    Base = object


class Calls(Base):
    """What calls give."""

    def e_Call(self, node: ast.Call) -> Value:
        function = self.evaluate(node.func)
        speaks = self.is_output(function)
        saved = self.frame.printing
        if speaks:
            self.frame.printing = True
        args: list[Value] = []
        spread = False
        for a in node.args:
            value = self.evaluate(a)
            if isinstance(a, ast.Starred):
                items = value.data.items if value.kind == "sequence" else None
                spread = spread or items is None
                args.extend(items if items is not None else [])
            else:
                args.append(value)
        kwargs: dict[str, Value] = {}
        for keyword in node.keywords:
            value = self.evaluate(keyword.value)
            if keyword.arg is not None:
                kwargs[keyword.arg] = value
            elif value.kind == "dict" and all(isinstance(k, str) for k in value.data):
                kwargs.update(value.data)
            else:
                spread = True
        self.frame.printing = saved
        if spread:
            kwargs.setdefault("**", UNKNOWN)
        return self.call_value(function, args, kwargs, node)

    def is_output(self, function: Value) -> bool:
        """Whether a call prints or logs its arguments."""
        if function.kind == "builtin":
            return function.data in ("print", "str", "repr", "format")
        if function.kind == "bound":
            owner, name = function.data
            return name in api.LOG_METHODS and owner.kind in ("unknown", "module", "python", "logger")
        return False

    def call_value(
        self, function: Value, args: list[Value], kwargs: dict[str, Value], node: ast.AST
    ) -> Value:
        """The result of calling a value."""
        kind = function.kind
        if kind == "api":
            return self.call_api(function.data, args, kwargs, node)
        if kind == "bound":
            return self.call_bound(*function.data, args, kwargs, node)
        if kind == "builtin":
            return self.call_builtin(function.data, args, kwargs, node)
        if kind == "function":
            return self.inline(function.data, args, {k: v for k, v in kwargs.items() if k != "**"}, node)
        if kind == "compiled":
            return self.call_compiled(function, args, kwargs, node)
        if kind == "gradient":
            return self.call_gradient(function.data, args, kwargs, node)
        if kind == "instance":
            return self.call_instance(function, args, kwargs, node)
        if kind == "class":
            return self.construct(function.data, args, kwargs, node)
        if kind == "partial":
            inner, first, named = function.data
            return self.call_value(inner, first + args, {**named, **kwargs}, node)
        if kind == "numpy_api":
            return self.call_numpy(function.data, args, kwargs, node)
        if kind == "python":
            return self.call_python(function.data, args, kwargs, node)
        self.escape([*args, *kwargs.values()])
        decode = has_tags(args, "decode")
        tags: dict[str, Any] = {"decode": decode} if decode else {}
        carried = has_tags(args, "carried")
        if carried:
            tags["carried"] = carried
        return Value("unknown", tags={**tags, "called": True})

    # ---- Python ----

    def call_builtin(self, name: str, args: list[Value], kwargs: dict[str, Value], node: ast.AST) -> Value:
        """Python's own functions."""
        first = args[0] if args else UNKNOWN
        if name in ("print", "str", "repr", "format"):
            for value in args:
                self.on_read(node, value, "print" if name == "print" else "format")
            return NONE if name == "print" else STRING
        if name in ("float", "int", "bool"):
            self.on_read(node, first, name)
            return number(**merge_loops([first], ("varying", "carried", "decode")))
        if name in ("len", "round", "isinstance", "hasattr"):
            return number(**merge_loops([first], ("varying",)))
        if name == "range":
            loops = has_tags(args, "varying")
            return Value("range", tags={"varying": loops} if loops else None)
        if name in ("enumerate", "zip"):
            parts = list(args)
            if name == "enumerate":
                parts = [Value("range"), first]
            return Value("iterator", data=parts)
        if name in ("any", "all", "max", "min", "sorted") and len(args) == 1:
            self.check_elements(name, first, node)
        if name in ("reversed", "sorted", "iter"):
            return first
        if name in ("list", "tuple"):
            if first.kind == "array":
                return sequence(None, self.part_of(first))
            return (
                first if first.kind == "sequence" else sequence([]) if not args else sequence(None, UNKNOWN)
            )
        if name in ("max", "min", "sum", "abs"):
            if any(v.kind == "array" for v in args):
                return self.combine(node, args)
            if first.kind == "sequence" and first.data.element().kind == "array":
                return Value("array", tags={"pending": True})
            return (
                number(**merge_loops(args, ("varying",)))
                if all(v.kind == "number" for v in args)
                else UNKNOWN
            )
        if name == "open":
            mode = kwargs.get("mode", args[1] if len(args) > 1 else None)
            text = mode.data if mode is not None and isinstance(mode.data, str) else ""
            return Value("file") if "b" in text and "r" in text else UNKNOWN
        if name == "dict":
            return Value("dict", data=dict(kwargs)) if "**" not in kwargs and not args else UNKNOWN
        if name == "set":
            return Value("set")
        if name == "map" and len(args) == 2:
            return self.call_map(first, args[1], node)
        if name == "super":
            return Value("super", data=self.frame)
        return UNKNOWN

    def call_map(self, function: Value, over: Value, node: ast.AST) -> Value:
        """map(float, y) reads an array as a loop does."""
        if function.kind != "builtin" or function.data not in ("float", "int", "bool"):
            return UNKNOWN
        if over.kind == "array":
            if self.compiled_frame() is not None:
                self.on_read(node, over, function.data)
            else:
                self.report("MX101", node, self.frame, f"{function.data}() evaluates")
        return sequence(None, number())

    def check_elements(self, name: str, over: Value, node: ast.AST) -> None:
        """any(y), max(v > 0 for v in y) and their like ask for the truth of each element."""
        value = over
        if over.kind == "sequence":
            value = over.data.element()
            if all(loop in self.loops for loop in value.loops("elem")):
                return
        if value.kind != "array":
            return
        if self.compiled_frame() is not None:
            self.on_read(node, value, "truth")
        else:
            self.report("MX101", node, self.frame, f"{name}() evaluates")

    def call_python(self, name: str, args: list[Value], kwargs: dict[str, Value], node: ast.AST) -> Value:
        """Functions of Python's library that matter here."""
        if name == "functools.partial" and args:
            inner = args[0]
            if inner.kind == "function":
                import dataclasses

                before = inner.data.arguments
                data = dataclasses.replace(
                    inner.data, arguments=(before[0] + args[1:], {**before[1], **kwargs}))  # fmt: skip
                return Value("function", data=data)
            if inner.kind == "api":
                self.check_removed(inner.data, kwargs, node)
            return Value("partial", data=(inner, args[1:], kwargs))
        if name in ("io.open", "pathlib.Path.open"):
            return self.call_builtin("open", args, kwargs, node)
        if name == "pathlib.Path":
            return Value("path")
        if name.startswith("random.") and name.endswith(("randint", "randrange")):
            active = frozenset(self.loops)
            return number(varying=active) if active else number()
        if name == "logging.getLogger":
            return Value("logger")
        return UNKNOWN

    def call_numpy(self, name: str, args: list[Value], kwargs: dict[str, Value], node: ast.AST) -> Value:
        """Functions of NumPy."""
        short = name.rpartition(".")[2]
        if args and all(v.kind == "number" for v in args) and short in api.UNARY and name == f"numpy.{short}":
            return number()
        flat = [v for a in args for v in (a.data.items or [a.data.each] if a.kind == "sequence" else [a])]
        arrays = [v for v in flat if v.kind == "array"]
        if arrays and short in api.NUMPY_CONVERSIONS:
            self.on_read(node, args[0], "numpy")
        elif arrays and short not in api.NUMPY_HARMLESS:
            self.on_numpy(node, arrays, short)
            return Value("numpy", tags={"left": True})
        elif any(v.kind == "unknown" and v.loops("decode") for v in flat):
            self.on_read(node, args[0], "numpy")
        return Value("numpy")

    # ---- methods ----

    def call_bound(self, owner: Value, name: str, args: list[Value], kwargs: dict[str, Value],
                   node: ast.AST) -> Value:  # fmt: skip
        """A method of a value."""
        kind = owner.kind
        if kind == "array":
            return self.array_method(owner, name, args, kwargs, node)
        if kind == "unknown" and "traced" in owner.tags and name in api.TRACED_METHODS:
            return self.array_method(Value("array", tags={"assumed": True}), name, args, kwargs, node)
        if kind == "unknown":
            if name == "astype" and args and args[0].kind == "dtype":
                return self.cast(owner, args[0], kwargs, node)
            if name in ("item", "tolist", "__float__") and owner.loops("decode"):
                self.on_read(node, owner, name)
            if name in api.LOG_METHODS:
                for value in args:
                    self.on_read(node, value, "log")
            self.check_outer_change(node, owner, name, args)
            self.escape([*args, *kwargs.values()])
            tags = merge_loops([owner, *args], ("carried", "decode"))
            return Value("unknown", tags=tags)
        if kind == "instance":
            return self.instance_method(owner, name, args, kwargs, node)
        if kind == "optimizer":
            return self.optimizer_method(owner, name, args, kwargs, node)
        if kind == "sequence":
            self.check_outer_change(node, owner, name, args)
            if name == "append" and args:
                self.append(owner, args[0], node)
            elif name in ("extend", "insert", "pop", "remove", "clear"):
                owner.data.items, owner.data.each = None, UNKNOWN
            return UNKNOWN
        if kind in ("dict", "set"):
            self.check_outer_change(node, owner, name, args)
            if kind == "dict":
                return self.dict_method(owner, name, args, node)
            return UNKNOWN
        if kind == "tree":
            return self.tree_method(owner, name, args, node)
        if kind == "super" and name == "__init__":
            return self.super_init(owner.data, args, kwargs, node)
        if kind == "string" and name == "format":
            for value in [*args, *kwargs.values()]:
                self.on_read(node, value, "format")
            return STRING
        if kind in ("logger", "module") and name in api.LOG_METHODS:
            for value in args:
                self.on_read(node, value, "log")
            return NONE
        if kind == "at":
            return self.update_at(owner, args, node)
        if kind == "path":
            return (
                self.call_builtin("open", [UNKNOWN, *args], kwargs, node) if name == "open" else Value("path")
            )
        if kind == "api" and name == "from_linear":
            return self.call_api(f"{owner.data}.from_linear", args, kwargs, node)
        if kind == "numpy":
            return Value("numpy") if name not in ("item", "tolist") else UNKNOWN
        self.escape([*args, *kwargs.values()])
        return UNKNOWN

    def append(self, owner: Value, value: Value, node: ast.AST) -> None:
        """list.append."""
        data = owner.data
        argument = node.args[0] if isinstance(node, ast.Call) else None
        repeated = isinstance(argument, (ast.Name, ast.Attribute)) and value.kind == "array" and any(
            loop.frame is self.frame and self.is_invariant(argument, loop) and loop.many is not None
            and not value.tags.get("elem") and "element_of" not in value.tags
            for loop in self.loops[-1:]
        )  # fmt: skip
        if self.loops:
            data.copies = repeated and data.items is not None and not data.items
            data.each = value if not data.items else join_all([*data.items, value])
            data.items = None
        elif data.items is not None:
            data.items = [*data.items, value]
            data.copies = False
        else:
            data.each, data.copies = UNKNOWN, False

    def dict_method(self, owner: Value, name: str, args: list[Value], node: ast.AST) -> Value:
        """Methods of dictionaries."""
        values = list(owner.data.values())
        element = join_all(values) if values else UNKNOWN
        if name == "items":
            return Value("items", data=element)
        if name == "values":
            return sequence(None, element) if not values or None in owner.data else sequence(values)
        if name in ("get", "pop") and args and args[0].kind == "string":
            return owner.data.get(args[0].data, UNKNOWN)
        return UNKNOWN

    def array_method(self, owner: Value, name: str, args: list[Value], kwargs: dict[str, Value],
                     node: ast.AST) -> Value:  # fmt: skip
        """Methods of arrays."""
        if name in api.EVALUATING_METHODS:
            self.on_read(node, owner, name)
            tags = merge_loops([owner], ("decode", "carried"))
            return number(**tags) if name == "item" else sequence(None, number(**tags))
        if name == "astype" and (args or "dtype" in kwargs):
            return self.cast(owner, kwargs.get("dtype", args[0] if args else UNKNOWN), kwargs, node)
        if name == "backward":
            self.report("MX502", node, self.frame)
            return NONE
        if name in api.MOVES:
            self.report("MX504", node, self.frame)
            return owner
        if name in ("reshape", "transpose") and args:
            result = self.reshaped(name, [owner, *args], kwargs, node)
            return result
        if name == "view":
            return self.c_view([owner, *args], kwargs, node)
        if name in api.METHODS or name in ("minimum", "maximum", "add", "multiply", "subtract", "divide"):
            method = getattr(self, "c_" + name, None)
            if method is not None:
                return method([owner, *args], kwargs, node)
            return self.core(name, [owner, *args], kwargs, node)
        if name in ("__array__",):
            return Value("numpy")
        if name == "squeeze":
            return Value("array", owner.dtype, index_shape(None, []), None, dict(owner.tags))
        return UNKNOWN

    # ---- classes ----

    def construct(self, cls: Any, args: list[Value], kwargs: dict[str, Value], node: ast.AST) -> Value:
        """A new object of a class of the project."""
        instance = Value("instance", data=Instance(cls, cls.layer(), made=(node, self.frame)))
        init = cls.lookup("__init__")
        if init is not None and init.kind == "function":
            named = {k: v for k, v in kwargs.items() if k != "**"}
            self.inline(init.data.bound(instance), args, named, node)
        return instance

    def super_init(self, frame: Any, args: list[Value], kwargs: dict[str, Value], node: ast.AST) -> Value:
        """super().__init__()"""
        function = frame.function
        if function is not None and function.self_value is not None and function.owner is not None:
            for base in function.owner.bases:
                if base.kind == "class":
                    init = base.data.lookup("__init__")
                    if init is not None and init.kind == "function":
                        self.inline(init.data.bound(function.self_value), args, kwargs, node)
        return NONE
