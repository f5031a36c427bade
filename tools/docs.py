#!/usr/bin/env python3
"""Write the reference of all functions, from the tables. Usage: tools/docs.py FOLDER"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import gen


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    functions = gen.load()
    lines = ["# Functions", ""]
    for module in ("", *gen.MODULES):
        members = sorted((f for f in functions if f.module[0] == module), key=lambda f: f.name)
        if not members:
            continue
        lines += [f"## mica.core{'.' + module if module else ''}", ""]
        for f in members:
            lines += [f"### {f.module[1]}", "", "```python"]
            lines += [f"{f.module[1]}({gen.python_parameters(f)}) -> {gen.RESULTS[f.result]}", "```", "```c"]
            lines += [gen.prototype(f, "", ");"), "```", "", f.doc, ""]
    target = folder / "functions.md"
    target.write_text("\n".join(lines))
    print(f"wrote {target} ({len(functions)} functions)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
