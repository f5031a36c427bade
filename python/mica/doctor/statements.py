"""Statements: assignments, branches, loops, definitions and imports."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from mica.doctor import scan
from mica.doctor.values import UNKNOWN, Loop, Value, join, number, sequence

if TYPE_CHECKING:
    from mica.doctor.interpreter import Interpreter as Base
else:
    Base = object

SMALL_LOOP = 8


class Statements(Base):
    """What each statement does to the names of the running frame."""

    def block(self, statements: list[ast.stmt]) -> bool:
        """Walk through statements; True if control never reaches their end."""
        for statement in statements:
            method = getattr(self, "s_" + type(statement).__name__, None)
            if method is not None and method(statement):
                return True
        return False

    # ---- simple statements ----

    def s_Expr(self, node: ast.Expr) -> None:
        self.evaluate(node.value)

    def s_Assign(self, node: ast.Assign) -> None:
        stored, self.stored = self.stored, not isinstance(node.targets[0], (ast.Name, ast.Tuple))
        value = self.evaluate(node.value)
        self.stored = stored
        self.note_manual_update(node.value, value)
        if "grows" in value.tags:
            self.note_growth(node.targets[0], value)
        for target in node.targets:
            self.assign(target, value, node.value)

    def note_growth(self, target: ast.AST, value: Value) -> None:
        """x = concatenate([x, ...]) in a loop: another size on each turn."""
        if isinstance(target, ast.Name):
            old = self.frame.env.get(target.id)
            if old is not None and any(old is operand for operand in value.tags["grows"]):
                mark = frozenset(loop for loop in old.loops("carried") if loop in self.loops)
                value.tags["varies"] = value.loops("varies") | mark

    def s_AnnAssign(self, node: ast.AnnAssign) -> None:
        value = self.evaluate(node.value) if node.value is not None else UNKNOWN
        if value.kind == "unknown":
            value = self.annotated(node.annotation)
        if node.value is not None:
            self.assign(node.target, value, node.value)

    def s_AugAssign(self, node: ast.AugAssign) -> None:
        target = node.target
        if isinstance(target, ast.Subscript):
            old = self.element_of(target)
        else:
            old = self.evaluate(target, load=False)
        right = self.evaluate(node.value)
        value = self.binary(node, type(node.op), old, right, target, node.value)
        if isinstance(target, ast.Name):
            self.check_outer_store(target)
        self.note_manual_update(node, value)
        self.assign(target, value, node.value)

    def s_Delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            if isinstance(target, ast.Name):
                self.frame.env.pop(target.id, None)

    def s_Return(self, node: ast.Return) -> bool:
        value = self.evaluate(node.value) if node.value is not None else Value("none")
        self.frame.returns.append(value)
        return True

    def s_Raise(self, node: ast.Raise) -> bool:
        if node.exc is not None:
            saved, self.frame.printing = self.frame.printing, False
            raising, self.raising = getattr(self, "raising", False), True
            self.evaluate(node.exc)
            self.raising = raising
            self.frame.printing = saved
        return True

    def s_Assert(self, node: ast.Assert) -> None:
        self.truth(node.test, self.evaluate(node.test))
        self.hide(self.no_arrays(node.test)[0])

    def s_Break(self, node: ast.Break) -> bool:
        return True

    def s_Continue(self, node: ast.Continue) -> bool:
        return True

    # ---- binding ----

    def assign(self, target: ast.AST, value: Value, source: ast.AST | None = None) -> None:
        """Bind a target."""
        if isinstance(target, ast.Name):
            if target.id in self.frame.outer:
                self.check_outer_store(target)
                _, owner = self.frame.lookup(target.id)
                (owner or self.frame.module.frame or self.frame).env[target.id] = value
                return
            self.frame.env[target.id] = value
        elif isinstance(target, (ast.Tuple, ast.List)):
            self.unpack(target.elts, value)
        elif isinstance(target, ast.Attribute):
            owner = self.evaluate(target.value)
            self.store_attribute(target, owner, value)
        elif isinstance(target, ast.Subscript):
            self.store_item(target, value)
        elif isinstance(target, ast.Starred):
            self.assign(target.value, sequence(None, value))

    def unpack(self, targets: list[ast.expr], value: Value) -> None:
        """Bind several targets to the parts of a value."""
        parts: list[Value] | None = None
        if value.kind == "sequence":
            items = value.data.items
            if items is not None and len(items) == len(targets):
                parts = items
            elif not any(isinstance(t, ast.Starred) for t in targets):
                parts = [value.data.element()] * len(targets)
        elif value.kind == "array":
            parts = [self.part_of(value) for _ in targets]
        for index, target in enumerate(targets):
            part = parts[index] if parts is not None else Value("unknown", tags=dict(value.tags))
            self.assign(target, part)

    # ---- branches ----

    def s_If(self, node: ast.If) -> bool:
        test = self.evaluate(node.test)
        chosen = self.truth(node.test, test)
        if chosen is not None:
            return self.block(node.body if chosen else node.orelse)
        return self.branches(node, [node.body, node.orelse], self.no_arrays(node.test))

    def branches(
        self,
        node: ast.AST,
        bodies: list[list[ast.stmt]],
        no_arrays: Sequence[frozenset[str]] = (),
    ) -> bool:
        """Walk through alternatives, each from the same start, and join what is left. ``no_arrays``: names
        that are no arrays in each of them."""
        frame, path = self.frame, self.path
        start = frame.env
        ends = []
        hidden = []
        for index, body in enumerate(bodies):
            frame.env = dict(start)
            mine = self.hide(no_arrays[index]) if no_arrays else {}
            self.path = (*path, (id(node), index))
            if not self.block(body):
                ends.append(frame.env)
                hidden.append(mine)
        self.path = path
        if len(ends) > 1:
            for env, mine in zip(ends, hidden, strict=True):
                self.show(mine, env)
        if not ends:
            frame.env = start
            return True
        env = ends[0]
        for other in ends[1:]:
            for name in list(env):
                b = other.get(name)
                if b is None:
                    continue
                a = env[name]
                if a is not b:
                    env[name] = join(a, b)
            for name in other:
                if name not in env:
                    env[name] = other[name]
        frame.env = env
        return False

    def s_Match(self, node: ast.Match) -> bool:
        self.evaluate(node.subject)
        bodies = [case.body for case in node.cases] + [[]]
        subject = node.subject
        if not isinstance(subject, ast.Name):
            return self.branches(node, bodies)
        return self.branches(node, bodies, self.no_arrays_by_case(subject.id, node.cases))

    def s_Try(self, node: ast.Try) -> bool:
        before = dict(self.frame.env)
        path = self.path
        ended = self.block(node.body)
        if not ended:
            ended = self.block(node.orelse)
        after = self.frame.env
        for handler in node.handlers:
            self.frame.env = dict(before)
            self.path = (*path, (id(handler), 0))
            if not self.block(handler.body):
                if ended:
                    after, ended = self.frame.env, False
                else:
                    for name, value in self.frame.env.items():
                        after[name] = join(after[name], value) if name in after else value
        self.path = path
        self.frame.env = after
        return self.block(node.finalbody) or ended

    s_TryStar = s_Try

    def s_With(self, node: ast.With) -> bool:
        cpu = self.frame.cpu
        for item in node.items:
            value = self.evaluate(item.context_expr)
            if value.kind == "stream" and value.data is not None:
                self.frame.cpu = value.data == "cpu"
            if item.optional_vars is not None:
                self.assign(item.optional_vars, value)
        ended = self.block(node.body)
        self.frame.cpu = cpu
        return ended

    s_AsyncWith = s_With

    # ---- loops ----

    def enter_loop(self, node: ast.AST, assigned: frozenset[str], many: bool) -> Loop:
        """Start a loop: names that its body changes are known to change."""
        targets = scan.names_of(node.target) if isinstance(node, (ast.For, ast.AsyncFor)) else frozenset()
        loop = Loop(node, self.frame, assigned | targets, many)
        carried = scan.carried_names(node) if isinstance(node, (ast.For, ast.While)) else frozenset()
        env = self.frame.env
        mark = frozenset((loop,))
        for name in carried:
            value = env.get(name)
            if value is None:
                continue
            tags: dict[str, Any] = {"carried": value.loops("carried") | mark}
            if value.kind == "number":
                value = number(**value.tags)
                tags["varying"] = value.loops("varying") | mark
            if value.kind in ("number", "array", "unknown", "none"):
                if value.kind == "none":
                    value = Value("unknown", data="unset")
                env[name] = value.tagged(**tags)
        self.loops.append(loop)
        return loop

    def leave_loop(self, loop: Loop) -> None:
        """End a loop."""
        self.loops.remove(loop)

    def s_For(self, node: ast.For) -> bool:
        iterable = self.evaluate(node.iter)

        def begin(loop: Loop) -> None:
            self.assign(node.target, self.iterate(iterable, loop))

        return self.turn(node, self.is_long(node.iter, iterable), begin)

    s_AsyncFor = s_For

    def s_While(self, node: ast.While) -> bool:
        def begin(loop: Loop) -> None:
            if not isinstance(node.test, ast.Constant):
                self.truth(node.test, self.evaluate(node.test))

        return self.turn(node, True, begin)

    def turn(self, node: ast.For | ast.While, many: bool, begin: Callable[[Loop], None]) -> bool:
        """Walk through a loop once; ``begin`` does what each turn begins with."""
        before = dict(self.frame.env)
        path = self.path
        loop = self.enter_loop(node, scan.loop_assigned(node), many)
        self.path = (*path, ("loop", id(node)))
        begin(loop)
        self.block(node.body)
        self.end_of_turn(loop)
        self.leave_loop(loop)
        self.path = path
        self.join_before(before)
        self.block(node.orelse)
        return False

    def join_before(self, before: dict[str, Value]) -> None:
        """Names may have kept what they were, if the loop never ran; where kinds agree that changes
        nothing."""
        env = self.frame.env
        for name, value in before.items():
            now = env.get(name)
            if now is None:
                continue
            if now is not value and now.kind == value.kind == "array" and now.dtype != value.dtype:
                env[name] = join(now, value)

    def is_long(self, node: ast.AST, value: Value) -> bool:
        """Whether a loop may have more than a handful of turns."""
        if isinstance(node, (ast.Tuple, ast.List)):
            return len(node.elts) > SMALL_LOOP
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range":
            numbers = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, int)]
            if len(numbers) == len(node.args) and numbers:
                try:
                    return len(range(*numbers)) > SMALL_LOOP
                except (TypeError, ValueError, OverflowError):
                    return True
        return True

    def iterate(self, value: Value, loop: Loop) -> Value:
        """What a loop's target is on one turn."""
        mark = frozenset((loop,))
        if value.kind == "array":
            return self.part_of(value).tagged(elem=value.loops("elem") | mark, element_of=value)
        if value.kind == "range":
            return number(varying=mark | value.loops("varying"))
        if value.kind == "sequence":
            element = value.data.element()
            return self.vary(element, mark)
        if value.kind == "iterator":
            parts = [self.iterate(v, loop) for v in value.data]
            return parts[0] if len(parts) == 1 else sequence(parts)
        if value.kind == "dict":
            return Value("string")
        if value.kind == "items":
            return sequence([Value("string"), value.data])
        if value.kind == "numpy":
            return Value("numpy")
        return Value("unknown", tags={"carried": value.loops("carried")} if value.loops("carried") else None)

    def vary(self, value: Value, mark: frozenset, depth: int = 4) -> Value:
        """A value that may be another on each turn."""
        if value.kind == "number":
            return number(varying=value.loops("varying") | mark)
        if value.kind == "sequence" and value.data.items is not None and depth:
            return sequence([self.vary(v, mark, depth - 1) for v in value.data.items])
        return value
