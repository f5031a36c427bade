#!/usr/bin/env python3
"""Derive the C prototypes, the function table and the Python stub from prim.def and func.def.

Usage: tools/gen.py [--check]. With --check nothing is written; the exit status is 1 when a file is stale.
"""

from __future__ import annotations

import ast
import re
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PRIM = ROOT / "engine/ops/prim.def"
FUNC = ROOT / "engine/ops/func.def"
ALIAS = ROOT / "python/src/alias.def"
STUB_HEAD = ROOT / "python/src/core_head.pyi"
STUB_OVERLOADS = ROOT / "python/src/core_overloads.pyi"

# kind: (C type, member of mica__value, Python annotation)
KINDS = {
    "array": ("mica_array *", "array", "array"),
    "operand": ("mica_array *", "array", "scalar | array"),
    "key": ("mica_array *", "array", "array"),
    "index": ("mica_array *", "array", "int | array"),
    "arrays": ("mica_arrays ", "arrays", "Sequence[array]"),
    "int": ("int64_t ", "integer", "int"),
    "axis": ("int ", "axis", "int"),
    "axes": ("mica_dims ", "dims", "None | int | Sequence[int]"),
    "dims": ("mica_dims ", "dims", "Sequence[int]"),
    "shape": ("mica_dims ", "dims", "int | Sequence[int]"),
    "bool": ("bool ", "boolean", "bool"),
    "float": ("double ", "real", "float"),
    "dtype": ("mica_dtype ", "dtype", "Dtype"),
    "string": ("const char *", "string", "str"),
    "mask": ("mica_mask ", "mask", "None | str | array"),
    "order": ("mica_order ", "order", "None | int | float | str"),
}
# No pointer or value stands for None in these.
NEVER_NONE = {"arrays", "bool", "shape"}
RESULTS = {
    "array": "array",
    "arrays": "list[array]",
    "tuple": "tuple[array, ...]",
    "bare": "Any",
    "bare_tuple": "Any",
}
MODULES = ("random", "fast", "linalg", "fft")
C_KEYWORDS = set(
    "auto break case char const continue default do double else enum extern float for goto if inline int "
    "long register restrict return short signed sizeof static struct switch typedef union unsigned void "
    "volatile while bool true false complex imaginary I scope".split()
)
ELEMENTWISE = {"UNARY": 1, "BINARY": 2, "TERNARY": 3}


class TableError(Exception):
    """A row that does not follow the grammar; the message names file and line."""


@dataclass
class Parameter:
    name: str
    kind: str
    optional: bool
    variadic: bool
    keyword_only: bool
    default: str | None


@dataclass
class Function:
    name: str
    signature: str
    doc: str
    builder: str | None  # C expression's function for element-wise rows
    parameters: list[Parameter] = field(default_factory=list)
    positional_only: int = 0
    result: str = "array"
    c_name: str = ""

    @property
    def module(self) -> tuple[str, str]:
        """Submodule ("" for mica.core itself) and name inside it."""
        for module in MODULES:
            if self.name.startswith(module + "_"):
                return module, self.name[len(module) + 1 :]
        return "", self.name


def split_top(text: str) -> list[str]:
    """Split at commas outside brackets and quotes; empty pieces are dropped."""
    pieces, depth, quote, start = [], 0, "", 0
    for i, c in enumerate(text):
        if quote:
            quote = "" if c == quote and text[i - 1] != "\\" else quote
        elif c in "\"'":
            quote = c
        elif c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
        elif c == "," and depth == 0:
            pieces.append(text[start:i].strip())
            start = i + 1
    pieces.append(text[start:].strip())
    return [p for p in pieces if p]


def rows(path: Path, macro: str) -> list[tuple[list[str], str, int]]:
    """The arguments, documentation and line of every `macro(...)` in a table."""
    text = path.read_text()
    found = []
    doc: list[str] = []
    position = 0
    pattern = re.compile(r"/\*.*?\*/|^///[ \t]?(.*)$|^" + macro + r"\(|\n", re.S | re.M)
    line_pattern = re.compile(r"^///[ \t]?([^\n]*)")
    while match := pattern.search(text, position):
        token = match.group()
        position = match.end()
        if token.startswith("///"):
            # The dot of re.S runs over line ends: take this line alone.
            line = line_pattern.match(text[match.start() :])
            assert line
            doc.append(line.group(1).rstrip())
            position = match.start() + line.end()
        elif token == macro + "(":
            start, depth, quote = position, 1, ""
            while depth and position < len(text):
                c = text[position]
                if quote:
                    if c == "\\":
                        position += 1
                    elif c == quote:
                        quote = ""
                elif c == '"':
                    quote = c
                elif c in "()":
                    depth += 1 if c == "(" else -1
                position += 1
            number = text.count("\n", 0, start) + 1
            if depth:
                raise TableError(f"{path}:{number}: unclosed row")
            found.append((split_top(text[start : position - 1]), "\n".join(doc), number))
            doc = []
    return found


def c_string(text: str) -> str:
    """The value of one or several adjacent C string literals."""
    return "".join(ast.literal_eval(s) for s in re.findall(r'"(?:\\.|[^"\\])*"', text))


def quote_c(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def parse_signature(function: Function, where: str) -> None:
    text, _, result = function.signature.partition("->")
    function.result = result.strip() or "array"
    if function.result not in RESULTS:
        raise TableError(f"{where}: result {function.result!r} is not one of {', '.join(RESULTS)}")
    keyword_only = False
    for piece in split_top(text):
        if piece == "/":
            function.positional_only = len(function.parameters)
            continue
        if piece == "*":
            keyword_only = True
            continue
        match = re.fullmatch(r"(\*?)(\w+)\s*:\s*(\w+)(\??)\s*(?:=\s*(.+))?", piece)
        if not match:
            raise TableError(f"{where}: {piece!r} is not `name: kind = default`")
        star, name, kind, optional, default = match.groups()
        if kind not in KINDS:
            raise TableError(f"{where}: kind {kind!r} of {name!r} is not one of {', '.join(KINDS)}")
        if optional and kind in NEVER_NONE:
            raise TableError(f"{where}: {name!r}: {kind} has no value for None")
        if star and (kind != "arrays" or keyword_only or any(p.default for p in function.parameters)):
            raise TableError(f"{where}: only arrays after parameters without default may be variadic")
        if star:
            keyword_only = True
        function.parameters.append(
            Parameter(name, kind, bool(optional), bool(star), keyword_only and not star, default)
        )
    required_after_default = False
    for p in function.parameters:
        if p.keyword_only or p.variadic:
            continue
        if p.default is not None:
            required_after_default = True
        elif required_after_default:
            raise TableError(f"{where}: {p.name!r} without default follows one with a default")


def public_names() -> set[str]:
    """Functions and types that the hand-written headers declare."""
    names: set[str] = set()
    for header in sorted((ROOT / "include/mica").glob("*.h")):
        if header.name == "ops.h":
            continue
        text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.S)
        names.update(re.findall(r"MICA_API[^;(]*?\b(mica_\w+)\(", text))
        names.update(
            re.findall(r"\b(mica_\w+);", " ".join(re.findall(r"^typedef[^;]*;|^} *mica_\w+;", text, re.M)))
        )
    return names


def load() -> list[Function]:
    functions = []
    for arguments, doc, line in rows(PRIM, "PRIM"):
        where = f"{PRIM}:{line}"
        if len(arguments) < 6:
            raise TableError(f"{where}: a row has 6 arguments, not {len(arguments)}")
        name, cls, signature, flags = arguments[0], arguments[1], arguments[2], arguments[-1]
        if cls not in ELEMENTWISE or "INTERNAL" in flags:
            continue
        function = Function(name, c_string(signature), doc, f"mica__{cls.lower()}")
        parse_signature(function, where)
        if len(function.parameters) != ELEMENTWISE[cls]:
            raise TableError(
                f"{where}: {cls} takes {ELEMENTWISE[cls]} operands, not {len(function.parameters)}"
            )
        functions.append(function)
    for arguments, doc, line in rows(FUNC, "FUNC"):
        where = f"{FUNC}:{line}"
        if len(arguments) < 2:
            raise TableError(f"{where}: a row has a name and a signature")
        function = Function(arguments[0], c_string(arguments[1]), doc, None)
        parse_signature(function, where)
        functions.append(function)
    declared = public_names()
    seen: dict[str, Function] = {}
    for f in functions:
        if not f.doc:
            raise TableError(f"{f.name}: a row needs a doc line (///) above it")
        if f.name in seen:
            raise TableError(f"{f.name}: two rows have this name")
        seen[f.name] = f
        f.c_name = f"mica_{f.name}"
        if f.c_name in declared:
            f.c_name += "_"
    return functions


def wrap(head: str, items: list[str], tail: str, width: int = 100) -> str:
    """`head` + items + `tail`, continued below the first item."""
    lines, line, indent = [], head, " " * len(head)
    for i, item in enumerate(items):
        piece = item + (tail if i == len(items) - 1 else ",")
        if line not in (head, indent) and len(line) + 1 + len(piece) > width:
            lines.append(line)
            line = indent
        line += piece if line in (head, indent) else " " + piece
    return "\n".join([*lines, line])


def c_parameter(p: Parameter) -> str:
    name = p.name + "_" if p.name in C_KEYWORDS else p.name
    return KINDS[p.kind][0] + name


def prototype(f: Function, prefix: str, tail: str) -> str:
    result = "mica_array *" if f.result == "array" else "mica_arrays "
    return wrap(f"{prefix}{result}{f.c_name}(", ["mica_scope *scope", *map(c_parameter, f.parameters)], tail)


GENERATED = "Generated by tools/gen.py from prim.def and func.def: change those."


def ops_header(functions: list[Function]) -> str:
    out = [
        f"/* Every operation on arrays. {GENERATED} */",
        "/* clang-format off */",
        "#ifndef MICA_OPS_H",
        "#define MICA_OPS_H",
        "",
        '#include "mica/array.h"',
        "",
        "/* Each returns an array, or several, that the scope owns; NULL, or none, when it failed or got",
        "   NULL. Below a description stands the signature in Python, with kinds for types. operand: an",
        "   array or a weakly typed number (mica_number, mica_integer). A `?` marks what may be left out:",
        "   NULL, MICA_NO_INTEGER, MICA_FLATTEN, NaN, MICA_DEFAULT_DTYPE, n = -1. axes: MICA_ALL_AXES for",
        "   all. */",
        "",
    ]
    for f in functions:
        doc = "\n".join(textwrap.fill(line, 96, break_long_words=False) for line in f.doc.split("\n"))
        body = (doc + f"\n{f.name}({f.signature.strip()})").replace("\n", "\n    ")
        out.append(f"/** {body} */")
        out.append(prototype(f, "MICA_API ", ");"))
        out.append("")
    out += ["#endif", ""]
    return "\n".join(out)


def functions_source(functions: list[Function]) -> str:
    out = [
        f"/* Element-wise builders and the table of all functions. {GENERATED} */",
        "/* clang-format off */",
        '#include "ops/function.h"',
        "",
        '#include "ops/builder.h"',
        "",
    ]
    for f in functions:
        if f.builder:
            names = [c_parameter(p).removeprefix("mica_array *") for p in f.parameters]
            out.append(prototype(f, "", ")"))
            out.append("{")
            out.append(f"    return {f.builder}(scope, mica_prim_{f.name}, {', '.join(names)});")
            out.append("}")
            out.append("")
    for f in functions:
        values = ["scope", *(f"v[{i}].{KINDS[p.kind][1]}" for i, p in enumerate(f.parameters))]
        out.append(
            f"static mica_array *call_{f.name}(mica_scope *scope, const mica__value *v, mica_arrays *many)"
        )
        out.append("{")
        if not f.parameters:
            out.append("    (void)v;")
        if f.result == "array":
            out.append("    (void)many;")
            out.append(wrap(f"    return {f.c_name}(", values, ");"))
        else:
            out.append(wrap(f"    *many = {f.c_name}(", values, ");"))
            out.append("    return NULL;")
        out.append("}")
        out.append("")
    out.append("const mica__function mica__functions[] = {")
    for f in functions:
        doc = "\n      ".join(quote_c(line) for line in f.doc.splitlines(keepends=True))
        out.append(f"    {{ {quote_c(f.name)}, {quote_c(f.signature.strip())},")
        out.append(f"      {doc}, call_{f.name} }},")
    out += ["    { NULL, NULL, NULL, NULL },", "};", ""]
    out.append(
        "const size_t mica__function_count = sizeof(mica__functions) / sizeof(mica__functions[0]) - 1;"
    )
    out.append("")
    return "\n".join(out)


def python_parameters(f: Function) -> str:
    parts: list[str] = []
    keyword_only = False
    for i, p in enumerate(f.parameters):
        if p.keyword_only and not keyword_only:
            if not any(q.variadic for q in f.parameters):
                parts.append("*")
            keyword_only = True
        annotation = KINDS[p.kind][2]
        if p.variadic:
            parts.append(f"*{p.name}: array")
            keyword_only = True
        else:
            if (p.optional or p.default == "None") and "None" not in annotation:
                annotation = f"None | {annotation}"
            parts.append(f"{p.name}: {annotation}" + ("" if p.default is None else f" = {p.default}"))
        if i + 1 == f.positional_only:
            parts.append("/")
    if not keyword_only:
        parts.append("*")
    parts.append("stream: StreamOrDevice = None")
    return ", ".join(parts)


def stub_function(f: Function, indent: str) -> list[str]:
    name = f.module[1]
    first = "self, " if indent else ""
    head = f"{indent}def {name}({first}{python_parameters(f)}) -> {RESULTS[f.result]}:"
    doc = f.doc.replace("\\", "\\\\").replace("\n", f"\n{indent}    ")
    return [head, f'{indent}    """{doc}"""', ""]


# Rows that Python reaches through another function.
STUB_HIDDEN = {"arange_integer", "split_at", "tensordot_axes"}


def stub(functions: list[Function]) -> str:
    by_hand = STUB_OVERLOADS.read_text()
    hidden = {("", name) for name in STUB_HIDDEN} | {("random", "permutation_of")}
    for node in ast.parse(by_hand).body:
        if isinstance(node, ast.FunctionDef):
            hidden.add(("", node.name))
        elif isinstance(node, ast.ClassDef) and node.name.endswith("_overloads"):
            module = node.name.removeprefix("_").removesuffix("_overloads")
            hidden |= {(module, f.name) for f in node.body if isinstance(f, ast.FunctionDef)}
    out = [STUB_HEAD.read_text().rstrip(), "", by_hand.rstrip(), "", f"# {GENERATED}", ""]
    functions = [f for f in functions if f.module not in hidden]
    for f in functions:
        if not f.module[0]:
            out += stub_function(f, "")
    if ALIAS.exists():
        for arguments, _, _ in rows(ALIAS, "ALIAS"):
            if arguments[1] in {f.name for f in functions}:
                out.append(f"{arguments[0]} = {arguments[1]}")
        out.append("")
    for module in MODULES:
        members = [f for f in functions if f.module[0] == module]
        if members:
            by_hand_too = f"_{module}_overloads, " if f"class _{module}_overloads" in by_hand else ""
            out.append(f"class _{module}({by_hand_too}_{module}_head):")
            for f in members:
                out += stub_function(f, "    ")
            out += [f"{module}: _{module}", ""]
    return "\n".join(out).rstrip() + "\n"


def main() -> int:
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        functions = load()
        files = {
            ROOT / "include/mica/ops.h": ops_header(functions),
            ROOT / "engine/ops/functions.c": functions_source(functions),
            ROOT / "python/mica/core.pyi": stub(functions),
        }
    except TableError as error:
        print(f"gen.py: {error}", file=sys.stderr)
        return 1
    stale = [path for path, text in files.items() if not path.exists() or path.read_text() != text]
    if check:
        for path in stale:
            print(f"gen.py: {path.relative_to(ROOT)} is stale: run tools/gen.py", file=sys.stderr)
        return 1 if stale else 0
    for path in stale:
        path.write_text(files[path])
        print(f"wrote {path.relative_to(ROOT)} ({len(functions)} functions)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
