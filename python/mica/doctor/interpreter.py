"""The abstract interpreter: walks through a file as Python would run it, and knows of each name what the
text says."""

from __future__ import annotations

import ast
from typing import Any

from mica.doctor import scan
from mica.doctor.annotations import Annotations
from mica.doctor.calls import Calls
from mica.doctor.checks import Checks
from mica.doctor.definitions import Definitions
from mica.doctor.expressions import Expressions
from mica.doctor.frames import Finding, Frame
from mica.doctor.functions import Functions
from mica.doctor.indexing import Indexing
from mica.doctor.layers import Layers
from mica.doctor.narrowing import Narrowing
from mica.doctor.project import Class, Function, Instance, Module, Project
from mica.doctor.rules import RULES, UNSAFE_FIX
from mica.doctor.special import Special
from mica.doctor.statements import Statements
from mica.doctor.steps import Steps
from mica.doctor.tracing import Tracing
from mica.doctor.upcasts import Upcasts
from mica.doctor.values import NONE, UNKNOWN, Loop, Value, join_all, sequence

INLINE_DEPTH = 5
# Expressions that one task may look at inside called functions.
INLINE_BUDGET = 6_000
# History that does not change what a function does with an argument.
PLAIN_TAGS = frozenset("pending heavy worked traced assumed declared parameter called optional".split())


def fresh(value: Value, depth: int = 3) -> Value:
    """A value like another, of an identity of its own."""
    if value.kind == "sequence" and depth:
        data = value.data
        items = [fresh(v, depth - 1) for v in data.items] if data.items is not None else None
        return sequence(items, data.each, data.copies)
    return Value(value.kind, value.dtype, value.shape, value.data, dict(value.tags))


class Interpreter(
    Annotations, Statements, Definitions, Narrowing, Expressions, Indexing, Calls, Functions, Special,
    Layers, Checks, Upcasts, Tracing, Steps,
):  # fmt: skip
    """Walks through one file and collects findings; helpers in other files are followed through the
    project."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.findings: dict[tuple, Finding] = {}
        self.frame: Frame = None  # type: ignore[assignment]
        self.loops: list[Loop] = []
        self.path: tuple = ()
        self.order = 0
        self.events: list[Any] = []
        self.budget = INLINE_BUDGET
        self.active: list[ast.AST] = []
        self.cpu_default = False
        self.queued: list[Value] = []
        self.analyzed: set[tuple] = set()
        # float64 and the functions around it; functions that were called with the CPU as their stream.
        self.doubles: list[tuple[ast.AST, Frame, frozenset[ast.AST]]] = []
        self.on_cpu: set[ast.AST] = set()
        self.needless: dict[int, Value] = {}
        self.trains = False
        # Whether the value that is being computed will be kept in an attribute or container.
        self.stored = False
        self.changes = 0
        self.known_calls: dict[tuple, Value] = {}

    # ---- findings ----

    def report(self, rule: str, node: ast.AST, frame: Frame, detail: str = "", fix: str = "") -> None:
        """Keep a finding, once for each place; ``fix`` where it differs from the rule's."""
        if frame.quiet or self.frame is not None and self.frame.quiet:
            return
        line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
        key = (frame.module.path, line, column, rule)
        known = self.findings.get(key)
        if known is not None:
            if fix == UNSAFE_FIX:  # safe from one caller only
                self.findings[key] = known._replace(fix=fix)
            return
        column = frame.module.column(line, column)
        end_at = getattr(node, "end_lineno", None) or line
        message = RULES[rule].title + (f": {detail}" if detail else "")
        end_line = getattr(node, "end_lineno", None) or line
        end = frame.module.column(end_at, getattr(node, "end_col_offset", None) or column + 1)
        self.findings[key] = Finding(
            frame.module.path, line, column + 1, end_line, end + 1, rule, message, fix
        )

    def locate(self, node: ast.AST, owner: Frame | None) -> ast.AST | None:
        """The node of a frame further out whose call led here; None if that frame is not running."""
        frame: Frame | None = self.frame
        while frame is not None and frame is not owner:
            node, frame = frame.call_node, frame.caller  # type: ignore[assignment]
        return node if frame is not None else None

    def chain(self) -> list[Frame]:
        """The running frames, innermost first."""
        out = []
        frame: Frame | None = self.frame
        while frame is not None:
            out.append(frame)
            frame = frame.caller
        return out

    # ---- whole files ----

    def check(self, module: Module) -> list[Finding]:
        """All findings that walking through a file gives, those in files it imports among them."""
        self.run_module(module, quiet=False)
        self.finish_file(module)
        return sorted(self.findings.values())

    def run_module(self, module: Module, quiet: bool) -> None:
        """Walk through a module's body, and, where findings are asked for, through all its functions."""
        saved = (self.frame, self.loops, self.path, self.events, self.active, self.budget, self.queued)
        module.loading = True
        frame = Frame(module)
        frame.quiet = quiet
        module.frame = frame
        self.frame, self.loops, self.path, self.events, self.active = frame, [], (), [], []
        self.budget = INLINE_BUDGET
        self.block(module.tree.body)
        self.close_steps()
        module.loading = False
        if not quiet:
            self.run_deferred(frame)
        self.frame, self.loops, self.path, self.events, self.active, self.budget, self.queued = saved

    def run_deferred(self, frame: Frame) -> None:
        """Walk through the functions that a frame defined, each by itself."""
        position = 0
        while position < len(frame.deferred):
            function, compiled = frame.deferred[position]
            position += 1
            if isinstance(function, Class):
                self.run_class(function)
            elif compiled is not None or not function.compiled:
                self.run_function(function, compiled)

    def run_class(self, cls: Class) -> None:
        """Walk through the methods of a class on an instance of which nothing special is known."""
        instance = self.sample(cls)
        for value in list(cls.attributes.values()):
            if value.kind == "function" and value.data.owner is cls and not value.data.compiled:
                of_class = value.data.kind == "class"
                self.run_function(value.data.bound(cls.value if of_class else instance), None)

    def sample(self, cls: Class) -> Value:
        """An instance of a class, made once with a constructor whose arguments are not known."""
        if cls.sample is None:
            data = Instance(cls, cls.layer())
            data.known_constructor = False
            cls.sample = Value("instance", data=data)
            init = cls.lookup("__init__")
            if init is not None and init.kind == "function":
                self.run_function(init.data.bound(cls.sample), None)
        return cls.sample

    def run_function(self, function: Function, compiled: Any) -> None:
        """Walk through a function by itself: its parameters are what their annotations and uses say."""
        key = (id(function.node), id(compiled) if compiled else 0, id(function.self_value))
        if key in self.analyzed:
            return
        self.analyzed.add(key)
        saved = (self.frame, self.loops, self.path, self.events, self.active, self.budget, self.queued)
        frame = Frame(function.module, function, function.closure)
        frame.compiled = compiled
        frame.forward = self.is_forward(function)
        self.loops, self.path, self.events, self.active, self.queued = [], (), [], [function.node], []
        self.budget = INLINE_BUDGET
        self.frame = frame
        frame.env.update(self.parameters(function, compiled is not None))
        self.body(frame)
        self.close_steps()
        self.run_deferred(frame)
        self.frame, self.loops, self.path, self.events, self.active, self.budget, self.queued = saved

    def is_forward(self, function: Function) -> bool:
        """Whether a function is the forward pass of a layer."""
        owner = function.owner
        return owner is not None and function.name == "__call__" and owner.layer() is not None

    def parameters(self, function: Function, compiled: bool) -> dict[str, Value]:
        """What is known of a function's parameters without a call."""
        arguments = function.node.args
        positional = [*arguments.posonlyargs, *arguments.args]
        defaults: dict[str, ast.AST] = {}
        if arguments.defaults:
            for a, default in zip(positional[-len(arguments.defaults) :], arguments.defaults, strict=True):
                defaults[a.arg] = default
        for a, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
            if default is not None:
                defaults[a.arg] = default
        evidence = scan.array_evidence(function.node)
        if compiled or self.frame.forward:
            evidence = evidence | scan.operand_names(function.node)
        if compiled:
            evidence = evidence | scan.computed_parameters(function.node)
        foreign = scan.mentions(function.module.tree, frozenset({"numpy", "torch", "jax", "tensorflow"}))
        env: dict[str, Value] = {}
        bound = list(function.arguments[0])
        for index, a in enumerate([*positional, *arguments.kwonlyargs]):
            if index == 0 and function.self_value is not None and function.kind != "static":
                env[a.arg] = function.self_value
                continue
            if bound and index < len(positional):
                env[a.arg] = bound.pop(0)
                continue
            if a.arg in function.arguments[1]:
                env[a.arg] = function.arguments[1][a.arg]
                continue
            value = self.annotated(a.annotation) if a.annotation is not None else UNKNOWN
            default = defaults.get(a.arg)
            if value is UNKNOWN and default is not None:
                given = self.evaluate(default)
                if given.kind in ("number", "string"):
                    value = Value(given.kind)
                elif given.kind == "dtype":
                    value = given
            if value is UNKNOWN and a.arg in evidence and default is None:
                if compiled or self.frame.forward or not foreign:
                    value = Value("array", tags={"assumed": True})
            if value is UNKNOWN and function.differentiated and index == 0 and a.arg in ("model", "net", "m"):
                value = Value("instance", data=Instance(None, "Module"))
            if value is UNKNOWN:
                value = Value("unknown", tags={"traced": True} if compiled and default is None else None)
            env[a.arg] = value
        if arguments.vararg:
            env[arguments.vararg.arg] = sequence(None, UNKNOWN)
        if arguments.kwarg:
            env[arguments.kwarg.arg] = UNKNOWN
        return env

    # ---- calls of functions of the project ----

    def body(self, frame: Frame) -> Value:
        """Walk through the body of the function of a frame that has its parameters."""
        node = frame.function.node  # type: ignore[union-attr]
        if isinstance(node, ast.Lambda):
            return self.evaluate(node.body)
        for statement in node.body:
            if isinstance(statement, (ast.Global, ast.Nonlocal)):
                frame.outer = frame.outer | frozenset(statement.names)
        self.block(node.body)
        if frame.yields:
            return sequence(None, join_all(frame.yields))
        return join_all(frame.returns) if frame.returns else NONE

    def inline(self, function: Function, args: list[Value], kwargs: dict[str, Value], node: ast.AST) -> Value:
        """Follow a call into a function of the project with what is known of its arguments."""
        depth = len(self.active)
        if self.frame.cpu:
            self.on_cpu.add(function.node)
        if depth > INLINE_DEPTH or self.budget <= 0 or function.node in self.active:
            return self.result_by_annotation(function)
        key = self.call_key(function, args, kwargs)
        if key is not None and key in self.known_calls:
            return fresh(self.known_calls[key])
        before = (self.order, len(self.findings), self.changes)
        result = self.follow(function, args, kwargs, node)
        if key is not None and before == (self.order, len(self.findings), self.changes):
            if all(result is not a for a in (*args, *kwargs.values())) and self.budget > 0:
                self.known_calls[key] = result
        return result

    def call_key(self, function: Function, args: list[Value], kwargs: dict[str, Value]) -> tuple | None:
        """What a call is known by, where it does the same each time; None where it may not."""
        if function.arguments[0] or function.arguments[1]:
            return None
        parts: list[Any] = [id(function.node), id(function.closure), self.changes, bool(self.loops),
                            self.frame.cpu, self.compiled_frame() is not None,
                            any(f.forward for f in self.chain())]  # fmt: skip
        if function.self_value is not None:
            parts.append(id(function.self_value.data))
        for name, value in (*enumerate(args), *kwargs.items()):
            if value.tags and not PLAIN_TAGS.issuperset(value.tags):
                return None
            if value.kind in ("unknown", "none", "string", "number", "array"):
                data = value.data if isinstance(value.data, (str, int, float, bool)) else None
                parts.append((name, value.kind, value.dtype, value.shape, data, frozenset(value.tags)))
            else:
                parts.append((name, value.kind, id(value.data)))
        return tuple(parts)

    def follow(self, function: Function, args: list[Value], kwargs: dict[str, Value], node: ast.AST) -> Value:
        """Walk through the body of a called function."""
        frame = Frame(function.module, function, function.closure, self.frame, node)
        frame.forward = self.is_forward(function)
        arguments = function.node.args
        positional = [*arguments.posonlyargs, *arguments.args]
        given = list(function.arguments[0]) + args
        if function.self_value is not None and function.kind != "static":
            given.insert(0, function.self_value)
        named = {**function.arguments[1], **kwargs}
        saved, self.frame = self.frame, frame
        self.active.append(function.node)
        env = frame.env
        defaults = dict(zip([a.arg for a in positional[len(positional) - len(arguments.defaults) :]],
                            arguments.defaults, strict=True))  # fmt: skip
        defaults.update(
            {a.arg: d for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if d}
        )
        for index, a in enumerate([*positional, *arguments.kwonlyargs]):
            if index < len(given) and index < len(positional):
                value = given[index]
            elif a.arg in named:
                value = named[a.arg]
            elif a.arg in defaults:
                value = self.evaluate(defaults[a.arg])
            else:
                value = Value("unknown")
            known = value.kind != "unknown" or not value.tags.keys() <= {"called", "traced"}
            if not known and a.annotation is not None:
                value = self.annotated(a.annotation)
            env[a.arg] = value
        if arguments.vararg:
            env[arguments.vararg.arg] = sequence(given[len(positional) :])
        if arguments.kwarg:
            env[arguments.kwarg.arg] = UNKNOWN
        path, loops = self.path, len(self.loops)
        result = self.body(frame)
        self.path = path
        del self.loops[loops:]
        self.active.pop()
        self.frame = saved
        if result.kind in ("unknown", "none") and result.tags.keys() <= {"called"}:
            said = self.result_by_annotation(function)
            return said if said.kind != "unknown" else result
        return result
