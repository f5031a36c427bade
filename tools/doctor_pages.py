#!/usr/bin/env python3
"""Write docs/doctor, a page a rule, from the doctor's table; with --check only say whether it is up to
date."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "python"))

from mica.doctor.pages import pages  # noqa: E402

folder = ROOT / "docs" / "doctor"
wanted = pages()
if "--check" in sys.argv:
    stale = [
        name
        for name, text in wanted.items()
        if not (folder / name).is_file() or (folder / name).read_text() != text
    ]
    if stale:
        sys.exit(f"stale pages, run tools/doctor_pages.py: {', '.join(stale)}")
else:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in wanted.items():
        (folder / name).write_text(text)
