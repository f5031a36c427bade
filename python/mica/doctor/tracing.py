"""The rules on compiled functions: MX302, MX303, MX304."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from mica.doctor import scan
from mica.doctor.values import Compiled, Value

if TYPE_CHECKING:
    from mica.doctor.interpreter import Interpreter as Base
else:
    Base = object

CACHE_WORDS = frozenset({"set_cache_limit", "clear_cache"})
COMPUTED = ("pending",)


class Tracing(Base):
    """What a compiled function captures, changes, and is called with."""

    # ---- compilation: MX302..MX304 ----

    def compiled_frame(self) -> tuple[Any, Compiled] | None:
        """The innermost compiled function that is being traced."""
        for frame in self.chain():
            if frame.compiled is not None:
                return frame, frame.compiled
        return None

    def check_compile_in_forward(self, compiled: Compiled) -> None:
        """mx.compile in a forward pass."""
        if self.stored or self.once():
            return
        for frame in self.chain():
            if self.in_module(frame) and frame.function.name == "__call__":
                place = self.locate(compiled.node, frame)
                if place is not None:
                    self.report("MX302", place, frame, "compiled in each forward pass")
                return

    def once(self) -> bool:
        """Whether a function whose results are cached is running."""
        return any(f.function is not None and f.function.cached for f in self.chain())

    def check_retrace(
        self, compiled: Compiled, args: list[Value], kwargs: dict[str, Value], node: ast.AST
    ) -> None:
        """A compiled function called in the loop that made it, or with a number that shapes its graph."""
        for loop in reversed(self.loops):
            if loop in compiled.loops:
                inside = loop.frame is compiled.frame
                place = compiled.node if inside else self.locate(node, loop.frame)
                if place is not None and loop.many is not None:
                    self.report("MX302", place, loop.frame, "compiled on each turn")
                return
        function = compiled.function
        if function.kind != "function":
            return
        structural = scan.structural_parameters(function.data.node)
        arguments = function.data.node.args
        names = [a.arg for a in (*arguments.posonlyargs, *arguments.args)]
        if function.data.self_value is not None:
            names = names[1:]
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        for name, value in given.items():
            varying = [loop for loop in self.loops if loop in value.loops("varying")]
            if value.kind == "number" and varying and name in structural:
                place = self.locate(node, varying[-1].frame)
                if place is not None:
                    self.report(
                        "MX302", place, varying[-1].frame, f"the number {name!r} changes and shapes the graph"
                    )
                return

    def check_capture(self, node: ast.AST, value: Value, owner: Any) -> None:
        """MX303: a pending array from outside a compiled function."""
        found = self.compiled_frame()
        if found is None or value.tags.get("assumed") or value.tags.get("declared"):
            return
        frame, compiled = found
        if owner is not None and owner in self.chain():
            return
        if compiled.inputs is not None and self.declares(compiled.inputs, value):
            return
        if owner is not None and value.tags.get("loaded_from") is None and not value.tags.get("pending"):
            return
        self.report("MX303", node, self.frame, f"{ast.unparse(node)!r}")

    def declares(self, state: Value, value: Value | None, depth: int = 4) -> bool:
        """Whether inputs= or outputs= name a value; True where they are not known."""
        if state.kind == "unknown" or not depth:
            return True
        if state.kind == "sequence":
            items = state.data.items
            return items is None or any(self.declares(v, value, depth - 1) for v in items)
        if state.kind == "dict":
            return any(self.declares(v, value, depth - 1) for v in state.data.values())
        if value is None:
            return state.kind == "tree" and state.data[0] == "random"
        if value.kind == "array":
            return state.kind == "array" and state.identity is value.identity
        return state.kind in ("tree", "instance", "optimizer")

    def check_random(self, node: ast.AST) -> None:
        """MX304: random numbers without their state."""
        found = self.compiled_frame()
        if found is None:
            return
        frame, compiled = found
        if compiled.inputs is not None and self.declares(compiled.inputs, None):
            return
        self.report(
            "MX304", self.locate(node, frame) or node, frame, "random numbers without mx.random.state"
        )

    def check_state_change(self, node: ast.AST, owner: Value) -> None:
        """MX304: a model or optimizer is updated without outputs=."""
        found = self.compiled_frame()
        if found is None:
            return
        frame, compiled = found
        if compiled.outputs is not None and self.declares(compiled.outputs, owner):
            return
        if owner in frame.env.values():
            return
        self.report("MX304", self.locate(node, frame) or node, frame, "an update without outputs=")

    def check_outer_change(self, node: ast.AST, owner: Value, name: str, args: list[Value]) -> None:
        """MX304: a list or dictionary outside is changed by a method."""
        from mica.doctor.expressions import LIST_CHANGES

        found = self.compiled_frame()
        if found is None or name not in LIST_CHANGES or owner.kind not in ("sequence", "dict", "set"):
            return
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            self.check_outer_base(node, node.func.value, found)

    def check_outer_base(self, node: ast.AST, base: ast.AST, found: tuple[Any, Compiled]) -> None:
        """Report a change if what is changed lives outside the compiled function."""
        while isinstance(base, (ast.Subscript, ast.Attribute)):
            base = base.value
        frame, compiled = found
        if not isinstance(base, ast.Name):
            return
        value, owner = self.frame.lookup(base.id)
        if owner is None or owner in self.chain() and owner is not self.frame:
            return
        if owner is self.frame and not (
            self.frame.function is not None and value is self.frame.function.self_value
        ):
            return
        if compiled.outputs is not None and self.declares(compiled.outputs, value):
            return
        if compiled.outputs is not None and compiled.outputs.kind == "unknown":
            return
        self.report("MX304", self.locate(node, frame) or node, frame, f"{base.id!r} is changed while tracing")

    def check_outer_item(self, target: ast.Subscript, owner: Value, value: Value) -> None:
        """owner[...] = value inside a compiled function; kernels and functions may be kept."""
        if value.kind in ("kernel", "function", "compiled", "class"):
            return
        found = self.compiled_frame()
        if found is not None and owner.kind in ("dict", "sequence", "array"):
            self.check_outer_base(target, target.value, found)

    def check_outer_store(self, target: ast.Name) -> None:
        """A global or nonlocal name is bound inside a compiled function."""
        found = self.compiled_frame()
        if found is not None and target.id in self.frame.outer:
            frame, _ = found
            self.report(
                "MX304", self.locate(target, frame) or target, frame, f"{target.id!r} is bound while tracing"
            )

    def check_self_store(self, target: ast.Attribute, owner: Value) -> None:
        """self.name = value inside a compiled function."""
        found = self.compiled_frame()
        if found is None or found[1].outputs is not None:
            return
        frame = found[0]
        if frame.function is not None and owner is frame.function.self_value:
            self.report(
                "MX304", self.locate(target, frame) or target, frame, f"attribute {target.attr!r} is bound"
            )
