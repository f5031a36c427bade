"""The array API: what its functions give, group by group."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from mica.doctor import api
from mica.doctor.arrays import shape_of
from mica.doctor.values import (
    NONE,
    UNKNOWN,
    Value,
    has_tags,
    merge_loops,
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


class Functions(Base):
    """Results of mlx.core and its submodules."""

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
            return Value("kernel") if short.endswith("_kernel") else UNKNOWN
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
