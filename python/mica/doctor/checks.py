"""The rules, where the interpreter meets what they speak of. Steps of training and loops of decoding:
steps.py."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from mica.doctor import api, scan
from mica.doctor.project import Instance, Module
from mica.doctor.values import UNKNOWN, Value, arrays_in, merge_loops

if TYPE_CHECKING:
    from mica.doctor.interpreter import Interpreter as Base
else:
    Base = object

CACHE_WORDS = frozenset({"set_cache_limit", "clear_cache"})
COMPUTED = ("pending",)


class Checks(Base):
    """Looks at single operations."""

    # ---- reading values: MX101, MX301, MX501 ----

    def on_read(self, node: ast.AST, value: Value, how: str) -> None:
        """An array's values are read: item, tolist, float, truth, print, format, numpy, eval."""
        if value.kind == "sequence" and how in ("print", "format", "log", "numpy", "eval"):
            for inner in arrays_in(value):
                self.on_read(node, inner, how)
            return
        if value.kind == "unknown" and value.loops("decode"):
            self.note_read(node, value, how)
            return
        if value.kind != "array":
            return
        if getattr(self, "raising", False):
            return
        value.tags.pop("pending", None)
        value.identity.tags.pop("pending", None)
        frames = self.chain()
        for frame in frames:
            if frame.compiled is not None:
                self.report("MX301", self.locate(node, frame) or node, frame, READING[how])
                return
        active = [loop for loop in self.loops if loop in value.loops("elem")]
        if how == "eval":
            # A step that builds on the one before and only takes its number from an array: denoising.
            worked = not {"heavy", "worked", "decode"}.isdisjoint(value.tags)
            active = [loop for loop in active if not worked or loop not in value.loops("carried")]
        printing = how in ("print", "format", "log") or any(f.printing for f in frames[:2])
        if active:
            place = self.locate(node, active[-1].frame)
            if place is not None:
                self.report("MX101", place, active[-1].frame, READING[how])
            return
        if any(f.forward for f in frames):
            owner = next((f for f in frames if self.in_module(f)), None)
            if owner is not None:
                place = self.locate(node, owner) or node
                if printing:
                    self.report("MX501", place, owner)
                    return
                if how == "numpy":
                    self.report("MX505", place, owner, "conversion in a forward pass")
                    return
                if how == "eval" and any(loop.frame is owner for loop in self.loops):
                    self.report("MX101", place, owner, "evaluates in a loop of a forward pass")
                    return
        if how == "numpy" and any(f.function is not None and f.function.differentiated for f in frames):
            self.report("MX505", node, self.frame, "conversion in a function that is differentiated")
            return
        self.note_sizes(node, value)
        self.note_read(node, value, how)

    def in_module(self, frame: Any) -> bool:
        """Whether a frame is a method of a layer other than its constructor."""
        function = frame.function
        return (function is not None and function.owner is not None and function.self_value is not None
                and function.name != "__init__" and function.owner.layer() is not None)  # fmt: skip

    def note_sizes(self, node: ast.AST, value: Value) -> None:
        """MX404: sizes change with each turn, and nothing bounds the cache."""
        for loop in reversed(self.loops):
            if loop in value.loops("varies") and loop.many and not loop.differentiates:
                if getattr(loop.frame.function, "name", "") == "__init__":
                    return
                if not scan.mentions(loop.frame.module.tree, CACHE_WORDS):
                    place = self.locate(node, loop.frame)
                    if place is not None:
                        self.report("MX404", place, loop.frame)
                return

    # ---- types: MX201..MX206 ----

    def check_promotion(self, node: ast.AST, arrays: list[Value]) -> None:
        """Half precision meets something that makes float32 of it."""
        types = {v.dtype for v in arrays}
        halves = types & api.HALF
        if not halves:
            return
        if len(halves) == 2:
            self.report("MX203", node, self.frame)
            return
        half = next(iter(halves))
        if all("parameter" in v.tags for v in arrays if v.dtype == "float32") and not all(
            "parameter" in v.tags for v in arrays
        ):
            # A module's parameters have the type of the weights that are loaded.
            return
        for value in arrays:
            if value.dtype == "float32":
                if "literal" in value.tags:
                    self.report("MX201", node, self.frame, f"{half} becomes float32")
                    return
                if "default" in value.tags:
                    self.report("MX202", node, self.frame, f"{half} becomes float32")
                    return

    def check_float64(self, value: Value, kwargs: dict[str, Value], node: ast.AST) -> None:
        """float64 outside the CPU."""
        if value.kind != "dtype" or value.data != "float64":
            return
        stream = kwargs.get("stream")
        if self.frame.cpu or self.cpu_default or stream is not None and stream.data == "cpu":
            return
        around = frozenset(f.function.node for f in self.chain() if f.function is not None)
        self.doubles.append((node, self.frame, around))

    # ---- memory: MX402 ----

    def check_loaded_cast(self, value: Value) -> None:
        """A loaded array is cast after it was evaluated."""
        group = value.tags.get("loaded_from")
        if group is not None and group.evaluated and "computed" not in value.tags:
            node, frame = group.evaluated[0]
            self.report("MX402", node, frame)

    def check_model_cast(self, owner: Value) -> None:
        """A model's loaded weights are cast after they were evaluated."""
        data: Instance = owner.data
        if data.loaded and data.evaluated:
            node, frame = data.evaluated[0]
            self.report("MX402", node, frame)

    # ---- habits: MX503, MX505, MX506 ----

    def check_inplace(self, target: ast.Subscript, owner: Value, index: Value, value: Value) -> None:
        """x[i] = v, element by element, or into a copy of a part."""
        base = target.value
        if isinstance(base, ast.Subscript):
            inner = self.evaluate(base.value)
            if inner.kind == "array":
                self.report("MX503", target, self.frame, "the part is a copy")
            return
        part = owner.tags.get("part_of")
        if part is not None and isinstance(base, ast.Name):
            parent = part[1].value
            scope = self.frame.scope
            if isinstance(parent, ast.Name) and parent.id != base.id:
                after = [n for n in scan.loads(scope, base.id) if n > target.lineno]
                if not after and any(n > target.lineno for n in scan.loads(scope, parent.id)):
                    self.report(
                        "MX503", target, self.frame, f"{base.id!r} is a copy of a part of {parent.id!r}"
                    )
                    return
        filled = self.filled_by(index, value)
        for loop in reversed(self.loops):
            if loop in filled and self.lives_outside(base, loop):
                place = self.locate(target, loop.frame)
                if place is not None:
                    self.report("MX503", place, loop.frame)
                return

    def filled_by(self, index: Value, value: Value) -> frozenset:
        """The loops on whose turns an index is another single place that takes a plain value."""
        parts = index.data.items if index.kind == "sequence" and index.data.items is not None else [index]
        bounded = any(p.kind == "slice" and any(b.kind != "none" for b in p.data[1]) for p in parts)
        computed = "heavy" in value.tags or value.loops("decode") or value.tags.get("called")
        several = any(p.kind in ("array", "sequence", "numpy", "unknown") for p in parts)
        if bounded or computed or several:
            # Padding, blocks, and buffers that take the results of other work; several places in one write.
            return frozenset()
        return frozenset().union(*(p.loops("varying") for p in parts if p.kind == "number"))

    def update_at(self, owner: Value, args: list[Value], node: ast.AST) -> Value:
        """x.at[i].add(v), and what it gives: in a loop that carries x on, x is filled one by one."""
        array, index = owner.data
        filled = self.filled_by(index, args[0] if args else UNKNOWN)
        for loop in reversed(self.loops):
            if loop in filled and loop in array.loops("carried"):
                place = self.locate(node, loop.frame)
                if place is not None:
                    self.report("MX503", place, loop.frame)
                break
        tags = {**merge_loops([array], ("carried", "decode")), "pending": True}
        return Value("array", array.dtype, array.shape, None, tags)

    def lives_outside(self, base: ast.AST, loop: Any) -> bool:
        """Whether an array that is written existed before the loop."""
        if loop.frame is not self.frame:
            return True
        names = {n.id for n in ast.walk(base) if isinstance(n, ast.Name)}
        return names.isdisjoint(loop.changed)

    def on_numpy(self, node: ast.AST, values: list[Value], name: str) -> None:
        """A NumPy function or operator takes arrays: in a loop, a forward pass, a differentiated function."""
        frames = self.chain()
        for frame in frames:
            if frame.compiled is not None:
                self.report("MX301", self.locate(node, frame) or node, frame, "NumPy reads its values")
                return
        if any(f.forward for f in frames):
            owner = next((f for f in frames if self.in_module(f)), None)
            if owner is not None:
                self.report("MX505", self.locate(node, owner) or node, owner, f"numpy {name}")
                return
        for frame in frames:
            if frame.function is not None and frame.function.differentiated:
                self.report("MX505", self.locate(node, frame) or node, frame, f"numpy {name}")
                return
        if self.loops:
            place = self.locate(node, self.loops[-1].frame)
            if place is not None:
                self.report("MX505", place, self.loops[-1].frame, f"numpy {name}")

    def check_removed(self, name: str, kwargs: dict[str, Value], node: ast.AST) -> None:
        """Arguments that do not exist any more."""
        if not name.startswith("mlx.nn."):
            return
        short = name.rpartition(".")[2]
        removed = None
        if short in ("average_gradients", "fsdp_apply_gradients") and "communication_type" in kwargs:
            removed = "communication_type"
        elif short == "fsdp_apply_gradients" and "group" in kwargs:
            removed = "group"
        if removed is not None:
            place: ast.AST = node
            if isinstance(node, ast.Call):
                place = next((k for k in node.keywords if k.arg == removed), node)
            self.report("MX506", place, self.frame, repr(removed))

    # ---- indexing: MX601, MX602 ----

    def check_gather(self, node: ast.Subscript, owner: Value, parts: list[Value]) -> None:
        """x[arange(n), idx], and x[i, idx[i]] in a loop."""
        if not isinstance(node.ctx, ast.Load):
            return
        arrays = [p for p in parts if p.kind == "array"]
        if len(parts) > 1 and parts[0].kind == "array" and "iota" in parts[0].tags and len(arrays) > 1:
            if arrays[1].dtype != "bool_" and sum("iota" not in p.tags for p in arrays) == 1:
                self.report("MX601", node, self.frame)
            return
        if not self.loops:
            return
        loop = self.loops[-1]
        mark = frozenset((loop,))
        if len(parts) == 2 and parts[0].kind == "number" and parts[1].kind == "array":
            index = node.slice.elts[-1] if isinstance(node.slice, ast.Tuple) else node.slice
            if any(isinstance(n, ast.Slice) or getattr(n, "value", None) is ... for n in ast.walk(index)):
                return  # many elements of each row: a table for each turn
            if (
                mark & parts[0].loops("varying")
                and mark & parts[1].loops("elem")
                and self.is_invariant(node.value, loop)
            ):
                self.report("MX601", node, self.frame)
        elif len(parts) == 1 and arrays and mark & arrays[0].loops("elem") and mark & owner.loops("elem"):
            if "element_of" in arrays[0].tags and "element_of" in owner.tags:
                self.report("MX601", node, self.frame)

    def check_copies(self, node: ast.AST, value: Value) -> None:
        """concatenate([a] * n)"""
        if value.kind == "sequence" and value.data.copies and value.data.element().kind == "array":
            self.report("MX602", node, self.frame)

    # ---- products: MX701, MX702 ----

    def check_side(self, node: ast.AST, left: Value, right: Value) -> None:
        """A vector on the side of a matrix that is read in the slow order."""
        a, b = left.shape, right.shape
        if left.kind != "array" or right.kind != "array":
            return
        vector = a is not None and (len(a) == 1 or len(a) == 2 and a[0] == 1)
        if vector and b is not None and len(b) == 2 and not right.tags.get("transposed"):
            if b[0] != 1 and b[1] != 1:
                self.report("MX701", node, self.frame, "say `x @ W.T`, with W stored transposed")
        elif left.tags.get("transposed") and b is not None and len(b) == 1:
            self.report("MX701", node, self.frame, "say `W @ x`, with W stored transposed")

    def check_bias(
        self, node: ast.AST, left: Value, right: Value, left_node: ast.AST, right_node: ast.AST
    ) -> None:
        """x @ W + b"""
        for product, other, place in ((left, right, left_node), (right, left, right_node)):
            if "matmul" not in product.tags or other.kind != "array" or "matmul" in other.tags:
                continue
            if isinstance(place, ast.Call) and product.tags["matmul"][2] is not place:
                continue
            if isinstance(place, ast.Name):
                if len(scan.loads(self.frame.scope, place.id)) > (
                    0 if isinstance(node, ast.AugAssign) else 1
                ):
                    continue
            elif not isinstance(place, (ast.BinOp, ast.Call)):
                continue
            if other.shape is not None and (
                len(other.shape) == 0 or product.shape is not None and len(other.shape) > len(product.shape)
            ):
                continue
            if self.loops and other.loops("carried") and isinstance(node, ast.AugAssign):
                continue
            self.report("MX702", node, self.frame)
            return

    # ---- quantized layers: MX801, MX802 ----

    def note_quantize(self, model: Value, kwargs: dict[str, Value]) -> None:
        """nn.quantize(model, quantize_input=True) makes QQLinear layers."""
        given = kwargs.get("quantize_input")
        if model.kind == "instance" and given is not None and given.data is True:
            model.data.quantized_inputs = True

    def check_quantized_training(self, model: Value, node: ast.AST) -> None:
        """value_and_grad over a QQLinear in evaluation mode."""
        if any(m.data.quantized_inputs and not m.data.training for m in self.contained(model)):
            frame = self.frame
            self.report("MX801", node, frame)

    def check_needless(self, module: Value) -> None:
        """A QQLinear is switched to evaluation: remember it."""
        data: Instance = module.data
        if data.layer == "QQLinear" and data.quantized_inputs and data.made is not None:
            self.needless[id(data)] = module

    def finish_file(self, module: Module) -> None:
        """Report QQLinear layers that were switched to evaluation in files that train nothing."""
        from mica.doctor.layers import training_somewhere

        for node, frame, around in self.doubles:
            if around.isdisjoint(self.on_cpu):
                self.report("MX206", node, frame)

        trees = [module.tree, *(m.tree for m in self.project.modules.values() if m is not None)]
        if self.trains or not self.needless or any(training_somewhere(tree) for tree in trees):
            return
        for value in self.needless.values():
            if value.data.known_constructor:
                node, frame = value.data.made
                self.report("MX802", node, frame)


READING = {
    "item": "item() evaluates",
    "tolist": "tolist() evaluates",
    "float": "float() evaluates",
    "int": "int() evaluates",
    "bool": "bool() evaluates",
    "truth": "a truth test evaluates",
    "eval": "eval",
    "print": "printing evaluates",
    "format": "formatting evaluates",
    "log": "logging evaluates",
    "numpy": "NumPy evaluates",
    "__float__": "float() evaluates",
}

__all__ = ["Checks", "COMPUTED", "UNKNOWN"]
