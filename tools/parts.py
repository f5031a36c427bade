#!/usr/bin/env python3
"""Print the requirements of extras and dependency groups of pyproject.toml, for `pip install -r`."""

import sys
import tomllib
from pathlib import Path

document = tomllib.loads((Path(__file__).resolve().parent.parent / "pyproject.toml").read_text())
groups = document["dependency-groups"] | document["project"]["optional-dependencies"]
for name in sys.argv[1:]:
    print(*groups[name], sep="\n")
