"""The examples of pages in docs are run, and print what the pages say."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import mica.core as mx
import numpy as np
import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = [DOCS / "files.md", DOCS / "memory.md", DOCS / "streams.md"]
pytestmark = pytest.mark.mica_only


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_examples(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of a page in one go: later statements use what earlier ones made."""
    monkeypatch.chdir(tmp_path)
    text = "\n".join(re.findall(r"^```python\n(.*?)^```", page.read_text(), re.M | re.S))
    test = doctest.DocTestParser().get_doctest(text, {"mx": mx, "np": np}, page.name, str(page), 0)
    assert test.examples
    found: list[str] = []
    doctest.DocTestRunner(verbose=False).run(test, out=found.append)
    assert not found, "".join(found)
