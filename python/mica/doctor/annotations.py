"""What annotations say of values."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from mica.doctor.frames import Frame
from mica.doctor.project import Function, Instance
from mica.doctor.values import STRING, UNKNOWN, Value, number, sequence

if TYPE_CHECKING:
    from mica.doctor.interpreter import Interpreter as Base
else:
    Base = object


class Annotations(Base):
    """Reads annotations of parameters, results, names and fields."""

    def result_by_annotation(self, function: Function) -> Value:
        """What a function's annotation says that it returns."""
        returns = getattr(function.node, "returns", None)
        if returns is None:
            return UNKNOWN
        saved = self.frame
        self.frame = Frame(function.module, None, function.closure, saved)
        value = self.annotated(returns)
        self.frame = saved
        return value

    def annotated(self, annotation: ast.AST) -> Value:
        """What an annotation says of a value."""
        if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
            try:
                annotation = ast.parse(annotation.value, mode="eval").body
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                return UNKNOWN
        if isinstance(annotation, ast.Name) and annotation.id in ("int", "float", "bool"):
            if self.frame.lookup(annotation.id)[0] is None:
                return number()
        if isinstance(annotation, ast.Name) and annotation.id == "str":
            return STRING
        choices = choices_of(annotation)
        if choices is not None:
            return self.one_of(choices)
        if isinstance(annotation, ast.Subscript):
            word = last_word(annotation.value)
            if word in ("list", "List", "Sequence", "Iterable", "Iterator"):
                return sequence(None, self.annotated(annotation.slice))
            if word in ("tuple", "Tuple") and isinstance(annotation.slice, ast.Tuple):
                parts = annotation.slice.elts
                if not any(isinstance(p, ast.Constant) and p.value is Ellipsis for p in parts):
                    return sequence([self.annotated(p) for p in parts])
            return UNKNOWN
        if not isinstance(annotation, (ast.Name, ast.Attribute)):
            return UNKNOWN
        value = self.evaluate(annotation)
        if value.kind == "api":
            name = value.data
            if name == "mlx.core.array":
                return Value("array", tags={"declared": True})
            if name.startswith("mlx.nn."):
                return Value("instance", data=Instance(None, name.rpartition(".")[2]))
            if name.startswith("mlx.optimizers."):
                return Value("optimizer", data=object())
        if value.kind == "numpy_api" and value.data in ("numpy.ndarray",):
            return Value("numpy")
        if value.kind == "class":
            return Value("instance", data=Instance(value.data, value.data.layer(), known_constructor=False))
        return UNKNOWN

    def one_of(self, choices: list[ast.AST]) -> Value:
        """An array or None; of other choices nothing is known."""
        some = [c for c in choices if not (isinstance(c, ast.Constant) and c.value is None)]
        if len(some) == 1 and not isinstance(some[0], ast.Constant):
            value = self.annotated(some[0])
            if value.kind == "array":
                return value if len(some) == len(choices) else optional(value)
        return UNKNOWN

    def annotated_fields(self, node: ast.ClassDef) -> dict[str, Value]:
        """Arrays that the annotations in a class's body say its objects have."""
        fields: dict[str, Value] = {}
        for statement in node.body:
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                value = self.annotated(statement.annotation)
                if value.kind == "array":
                    fields[statement.target.id] = value
        return fields


def optional(value: Value) -> Value:
    """What may be None instead."""
    return Value(value.kind, value.dtype, value.shape, value.data, {**value.tags, "optional": True})


def last_word(node: ast.AST) -> str:
    """Optional of ``typing.Optional``."""
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def choices_of(annotation: ast.AST) -> list[ast.AST] | None:
    """The parts of ``A | B``, ``Union[A, B]`` and ``Optional[A]``; None of other annotations."""
    if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        sides = (annotation.left, annotation.right)
        return [c for side in sides for c in choices_of(side) or [side]]
    if isinstance(annotation, ast.Subscript):
        word = last_word(annotation.value)
        if word == "Optional":
            return [annotation.slice, ast.Constant(None)]
        if word == "Union":
            parts = annotation.slice
            return list(parts.elts) if isinstance(parts, ast.Tuple) else [parts]
    return None
