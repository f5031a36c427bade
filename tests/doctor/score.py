"""Precision and recall of the static checker on its corpus: ``python -m tests.doctor.score [RULE ...]
[-v]``."""

from __future__ import annotations

import sys
from collections import Counter

from mica.doctor.interpreter import Interpreter
from mica.doctor.project import Project

from tests.doctor.corpus import Program, programs


def found_in(program: Program) -> list[tuple[str, int, str]]:
    """What the checker finds in a program, as (file, line, rule)."""
    project = Project()
    folder = "/corpus/"
    for name, source in program.files.items():
        project.add(folder + name, source)
    findings = Interpreter(project).check(project.modules[folder + "main.py"])  # type: ignore[arg-type]
    return [(f.path.removeprefix(folder), f.line, f.rule) for f in findings]


def score(chosen: list[Program], show: bool = False) -> tuple[Counter, Counter, Counter]:
    """Right, false and missed findings by rule."""
    right: Counter = Counter()
    false: Counter = Counter()
    missed: Counter = Counter()
    for program in chosen:
        found, expected = Counter(found_in(program)), Counter(program.expected)
        for place, count in (found & expected).items():
            right[place[2]] += count
        extra, absent = found - expected, expected - found
        for place, count in extra.items():
            false[place[2]] += count
        for place, count in absent.items():
            missed[place[2]] += count
        if show and (extra or absent):
            print(f"{program.rule} {'wrong' if program.wrong else 'right'}: {program.title}")
            for place in sorted(extra):
                print("   false ", *place)
            for place in sorted(absent):
                print("   missed", *place)
    return right, false, missed


def ratio(part: int, whole: int) -> float:
    """part / whole, 1 of nothing."""
    return part / whole if whole else 1.0


def main() -> int:
    """Print the table; the exit status says whether the goals (95% and 90%) are reached."""
    words = [a for a in sys.argv[1:] if not a.startswith("-")]
    chosen = [p for p in programs() if not words or p.rule in words]
    right, false, missed = score(chosen, "-v" in sys.argv)
    print("rule    right  false  missed  precision  recall")
    for rule in sorted({*right, *false, *missed}):
        r, f, m = right[rule], false[rule], missed[rule]
        print(f"{rule}  {r:5d}  {f:5d}  {m:6d}  {ratio(r, r + f):9.1%}  {ratio(r, r + m):6.1%}")
    r, f, m = right.total(), false.total(), missed.total()
    precision, recall = ratio(r, r + f), ratio(r, r + m)
    print(f"all     {r:5d}  {f:5d}  {m:6d}  {precision:9.1%}  {recall:6.1%}   ({len(chosen)} programs)")
    return 0 if precision >= 0.95 and recall >= 0.90 else 1


if __name__ == "__main__":
    sys.exit(main())
