"""Calls: of the array API, of Python's own functions, and of functions of the project."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from mica.doctor import api
from mica.doctor.arrays import index_shape, shape_of
from mica.doctor.project import Instance
from mica.doctor.values import (
    NONE,
    STRING,
    UNKNOWN,
    Compiled,
    Gradient,
    Loaded,
    Value,
    join_all,
    merge_loops,
    number,  # fmt: skip
    sequence,
)

if TYPE_CHECKING:
    from mica.doctor.interpreter import Interpreter as Base
else:
    Base = object

# Positional arguments before dtype.
DTYPE_POSITION = {
    "zeros": 1,
    "ones": 1,
    "empty": 1,
    "identity": 1,
    "full": 2,
    "eye": 3,
    "tri": 3,
    "arange": 3,
    "linspace": 3,
}
DEFAULT_FLOAT = frozenset("zeros ones empty identity eye linspace tri".split())


def has_tags(values: list[Value], tag: str, depth: int = 3) -> frozenset:
    """The loops of a tag on values and on what they hold."""
    out: frozenset = frozenset()
    for value in values:
        out |= value.loops(tag)
        if value.kind == "sequence" and depth:
            items = value.data.items if value.data.items is not None else [value.data.each]
            out |= has_tags(items, tag, depth - 1)
    return out


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
            return UNKNOWN
        if name == "super":
            return Value("super", data=self.frame)
        return UNKNOWN

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

    # ---- the array API ----

    def call_api(self, name: str, args: list[Value], kwargs: dict[str, Value], node: ast.AST) -> Value:
        """A function of mlx."""
        module, _, short = name.rpartition(".")
        self.check_removed(name, kwargs, node)
        if module == "mlx.core":
            method = getattr(self, "c_" + short, None)
            if method is not None:
                return method(args, kwargs, node)
            return self.core(short, args, kwargs, node)
        if module == "mlx.core.random":
            return self.random(short, args, kwargs, node)
        if module == "mlx.core.fast":
            if short in api.FAST_NORMS and args:
                return self.normed("MX204", args[0], self.combine(node, args[:1]), node)
            if short in api.FAST:
                return self.heavy(args, args[0].dtype if args else None, args[0].shape if args else None)
            return UNKNOWN
        if module in ("mlx.core.linalg", "mlx.core.fft"):
            if short in api.LINALG_TUPLES:
                return sequence(None, self.heavy(args))
            return self.heavy(args)
        return self.call_layers(module, short, args, kwargs, node)

    def heavy(self, args: list[Value], dtype: str | None = None, shape: tuple | None = None) -> Value:
        """The result of something that costs more than a pass over its operands."""
        tags = merge_loops([*args], ("carried", "decode", "varies"))
        self.queued = []
        return Value("array", dtype, shape, None, {**tags, "pending": True, "heavy": True})

    def dtype_argument(self, name: str, args: list[Value], kwargs: dict[str, Value],
                       node: ast.AST) -> tuple[bool, str | None]:  # fmt: skip
        """Whether a type is given, and which as far as known."""
        value = kwargs.get("dtype")
        if value is None:
            value = next((a for a in args if a.kind == "dtype"), None)
        if value is None:
            position = DTYPE_POSITION.get(name)
            if "**" in kwargs or position is not None and len(args) > position:
                return True, None
            return False, None
        self.check_float64(value, kwargs, node)
        if value.kind == "none":
            return False, None
        return True, self.dtype_name(value)

    def dtype_name(self, value: Value) -> str | None:
        """The name of a type, where it is known."""
        if value.kind != "dtype":
            return None
        if isinstance(value.data, Value):
            return value.data.dtype
        return value.data

    def core(self, name: str, args: list[Value], kwargs: dict[str, Value], node: ast.AST) -> Value:
        """Functions of mlx.core by their group."""
        first = args[0] if args else UNKNOWN
        if name in api.CREATIONS:
            return self.creation(name, args, kwargs, node)
        if name in api.LIKE:
            given, dtype = self.dtype_argument(name, args, kwargs, node)
            return Value(
                "array", dtype if given else first.dtype, first.shape, None, merge_loops(args, ("varies",))
            )
        if name in api.UNARY:
            return self.combine(node, args[:1])
        if name in api.BINARY or name == "where":
            operands = args[1:3] if name == "where" else args[:2]
            if name == "add" and len(args) == 2 and isinstance(node, ast.Call):
                self.check_bias(node, args[0], args[1], node.args[0], node.args[1])
            return self.combine(node, operands)
        if name in api.COMPARISONS:
            result = self.combine(node, [v for v in args if v.kind == "array"][:1])
            result.tags.pop("default", None)
            shape = result.shape if name not in ("all", "any", "allclose") else None
            return Value("array", "bool_", shape, None, result.tags)
        if name in api.REDUCTIONS | api.INDEXES:
            return self.reduced(name, first, node)
        if name in api.SHAPES:
            return self.reshaped(name, args, kwargs, node)
        if name == "matmul" and len(args) == 2:
            return self.matmul(node, args[0], args[1])
        if name in api.PRODUCTS or name.startswith(("conv", "quantized", "gather", "qq")):
            if name == "addmm":
                self.check_promotion(node, [v for v in args[:3] if v.kind == "array"])
            return self.heavy(args)
        if name in api.LISTS:
            items = None
            if name == "split" and len(args) > 1 and isinstance(args[1].data, int) and 0 < args[1].data <= 16:
                items = [self.part(first) for _ in range(args[1].data)]
            return sequence(items, self.part(first))
        if name in api.OTHER_ARRAYS:
            dtype = first.dtype if name not in ("dequantize",) else None
            return Value("array", dtype, None, None, {**merge_loops(args), "pending": True})
        return UNKNOWN

    def part(self, value: Value) -> Value:
        """A piece of an array of the same type, of unknown shape."""
        return Value("array", value.dtype, None, None, {**merge_loops([value]), "pending": True})

    def creation(self, name: str, args: list[Value], kwargs: dict[str, Value], node: ast.AST) -> Value:
        """zeros, ones, arange and their like."""
        given, dtype = self.dtype_argument(name, args, kwargs, node)
        tags: dict[str, Any] = {}
        first = args[0] if args else kwargs.get("shape", UNKNOWN)
        sizes = (
            args[:3] if name in ("arange", "linspace") else args[:2] if name in ("eye", "tri") else [first]
        )
        varies = has_tags(sizes, "varying")
        if varies:
            tags["varies"] = varies
        shape: tuple | None = shape_of(first)
        if name in ("arange", "linspace"):
            shape = (
                (first.data,)
                if name == "arange" and len(args) == 1 and isinstance(first.data, int)
                else (None,)
            )
        elif name in ("eye", "identity", "tri"):
            size = first.data if isinstance(first.data, int) else None
            shape = (size, size)
        if name == "arange":
            numbers = [v for v in args if v.kind != "dtype"]
            if len(numbers) == 1 or numbers[:1] and numbers[0].data == 0 and len(numbers) == 2:
                tags["iota"] = True
            if not given:
                if any(isinstance(v.data, float) for v in numbers):
                    dtype, tags["default"] = "float32", node
                elif all(v.kind == "number" and isinstance(v.data, int) for v in numbers):
                    dtype = "int32"
        elif not given and name == "full":
            value = args[1] if len(args) > 1 else kwargs.get("vals", UNKNOWN)
            if value.kind == "number" and isinstance(value.data, float):
                dtype, tags["default"] = "float32", node
            elif value.kind == "array":
                dtype = value.dtype
        elif not given and name in DEFAULT_FLOAT:
            dtype, tags["default"] = "float32", node
        return Value("array", dtype, shape, None, tags)

    def random(self, name: str, args: list[Value], kwargs: dict[str, Value], node: ast.AST) -> Value:
        """Functions of mlx.core.random."""
        if name == "seed":
            return NONE
        if name == "key":
            return Value("array", "uint32", (2,), None, {})
        if name == "split":
            return Value("array", "uint32", (None, 2), None, {"pending": True})
        if name not in api.RANDOM:
            return UNKNOWN
        if "key" not in kwargs:
            self.check_random(node)
        given, dtype = self.dtype_argument(name, args, kwargs, node)
        shape = kwargs.get("shape")
        if shape is None and name in ("normal", "gumbel", "laplace") and args:
            shape = args[0]
        elif shape is None and name in ("uniform", "randint", "truncated_normal") and len(args) > 2:
            shape = args[2]
        tags: dict[str, Any] = {}
        if shape is not None and has_tags([shape], "varying"):
            tags["varies"] = has_tags([shape], "varying")
        if name in ("categorical", "bernoulli", "permutation"):
            tags.update(merge_loops(args, ("carried", "decode", "varies")))
            tags["pending"] = tags["heavy"] = True
            return Value("array", None, None, None, tags)
        if not given and name not in ("randint", "multivariate_normal"):
            bounds = [v for v in (*args[:2], kwargs.get("low"), kwargs.get("high")) if v is not None]
            if not any(v.kind == "array" for v in bounds):
                dtype, tags["default"] = "float32", node
        return Value("array", dtype, shape_of(shape) if shape is not None else None, None, tags)

    def reduced(self, name: str, value: Value, node: ast.AST) -> Value:
        """Reductions and positions."""
        self.queued = []
        tags = {k: value.tags[k] for k in ("step", "loss", "default", "heavy") if k in value.tags}
        tags.update(merge_loops([value]))
        tags["pending"] = True
        if name in api.INDEXES:
            tags.pop("default", None)
            return Value("array", "uint32" if name.startswith("arg") else "int32", None, None, tags)
        return Value("array", value.dtype if value.dtype in api.FLOATS else None, None, None, tags)

    def reshaped(self, name: str, args: list[Value], kwargs: dict[str, Value], node: ast.AST) -> Value:
        """Functions that move elements around and keep their type."""
        first = args[0] if args else UNKNOWN
        self.queued = []
        if name in ("transpose", "matrix_transpose", "swapaxes", "permute_dims"):
            return self.transposed(first)
        tags = {
            k: first.tags[k]
            for k in ("default", "loss", "loaded_from", "iota", "gradients")
            if k in first.tags
        }
        tags.update(merge_loops([first]))
        tags["pending"] = True
        shape = None
        if name in (
            "softmax",
            "clip",
            "tril",
            "triu",
            "sort",
            "cumsum",
            "cumprod",
            "flip",
            "roll",
            "contiguous",
        ):
            shape = first.shape
        if name != "expand_dims":
            tags.pop("iota", None)
        if name == "broadcast_to" and len(args) > 1 and has_tags(args[1:2], "varying"):
            tags["varies"] = has_tags(args[1:2], "varying")
            shape = shape_of(args[1])
        result = Value("array", first.dtype, shape, None, tags)
        if name == "softmax":
            return self.normed("MX205", first, result, node)
        return result

    def transposed(self, value: Value) -> Value:
        """The transpose of an array."""
        tags = {k: value.tags[k] for k in ("default", "loaded_from", "parameter") if k in value.tags}
        tags.update(merge_loops([value]))
        tags["pending"] = True
        tags["transposed"] = not value.tags.get("transposed")
        shape = value.shape[::-1] if value.shape is not None and len(value.shape) <= 2 else None
        return Value("array", value.dtype, shape, None, tags)

    def matmul(self, node: ast.AST, left: Value, right: Value) -> Value:
        """A matrix product."""
        arrays = [v for v in (left, right) if v.kind == "array"]
        self.check_promotion(node, arrays)
        self.check_side(node, left, right)
        result = self.heavy([left, right])
        if left.dtype == right.dtype:
            result.dtype = left.dtype
        a, b = left.shape, right.shape
        if a and b:
            if len(a) >= 2 and len(b) == 2:
                result.shape = (*a[:-1], b[1])
            elif len(a) == 1 and len(b) == 2:
                result.shape = (b[1],)
            elif len(a) >= 2 and len(b) == 1:
                result.shape = a[:-1]
        result.tags["matmul"] = (left, right, node)
        return result

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
        self.check_normed_cast(value, to)
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

    # ---- methods ----

    def call_bound(self, owner: Value, name: str, args: list[Value], kwargs: dict[str, Value],
                   node: ast.AST) -> Value:  # fmt: skip
        """A method of a value."""
        kind = owner.kind
        if kind == "array":
            return self.array_method(owner, name, args, kwargs, node)
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
        if name in ("to", "cuda", "cpu", "mps"):
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
