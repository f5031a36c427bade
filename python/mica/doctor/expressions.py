"""Expressions: what kind of value each one gives."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from mica.doctor import scan
from mica.doctor.arrays import broadcast, promote
from mica.doctor.project import Function
from mica.doctor.values import (
    NONE,
    STRING,
    UNKNOWN,
    Loop,
    Value,
    join,
    join_all,
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


class Expressions(Base):
    """Evaluates expressions to abstract values."""

    def evaluate(self, node: ast.AST, load: bool = True) -> Value:
        """The value of an expression."""
        if self.frame.caller is not None:
            self.budget -= 1
        method = getattr(self, "e_" + type(node).__name__, None)
        if method is None:
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.expr):
                    self.evaluate(child)
            return UNKNOWN
        if type(node) is ast.Name:
            return self.e_Name(node, load)
        return method(node)

    # ---- atoms ----

    def e_Constant(self, node: ast.Constant) -> Value:
        value = node.value
        if value is None:
            return NONE
        if isinstance(value, (bool, int, float)):
            return number(value)
        if isinstance(value, str):
            return Value("string", data=value)
        return UNKNOWN

    def e_Name(self, node: ast.Name, load: bool = True) -> Value:
        value, owner = self.frame.lookup(node.id)
        if value is None:
            return Value("builtin", data=node.id) if node.id in BUILTINS else UNKNOWN
        if value.kind == "lazy":
            value = self.resolve(value)
            owner.env[node.id] = value
        if load and owner is not self.frame and value.kind == "array" and value.tags.get("pending"):
            self.check_capture(node, value, owner)
        return value

    def e_NamedExpr(self, node: ast.NamedExpr) -> Value:
        value = self.evaluate(node.value)
        self.assign(node.target, value, node.value)
        return value

    def e_Starred(self, node: ast.Starred) -> Value:
        return self.evaluate(node.value)

    def e_Await(self, node: ast.Await) -> Value:
        return self.evaluate(node.value)

    def e_Yield(self, node: ast.Yield) -> Value:
        if node.value is not None:
            self.frame.yields.append(self.evaluate(node.value))
        return UNKNOWN

    def e_YieldFrom(self, node: ast.YieldFrom) -> Value:
        self.frame.yields.append(self.evaluate(node.value))
        return UNKNOWN

    def e_Lambda(self, node: ast.Lambda) -> Value:
        function = Function(node, self.frame.module, self.frame)
        if self.frame.caller is None:
            self.frame.deferred.append((function, None))
        return Value("function", data=function)

    def e_JoinedStr(self, node: ast.JoinedStr) -> Value:
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                self.on_read(node, self.evaluate(part.value), "format")
        return STRING

    # ---- containers ----

    def e_Tuple(self, node: ast.Tuple) -> Value:
        return self._items(node)

    e_List = e_Tuple

    def _items(self, node: Any) -> Value:
        if any(isinstance(e, ast.Starred) for e in node.elts):
            for e in node.elts:
                self.evaluate(e)
            return sequence(None, UNKNOWN)
        if len(node.elts) > MANY:
            kept = [e for i, e in enumerate(node.elts) if i < MANY or not isinstance(e, ast.Constant)]
            return sequence(None, join_all([self.evaluate(e) for e in kept]))
        values = [self.evaluate(e) for e in node.elts]
        out = sequence(values)
        if len(values) > 1 and isinstance(node.elts[0], (ast.Name, ast.Attribute)):
            first = values[0].identity
            text = ast.dump(node.elts[0])
            # Attributes of two objects may look like one where little is known of either.
            if first.kind == "array" and all(
                (ast.dump(e) == text or isinstance(e, ast.Name) and "assumed" not in v.tags)
                and v.identity is first
                for e, v in zip(node.elts, values, strict=True)
            ):
                out.data.copies = True
        return out

    def e_Set(self, node: ast.Set) -> Value:
        for e in node.elts:
            self.evaluate(e)
        return Value("set")

    def e_Dict(self, node: ast.Dict) -> Value:
        items: dict[Any, Value] = {}
        for key, item in zip(node.keys, node.values, strict=True):
            value = self.evaluate(item)
            if key is None:
                if value.kind == "dict":
                    items.update(value.data)
                continue
            k = self.evaluate(key)
            items[k.data if k.kind in ("string", "number") and k.data is not None else id(key)] = value
        return Value("dict", data=items)

    # ---- comprehensions ----

    def _comprehension(self, node: Any, make: Any) -> Value:
        frame = self.frame
        saved, path = dict(frame.env), self.path
        loops: list[Loop] = []
        hidden: dict[str, tuple[Value, Value]] = {}
        for generator in node.generators:
            iterable = self.evaluate(generator.iter)
            loop = Loop(
                generator, frame, scan.names_of(generator.target), self.is_long(generator.iter, iterable)
            )
            loops.append(loop)
            self.loops.append(loop)
            self.path = (*self.path, ("loop", id(generator)))
            self.assign(generator.target, self.iterate(iterable, loop))
            for test in generator.ifs:
                self.truth(test, self.evaluate(test))
                hidden |= self.hide(self.no_arrays(test)[0])
        result = make()
        self.show(hidden, frame.env)
        for loop in loops:
            self.loops.remove(loop)
        self.path = path
        frame.env = {**frame.env, **saved}
        for generator in node.generators:
            for name in scan.names_of(generator.target):
                if name not in saved:
                    frame.env.pop(name, None)
        return result

    def e_ListComp(self, node: ast.ListComp) -> Value:
        value = self._comprehension(node, lambda: self.evaluate(node.elt))
        out = sequence(None, value)
        targets = frozenset().union(*(scan.names_of(g.target) for g in node.generators))
        if isinstance(node.elt, ast.Name) and node.elt.id not in targets and value.kind == "array":
            out.data.copies = True
        return out

    e_GeneratorExp = e_SetComp = e_ListComp

    def e_DictComp(self, node: ast.DictComp) -> Value:
        def make() -> Value:
            self.evaluate(node.key)
            return self.evaluate(node.value)

        return Value("dict", data={None: self._comprehension(node, make)})

    # ---- operators ----

    def e_BinOp(self, node: ast.BinOp) -> Value:
        left = self.evaluate(node.left)
        right = self.evaluate(node.right)
        return self.binary(node, type(node.op), left, right, node.left, node.right)

    def binary(self, node: ast.AST, op: type, left: Value, right: Value, left_node: ast.AST,
               right_node: ast.AST) -> Value:  # fmt: skip
        """The result of an operator, and what it tells of mistakes."""
        if left.kind == "array" or right.kind == "array":
            if op is ast.Mod and left.kind == "string":
                self.on_read(node, right, "format")
                return STRING
            if left.kind == "numpy" or right.kind == "numpy":
                if not left.tags.get("left") and not right.tags.get("left"):
                    self.on_numpy(node, [left, right], "operator")
                return UNKNOWN
            if op is ast.MatMult:
                return self.matmul(node, left, right)
            if op is ast.Add:
                self.check_bias(node, left, right, left_node, right_node)
            result = self.combine(node, [left, right])
            if op is ast.Mult or op is ast.Sub or op is ast.Add:
                for side in (left, right):
                    step = side.tags.get("gradients") or side.tags.get("from_gradients")
                    if step is not None:
                        result.tags["from_gradients"] = step
            return result
        if op is ast.Mod and left.kind == "string":
            if right.kind == "sequence":
                for value in right.data.items or ():
                    self.on_read(node, value, "format")
            return STRING
        if left.kind == "number" and right.kind == "number":
            tags = merge_loops([left, right])
            if op is ast.Sub and left.loops("varying") & right.loops("varying"):
                # The difference of two numbers that change together is rarely another on each turn.
                tags.pop("varying")
            return number(self.fold(op, left.data, right.data), **tags)
        if op is ast.Mult:
            for side, count in ((left, right), (right, left)):
                if side.kind == "sequence" and count.kind in ("number", "unknown"):
                    items = side.data.items
                    if (
                        items is not None
                        and isinstance(count.data, int)
                        and 0 <= count.data * len(items) <= 64
                    ):
                        out = sequence(items * count.data)
                    else:
                        out = sequence(None, side.data.element())
                    if items is not None and len(items) == 1 and items[0].kind == "array":
                        single = left_node if side is left else right_node
                        element = getattr(single, "elts", [None])[0]
                        out.data.copies = isinstance(
                            element, (ast.Name, ast.Attribute)
                        ) and count.data not in (0, 1)
                    return out
        if op is ast.Add and left.kind == right.kind == "sequence":
            a, b = left.data, right.data
            if a.items is not None and b.items is not None and len(a.items) + len(b.items) <= MANY:
                return sequence(a.items + b.items)
            return sequence(None, join(a.element(), b.element()))
        if left.kind == "numpy" or right.kind == "numpy":
            return Value("numpy")
        if left.kind == "string" and right.kind == "string":
            return STRING
        tags = merge_loops([left, right], ("varying", "carried"))
        return Value("unknown", tags=tags) if tags else UNKNOWN

    def fold(self, op: type, a: Any, b: Any) -> Any:
        """Arithmetic with small constants."""
        if not isinstance(a, (int, float)) or not isinstance(b, (int, float)):
            return None
        try:
            if op is ast.Add:
                return a + b
            if op is ast.Sub:
                return a - b
            if op is ast.Mult:
                return a * b
            if op is ast.FloorDiv:
                return a // b
        except (ArithmeticError, ValueError):
            pass
        return None

    def combine(self, node: ast.AST, operands: list[Value], tags: bool = True) -> Value:
        """The array that an element-wise operation of several operands gives."""
        arrays = [v for v in operands if v.kind == "array"]
        self.queued = []
        dtype, default = promote(operands)
        self.check_promotion(node, arrays)
        merged: dict[str, Any] = merge_loops(operands) if tags else {}
        merged["pending"] = True
        if default:
            merged["default"] = True
        for value in operands:
            for tag in ("step", "loss"):
                if tag in value.tags:
                    merged[tag] = value.tags[tag]
            if value.tags.get("loaded_from") is not None:
                merged["computed"] = True
            if value.kind == "unknown" or "heavy" in value.tags or "worked" in value.tags:
                merged["worked"] = True
        return Value("array", dtype, broadcast(operands), None, merged)

    def e_UnaryOp(self, node: ast.UnaryOp) -> Value:
        value = self.evaluate(node.operand)
        if isinstance(node.op, ast.Not):
            chosen = self.truth(node.operand, value)
            return number(None if chosen is None else not chosen)
        if value.kind == "array":
            return self.combine(node, [value])
        if value.kind == "number":
            data = -value.data if isinstance(node.op, ast.USub) and value.data is not None else None
            return number(data, **merge_loops([value]))
        return value if value.kind == "numpy" else UNKNOWN

    def e_Compare(self, node: ast.Compare) -> Value:
        left = self.evaluate(node.left)
        operands = [left]
        for comparator in node.comparators:
            operands.append(self.evaluate(comparator))
        op = node.ops[0]
        right = operands[1]
        if isinstance(op, (ast.Is, ast.IsNot)):
            if right.kind == "none" and len(node.ops) == 1:
                if left.kind == "none":
                    return number(isinstance(op, ast.Is))
                if "optional" not in left.tags and left.kind in (
                    "array",
                    "instance",
                    "sequence",
                    "dict",
                    "function",
                    "optimizer",
                    "compiled",
                ):
                    return number(isinstance(op, ast.IsNot))
            return number()
        if isinstance(op, (ast.In, ast.NotIn)):
            return number()
        if any(v.kind == "string" for v in operands):
            return number()
        if any(v.kind == "array" for v in operands) and len(operands) == 2:
            tags = merge_loops(operands)
            tags["pending"] = True
            for value in operands:
                if "loss" in value.tags:
                    tags["loss"] = value.tags["loss"]
            return Value("array", "bool_", broadcast(operands), None, tags)
        if all(v.kind == "string" and isinstance(v.data, str) for v in operands) and len(operands) == 2:
            if isinstance(op, (ast.Eq, ast.NotEq)):
                return number((left.data == right.data) is isinstance(op, ast.Eq))
        # Two values at most: what depends on it is traced twice, not on each turn.
        return number()

    def truth(self, node: ast.AST, value: Value) -> bool | None:
        """What a test decides, where the text says it; reading an array's truth evaluates it."""
        if value.kind == "array":
            self.on_read(node, value, "truth")
            return None
        if value.kind == "none":
            return False
        if value.kind == "number" and value.data is not None and not value.tags:
            if isinstance(node, ast.Constant) or self.frame.caller is not None:
                return bool(value.data)
        return None
