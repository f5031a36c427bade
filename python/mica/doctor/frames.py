"""Findings, and the frames of the functions that are walked through."""

from __future__ import annotations

import ast
from typing import Any, NamedTuple

from mica.doctor.project import Function, Module
from mica.doctor.rules import RULES
from mica.doctor.values import Value


class Finding(NamedTuple):
    """One mistake at one place. Lines and columns count from 1, the end is exclusive."""

    path: str
    line: int
    column: int
    end_line: int
    end_column: int
    rule: str
    message: str
    # Whether this one may be mended safely, where that is not what the rule says.
    fix: str = ""

    @property
    def applicability(self) -> str:
        """Whether ``--fix`` mends it: ``none``, ``safe`` or ``unsafe``."""
        return self.fix or RULES[self.rule].fix


class Frame:
    """One call of a function, or a module's body: its names and what surrounds it."""

    __slots__ = (
        "module", "function", "env", "closure", "caller", "call_node", "returns", "yields", "compiled",
        "forward", "cpu", "outer", "printing", "star", "deferred", "quiet",
    )  # fmt: skip

    def __init__(self, module: Module, function: Function | None = None, closure: Frame | None = None,
                 caller: Frame | None = None, call_node: ast.AST | None = None) -> None:  # fmt: skip
        self.module = module
        self.function = function
        self.env: dict[str, Value] = {}
        self.closure = closure
        self.caller = caller
        self.call_node = call_node
        self.returns: list[Value] = []
        self.yields: list[Value] = []
        self.compiled: Any = None
        self.forward = False
        self.cpu = caller.cpu if caller is not None else False
        self.outer: frozenset[str] = frozenset()
        self.printing = False
        self.star = False
        self.deferred: list[tuple[Function, Any]] = []
        self.quiet = caller.quiet if caller is not None else False

    @property
    def scope(self) -> ast.AST:
        """The node whose names these are."""
        return self.function.node if self.function else self.module.tree

    def lookup(self, name: str) -> tuple[Value | None, Frame | None]:
        """A name's value and the frame that has it."""
        frame: Frame | None = self
        if name in self.outer:
            frame = self.closure
        while frame is not None:
            value = frame.env.get(name)
            if value is not None:
                return value, frame
            frame = frame.closure
        module_frame = self.module.frame
        if module_frame is not None:
            value = module_frame.env.get(name)
            if value is not None:
                return value, module_frame
        return None, None
