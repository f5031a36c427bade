"""The pages of the rules (docs/doctor): made from the table and its prose."""

from __future__ import annotations

from mica.doctor import prose_evaluation, prose_habits
from mica.doctor.rules import NO_FIX, RULES, SAFE_FIX, Rule

PROSE = {**prose_evaluation.PROSE, **prose_habits.PROSE}
IMPORTS = (
    ("mx.", "import mlx.core as mx"),
    ("nn.", "import mlx.nn as nn"),
    ("optim.", "import mlx.optimizers as optim"),
    ("np.", "import numpy as np"),
)
# What `--fix` asks for beyond the rule's own row.
CERTAIN = {
    rule: " It does so where the text says that the operand is floating point and the result is "
    "cast back to its type;\nelse with `--unsafe-fixes` only, since other types would change the result."
    for rule in ("MX204", "MX205")
}
GROUPS = {"1": "Evaluation", "2": "Types", "3": "Compilation", "4": "Memory", "5": "Habits", "6": "Indexing",
          "7": "Matrix products", "8": "Quantized layers", "9": "Values (seen at run time only)"}  # fmt: skip


def program(body: str) -> str:
    """An example with the imports it needs."""
    head = "\n".join(line for word, line in IMPORTS if word in body)
    return f"{head}\n\n{body}"


def page(rule: Rule) -> str:
    """One page."""
    what, why, bad, good = PROSE[rule.id]
    fix = {NO_FIX: "None.", SAFE_FIX: "`mica lint --fix` mends the direct form."}.get(
        rule.fix, "`mica lint --fix --unsafe-fixes` mends the direct form; look at what it did.")  # fmt: skip
    return f"""# {rule.id} {rule.slug}

{rule.severity.capitalize()}: {rule.title}.

## What it does
{what}

## Why is this bad
{why}

## Example
```python
{program(bad)}```

## Use instead
{rule.cure[0].upper()}{rule.cure[1:]}.
```python
{program(good)}```

## Fix
{fix}{CERTAIN.get(rule.id, "")}
"""


INTRODUCTION = """# The doctor's rules

Made by `python3 tools/doctor_pages.py` from the table of rules; tests check the examples.

`mica lint [file or folder ...]` (also `python -m mica.lint`) finds these mistakes in programs written for
MLX or mica without running or importing anything; neither needs to be installed where it runs. [`mica
doctor`](at-run-time.md) finds them while a program runs. Both use the same names.

| wanted | option |
|---|---|
| some rules only, or all but some | `--select MX1,MX204`, `--ignore MX7`, by number, its beginning, or name |
| what a rule means | `--explain MX204`, `--explain all` |
| another output | `--output-format json`, `sarif`, `github`; `--output-file FILE`; `--statistics` |
| mend what can be mended | `--fix`, `--fix --unsafe-fixes`; see it first: `--diff` (part `mica[lint]`) |
| one line left alone | the comment `# noqa: MX101` on it |
| what is there now left alone | `--write-baseline known.json`, then `--baseline known.json` |
| a program from stdin | `-`, with `--stdin-filename NAME` |

Exit status: 0 without findings, 1 with findings or files that are no Python, 2 for wrong usage. Notebooks
are checked as well. Results are kept in `.mica_cache` until a file or something it imports changes. In
flake8 the rules appear by themselves; for pre-commit the hook is `mica-lint`. Settings stand in
`pyproject.toml`:

```toml
[tool.mica.lint]
ignore = ["MX7"]
exclude = ["third_party"]
baseline = "known.json"

[tool.mica.lint.per-file-ignores]
"tests/*" = ["MX101"]
```

It follows names, attributes, containers, helpers and imports through one project, and is silent where it
does not know. `python -m tests.doctor.score` prints precision and recall on PROGRAMS small programs,
`python -m tests.doctor.judged` precision on packages, each finding judged by reading, before and after the
rules were mended."""


def index() -> str:
    """The list of all rules."""
    out = INTRODUCTION.splitlines()
    group = ""
    for rule in RULES.values():
        if rule.id[2] != group:
            group = rule.id[2]
            out += ["", f"## {GROUPS[group]}", "| rule | name | severity | fix | |", "|---|---|---|---|---|"]
        out.append(
            f"| [{rule.id}]({rule.page}) | {rule.slug} | {rule.severity} | {rule.fix} | {rule.title} |"
        )
    return "\n".join(out) + "\n"


def pages() -> dict[str, str]:
    """All files of docs/doctor by name."""
    return {"README.md": index(), **{rule.page: page(rule) for rule in RULES.values()}}
