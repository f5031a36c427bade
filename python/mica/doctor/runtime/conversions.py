"""Lines that give arrays to another library, and whether they say so."""

from __future__ import annotations

import linecache
import re
from functools import cache

_DELIBERATE = re.compile(
    r"\b(array|asarray|ascontiguousarray|frombuffer|save\w*|memoryview|bytes|from_numpy)\("
)
_OURS = r"mlx|mica"  # packages whose functions take arrays and leave them in the graph


@cache
def _own_names(path: str) -> re.Pattern:
    """Calls of the framework's own functions in a file, by the names that it imports."""
    names = {"mx"}
    for line in linecache.getlines(path):
        module = re.match(rf"\s*import\s+((?:{_OURS})(?:\.\w+)*)(?:\s+as\s+(\w+))?", line)
        if module:
            names.add(module[2] or module[1])
        members = re.match(rf"\s*from\s+(?:{_OURS})(?:\.\w+)*\s+import\s+(.+)", line)
        for part in members[1].split("#")[0].strip("() \n\\").split(",") if members else ():
            words = part.split()
            names.update(words[-1:])
    given = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    return re.compile(rf"(?<![\w.])(?:{given})(?:\.\w+)*\(")


def is_deliberate(path: str, text: str) -> bool:
    """Whether a line asks for the conversion: np.array(x), but not mx.array(np.exp(x))."""
    return bool(_DELIBERATE.search(_own_names(path).sub("(", text)))
