"""Questions about syntax alone, answered once for a node and kept on it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

from mica.doctor import api

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_SCOPES = (*_FUNCTIONS, ast.ClassDef)


def kept(question: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Answer a question about a node once, and keep the answer on it."""
    name = "_" + question.__name__

    @wraps(question)
    def answer(node: Any) -> Any:
        known = node.__dict__.get(name)
        if known is None:
            known = question(node)
            setattr(node, name, known)
        return known

    return answer


def walk_scope(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes below one, without the bodies of functions and classes inside it."""
    stack = list(ast.iter_child_nodes(node))
    while stack:
        child = stack.pop()
        yield child
        if not isinstance(child, _SCOPES):
            stack.extend(ast.iter_child_nodes(child))


def _stored(nodes: list[ast.AST]) -> frozenset[str]:
    names = set()
    for top in nodes:
        for node in (top, *walk_scope(top)):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                names.add(node.name)
            elif isinstance(node, ast.alias):
                names.add((node.asname or node.name).partition(".")[0])
            elif isinstance(node, ast.ExceptHandler) and node.name:
                names.add(node.name)
    return frozenset(names)


@kept
def loop_assigned(loop: ast.AST) -> frozenset[str]:
    """Names that the body of a loop binds, its targets left out."""
    return _stored(loop.body)  # type: ignore[attr-defined]


@kept
def carried_names(loop: ast.For | ast.While) -> frozenset[str]:
    """Names that a turn of a loop reads before it binds them: they carry the turn before."""
    carried: set[str] = set()
    bound: set[str] = set()
    assigned = loop_assigned(loop)
    nodes: list[ast.AST] = list(loop.body)
    if isinstance(loop, ast.While):
        nodes.insert(0, loop.test)
    for statement in nodes:
        loads, stores = set(), set()
        for node in (statement, *walk_scope(statement)):
            if isinstance(node, ast.Name):
                (stores if isinstance(node.ctx, ast.Store) else loads).add(node.id)
                if isinstance(node.ctx, ast.Store) and isinstance(statement, ast.AugAssign):
                    loads.add(node.id)
        carried |= (loads & assigned) - bound
        bound |= stores
    return frozenset(carried)


def names_of(target: ast.AST) -> frozenset[str]:
    """Names that a target binds."""
    return frozenset(
        n.id for n in ast.walk(target) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    )


@kept
def locals_of(function: ast.AST) -> frozenset[str]:
    """Names that are local to a function: parameters and what its body binds, without global and
    nonlocal ones."""
    arguments = function.args  # type: ignore[attr-defined]
    names = {a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
    names |= {a.arg for a in (arguments.vararg, arguments.kwarg) if a}
    if isinstance(function, ast.Lambda):
        body: list[ast.AST] = [function.body]
    else:
        body = function.body  # type: ignore[attr-defined]
    names |= _stored(body)
    for top in body:
        for node in (top, *walk_scope(top)):
            if isinstance(node, (ast.Global, ast.Nonlocal)):
                names -= set(node.names)
    return frozenset(names)


@kept
def _all_loads(scope: ast.AST) -> dict[str, list[int]]:
    lines: dict[str, list[int]] = {}
    for node in ast.walk(scope):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Store):
            lines.setdefault(node.id, []).append(node.lineno)
    return lines


def loads(scope: ast.AST, name: str) -> list[int]:
    """Lines on which a name is read (or deleted) in a scope and the functions inside it."""
    return _all_loads(scope).get(name, [])


@kept
def _all_stores(scope: ast.AST) -> dict[str, list[int]]:
    lines: dict[str, list[int]] = {}
    for node in ast.walk(scope):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            lines.setdefault(node.id, []).append(node.lineno)
    return lines


def stores(scope: ast.AST, name: str) -> list[int]:
    """Lines on which a name is bound in a scope and the functions inside it."""
    return _all_stores(scope).get(name, [])


@kept
def _words(scope: ast.AST) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(scope):
        if isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.alias):
            found.add(node.name.rpartition(".")[2])
            found.add(node.asname or "")
    return found


def mentions(scope: ast.AST, words: frozenset[str]) -> bool:
    """Whether a name or attribute among some words stands anywhere in a scope."""
    return not words.isdisjoint(_words(scope))


@kept
def array_evidence(function: ast.AST) -> frozenset[str]:
    """Parameters that the body treats as only an array is treated."""
    found: set[str] = set()
    body = [function.body] if isinstance(function, ast.Lambda) else function.body  # type: ignore[attr-defined]
    for top in body:
        for node in ast.walk(top):
            if isinstance(node, ast.Call):
                f = node.func
                if isinstance(f, ast.Attribute):
                    if isinstance(f.value, ast.Name) and f.attr in api.ARRAY_EVIDENCE:
                        found.add(f.value.id)
                    if isinstance(f.value, ast.Name) and (f.value.id == "mx" and f.attr in api.NEEDS_ARRAY):
                        found |= {a.id for a in node.args[:1] if isinstance(a, ast.Name)}
            elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
                found |= {side.id for side in (node.left, node.right) if isinstance(side, ast.Name)}
            elif isinstance(node, ast.Attribute) and node.attr in ("dtype", "ndim"):
                if isinstance(node.value, ast.Name):
                    found.add(node.value.id)
    return frozenset(found)


@kept
def operand_names(function: ast.AST) -> frozenset[str]:
    """Names that are operands of arithmetic or arguments of array functions: in a compiled function,
    arrays."""
    found: set[str] = set()
    body = [function.body] if isinstance(function, ast.Lambda) else function.body  # type: ignore[attr-defined]
    for top in body:
        for node in ast.walk(top):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                value = node.func.value
                if isinstance(value, ast.Name) and node.func.attr in api.METHODS:
                    found.add(value.id)
    return frozenset(found)


@kept
def computed_parameters(function: ast.AST) -> frozenset[str]:
    """Parameters of a compiled function that array functions are given, or its only one if arithmetic is
    done with it; not those that may be numbers which shape the graph."""
    found: set[str] = set()
    parameters = _parameters(function)
    alone = parameters if len(parameters) == 1 else set()
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            first, base = node.args[0], node.func.value
            if isinstance(base, ast.Name) and base.id in ("mx", "core") and isinstance(first, ast.Name):
                if node.func.attr in api.UNARY | api.NEEDS_ARRAY:
                    found.add(first.id)
        elif isinstance(node, ast.BinOp):
            found |= {n.id for n in (node.left, node.right) if isinstance(n, ast.Name) and n.id in alone}
    return frozenset(found & parameters) - structural_parameters(function)


def _parameters(function: ast.AST) -> set[str]:
    """Names of parameters without those that come by stars."""
    arguments = function.args  # type: ignore[attr-defined]
    return {a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)} - {"self"}


@kept
def structural_parameters(function: ast.AST) -> frozenset[str]:
    """Names whose value decides what the graph looks like: indexes, shapes, axes, branches, counts of
    loops."""
    found: set[str] = set()

    def add(node: ast.AST | None) -> None:
        if node is not None:
            found.update(n.id for n in ast.walk(node) if isinstance(n, ast.Name))

    body = [function.body] if isinstance(function, ast.Lambda) else function.body  # type: ignore[attr-defined]
    for top in body:
        for node in (top, *walk_scope(top)):
            if isinstance(node, ast.Subscript):
                add(node.slice)
            elif isinstance(node, (ast.If, ast.While, ast.IfExp)):
                if isinstance(node.test, (ast.Compare, ast.Name, ast.BoolOp)):
                    add(node.test)
            elif isinstance(node, ast.Call):
                f = node.func
                name = f.attr if isinstance(f, ast.Attribute) else f.id if isinstance(f, ast.Name) else ""
                if name in api.STRUCTURAL:
                    method = isinstance(f, ast.Attribute) and not (
                        isinstance(f.value, ast.Name) and f.value.id in ("mx", "core"))  # fmt: skip
                    creation = name in api.CREATIONS
                    for argument in node.args if method or creation else node.args[1:]:
                        add(argument)
                elif name == "range":
                    for argument in node.args:
                        add(argument)
                for keyword in node.keywords:
                    if keyword.arg in ("axis", "axes", "shape", "start_axis", "end_axis", "k", "num"):
                        add(keyword.value)
    return frozenset(found)
