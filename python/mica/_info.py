"""``mica info``: what mica runs on, to read and to report."""

from __future__ import annotations

import json
import os
import platform
import re
import sys
from typing import Any

USAGE = """Print what mica runs on: version, processor, libraries, devices, settings.

mica info            text
mica info --json     the same as JSON"""

REPORT = """Report a problem with this text, the shortest program that shows it, and what you expected.
These runs tell more (all in the environment):
  MICA_CHECK=2             compiled calls are run eagerly too, and compared
  MICA_FUSE=0              operations run one by one
  MICA_DISABLE_COMPILE=1   compiled functions run as if they were not
  MICA_ISA=baseline        no loops for AVX2 and AVX-512
  MICA_THREADS=1           one thread"""


def processor_name() -> str:
    """What the processor calls itself."""
    try:
        with open("/proc/cpuinfo") as file:
            found = re.search(r"^model name\s*:\s*(.+)$", file.read(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()


def _lapack() -> str:
    """The file that linear algebra uses; what is wrong where it cannot."""
    import mica.core as mx

    try:
        mx.eval(mx.linalg.inv(mx.eye(2)))
    except RuntimeError as error:
        return f"none: {error}"
    try:
        with open("/proc/self/maps") as file:
            loaded = {line.split()[-1] for line in file if re.search(r"blas|lapack", line)}
    except OSError:
        loaded = set()
    return ", ".join(sorted(loaded)) or "found"


def _device(kind: Any) -> str:
    import mica.core as mx

    return ", ".join(f"{key} {value}" for key, value in mx.device_info(kind).items()) or "none"


def collect() -> dict[str, Any]:
    """All that ``mica info`` prints, as a tree of texts and numbers."""
    import mica
    import mica.core as mx
    from mica.as_mlx import REFERENCE_VERSION

    processor = mx._processor()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = mx.get_memory_limit()
    return {
        "mica": {
            "version": mica.__version__,
            "API": f"MLX {REFERENCE_VERSION}",
            "folder": os.path.dirname(mica.__file__),
            "Python": f"{platform.python_version()} ({sys.executable})",
            "system": platform.platform(),
        },
        "processor": {
            "name": processor_name(),
            "loops for": processor["level"],
            "further": ", ".join(processor["features"]) or "none",
            "threads": processor["threads"],
            "memory": f"{memory >> 20} MiB, arrays may hold {limit >> 20} MiB",
        },
        "libraries": {"products of matrices": "own kernels", "LAPACK": _lapack()},
        "devices": {"cpu": _device(mx.cpu), "gpu": "none"},
        "settings": mx._settings(),
    }


_SOURCES = {
    "default": "",
    "environment": "  from {variable}",
    "alias": "  from {alias}",
    "override": "  set by the program",
    "invalid": "  {variable}={given!r} is no value for it",
}


def _text(found: dict[str, Any]) -> str:
    lines = []
    for title, rows in found.items():
        lines.append(title)
        if title == "settings":
            width = max(len(row["variable"]) for row in rows)
            for row in rows:
                source = _SOURCES[row["source"]].format(**row)
                lines.append(f"  {row['variable']:{width}}  {row['value'] or '(empty)'}{source}")
        else:
            width = max(len(name) for name in rows)
            lines += [f"  {name:{width}}  {value}" for name, value in rows.items()]
        lines.append("")
    return "\n".join(lines) + "\n" + REPORT


def main(arguments: list[str]) -> int:
    """Print it."""
    if arguments in (["-h"], ["--help"]):
        print(USAGE)
        return 0
    if arguments not in ([], ["--json"]):
        print(f"mica info: unknown argument {arguments[0]}\n\n{USAGE}", file=sys.stderr)
        return 2
    try:
        found = collect()
    except (ImportError, ValueError) as error:  # a setting that nobody can read; a library that is not there
        print(f"mica info: mica cannot start: {error}", file=sys.stderr)
        return 1
    print(json.dumps(found, indent=2) if arguments else _text(found))
    return 0
