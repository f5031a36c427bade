#!/usr/bin/env python3
"""Print the requirements of extras and dependency groups of pyproject.toml, for `pip install -r`."""

import sys
import tomllib
from pathlib import Path

document = tomllib.loads((Path(__file__).resolve().parent.parent / "pyproject.toml").read_text())
tables = (document["dependency-groups"], document["project"]["optional-dependencies"])
for name in sys.argv[1:]:  # one name may stand in both tables
    if not any(name in table for table in tables):
        sys.exit(f"pyproject.toml has no parts named {name!r}")
    print(*(part for table in tables for part in table.get(name, ())), sep="\n")
