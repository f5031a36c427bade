"""Real programs, each finding judged by reading: precision before and after the rules were mended.

``python -m tests.doctor.judged PACKAGE-VERSION FOLDER`` checks an unpacked package (``pip download
--no-deps``, unzip) and compares with `tests/doctor/judged/PACKAGE-VERSION.tsv`; without arguments it sums
up what is kept there. A row: rule, file, line, verdict (right, false), seen by the first version of the
rules, seen by the present one, the line.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from mica.doctor.config import Config
from mica.doctor.run import check_files, discover

FOLDER = Path(__file__).parent / "judged"


class Verdict(NamedTuple):
    """One judged finding."""

    rule: str
    path: str
    line: int
    right: bool
    before: bool
    after: bool
    text: str


def read(path: Path) -> list[Verdict]:
    """The verdicts on one version of a package."""
    out = []
    for row in path.read_text().splitlines():
        if row.startswith("#") or not row:
            continue
        rule, name, line, verdict, before, after, text = row.split("\t", 6)
        out.append(Verdict(rule, name, int(line), verdict == "right", before == "yes", after == "yes", text))
    return out


def precision(verdicts: list[Verdict]) -> tuple[int, int]:
    """Right ones, and all."""
    return sum(v.right for v in verdicts), len(verdicts)


def summary() -> None:
    """The table of what is kept."""
    total: Counter = Counter()
    print(f"{'package':34} {'before':>18} {'after':>18}")
    for path in sorted(FOLDER.glob("*.tsv")):
        verdicts = read(path)
        cells = []
        for which in ("before", "after"):
            right, count = precision([v for v in verdicts if getattr(v, which)])
            total[which, "right"] += right
            total[which, "all"] += count
            cells.append(f"{right:4d} of {count:4d} {right / count if count else 1:6.1%}")
        print(f"{path.stem:34} {cells[0]} {cells[1]}")
    cells = []
    for which in ("before", "after"):
        right, count = total[which, "right"], total[which, "all"]
        cells.append(f"{right:4d} of {count:4d} {right / count if count else 1:6.1%}")
    print(f"{'all':34} {cells[0]} {cells[1]}")


def compare(package: str, folder: str) -> int:
    """Check a package again: findings that are judged, and those that are not."""
    known = {(v.rule, v.path, v.line): v for v in read(FOLDER / f"{package}.tsv")}
    config = Config(root=Path(folder), cache=False)
    root = Path(folder).resolve()
    found = set()
    for result in check_files(discover([folder], config)[0], config):
        for f in result.findings:
            place = Path(f.path).resolve()
            if place.is_relative_to(root):
                found.add((f.rule, place.relative_to(root).as_posix(), f.line))
    right = sum(known[key].right for key in found if key in known)
    new = sorted(found - known.keys())
    gone = sum(v.right and v.after for key, v in known.items() if key not in found)
    for rule, path, line in new:
        print(f"not judged: {rule} {path}:{line}")
    false = len(found) - right - len(new)
    print(f"{len(found)} findings: {right} right, {false} false, {len(new)} new; {gone} right ones gone")
    return 1 if new or gone else 0


if __name__ == "__main__":
    if len(sys.argv) == 3:
        sys.exit(compare(sys.argv[1], sys.argv[2]))
    summary()
