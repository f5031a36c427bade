"""The reference: every function has an example, every answer is right, no page is stale."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import gen  # noqa: E402
import page  # noqa: E402

import docs  # noqa: E402

FILES = docs.all_examples()
EXAMPLES = [example for file in FILES for example in file.examples]
pytestmark = pytest.mark.mica_only


def test_every_function_has_an_example() -> None:
    """And every example has a function; a failure says what to write where."""
    lacks = docs.missing(gen.load(), FILES)
    assert not lacks, "\n" + "\n".join(lacks)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("file", FILES, ids=[file.path.stem for file in FILES])
def test_answers(file: docs.ExampleFile) -> None:
    """What stands below each statement is what it prints."""
    wrong = [text for example in file.examples if (text := docs.run_example(example))]
    assert not wrong, "\n".join(wrong)


def test_examples_are_short() -> None:
    """At most four statements, each of which its function, or what leads to it."""
    assert [e.where for e in EXAMPLES if not 1 <= len(e.blocks) <= 4] == []
    names = [e.name for e in EXAMPLES]
    assert sorted(set(names)) == sorted(names), "one function has two examples"
    own = {e.name: e.name.rsplit(".", 1)[-1] for e in EXAMPLES}
    assert [
        e.where for e in EXAMPLES if f".{own[e.name]}" not in e.text() and own[e.name] not in e.text()
    ] == []


def test_pages_are_current() -> None:
    """`make docs` would change nothing."""
    pages = page.pages(gen.load(), {e.name: e.text() for e in EXAMPLES})
    found = {
        path.relative_to(docs.REFERENCE).as_posix(): path.read_text() for path in docs.REFERENCE.rglob("*.md")
    }
    stale = sorted(name for name in pages.keys() | found.keys() if pages.get(name) != found.get(name))
    assert not stale, f"docs/reference: {', '.join(stale)} stale: run `make docs` and commit what it writes"


def test_pages_are_whole() -> None:
    """Of each function of the tables: arguments, shapes, errors with their classes, an example."""
    lacks = []
    for f in gen.load():
        name = page.public_name(f)
        if f.name in page.PART_OF:
            continue
        path = docs.REFERENCE / page.family_of(f) / page.file_of(name)
        text = path.read_text()
        wanted = ["| argument |"] * bool(f.parameters) + ["**Shapes**: `", "**Errors**:\n  - `", ">>> "]
        lacks += [f"{path.name}: {part}" for part in wanted if part not in text.replace(": the ", ": `")]
    assert not lacks, lacks


CONCEPTS = [ROOT / "docs" / name for name in ("compile.md", "laziness.md")]


def test_pages_tell_element_types() -> None:
    """Wherever a page tells shapes it tells types, and errors where there is something to get wrong."""
    pages = {path: path.read_text() for path in sorted(docs.REFERENCE.rglob("*.md"))}
    told = [path for path, text in pages.items() if "- **Shapes**: " in text]
    assert len(told) > 200
    assert [path.name for path in told if "- **Element types**: " not in pages[path]] == []
    transforms = docs.REFERENCE / "transforms"
    for name in ("grad", "value_and_grad", "vjp", "jvp", "vmap"):
        assert "**Raises**" in pages[transforms / f"{name}.md"], name


@pytest.mark.parametrize("path", CONCEPTS, ids=[p.stem for p in CONCEPTS])
def test_pages_of_concepts(path: Path) -> None:
    """What stands below each statement of a page, from its top on, is what it prints."""
    found = docs.run_page(path)
    assert not found, found


def test_a_wrong_answer_is_seen() -> None:
    """The test of the examples can fail."""
    assert docs.run_example(docs.Example("add", "here", [([">>> mx.add(1, 1)"], ["array(3, dtype=int32)"])]))
    assert docs.run_example(docs.Example("add", "here")) == "no statement"
    (filled,) = docs.answers(docs.Example("add", "here", [([">>> mx.add(1, 1)"], [])]))
    assert filled == ["array(2, dtype=int32)"]


def test_a_missing_example_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The failure says what to write and where."""
    files = [docs.ExampleFile(f.path, f.head, [e for e in f.examples if e.name != "sort"]) for f in FILES]
    (line,) = set(docs.missing(gen.load(), files)) - set(docs.missing(gen.load(), FILES))
    assert "sort has no example" in line and "docs/examples/sort.txt" in line and "make docs" in line


def test_a_missing_page_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a new public name, and of one that the lists no longer have."""
    import mica.core as mx

    monkeypatch.setattr(mx, "brand_new", 1, raising=False)
    monkeypatch.delitem(page.members.CONSTANTS, "newaxis")
    found = docs.missing(gen.load(), FILES)
    assert [line.split()[0] for line in found if "has no page" in line] == ["brand_new", "newaxis"]
