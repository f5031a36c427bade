"""Functions, classes and imports."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from mica.doctor import api
from mica.doctor.project import Class, Function
from mica.doctor.values import NONE, Value

if TYPE_CHECKING:
    from mica.doctor.interpreter import Interpreter as Base
else:
    Base = object

SMALL_LOOP = 8


class Definitions(Base):
    """What a module defines."""

    # ---- definitions ----

    def s_FunctionDef(self, node: ast.FunctionDef) -> None:
        frame = self.frame
        function = Function(node, frame.module, frame)
        value = Value("function", data=function)
        for decorator in reversed(node.decorator_list):
            value = self.decorate(decorator, value, function)
        frame.env[node.name] = value
        if frame.caller is None:
            frame.deferred.append((function, None))

    s_AsyncFunctionDef = s_FunctionDef

    def decorate(self, decorator: ast.AST, value: Value, function: Function) -> Value:
        """What a decorator makes of a function."""
        name = decorator.id if isinstance(decorator, ast.Name) else getattr(decorator, "attr", "")
        if name in ("staticmethod", "property", "classmethod", "cached_property"):
            function.kind = {"staticmethod": "static", "classmethod": "class"}.get(name, "property")
            return value
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        if (called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")) in (
            "lru_cache",
            "cache",
        ):
            function.cached = True
            return value
        made = self.evaluate(decorator)
        if made.kind in ("api", "partial"):
            result = self.call_value(made, [value], {}, decorator)
            if result.kind in ("compiled", "gradient"):
                return result
        return value

    def s_ClassDef(self, node: ast.ClassDef) -> None:
        frame = self.frame
        bases = [self.evaluate(b) for b in node.bases]
        cls = Class(node, frame.module, bases)
        saved = frame.env
        frame.env = dict(saved)
        start = set(saved)
        deferred = len(frame.deferred)
        self.block(node.body)
        for name, value in frame.env.items():
            if name not in start or saved[name] is not value:
                cls.attributes[name] = value
                if value.kind == "function" and value.data.node in node.body:
                    value.data.owner = cls
                elif value.kind == "compiled" and value.data.function.kind == "function":
                    value.data.function.data.owner = cls
        for name, value in self.annotated_fields(node).items():
            if cls.attributes.get(name, NONE).kind in ("none", "unknown"):
                cls.attributes[name] = value
        del frame.deferred[deferred:]
        frame.env = saved
        frame.env[node.name] = cls.value
        if frame.caller is None:
            frame.deferred.append((cls, None))  # type: ignore[arg-type]

    # ---- imports ----

    def s_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            name = api.canonical(alias.name)
            bound = alias.asname or alias.name.partition(".")[0]
            self.frame.env[bound] = self.lazy(name if alias.asname else name.partition(".")[0], 0, None)

    def lazy(self, name: str, level: int, attribute: str | None) -> Value:
        """What an import binds: modules of the project are read when they are first used."""
        if not level and (self.is_known(name) or self.is_foreign(name)):
            module = self.module_value(name, level)
            return module if attribute is None else self.attribute_of_module(module, attribute)
        return Value("lazy", data=(name, level, attribute, self.frame.module.path))

    def resolve(self, value: Value) -> Value:
        """What an import of the project means, now that it is asked for."""
        name, level, attribute, importer = value.data
        found = self.project.find(name, level, importer) if name or level else None
        if attribute is None:
            if found is not None:
                self.load(found)
            return Value("module", data=found if found is not None else name)
        result = Value("unknown")
        if found is None:
            result = self.attribute_of_module(Value("module", data=name), attribute)
        else:
            self.load(found)
            result = self.attribute_of_module(Value("module", data=found), attribute)
        if result.kind == "unknown" and (level or found is not None):
            inner = self.project.find(f"{name}.{attribute}".strip("."), level, importer)
            if inner is not None:
                self.load(inner)
                result = Value("module", data=inner)
        return result

    def is_known(self, name: str) -> bool:
        """Modules that the checker knows by itself."""
        return api.is_api(name) or name == "numpy" or name.startswith("numpy.")

    def module_value(self, name: str, level: int) -> Value:
        """A Python module, by name."""
        if not level and self.is_known(name):
            return Value("module", data=name)
        found = (
            None
            if not level and self.is_foreign(name)
            else self.project.find(name, level, self.frame.module.path)
        )
        if found is not None:
            self.load(found)
            return Value("module", data=found)
        return Value("module", data=name)

    def is_foreign(self, name: str) -> bool:
        """Names that are never looked for beside the file."""
        return name.partition(".")[0] in (
            "torch",
            "jax",
            "tensorflow",
            "os",
            "sys",
            "math",
            "functools",
            "typing",
        )

    def load(self, module: Any) -> None:
        """Walk through an imported file once, without findings."""
        if module.frame is None and not module.loading:
            self.run_module(module, quiet=True)
            module.frame.quiet = False

    def s_ImportFrom(self, node: ast.ImportFrom) -> None:
        name = api.canonical(node.module or "")
        for alias in node.names:
            if alias.name == "*":
                self.import_all(self.module_value(name, node.level))
            else:
                self.frame.env[alias.asname or alias.name] = self.lazy(name, node.level, alias.name)

    def import_all(self, module: Value) -> None:
        """Bind everything that ``import *`` gives."""
        if isinstance(module.data, str):
            if module.data == "mlx.core":
                self.frame.env.update({n: self.attribute_of_module(module, n) for n in api.CORE})
            return
        if module.data.frame is not None:
            for name, value in module.data.frame.env.items():
                if not name.startswith("_"):
                    self.frame.env[name] = value
