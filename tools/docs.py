#!/usr/bin/env python3
"""Write docs/reference, one page a function, from the tables, the oracle's cases and docs/examples.

Usage: tools/docs.py [--check]. Needs a build, numpy and the tests' other parts (`make docs` brings them):
    what a
page says of element types, transformations and errors is what the built library does. With --check nothing is
written; the exit status is 1 when a page is stale or a function lacks its example.

An example is data: docs/examples/<family>.txt has `## name` and lines that start with `>>>`. Answers that are
missing are filled in from the built library; the tests run all of them again.
"""

from __future__ import annotations

import doctest
import re
import sys
import traceback
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tools"), str(ROOT), str(ROOT / "python")]
import gen  # noqa: E402
import outside  # noqa: E402
import page  # noqa: E402

EXAMPLES = ROOT / "docs/examples"
REFERENCE = ROOT / "docs/reference"
PROMPT = re.compile(r"^(>>>|\.\.\.)( |$)")


@dataclass
class Example:
    """What a file of docs/examples has below one heading: statements with their answers."""

    name: str
    where: str
    blocks: list[tuple[list[str], list[str]]] = field(default_factory=list)

    def text(self) -> str:
        """As a doctest."""
        return "".join("\n".join([*source, *answer]) + "\n" for source, answer in self.blocks)


@dataclass
class ExampleFile:
    """One family's examples; ``head`` stands above the first heading."""

    path: Path
    head: str
    examples: list[Example]

    def text(self) -> str:
        """The file again."""
        parts = [f"## {e.name}\n{e.text()}" for e in self.examples]
        return (f"{self.head}\n\n" if self.head else "") + "\n".join(parts)


def read_examples(path: Path) -> ExampleFile:
    """The examples of one file."""
    head, *sections = re.split(r"^## ", path.read_text(), flags=re.M)
    found = []
    for section in sections:
        name, *lines = section.rstrip().split("\n")
        example = Example(name.strip(), f"docs/examples/{path.name}: {name.strip()}")
        for line in lines:
            if line.startswith(">>>"):
                example.blocks.append(([line], []))
            elif PROMPT.match(line) and example.blocks:
                example.blocks[-1][0].append(line)
            elif example.blocks:
                example.blocks[-1][1].append(line)
            elif line.strip():
                raise gen.TableError(f"{example.where}: {line!r} is no statement (>>>)")
        found.append(example)
    return ExampleFile(path, head.strip(), found)


def all_examples() -> list[ExampleFile]:
    """Every file of examples, in the order of their names."""
    return [read_examples(path) for path in sorted(EXAMPLES.glob("*.txt"))]


def answers(example: Example) -> list[list[str]]:
    """What each statement of an example prints."""
    import mica.core as mx

    scope = {"mx": mx}
    found: list[list[str]] = []
    for source, _ in example.blocks:
        code = "\n".join(line[4:] for line in source)
        printed: list[str] = []

        def show(value: object, printed: list[str] = printed) -> None:
            if value is not None:
                printed.extend(repr(value).split("\n"))

        hook, sys.displayhook = sys.displayhook, show
        try:
            exec(compile(code, example.where, "single"), scope)
        except Exception as error:
            printed = ["Traceback (most recent call last):", *traceback.format_exception_only(error)]
            printed = [line.rstrip("\n") for line in printed]
        finally:
            sys.displayhook = hook
        found.append(["<BLANKLINE>" if line == "" else line for line in printed])
    return found


def fill(files: list[ExampleFile]) -> int:
    """Runs examples that have no answer at all and writes what they print; returns how many."""
    count = 0
    for file in files:
        for example in file.examples:
            if example.blocks and not any(answer for _, answer in example.blocks):
                example.blocks = [
                    (source, answer)
                    for (source, _), answer in zip(example.blocks, answers(example), strict=True)
                ]
                count += any(answer for _, answer in example.blocks)  # some print nothing
        if file.text() != file.path.read_text():
            file.path.write_text(file.text())
    return count


def run_example(example: Example) -> str | None:
    """None when every answer is right; otherwise what differs."""
    import mica.core as mx

    test = doctest.DocTestParser().get_doctest(example.text(), {"mx": mx}, example.name, example.where, 0)
    lines: list[str] = []
    runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.NORMALIZE_WHITESPACE)
    runner.run(test, out=lines.append)
    if not test.examples:
        return "no statement"
    return "".join(lines) if runner.failures else None


def run_page(path: Path) -> str:
    """What differs in a page's fenced examples, which run from its top to its end; nothing: "" ."""
    import mica.core as mx

    blocks = re.findall(r"^```python\n(>>> .*?)^```", path.read_text(), flags=re.M | re.S)
    test = doctest.DocTestParser().get_doctest("\n".join(blocks), {"mx": mx}, path.stem, str(path), 0)
    lines: list[str] = []
    runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    runner.run(test, out=lines.append)
    return "".join(lines) if runner.failures else ""


def missing(functions: list[gen.Function], files: list[ExampleFile]) -> list[str]:
    """What a table's function lacks, and how to mend it."""
    have = {e.name for f in files for e in f.examples}
    lines = []
    for f in functions:
        if page.public_name(f) not in have:
            family = page.family_of(f)
            lines.append(
                f"{page.public_name(f)} has no example: put `## {page.public_name(f)}` and 1 to 4 lines "
                f"starting with `>>> mx.{page.public_name(f)}(` into docs/examples/{family}.txt, then run "
                "`make docs` and read the answers that it fills in"
            )
    for name in outside.names():
        if name not in have:
            lines.append(
                f"{name} has no example: put `## {name}` and 1 to 4 lines starting with `>>> ` into "
                f"docs/examples/{outside.family_of(name)}.txt, then run `make docs` and read the answers"
            )
    lines += [
        f"{name} has no page: list it in FAMILIES of tools/outside.py or CONSTANTS of tools/members.py"
        for name in sorted(page.public_names() - page.documented(functions))
    ]
    known = {page.public_name(f) for f in functions} | page.public_names()
    for file in files:
        for e in file.examples:
            if e.name not in known:
                lines.append(f"{e.where}: neither the tables nor mica.core have a function of this name")
    return lines


def main() -> int:
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        functions = gen.load()
        files = all_examples()
        lacks = missing(functions, files)
        if not check:
            filled = fill(files)
            if filled:
                print(f"filled in the answers of {filled} examples: read them")
        pages = page.pages(functions, {e.name: e.text() for f in files for e in f.examples})
    except gen.TableError as error:
        print(f"docs.py: {error}", file=sys.stderr)
        return 1
    stale = [name for name, text in pages.items() if not _is(REFERENCE / name, text)]
    there = {p.relative_to(REFERENCE).as_posix(): p for p in REFERENCE.rglob("*.md")}
    extra = [name for name in there if name not in pages]
    for line in lacks:
        print(f"docs.py: {line}", file=sys.stderr)
    if check:
        for name in [*stale, *extra]:
            print(f"docs.py: docs/reference/{name} is stale: run `make docs`", file=sys.stderr)
        return 1 if stale or extra or lacks else 0
    REFERENCE.mkdir(parents=True, exist_ok=True)
    for name in stale:
        (REFERENCE / name).parent.mkdir(exist_ok=True)
        (REFERENCE / name).write_text(pages[name])
        print(f"wrote docs/reference/{name}")
    for name in extra:
        (REFERENCE / name).unlink()
    return 1 if lacks else 0


def _is(path: Path, text: str) -> bool:
    return path.exists() and path.read_text() == text


if __name__ == "__main__":
    sys.exit(main())
