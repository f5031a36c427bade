"""What tests of types say: after ``isinstance(x, list)`` x is no array, whatever it was before."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mica.doctor.values import UNKNOWN, Value, join, number

if TYPE_CHECKING:
    from mica.doctor.interpreter import Interpreter as Base
else:
    Base = object

NOTHING: frozenset[str] = frozenset()


class Narrowing(Base):
    """Names that are no arrays where a test holds, and where it does not."""

    def no_arrays(self, test: ast.AST) -> tuple[frozenset[str], frozenset[str]]:
        """Names that are no arrays if a test is true, and if it is false."""
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            return self.no_arrays(test.operand)[::-1]
        if isinstance(test, ast.BoolOp):
            parts = [self.no_arrays(v) for v in test.values]
            some = 0 if isinstance(test.op, ast.And) else 1
            every = 1 - some
            out = [NOTHING, NOTHING]
            out[some] = frozenset().union(*(p[some] for p in parts))
            out[every] = frozenset.intersection(*(p[every] for p in parts))
            return out[0], out[1]
        found = self.type_test(test)
        if found is None:
            return NOTHING, NOTHING
        name, kind = found
        value = self.frame.env.get(name)
        if value is None or value.kind != "array":
            return NOTHING, NOTHING
        names = frozenset((name,))
        return (NOTHING, names) if self.names_array(kind) else (names, NOTHING)

    def type_test(self, test: ast.AST) -> tuple[str, ast.AST] | None:
        """The name and the class of ``isinstance(x, C)``, ``type(x) is C`` and ``type(x) == C``."""
        if isinstance(test, ast.Compare) and isinstance(test.ops[0], (ast.Is, ast.Eq)):
            call, kind, function = test.left, test.comparators[0], "type"
        elif isinstance(test, ast.Call) and len(test.args) == 2:
            call, kind, function = test, test.args[1], "isinstance"
        else:
            return None
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.args):
            return None
        name = call.args[0]
        return (name.id, kind) if call.func.id == function and isinstance(name, ast.Name) else None

    def names_array(self, kind: ast.AST) -> bool:
        """Whether the classes of a test have the array among them."""
        if isinstance(kind, ast.Tuple):
            return any(self.names_array(k) for k in kind.elts)
        if isinstance(kind, ast.BinOp):
            return self.names_array(kind.left) or self.names_array(kind.right)
        given = self.evaluate(kind)
        if given.kind == "sequence":
            return any(v.kind == "api" and v.data == "mlx.core.array" for v in given.data.items or ())
        return given.kind == "api" and given.data == "mlx.core.array"

    def no_arrays_by_case(self, name: str, cases: list[ast.match_case]) -> list[frozenset[str]]:
        """Whether the subject of a ``match`` is no array: in each case, and where none fits."""
        out = []
        taken = False
        value = self.frame.env.get(name)
        mine = frozenset((name,)) if value is not None and value.kind == "array" else NOTHING
        for case in cases:
            pattern = case.pattern
            while isinstance(pattern, ast.MatchAs) and pattern.pattern is not None:
                pattern = pattern.pattern
            is_array = isinstance(pattern, ast.MatchClass) and self.names_array(pattern.cls)
            open_ = isinstance(pattern, ast.MatchAs) and not taken
            out.append(NOTHING if is_array or open_ else mine)
            taken = taken or is_array and case.guard is None
        return [*out, mine if taken else NOTHING]

    def hide(self, names: frozenset[str]) -> dict[str, tuple[Value, Value]]:
        """Forget that names are arrays; gives what they were and what they are now."""
        env = self.frame.env
        hidden = {name: (env[name], Value("unknown")) for name in names if name in env}
        env.update({name: now for name, (_, now) in hidden.items()})
        return hidden

    def show(self, hidden: dict[str, tuple[Value, Value]], env: dict[str, Value]) -> None:
        """Undo `hide` for names that were not bound meanwhile."""
        for name, (before, now) in hidden.items():
            if env.get(name) is now:
                env[name] = before

    @contextmanager
    def knowing(self, names: frozenset[str]) -> Iterator[None]:
        """Evaluate something while names are no arrays."""
        hidden = self.hide(names)
        yield
        self.show(hidden, self.frame.env)

    # ---- expressions that test ----

    def e_BoolOp(self, node: ast.BoolOp) -> Value:
        hidden: dict[str, tuple[Value, Value]] = {}
        value = self.operands(node, hidden)
        self.show(hidden, self.frame.env)
        return value

    def operands(self, node: ast.BoolOp, hidden: dict[str, tuple[Value, Value]]) -> Value:
        """The value of ``and`` and ``or``; what is ``hidden`` on the way is no array afterwards."""
        values = []
        for index, operand in enumerate(node.values):
            value = self.evaluate(operand)
            values.append(value)
            if index < len(node.values) - 1:
                hidden |= self.hide(self.no_arrays(operand)[isinstance(node.op, ast.Or)])
            # `x or []` says that x is a container or None.
            container = isinstance(node.values[-1], (ast.List, ast.Tuple, ast.Dict))
            if index < len(node.values) - 1 and not (container and value.kind == "array"):
                chosen = self.truth(operand, value)
                if chosen is not None and chosen is isinstance(node.op, ast.Or):
                    return value
        if all(v.kind == "number" for v in values):
            return number()
        return join(values[0], values[-1]) if len(values) == 2 else UNKNOWN

    def e_IfExp(self, node: ast.IfExp) -> Value:
        chosen = self.truth(node.test, self.evaluate(node.test))
        if chosen is not None:
            return self.evaluate(node.body if chosen else node.orelse)
        path = self.path
        true, false = self.no_arrays(node.test)
        self.path = (*path, (id(node), 0))
        with self.knowing(true):
            a = self.evaluate(node.body)
        self.path = (*path, (id(node), 1))
        with self.knowing(false):
            b = self.evaluate(node.orelse)
        self.path = path
        return join(a, b)
