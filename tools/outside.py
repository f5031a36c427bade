"""What mica.core has and no table lists: transformations, evaluation, files, streams, memory, types, classes.

Signatures are those of the stubs, texts the docstrings of the built library.
"""

from __future__ import annotations

import ast
import enum
import functools
import inspect
import re
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parent.parent / "python/mica"

# Families, their titles, what stands below them, and their functions.
FAMILIES: dict[str, tuple[str, str, list[str]]] = {
    "transforms": (
        "Transformations of functions",
        "They take a function and return another, or its derivative; they nest in any order.",
        ["grad", "value_and_grad", "vjp", "jvp", "vmap", "custom_function", "checkpoint"],
    ),
    "compile": (
        "Compilation",
        "A function that is traced once and then replayed; [compile.md](../../compile.md) tells how.",
        ["compile", "disable_compile", "enable_compile"],
    ),
    "export": (
        "Functions in files",
        "A function's graph is written, and called again elsewhere; [files.md](../../files.md) tells more.",
        ["export_function", "exporter", "FunctionExporter", "import_function", "export_to_dot"],
    ),
    "files": (
        "Arrays in files",
        "npy, npz, safetensors and gguf; [files.md](../../files.md) tells more.",
        ["load", "save", "savez", "savez_compressed", "save_safetensors", "save_gguf"],
    ),
    "evaluation": (
        "Evaluation",
        "When values are computed; [laziness.md](../../laziness.md) tells more.",
        ["eval", "async_eval", "synchronize", "depends"],
    ),
    "streams": (
        "Devices and streams",
        "Where work runs; [streams.md](../../streams.md) tells more.",
        [
            "default_device",
            "set_default_device",
            "is_available",
            "device_count",
            "device_info",
            "default_stream",
            "set_default_stream",
            "new_stream",
            "new_thread_local_stream",
            "new_thread_unsafe_stream",
            "stream",
            "clear_streams",
            "Device",
            "DeviceType",
            "Stream",
            "ThreadLocalStream",
            "StreamContext",
        ],
    ),
    "memory": (
        "Memory",
        "What arrays hold, and how much they may; [memory.md](../../memory.md) tells more.",
        [
            "get_active_memory",
            "get_peak_memory",
            "reset_peak_memory",
            "get_cache_memory",
            "clear_cache",
            "set_cache_limit",
            "get_memory_limit",
            "set_memory_limit",
            "set_wired_limit",
            "get_array_buffer_size",
        ],
    ),
    "types": (
        "Element types",
        "What types promote to, belong to and can hold.",
        [
            *("can_cast", "result_type", "issubdtype", "isdtype", "finfo", "iinfo"),
            *("Dtype", "DtypeCategory"),
        ],
    ),
    "arrays": (
        "Arrays from other objects, and how they print",
        "Lists, numbers, NumPy arrays and tensors of other libraries become arrays.",
        [
            "array",
            "asarray",
            "from_dlpack",
            "broadcast_shapes",
            "einsum_path",
            "set_printoptions",
            "get_printoptions",
            "printoptions",
            "PrintOptions",
            "ArrayAt",
            "ArrayIterator",
            "ArrayLike",
        ],
    ),
    "random": ("", "", ["random.seed", "random.state"]),  # among the functions of the tables
    "distributed": (
        "Groups of processes",
        "Collectives; a group is this process alone, in which each gives its argument back.",
        [
            f"distributed.{name}"
            for name in (
                *("init", "is_available", "Group", "all_sum", "all_max", "all_min", "all_gather"),
                *("sum_scatter", "send", "recv", "recv_like"),
            )
        ],
    ),
    "gpu": (
        "What needs a GPU",
        "Kernels in Metal and CUDA, and questions about such devices: answered as on a machine without one.",
        [
            *("fast.metal_kernel", "fast.cuda_kernel", "fast.precompiled_cuda_kernel"),
            *("cuda.is_available", "metal.is_available", "metal.device_info"),
            *("metal.start_capture", "metal.stop_capture"),
            *("metal.get_active_memory", "metal.get_peak_memory", "metal.reset_peak_memory"),
            *("metal.get_cache_memory", "metal.clear_cache", "metal.set_cache_limit"),
            *("metal.set_memory_limit", "metal.set_wired_limit"),
        ],
    ),
}


def names() -> list[str]:
    """All functions with a page here."""
    return [name for _, _, members in FAMILIES.values() for name in members]


def family_of(name: str) -> str:
    """The family that lists the function."""
    return next(family for family, (_, _, members) in FAMILIES.items() if name in members)


@functools.cache
def signatures() -> dict[str, list[str]]:
    """Each public name's signatures in the stubs; of a class those of its constructor and its methods."""
    found: dict[str, list[str]] = {}

    def add(name: str, node: ast.FunctionDef, source: list[str]) -> None:
        text = re.sub(r"\s+", " ", " ".join(source[node.lineno - 1 : node.end_lineno])).strip()
        text = re.sub(r"^def \w+", "", text)
        text = re.sub(r": (\.\.\.|\"\"\".*)$", "", text) if "..." in text else text
        text = re.sub(r": (raise|return|\"\"\"|_\w+\().*$", "", text)
        text = text.replace("( ", "(").replace(", )", ")").replace(" )", ")")
        text = text.replace("(self, ", "(").replace("(self)", "()").replace(" -> None", "")
        found.setdefault(name, []).append(name + text)

    for file, prefix in (("core.pyi", ""), ("_distributed.py", "distributed.")):
        text = (PACKAGE / file).read_text()
        source = text.split("\n")
        for node in ast.parse(text).body:
            if isinstance(node, ast.FunctionDef):
                add(prefix + node.name, node, source)
            elif isinstance(node, ast.ClassDef):
                module = re.match(r"_([a-z]+)(_head|_overloads)?$", node.name)
                for item in node.body:
                    if not isinstance(item, ast.FunctionDef):
                        continue
                    if module:
                        add(f"{module[1]}.{item.name}", item, source)
                    elif item.name == "__init__":
                        add(prefix + node.name, item, source)
                    elif not any(isinstance(d, ast.Name) for d in item.decorator_list):
                        add(f"{prefix}{node.name}.{item.name}", item, source)
    return found


def is_by_hand(name: str) -> bool:
    """Whether a function of the tables has another signature in Python than its row."""
    short = re.escape(name.rsplit(".", 1)[-1])
    return bool(
        re.search(rf"^ *def {short}\(", (PACKAGE.parent / "src/core_overloads.pyi").read_text(), re.M)
    )


def argument_rows(signature: str) -> list[str]:
    """The table of arguments of a function whose row says others."""
    name, _, rest = signature.partition("(")
    node = ast.parse(f"def {name.rpartition('.')[2]}({rest}: ...")
    rows = ["| argument | accepts | default |", "|---|---|---|"]
    (function,) = node.body
    assert isinstance(function, ast.FunctionDef)
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(positional) - len(arguments.defaults)) + list(arguments.defaults)
    for argument, default in zip(positional, defaults, strict=True):
        accepts = ast.unparse(argument.annotation).replace(" | ", " or ") if argument.annotation else ""
        shown = f"`{ast.unparse(default)}`" if default else ""
        rows.append(f"| `{argument.arg}` | {accepts} | {shown} |")
    return rows


def resolve(name: str) -> Any:
    """The object of a dotted name in mica.core."""
    import mica.core as mx

    found: Any = mx
    for part in name.split("."):
        found = getattr(found, part)
    return found


def text_of(name: str, found: Any) -> str:
    """The docstring as a page says it: no signature in front, lists for arguments and errors."""
    doc = inspect.getdoc(found) or ""
    short = re.escape(name.rsplit(".", 1)[-1])
    doc = re.sub(rf"^{short}\([^\n]*?\)( -> [^:\n]+)?(: |\n\n|\n--\n\n|$)", "", doc)
    parts = re.split(r"^(Args|Returns|Raises):$", doc, flags=re.M)
    lines = [sentence(parts[0].strip())]
    for head, body in zip(parts[1::2], parts[2::2], strict=True):
        lines += ["", f"**{head.replace('Args', 'Arguments')}**", ""]
        lines += items(inspect.cleandoc(body).split("\n")) if head != "Returns" else [inspect.cleandoc(body)]
    return "\n".join(lines).replace("``", "`")


def sentence(text: str) -> str:
    """With a capital letter and a full stop."""
    text = text[:1].upper() + text[1:]
    return text if not text or text.endswith((".", ":")) else text + "."


def items(lines: list[str]) -> list[str]:
    """``name: meaning`` and what continues it as a list."""
    found: list[str] = []
    for line in lines:
        match = re.match(r"(\S[^:]*): (.*)", line)
        if match:
            found.append(f"- `{match[1]}`: {match[2]}")
        elif line.strip() and found:
            found[-1] += " " + line.strip()
    return found


def members(name: str, found: type, signature: dict[str, list[str]]) -> list[str]:
    """A row for each public method and property of a class; of an enumeration its members."""
    if issubclass(found, enum.Enum):
        return ["Members: " + ", ".join(f"`{item.name}`" for item in found) + ".", ""]
    rows = []
    for member in (m for m in dir(found) if not m.startswith("_")):
        text = text_of(member, getattr(found, member)).split("\n")[0]
        call = signature.get(f"{name}.{member}", [member])[0].removeprefix(f"{name}.")
        rows.append(f"| `{call}` | {text} |".replace(" | None", " or None"))
    return ["| member | meaning |", "|---|---|", *rows, ""] if rows else []


def section(name: str, signature: dict[str, list[str]], example: str) -> str:
    """All about one function or class."""
    found = resolve(name)
    lines = [f"# {name}", "", text_of(name, found), ""]
    if calls := signature.get(name, []):
        lines += ["```python", *calls, "```", ""]
    if isinstance(found, type) and name not in ("array", "finfo", "iinfo"):
        lines += members(name, found, signature)
    if example:
        lines += ["```python", example.rstrip(), "```", ""]
    return "\n".join(lines)
