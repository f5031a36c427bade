"""Modules, optimizers, trees of parameters, compiled and differentiated functions."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from mica.doctor import api
from mica.doctor.project import Instance
from mica.doctor.values import (
    NONE,
    UNKNOWN,
    GradientStep,
    Value,
    arrays_in,
    has_tags,
    join,
    merge_loops,
    number,
    sequence,
)

if TYPE_CHECKING:
    from mica.doctor.interpreter import Interpreter as Base
else:
    Base = object

# Attributes of a module by which a program trains it or lets others do so.
TRAINS = frozenset("value_and_grad grad trainable_parameters vjp".split()) | api.OPTIMIZERS


class Layers(Base):
    """What mlx.nn, mlx.optimizers and mlx.utils give."""

    def call_layers(self, module: str, short: str, args: list[Value], kwargs: dict[str, Value],
                    node: ast.AST) -> Value:  # fmt: skip
        """Functions and classes outside mlx.core."""
        first = args[0] if args else UNKNOWN
        if module == "mlx.nn.losses":
            self.queued = []
            tags = merge_loops(args, ("decode",))
            return Value("array", None, None, None, {**tags, "pending": True, "heavy": True})
        if module in ("mlx.nn", "mlx.nn.utils"):
            if short == "value_and_grad":
                function = args[1] if len(args) > 1 else kwargs.get("fn", UNKNOWN)
                return self.differentiate(function, True, first)
            if short in ("average_gradients", "clip_grad_norm_sharded", "fsdp_apply_gradients"):
                return first if short == "average_gradients" else UNKNOWN
            if short == "quantize":
                self.note_quantize(first, kwargs)
                return NONE
            if short == "checkpoint":
                return args[-1] if args else UNKNOWN
            if short in ("softmax", "log_softmax") and args:
                result = self.combine(node, [first])
                return self.normed("MX205", first, result, node) if short == "softmax" else result
            if short in api.NN_FUNCTIONS:
                return self.combine(node, [first] if short in api.ELEMENTWISE_NN else [self.part(first)])
            if short[:1].isupper():
                return self.layer(short, args, kwargs, node)
            return UNKNOWN
        if module == "mlx.nn.QQLinear" and short == "from_linear":
            return self.layer("QQLinear", args, kwargs, node)
        if (
            module.startswith("mlx.nn.")
            and module.rpartition(".")[2][:1].isupper()
            and short.startswith("from_")
        ):
            return self.layer(module.rpartition(".")[2], args, kwargs, node)
        if module == "mlx.optimizers":
            if short == "clip_grad_norm":
                norm = {"pending": True}
                if "gradients" in first.tags:
                    norm["step"] = first.tags["gradients"]
                return sequence([first, Value("array", tags=norm)])
            if short in api.OPTIMIZERS:
                return Value("optimizer", data=object())
            return UNKNOWN
        if module == "mlx.utils":
            return self.tree_function(short, args, node)
        return UNKNOWN

    # ---- layers ----

    def layer(self, name: str, args: list[Value], kwargs: dict[str, Value], node: ast.AST) -> Value:
        """A new layer of mlx.nn."""
        data = Instance(None, name, made=(node, self.frame))
        if name == "Sequential":
            data.children = list(args)
        value = Value("instance", data=data)
        if name == "QQLinear":
            data.quantized_inputs = True
        return value

    def contained(self, value: Value, depth: int = 5) -> list[Value]:
        """The modules inside a module, itself first."""
        if value.kind == "sequence" and depth:
            items = value.data.items if value.data.items is not None else [value.data.each]
            return [m for item in items for m in self.contained(item, depth - 1)]
        if value.kind != "instance":
            return []
        out = [value]
        if depth:
            for child in [*value.data.children, *value.data.attributes.values()]:
                if child.kind in ("instance", "sequence") and child is not value:
                    out += self.contained(child, depth - 1)
        return out

    def call_instance(
        self, function: Value, args: list[Value], kwargs: dict[str, Value], node: ast.AST
    ) -> Value:
        """Calling an object: the forward pass of a module."""
        data: Instance = function.data
        method = data.cls.lookup("__call__") if data.cls is not None else None
        first = args[0] if args else UNKNOWN
        if data.layer is None and method is None:
            return UNKNOWN
        self.queued = []
        operands = [*args, *kwargs.values()]
        if any(m.data.layer in api.RANDOM_LAYERS and m.data.training for m in self.contained(function)):
            self.check_random(node)
        if method is not None and method.kind in ("function", "compiled"):
            bound = (
                Value("function", data=method.data.bound(function)) if method.kind == "function" else method
            )
            result = self.call_value(bound, args, kwargs, node)
            if result.kind == "unknown" and not result.tags:
                result = Value("unknown")
        elif data.layer in api.NORM_LAYERS:
            result = Value("array", None, first.shape, None, {**merge_loops([first]), "pending": True})
            return self.normed("MX204", first, result, node)
        elif data.layer == "Softmax":
            result = Value("array", first.dtype, first.shape, None, {**merge_loops([first]), "pending": True})
            return self.normed("MX205", first, result, node)
        else:
            dtype = data.dtype if data.dtype == first.dtype else None
            result = Value("array", dtype, tags={"pending": True, "heavy": True, **has_varies(operands)})
        if data.layer is not None:
            decode = has_tags(operands, "carried") | has_tags(operands, "decode")
            active = frozenset(loop for loop in decode if loop in self.loops)
            if active:
                result = self.mark_decode(result, active)
        return result

    def mark_decode(self, value: Value, loops: frozenset, depth: int = 3) -> Value:
        """Say that a value comes from a model fed with what the turn before gave."""
        if value.kind == "sequence" and value.data.items is not None and depth:
            return sequence([self.mark_decode(v, loops, depth - 1) for v in value.data.items])
        if value.kind in ("array", "unknown"):
            return value.tagged(decode=value.loops("decode") | loops)
        return value

    def instance_method(self, owner: Value, name: str, args: list[Value], kwargs: dict[str, Value],
                        node: ast.AST) -> Value:  # fmt: skip
        """A method that an object has from mlx.nn."""
        data: Instance = owner.data
        if data.layer is None:
            self.escape([*args, *kwargs.values()])
            return UNKNOWN
        if name in ("to", "cuda", "cpu") and self.sealed(data):
            self.report("MX504", node, self.frame)
            return owner
        if name in ("eval", "train", "quantize", "dequantize"):
            training = name in ("train", "dequantize")
            if name == "train" and (args or "mode" in kwargs):
                mode = kwargs.get("mode", args[0] if args else UNKNOWN)
                training = bool(mode.data) if mode.kind == "number" and mode.data is not None else True
            self.trains = self.trains or training
            self.changes += 1
            for module in self.contained(owner):
                module.data.training = training
                if not training:
                    self.check_needless(module)
            return owner
        if name in ("parameters", "trainable_parameters", "state"):
            return Value("tree", data=("parameters", owner))
        if name == "load_weights":
            data.loaded, data.evaluated = True, []
            return owner
        if name == "set_dtype":
            for value in [*args[:1], *kwargs.values()]:
                if value.kind == "dtype":
                    self.check_float64(value, kwargs, node)
                for module in self.contained(owner):
                    module.data.dtype = self.dtype_name(value)
            self.check_model_cast(owner)
            return owner
        if name == "apply":
            if args and args[0].kind == "function" and self.casts(args[0]):
                self.check_model_cast(owner)
            return owner
        if name == "update":
            if args and args[0].tags.get("cast"):
                self.check_model_cast(owner)
            if args and args[0].tags.get("applied") is not None:
                self.note_update(args[0].tags["applied"])
            self.check_state_change(node, owner)
            return owner
        if name in ("modules", "named_modules", "children", "leaf_modules"):
            return UNKNOWN
        if name in ("freeze", "unfreeze", "save_weights", "update_modules", "apply_to_modules"):
            return owner
        self.escape([*args, *kwargs.values()])
        return UNKNOWN

    def sealed(self, data: Instance) -> bool:
        """Whether all methods of a module are known: no base outside the project and mlx."""
        cls = data.cls
        if cls is None:
            return data.layer is not None
        return all(b.kind in ("api", "class") for b in cls.bases) and all(
            b.kind != "class" or self.sealed(Instance(b.data, data.layer)) for b in cls.bases)  # fmt: skip

    def casts(self, function: Value) -> bool:
        """Whether a small function casts its argument."""
        from mica.doctor import scan

        return scan.mentions(function.data.node, frozenset({"astype"}))

    # ---- optimizers and trees ----

    def optimizer_method(self, owner: Value, name: str, args: list[Value], kwargs: dict[str, Value],
                         node: ast.AST) -> Value:  # fmt: skip
        """Methods of optimizers."""
        if name == "update" and len(args) > 1:
            if "gradients" in args[1].tags:
                self.note_update(args[1].tags["gradients"])
            self.check_state_change(node, owner)
            return NONE
        if name == "apply_gradients" and args:
            applied = args[0].tags.get("gradients")
            self.check_state_change(node, owner)
            return Value("tree", data=("parameters", None), tags={"applied": applied} if applied else None)
        return UNKNOWN

    def tree_function(self, name: str, args: list[Value], node: ast.AST) -> Value:
        """mlx.utils."""
        if name in ("tree_map", "tree_map_with_path") and len(args) > 1:
            tree = args[1]
            for other in args[1:]:
                if "gradients" in other.tags:
                    return Value(
                        "tree", data=("gradients", None), tags={"gradients": other.tags["gradients"]}
                    )
            if tree.kind == "tree":
                cast = args[0].kind == "function" and self.casts(args[0])
                if tree.data[0] == "loaded":
                    if cast:
                        self.check_loaded_cast(tree.data[1].leaf)
                    return Value("tree", data=("other", None))
                return Value("tree", data=tree.data, tags={"cast": True} if cast else None)
            return UNKNOWN
        if name == "tree_flatten" and args:
            leaf = args[0].data[1].leaf if args[0].kind == "tree" and args[0].data[0] == "loaded" else UNKNOWN
            if args[0].kind == "tree" and args[0].data[0] in ("parameters", "gradients"):
                leaf = Value("array", tags={"parameter": True})
            return sequence(None, sequence([Value("string"), leaf]))
        return UNKNOWN

    def tree_method(self, owner: Value, name: str, args: list[Value], node: ast.AST) -> Value:
        """A tree of arrays used as a dictionary, or as the one array that a file held."""
        what, group = owner.data
        if what == "loaded":
            if name == "items":
                return Value("items", data=group.leaf)
            if name == "values":
                return sequence(None, group.leaf)
            if name in ("get", "pop"):
                return group.leaf
            if name in api.METHODS | {"tolist", "item"}:
                return self.array_method(group.leaf, name, args, {}, node)
        if name == "items":
            return Value("items", data=UNKNOWN)
        return UNKNOWN

    # ---- compiled and differentiated functions ----

    def call_compiled(
        self, function: Value, args: list[Value], kwargs: dict[str, Value], node: ast.AST
    ) -> Value:
        """Calling what compile made."""
        compiled = function.data
        self.check_retrace(compiled, args, kwargs, node)
        inner = compiled.function
        if inner.kind == "function":
            depth = self.frame
            result = self.inline(inner.data, args, {k: v for k, v in kwargs.items() if k != "**"}, node)
            self.frame = depth
            return result
        if inner.kind in ("instance", "api", "gradient"):
            return self.call_value(inner, args, kwargs, node)
        return Value("array", tags={"pending": True, "heavy": True}) if inner.kind == "builtin" else UNKNOWN

    def call_gradient(
        self, gradient: Any, args: list[Value], kwargs: dict[str, Value], node: ast.AST
    ) -> Value:
        """Calling what grad or value_and_grad made."""
        if gradient.model is not None:
            self.check_quantized_training(gradient.model, node)
        for loop in self.loops:
            loop.differentiates = True
        inner = gradient.function
        value: Value = UNKNOWN
        if inner.kind in ("function", "instance", "compiled", "api"):
            value = self.call_value(inner, args, kwargs, node)
        self.order += 1
        step = GradientStep(node, self.frame, self.order, self.path)
        self.events.append(("gradient", step, None, self.order, self.path, self.frame, node))
        first = args[0] if args else UNKNOWN
        grads = Value("tree", data=("gradients", None), tags={"gradients": step})
        if gradient.model is None and first.kind == "array":
            grads = Value("array", first.dtype, first.shape, None, {"gradients": step, "pending": True})
        if not gradient.with_value:
            return grads
        return sequence([self.as_loss(value, step), grads])

    def as_loss(self, value: Value, step: GradientStep) -> Value:
        """The value part of value_and_grad."""
        if value.kind == "sequence" and value.data.items is not None:
            return sequence(
                [self.as_loss(v, step) if v.kind == "array" else v for v in value.data.items[:64]]
            )
        return Value("array", None, None, None, {"loss": step, "pending": True, "heavy": True})

    # ---- attributes and items are stored ----

    def store_attribute(self, target: ast.Attribute, owner: Value, value: Value) -> None:
        """owner.name = value"""
        if owner.kind == "instance":
            self.check_self_store(target, owner)
            self.changes += 1
            data: Instance = owner.data
            inside = self.frame.function is not None and self.frame.function.name == "__init__"
            old = data.attributes.get(target.attr)
            if old is not None and not inside and old.kind not in ("none", value.kind):
                value = join(old, value)
            if value.kind == "array":
                tags = value.tags
                if "self" in tags:
                    tags = {k: v for k, v in tags.items() if k != "self"}
                if data.layer is not None and inside:
                    tags = {**tags, "parameter": True}
                value = Value("array", value.dtype, value.shape, value.data, tags)
            data.attributes[target.attr] = value

    def store_item(self, target: ast.Subscript, value: Value) -> None:
        """owner[index] = value"""
        index = self.evaluate(target.slice)
        owner = self.evaluate(target.value)
        self.changes += owner.kind in ("dict", "sequence")
        self.check_outer_item(target, owner, value)
        if owner.kind == "array":
            self.check_inplace(target, owner, index, value)
        elif owner.kind == "dict":
            key = index.data if index.kind in ("string", "number") else None
            if self.loops and key is None:
                known = owner.data.get(None)
                owner.data[None] = value if known is None else join(known, value)
            else:
                owner.data[key] = value
        elif owner.kind == "sequence":
            data = owner.data
            data.each, data.items, data.copies = (
                join(data.element(), value) if data.items else value,
                None,
                False,
            )

    def escape(self, values: list[Value]) -> None:
        """Values that code we do not see may do anything with."""
        for value in values:
            for inner in self.contained(value):
                if inner.data.quantized_inputs:
                    inner.data.known_constructor = False
            if value.kind == "array":
                value.identity.tags.pop("pending", None)

    def transposed_twice(self, value: Value) -> bool:
        """Whether an array is the transpose of something."""
        return bool(value.tags.get("transposed"))


def has_varies(values: list[Value]) -> dict[str, Any]:
    """The tag of arrays whose sizes change from turn to turn."""
    loops = frozenset().union(*(a.loops("varies") for v in values for a in arrays_in(v) if a.kind == "array"))
    grown = frozenset(loop for v in values if v.tags.get("self") is not None for loop in v.loops("carried"))
    return {"varies": loops - grown} if loops - grown else {}


def training_somewhere(tree: ast.AST) -> bool:
    """Whether a file trains something."""
    from mica.doctor import scan

    return scan.mentions(tree, TRAINS)


__all__ = ["Layers", "has_varies", "number", "training_somewhere"]
