"""How ``loss.backward()`` becomes a differentiated function; the names that a file gives to modules."""

from __future__ import annotations

import ast
from typing import Any

import libcst as cst

# Attributes that say of a name that it may be an array itself.
MEMBERS = frozenset("T shape dtype ndim size".split())


class Names:
    """The names under which a file knows modules of the array API."""

    def __init__(self, tree: ast.Module) -> None:
        self.core: list[str] = []
        self.nn: list[str] = []
        self.functions: dict[str, str] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    self._module(alias.name, alias.asname or alias.name)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                for alias in node.names:
                    whole = f"{node.module}.{alias.name}".replace("mica", "mlx", 1)
                    self._module(whole, alias.asname or alias.name)
                    if whole.startswith("mlx."):
                        self.functions[alias.asname or alias.name] = whole

    def _module(self, name: str, bound: str) -> None:
        name = name.replace("mica", "mlx", 1)
        if name == "mlx.core":
            self.core.append(bound)
        elif name == "mlx.nn":
            self.nn.append(bound)


def code(node: Any) -> str:
    """The text of a node."""
    return cst.Module([]).code_for_node(node).strip()


def expression(text: str) -> Any:
    """The node of a text."""
    return cst.parse_expression(text)


def assigned(statement: Any, name: str) -> Any:
    """What a statement binds to a name alone, None if it does something else."""
    if not isinstance(statement, cst.SimpleStatementLine) or not isinstance(statement.body[0], cst.Assign):
        return None
    assign = statement.body[0]
    target = assign.targets[0].target
    return assign.value if isinstance(target, cst.Name) and target.value == name else None


def differentiate(body: list[Any], index: int, names: Names) -> None:
    """Turn ``loss = f(model, x)``, ``loss.backward()``, ``optimizer.step()`` into value_and_grad and update;
    ``loss = (w * w).sum()``, ``loss.backward()`` into value_and_grad of a lambda."""
    call = body[index].body[0].value
    if not isinstance(call.func, cst.Attribute) or not isinstance(call.func.value, cst.Name):
        return
    loss = call.func.value.value
    back = next((i for i in range(index - 1, -1, -1) if assigned(body[i], loss) is not None), None)
    if back is None:
        return
    made = assigned(body[back], loss)
    model, new = differentiated(made, names)
    if new is None or not leave_out(body, index):
        return
    pair = cst.parse_statement(f"{loss}, grads = f()").body[0]
    statement = body[back]
    body[back] = statement.with_changes(body=[pair.with_changes(value=new), *statement.body[1:]])
    if model is not None:
        update(body, index, model)


def differentiated(made: Any, names: Names) -> tuple[str | None, Any]:
    """The model and the call that gives loss and gradients in place of an expression; None where that is
    not clear."""
    if (isinstance(made, cst.Call) and isinstance(made.func, cst.Name) and made.args
            and isinstance(made.args[0].value, cst.Name) and made.args[0].keyword is None):  # fmt: skip
        if not names.nn:
            return None, None
        model = made.args[0].value.value
        function = expression(f"{names.nn[0]}.value_and_grad({model}, {made.func.value})")
        return model, made.with_changes(func=function)
    text = code(made)
    tree = ast.parse(text, mode="eval") if "\n" not in text else None
    if tree is None or not names.core or "#" in text:
        return None, None
    known = {*names.core, *names.nn, *names.functions}
    called = {id(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
    used = [n for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id not in known]
    if len({n.id for n in used}) != 1 or any(id(n) in called for n in used):
        return None, None
    if any(isinstance(n, (ast.NamedExpr, ast.Lambda, ast.comprehension)) for n in ast.walk(tree)):
        return None, None
    name = used[0].id
    members = [n for n in ast.walk(tree) if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name)]
    if name == "self" or any(
        n.value.id == name and id(n) not in called and n.attr not in MEMBERS for n in members
    ):
        return None, None
    return None, expression(f"{names.core[0]}.value_and_grad(lambda {name}: {text})({name})")


def leave_out(body: list[Any], index: int) -> bool:
    """Remove a statement; its comments go before the next one. False if there is no place for them."""
    statement = body[index]
    end = statement.trailing_whitespace.comment
    kept = [line for line in statement.leading_lines if line.comment is not None]
    kept += [cst.EmptyLine(comment=end)] if end is not None else []
    if kept:
        if index + 1 == len(body) or not hasattr(body[index + 1], "leading_lines"):
            return False
        after = body[index + 1]
        body[index + 1] = after.with_changes(leading_lines=[*kept, *after.leading_lines])
    body[index] = None
    return True


def update(body: list[Any], index: int, model: str) -> None:
    """``optimizer.step()`` after a place becomes ``optimizer.update(model, grads)``."""
    for after in range(index + 1, len(body)):
        step = body[after]
        if isinstance(step, cst.SimpleStatementLine) and isinstance(step.body[0], cst.Expr):
            value = step.body[0].value
            if isinstance(value, cst.Call) and not value.args and code(value).endswith(".step()"):
                owner = code(value.func.value)
                call = cst.Expr(expression(f"{owner}.update({model}, grads)"))
                body[after] = step.with_changes(body=[call])
