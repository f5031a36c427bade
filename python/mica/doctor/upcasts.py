"""Casts to float32 and back around norms and softmax: MX204, MX205."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from mica.doctor import api, scan
from mica.doctor.rules import SAFE_FIX, UNSAFE_FIX
from mica.doctor.values import Value

if TYPE_CHECKING:
    from mica.doctor.interpreter import Interpreter as Base
else:
    Base = object


class Upcasts(Base):
    """Remembers what was cast before a norm, and looks at what is cast after it."""

    def normed(self, rule: str, value: Value, result: Value, node: ast.AST) -> Value:
        """The result of a norm or softmax, with the cast before it."""
        source = value.tags.get("upcast")
        if source is not None:
            result.tags["norm"] = (rule, node, self.frame, source)
        return result

    def check_normed_cast(self, value: Value, to: Value, node: ast.AST) -> None:
        """A cast back after a norm or softmax of an upcast operand, of which nobody else has the float32."""
        norm = value.tags.get("norm")
        if norm is None or to.kind != "dtype" or self.used_besides(node):
            return
        rule, place, frame, source = norm
        if isinstance(to.data, Value):
            back = to.data.identity is source or to.data.dtype in api.HALF
            same = to.data.identity is source and source.dtype in api.FLOATS
        else:
            back = to.data in api.HALF
            same = back and to.data == source.dtype
        if back:
            self.report(rule, place, frame, fix=SAFE_FIX if same else UNSAFE_FIX)

    def used_besides(self, node: ast.AST) -> bool:
        """Whether what a cast is given is read elsewhere too, as far as it has a name."""
        operand = cast_operand(node)
        if isinstance(operand, ast.NamedExpr):
            operand = operand.target
        if not isinstance(operand, ast.Name):
            return isinstance(operand, (ast.Attribute, ast.Subscript))
        scope, name = self.frame.scope, operand.id
        stored = scan.stores(scope, name)
        bound = max((n for n in stored if n < operand.lineno), default=0)
        again = min((n for n in stored if n > bound), default=None)
        reads = [n for n in scan.loads(scope, name) if n > bound and (again is None or n <= again)]
        return len(reads) > 1


def cast_operand(node: ast.AST) -> ast.AST | None:
    """x of ``x.astype(t)`` and ``mx.astype(x, t)``."""
    if not isinstance(node, ast.Call):
        return None
    given = [*node.args, *(k.value for k in node.keywords)]
    if isinstance(node.func, ast.Attribute) and len(given) == 1:
        return node.func.value
    return node.args[0] if node.args else None
