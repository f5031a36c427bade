"""What the reports of `mica lint` and `mica doctor` have in common: SARIF 2.1.0 and annotations of GitHub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mica.doctor.rules import ERROR, RULES, WARNING

PAGES = "docs/doctor/"


def level(rule: str) -> str:
    """A rule's severity as SARIF says it: information is the level note."""
    return {ERROR: "error", WARNING: "warning"}.get(RULES[rule].severity, "note")


def uri(path: str) -> str:
    """A file in SARIF: relative to the working folder where it lies below it."""
    where = Path(path)
    if where.is_absolute():
        try:
            where = where.relative_to(Path.cwd())
        except ValueError:
            return where.as_uri()
    from urllib.parse import quote  # only where a document is asked for

    return quote(where.as_posix())


def document(tool: str, used: list[str], run: dict[str, Any]) -> str:
    """A SARIF document of one run (OASIS standard, 2020).

    Args:
        tool: the program's name.
        used: the rules that its results refer to by index.
        run: what the run has beside its tool.
    """
    rules = [
        {
            "id": rule.id,
            "name": "".join(word.capitalize() for word in rule.slug.split("-")),
            "shortDescription": {"text": rule.title},
            "help": {"text": rule.cure},
            "defaultConfiguration": {"level": level(rule.id)},
        }
        for rule in (RULES[r] for r in used)
    ]
    run = {"tool": {"driver": {"name": tool, "rules": rules}}, **run}
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return json.dumps({"$schema": schema, "version": "2.1.0", "runs": [run]}, indent=1)


def escape(value: str, value_only: bool = False) -> str:
    """A text in an annotation of GitHub; value_only: the message, which may hold colons and commas."""
    value = value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return value if value_only else value.replace(":", "%3A").replace(",", "%2C")


def annotation(rule: str) -> str:
    """The kind of annotation that a rule's severity makes."""
    return {ERROR: "error", WARNING: "warning"}.get(RULES[rule].severity, "notice")
