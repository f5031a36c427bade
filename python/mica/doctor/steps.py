"""Steps of training and loops of decoding: rules that speak of the order in which things happen."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from mica.doctor import scan
from mica.doctor.values import GradientStep, Loop, Value, arrays_in

if TYPE_CHECKING:
    from mica.doctor.interpreter import Interpreter as Base
else:
    Base = object

ASYNC = frozenset({"async_eval"})
BLOCKING = frozenset({"item", "tolist", "int", "float", "bool", "truth", "__float__", "eval"})


def same_loops(a: tuple, b: tuple) -> bool:
    """Whether two places are inside the same loops."""
    return [p for p in a if p[0] == "loop"] == [p for p in b if p[0] == "loop"]


class Steps(Base):
    """Follows gradients, updates and evaluations in the order of a run."""

    # ---- events ----

    def on_eval(self, node: ast.AST, args: list[Value]) -> None:
        """mx.eval(...)"""
        found = self.compiled_frame()
        values = [a for v in args for a in arrays_in(v)]
        if found is not None and args:
            frame, _ = found
            self.report("MX301", self.locate(node, frame) or node, frame, "eval")
            return
        kinds: set[str] = set()
        steps: set[GradientStep] = set()
        for value in values:
            kind = self.evaluated_kind(value)
            kinds.add(kind)
            for tag in ("loss", "step", "gradients"):
                if tag in value.tags:
                    steps.add(value.tags[tag])
            if value.kind == "tree" and value.data[0] == "loaded":
                value.data[1].evaluated.append((node, self.frame))
            elif (
                value.kind == "tree" and isinstance(value.data[1], Value) and value.data[1].kind == "instance"
            ):
                value.data[1].data.evaluated.append((node, self.frame))
            elif value.kind == "instance":
                value.data.evaluated.append((node, self.frame))
            elif value.kind == "array" and value.tags.get("loaded_from") is not None:
                value.tags["loaded_from"].evaluated.append((node, self.frame))
        self.fix_owner(node, values)
        for value in values:
            if value.kind == "array":
                self.on_read(node, value, "eval")
        self.order += 1
        what = "parameters" if "parameters" in kinds else "loss" if "loss" in kinds else "other"
        held = {id(s) for v in values for s in [v.tags.get("gradients")] if s is not None}
        self.events.append((what, steps, held, self.order, self.path, self.frame, node))
        if what == "parameters":
            self.check_held(node, values)

    def fix_owner(self, node: ast.AST, values: list[Value]) -> None:
        """In a helper, the place of an evaluation of loaded weights is the call of the helper."""
        frame = self.frame
        if frame.caller is None:
            return
        place, top = node, frame
        while top.caller is not None:
            place, top = top.call_node, top.caller
        for value in values:
            group = value.data[1] if value.kind == "tree" and value.data[0] == "loaded" else None
            if group is not None and group.evaluated:
                group.evaluated[-1] = (place, top)

    def evaluated_kind(self, value: Value) -> str:
        """What an evaluated value is to a training step."""
        if value.kind in ("instance", "optimizer"):
            return "parameters"
        if value.kind == "tree":
            if value.data[0] in ("parameters", "state"):
                return "parameters"
        if "gradients" in value.tags or "loss" in value.tags or "step" in value.tags:
            return "loss"
        return "parameters" if "updated" in value.tags else "other"

    def note_read(self, node: ast.AST, value: Value, how: str) -> None:
        """An array was read: is it the loss of a step, or the token of a decoding loop?"""
        self.order += 1
        steps = {value.tags[t] for t in ("loss", "step", "gradients") if t in value.tags}
        if steps and how != "eval":
            self.events.append(("loss", steps, set(), self.order, self.path, self.frame, node))
        active = [loop for loop in self.loops if loop in value.loops("decode")]
        if how in BLOCKING and self.loops and self.loops[-1] in value.loops("carried"):
            loop = self.loops[-1]
            place = self.locate(node, loop.frame)
            names = [n for n, v in loop.frame.env.items() if v.identity is value.identity]
            if place is not None and how != "eval":
                loop.reads += [(name, place) for name in names]
        if how in BLOCKING and self.loops and value.identity in self.queued:
            loop = self.loops[-1]
            place = self.locate(node, loop.frame)
            if place is not None:
                self.report("MX103", place, loop.frame, "it waits for what was just queued")
                return
        if active and how in BLOCKING and not self.inside_forward(active[-1]):
            loop = active[-1]
            if how == "eval" and not self.generates(loop):
                return
            if how == "tolist" and self.loops[-1] is not loop:
                return  # several candidates of each of several beams: the host chooses among them
            place = self.locate(node, loop.frame)
            if place is not None:
                self.order += 1
                self.events.append(("blocked", loop, None, self.order, self.path, loop.frame, place))

    def inside_forward(self, loop: Loop) -> bool:
        """Whether a forward pass lies between a loop and what is running."""
        for frame in self.chain():
            if frame.forward:
                return True
            if frame is loop.frame:
                return False
        return False

    def generates(self, loop: Loop) -> bool:
        """Whether a loop gives values to whoever iterates over a generator."""
        return any(isinstance(n, (ast.Yield, ast.YieldFrom)) for n in scan.walk_scope(loop.node))

    def on_async(self, node: ast.AST, args: list[Value]) -> None:
        """mx.async_eval(...)"""
        values = [a for v in args for a in arrays_in(v)]
        for value in values:
            if value.kind == "array":
                value.tags.pop("pending", None)
                value.identity.tags.pop("pending", None)
        self.queued = [v.identity for v in values]

    def end_of_turn(self, loop: Loop) -> None:
        """A loop was walked through once: did its decoding block?"""
        blocked = [e for e in self.events if e[0] == "blocked" and e[1] is loop]
        if not blocked:
            self.end_of_reads(loop)
            return
        self.events = [e for e in self.events if not (e[0] == "blocked" and e[1] is loop)]
        if loop.differentiates or scan.mentions(loop.frame.scope, ASYNC):
            return
        _, _, _, _, _, frame, place = blocked[0]
        self.report("MX103", place, frame)

    def end_of_reads(self, loop: Loop) -> None:
        """Was what this turn waited for first the step of the turn before?"""
        if loop.differentiates or not self.generates(loop) or scan.mentions(loop.frame.scope, ASYNC):
            return
        for name, place in loop.reads:
            now = loop.frame.env.get(name)
            if now is not None and now.kind == "array" and loop in now.loops("decode"):
                self.report("MX103", place, loop.frame)
                return

    # ---- updates ----

    def note_update(self, step: GradientStep) -> None:
        """The optimizer used the gradients of a step."""
        self.order += 1
        step.update = (self.order, self.path)

    def note_manual_update(self, node: ast.AST, value: Value) -> None:
        """w = w - rate * gradient"""
        step = value.tags.get("from_gradients") or value.tags.get("gradients")
        if not isinstance(node, (ast.BinOp, ast.AugAssign)) or not isinstance(node.op, (ast.Sub, ast.Add)):
            return
        if step is None:
            return
        self.note_update(step)
        value.tags["updated"] = step

    # ---- judgement ----

    def close_steps(self) -> None:
        """MX102: look at the evaluations of each step of a task that has ended."""
        events, self.events = self.events, []
        steps = [e[1] for e in events if e[0] == "gradient"]
        for index, step in enumerate(steps):
            if step.update is None:
                continue
            order, path = step.update
            end = steps[index + 1].order if index + 1 < len(steps) else 1 << 60
            before = [e for e in events if e[0] in ("loss", "parameters") and step.order < e[3] < order
                      and step in e[1] and self.always(e[4], path, step.path)]  # fmt: skip
            for event in before:
                self.report_step(event, step)
            after = [e for e in events if e[0] in ("loss", "parameters") and order < e[3] < end
                     and same_loops(e[4], path) and self.always(e[4], path, path)]  # fmt: skip
            last = max((i for i, e in enumerate(after) if e[0] == "parameters"), default=-1)
            first = next((i for i, e in enumerate(after) if e[0] == "parameters"), -1)
            for i, event in enumerate(after):
                if event[0] == "loss" and step in event[1] and i < last and first > i:
                    self.report_step(event, step)
                elif event[0] == "parameters" and i > first:
                    self.report_step(event, step)

    def always(self, event: tuple, update: tuple, start: tuple) -> bool:
        """Whether an event happens whenever the update does."""
        return all(token in update or token in start for token in event)

    def report_step(self, event: tuple, step: GradientStep) -> None:
        """Place a finding in the frame that the step and the evaluation share."""
        frame, node = event[5], event[6]
        if step.frame is not frame and step.frame.caller is not frame:
            owners = []
            outer: Any = step.frame
            while outer is not None:
                owners.append(outer)
                outer = outer.caller
            while frame not in owners and frame.caller is not None:
                node, frame = frame.call_node, frame.caller
        self.report("MX102", node, frame)

    def check_held(self, node: ast.AST, values: list[Value]) -> None:
        """MX401: a name still holds gradients while the update is evaluated."""
        evaluated = {id(v.identity) for v in values}
        for frame in self.chain():
            place = self.locate(node, frame)
            if place is None:
                continue
            for name, value in frame.env.items():
                step = self.held_step(value)
                if step is None or step.update is None or id(value.identity) in evaluated:
                    continue
                if not same_loops(step.path, self.path) or not self.always(step.path, self.path, self.path):
                    continue
                if "updated" in value.tags or "from_gradients" in value.tags:
                    continue
                line = getattr(place, "end_lineno", 0) or 0
                if any(n > line for n in scan.loads(frame.scope, name) if self.below(frame, n, place)):
                    continue
                self.report("MX401", place, frame, f"{name!r} holds them")
                return

    def below(self, frame: Any, line: int, place: ast.AST) -> bool:
        """Whether a line is still inside the innermost loop (or function) of a place."""
        loops = [loop for loop in self.loops if loop.frame is frame]
        scope = loops[-1].node if loops else frame.scope
        end = getattr(scope, "end_lineno", None)
        return end is None or line <= end

    def held_step(self, value: Value, depth: int = 3) -> GradientStep | None:
        """The step whose gradients a value holds."""
        if value.kind in ("tree", "array"):
            return value.tags.get("gradients")
        if value.kind == "sequence" and value.data.items is not None and depth:
            for item in value.data.items:
                found = self.held_step(item, depth - 1)
                if found is not None:
                    return found
        return None
