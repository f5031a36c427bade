"""How each rule's finding is mended: transformations of LibCST's tree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import libcst as cst
from libcst import matchers
from libcst.metadata import PositionProvider

from mica.doctor.api import MOVES
from mica.doctor.interpreter import Finding
from mica.doctor.skeleton import Names, code, differentiate, expression


def is_cast(node: Any) -> tuple[Any, Any] | None:
    """The operand and type of ``x.astype(t)`` or ``mx.astype(x, t)``."""
    if not isinstance(node, cst.Call):
        return None
    if isinstance(node.func, cst.Attribute) and node.func.attr.value == "astype":
        if len(node.args) == 1:
            return node.func.value, node.args[0].value
        if len(node.args) == 2 and node.args[0].keyword is None:
            return node.args[0].value, node.args[1].value
    return None


def without_cast(call: Any) -> tuple[Any, Any] | None:
    """A call whose first argument is a cast, without it; and what was cast."""
    if not isinstance(call, cst.Call) or not call.args:
        return None
    inner = is_cast(call.args[0].value)
    if inner is None:
        return None
    args = [call.args[0].with_changes(value=inner[0]), *call.args[1:]]
    return call.with_changes(args=args), inner[0]


def with_argument(call: Any, text: str) -> Any:
    """A call with one more keyword argument, after the others' habits."""
    keyword, _, value = text.partition("=")
    new = cst.Arg(expression(value), keyword=cst.Name(keyword), equal=cst.AssignEqual(
        cst.SimpleWhitespace(""), cst.SimpleWhitespace("")))  # fmt: skip
    args = list(call.args)
    if args:
        last = args[-1]
        if isinstance(last.comma, cst.Comma):
            new = new.with_changes(comma=last.comma)
        args[-1] = last.with_changes(comma=cst.Comma(whitespace_after=cst.SimpleWhitespace(" ")))
    return call.with_changes(args=[*args, new])


def comments(node: Any) -> Counter[str]:
    """The comments in a node."""
    return Counter(c.value for c in matchers.findall(node, matchers.Comment()))


def keeping(before: Any, after: Any) -> Any:
    """What is mended, unless a comment would be lost."""
    return before if comments(before) - comments(after) else after


def without_argument(call: Any, index: int) -> Any:
    """A call without an argument that does not exist any more, or with its new name."""
    args = list(call.args)
    gone = args[index]
    if gone.keyword.value == "group":
        args[index] = gone.with_changes(keyword=cst.Name("fsdp_group"))
        return call.with_changes(args=args)
    del args[index]
    if index == len(args) and args:
        # The one before becomes the last: it ends as the removed one did.
        end, comma = gone.whitespace_after_arg, gone.comma
        before = args[-1].comma
        if comments(before):
            after = comma.whitespace_after if isinstance(comma, cst.Comma) else end
            space = before.whitespace_after
            if isinstance(after, cst.ParenthesizedWhitespace):
                space = space.with_changes(indent=after.indent, last_line=after.last_line)
            comma, end = before.with_changes(whitespace_after=space), args[-1].whitespace_after_arg
        args[-1] = args[-1].with_changes(comma=comma, whitespace_after_arg=end)
    return call.with_changes(args=args)


def fixer(findings: list[Finding], names: Names) -> Any:
    class Fixer(cst.CSTTransformer):
        METADATA_DEPENDENCIES = (PositionProvider,)

        def __init__(self) -> None:
            super().__init__()
            self.places: dict[tuple[int, int], set[str]] = {}
            for f in findings:
                self.places.setdefault((f.line, f.column - 1), set()).add(f.rule)

        def rules(self, node: Any) -> set[str]:
            """The rules of findings that start where a node does."""
            start = self.get_metadata(PositionProvider, node).start
            found = self.places.get((start.line, start.column), set())
            column = start.column
            for paren in getattr(node, "lpar", ()):
                column += len(code(paren)) + len(getattr(paren.whitespace_after, "value", ""))
                found = found | self.places.get((start.line, column), set())
            return found

        def leave_Call(self, original_node: Any, updated_node: Any) -> Any:
            rules = self.rules(original_node)
            cast = is_cast(original_node)
            if cast is not None and isinstance(cast[0], cst.Call):
                inner = self.rules(cast[0])
                for rule in ("MX204", "MX205"):
                    if rule in inner:
                        return keeping(updated_node, uncast(rule, updated_node, names))
            removed = [i for i, a in enumerate(original_node.args) if "MX506" in self.rules(a)]
            if removed:
                return keeping(updated_node, without_argument(updated_node, removed[0]))
            for rule in sorted(rules):
                fix = CALL_FIXES.get(rule)
                if fix is not None:
                    new = fix(original_node, updated_node, names)
                    if new is not None:
                        return keeping(updated_node, new)
            return updated_node

        def leave_BinaryOperation(self, original_node: Any, updated_node: Any) -> Any:
            for rule in sorted(self.rules(original_node)):
                fix = OPERATOR_FIXES.get(rule)
                if fix is not None:
                    new = fix(updated_node, names)
                    if new is not None:
                        new = new.with_changes(lpar=updated_node.lpar, rpar=updated_node.rpar)
                        return keeping(updated_node, new)
            return updated_node

        def leave_SimpleStatementLine(self, original_node: Any, updated_node: Any) -> Any:
            if len(updated_node.body) == 1 and isinstance(updated_node.body[0], cst.Expr):
                statement = original_node.body[0]
                moved = isinstance(statement.value, cst.Call) and "MX504" in self.rules(statement.value)
                if moved and isinstance(updated_node.body[0].value, (cst.Name, cst.Attribute)):
                    return updated_node.with_changes(body=[cst.Pass()])
            return updated_node

        def leave_IndentedBlock(self, original_node: Any, updated_node: Any) -> Any:
            return updated_node.with_changes(body=self.skeleton(original_node.body, updated_node.body))

        def leave_Module(self, original_node: Any, updated_node: Any) -> Any:
            return updated_node.with_changes(body=self.skeleton(original_node.body, updated_node.body))

        def skeleton(self, before: Any, body: Any) -> list[Any]:
            """loss = f(model, ...); loss.backward(); optimizer.step()"""
            out = list(body)
            for index, statement in enumerate(before):
                if index >= len(body) or not isinstance(statement, cst.SimpleStatementLine):
                    continue
                line = statement.body[0]
                if not (isinstance(line, cst.Expr) and isinstance(line.value, cst.Call)):
                    continue
                if "MX502" in self.rules(line.value):
                    differentiate(out, index, names)
            return [s for s in out if s is not None]

    return Fixer()


def uncast(rule: str, outer: Any, names: Names) -> Any:
    """norm(x.astype(float32), ...).astype(x.dtype) without the first cast, and without the second if it
    is certain."""
    found = is_cast(outer)
    if found is None:
        return outer
    inner = without_cast(found[0])
    if inner is None:
        return outer
    call, operand = inner
    if rule == "MX205":
        function = code(call.func)
        base, _, name = function.rpartition(".")
        if name != "softmax" and names.functions.get(function) != "mlx.core.softmax" or base in names.nn:
            return outer
        if any(a.keyword is not None and a.keyword.value == "precise" for a in call.args):
            return outer
        call = with_argument(call, "precise=True")
    back = code(found[1])
    # Softmax keeps its operand's type; a norm takes that of its weight too, so its second cast stays.
    if rule == "MX205" and back == f"{code(operand)}.dtype":
        return call.with_changes(lpar=outer.lpar, rpar=outer.rpar)
    if isinstance(outer.func, cst.Attribute) and len(outer.args) == 1:
        return outer.with_changes(func=outer.func.with_changes(value=call))
    return outer.with_changes(args=[outer.args[0].with_changes(value=call), *outer.args[1:]])


def fix_float64(original: Any, call: Any, names: Names) -> Any:
    """float64 becomes float32."""

    def narrow(node: Any) -> Any:
        text = code(node)
        if text.endswith(".float64"):
            return node.with_changes(attr=cst.Name("float32")) if isinstance(node, cst.Attribute) else node
        return node

    args = [a.with_changes(value=narrow(a.value)) for a in call.args]
    new = call.with_changes(args=args)
    return None if code(new) == code(call) else new


def fix_load(original: Any, call: Any, names: Names) -> Any:
    """mx.load(open(p, "rb")) takes the path."""
    if not call.args or not isinstance(call.args[0].value, cst.Call):
        return None
    inner = call.args[0].value
    if isinstance(inner.func, cst.Name) and inner.func.value == "open" or code(inner.func) == "io.open":
        path = inner.args[0].value
    elif isinstance(inner.func, cst.Attribute) and inner.func.attr.value == "open":
        path = inner.func.value
    else:
        return None
    return call.with_changes(args=[call.args[0].with_changes(value=path), *call.args[1:]])


def fix_tile(original: Any, call: Any, names: Names) -> Any:
    """concatenate([a] * n, axis) is tile."""
    if not call.args or not isinstance(call.func, cst.Attribute):
        return None
    parts = call.args[0].value
    count: str | None = None
    if isinstance(parts, cst.BinaryOperation):
        sides = [parts.left, parts.right]
        lists = [s for s in sides if isinstance(s, (cst.List, cst.Tuple)) and len(s.elements) == 1]
        if len(lists) != 1:
            return None
        count = code(sides[1] if sides[0] is lists[0] else sides[0])
        element = lists[0].elements[0].value
    elif isinstance(parts, (cst.List, cst.Tuple)):
        if len({code(e.value) for e in parts.elements}) != 1:
            return None
        count, element = str(len(parts.elements)), parts.elements[0].value
    else:
        return None
    axis = 0
    for position, argument in enumerate(call.args[1:]):
        if (
            argument.keyword is None
            and position == 0
            or argument.keyword
            and argument.keyword.value == "axis"
        ):
            try:
                axis = int(code(argument.value))
            except ValueError:
                return None
        else:
            return None
    text = code(element)
    if axis == -1:
        reps = count
    elif axis < 0:
        reps = f"({', '.join([count] + ['1'] * (-axis - 1))})"
    else:
        lead = f"({''.join(['1, '] * axis)}{count}{'' if axis else ','})"
        reps = f"{lead} + (1,) * ({text}.ndim - {axis + 1})"
    made = expression(f"{code(call.func.value)}.tile({text}, {reps})")
    return made.with_changes(lpar=call.lpar, rpar=call.rpar)


def fix_move(original: Any, call: Any, names: Names) -> Any:
    """x.cuda() is x."""
    if isinstance(call.func, cst.Attribute) and call.func.attr.value in MOVES:
        return call.func.value
    return None


def plain_number(node: Any) -> Any:
    """The number of ``mx.array(2.0)``."""
    if isinstance(node, cst.Call) and len(node.args) == 1 and code(node.func).endswith("array"):
        value = node.args[0].value
        if isinstance(value, cst.UnaryOperation) or isinstance(value, (cst.Float, cst.Integer)):
            return value
    return None


def fix_scalar_call(original: Any, call: Any, names: Names) -> Any:
    """mx.multiply(x, mx.array(2.0)) takes the number."""
    args = [a.with_changes(value=plain_number(a.value) or a.value) for a in call.args]
    new = call.with_changes(args=args)
    return None if code(new) == code(call) else new


def fix_scalar(node: Any, names: Names) -> Any:
    """x * mx.array(2.0) takes the number."""
    left, right = plain_number(node.left), plain_number(node.right)
    if left is None and right is None:
        return None
    return node.with_changes(left=left or node.left, right=right or node.right)


def fix_default(node: Any, names: Names) -> Any:
    """x + mx.zeros(shape) says dtype=x.dtype."""
    for side, other in (("right", node.left), ("left", node.right)):
        made = getattr(node, side)
        if not isinstance(made, cst.Call) or not isinstance(other, (cst.Name, cst.Attribute)):
            continue
        name = code(made.func).rpartition(".")[2]
        if name not in (
            "zeros",
            "ones",
            "full",
            "eye",
            "arange",
            "linspace",
            "normal",
            "uniform",
            "array",
            "identity",
        ):
            continue
        if any(a.keyword is not None and a.keyword.value == "dtype" for a in made.args):
            continue
        return node.with_changes(**{side: with_argument(made, f"dtype={code(other)}.dtype")})
    return None


def fix_bias(node: Any, names: Names) -> Any:
    """x @ W + b is addmm(b, x, W)."""
    if not names.core:
        return None
    for product, other in ((node.left, node.right), (node.right, node.left)):
        if isinstance(product, cst.BinaryOperation) and isinstance(product.operator, cst.MatrixMultiply):
            a, b = code(product.left), code(product.right)
        elif (
            isinstance(product, cst.Call)
            and code(product.func).endswith(".matmul")
            and len(product.args) == 2
        ):
            a, b = code(product.args[0].value), code(product.args[1].value)
        else:
            continue
        return expression(f"{names.core[0]}.addmm({code(other)}, {a}, {b})")
    return None


CALL_FIXES: dict[str, Callable[[Any, Any, Names], Any]] = {
    "MX201": fix_scalar_call,
    "MX206": fix_float64,
    "MX403": fix_load,
    "MX504": fix_move,
    "MX602": fix_tile,
}
OPERATOR_FIXES: dict[str, Callable[[Any, Names], Any]] = {
    "MX201": fix_scalar,
    "MX202": fix_default,
    "MX702": fix_bias,
}
