"""Functions of mica.core that no table lists: transformations, evaluation, streams, memory, types.

Their signatures are those of the stubs, their texts the docstrings of the built library.
"""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

STUBS = Path(__file__).resolve().parent.parent / "python/mica/core.pyi"

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
        ["can_cast", "result_type", "issubdtype", "isdtype", "finfo", "iinfo"],
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
        ],
    ),
}


def names() -> list[str]:
    """All functions with a page here."""
    return [name for _, _, members in FAMILIES.values() for name in members]


def family_of(name: str) -> str:
    """The family that lists the function."""
    return next(family for family, (_, _, members) in FAMILIES.items() if name in members)


def signatures() -> dict[str, list[str]]:
    """Each name's signatures in the stubs; of a class that of its constructor."""
    found: dict[str, list[str]] = {}
    source = STUBS.read_text()

    def add(name: str, node: ast.FunctionDef) -> None:
        text = re.sub(r"\s+", " ", ast.get_source_segment(source, node) or "")
        text = re.sub(r"^def \w+|: (\.\.\.|\"\"\".*)$", "", text).replace("( ", "(").replace(" )", ")")
        text = text.replace("(self, ", "(").replace("(self)", "()").replace(" -> None", "")
        found.setdefault(name, []).append(name + text)

    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef):
            add(node.name, node)
        elif isinstance(node, ast.ClassDef):
            for item in node.body:
                if isinstance(item, ast.FunctionDef) and item.name == "__init__":
                    add(node.name, item)
    return found


def text_of(name: str) -> str:
    """The docstring as a page says it: no signature in front, lists for arguments and errors."""
    import mica.core as mx

    doc = inspect.getdoc(getattr(mx, name)) or ""
    doc = re.sub(rf"^{re.escape(name)}\([^\n]*?\)( -> [^:\n]+)?(: |\n\n|$)", "", doc)
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


def section(name: str, signature: list[str], example: str) -> str:
    """All about one function."""
    lines = [f"# {name}", "", text_of(name), "", "```python", *signature, "```", ""]
    if example:
        lines += ["```python", example.rstrip(), "```", ""]
    return "\n".join(lines)
