"""The command ``mica lint``.

Exit status: 0 no findings, 1 findings (or files that are no Python), 2 wrong usage or a fault.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mica._commands import until_unread
from mica.doctor import config as configuration, report as reports
from mica.doctor.config import Config, ConfigError
from mica.doctor.interpreter import Finding
from mica.doctor.rules import RULES, SAFE_FIX, UNSAFE_FIX, Rule
from mica.doctor.run import Broken, Result, check_file, check_files, discover


def parser() -> argparse.ArgumentParser:
    """The options."""
    p = argparse.ArgumentParser(
        prog="mica lint",
        description="Finds the mistakes people make with lazy arrays, without running or importing anything.",
        epilog="Exit status: 0 no findings, 1 findings, 2 wrong usage. Silence a line with `# noqa: MX101`.",
    )
    add = p.add_argument
    add(
        "paths",
        nargs="*",
        metavar="path",
        help="files, notebooks, folders; - reads a program from stdin (default: .)",
    )
    add(
        "--select",
        action="append",
        default=[],
        metavar="RULES",
        help="rules to check: MX101, MX2, slugs, ALL",
    )
    add("--ignore", action="append", default=[], metavar="RULES", help="rules to leave out")
    add("--exclude", action="append", default=[], metavar="PATTERN", help="files and folders to leave out")
    add("--output-format", choices=reports.FORMATS, default="text", help="default: text")
    add("--output-file", metavar="FILE", help="write the report there")
    add("--statistics", action="store_true", help="count the findings of each rule instead")
    add("--explain", metavar="RULE", help="say what a rule means (all: every rule in a line)")
    add("--fix", action="store_true", help="mend what can be mended safely, in place")
    add("--unsafe-fixes", action="store_true", help="with --fix or --diff: also what may change meaning")
    add("--diff", action="store_true", help="show what --fix would do, change nothing")
    add("--config", metavar="FILE", help="a TOML file instead of the nearest pyproject.toml")
    add("--isolated", action="store_true", help="read no configuration")
    add("--baseline", metavar="FILE", help="leave out findings that this file knows")
    add("--write-baseline", metavar="FILE", help="write the findings there and exit with 0")
    add("--stdin-filename", metavar="FILE", default="stdin.py", help="the name of the program from stdin")
    add("--no-cache", action="store_true", help="check everything anew")
    add("--jobs", type=int, default=0, metavar="N", help="processes (default: one a core)")
    add("--exit-zero", action="store_true", help="exit with 0 whatever is found")
    add("-q", "--quiet", action="store_true", help="print findings only, no summary")
    return p


def words(options: list[str]) -> list[str]:
    """Options that take commas."""
    return [w for option in options for w in option.replace(",", " ").split()]


def explain(name: str) -> str | None:
    """The text of a rule for the terminal; None if there is none of that name."""
    if name == "all":
        return "\n".join(f"{r.id}  {r.slug:24}  {r.severity:11}  {r.title}" for r in RULES.values())
    rule: Rule | None = RULES.get(name.upper()) or next((r for r in RULES.values() if r.slug == name), None)
    if rule is None:
        return None
    from mica.doctor import pages

    return pages.page(rule)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    try:
        options = parser().parse_args(arguments)
    except SystemExit as stop:
        return int(stop.code or 0)
    try:
        return until_unread(lambda: run(options))
    except ConfigError as error:
        print(f"mica lint: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        name = error.filename if error.filename is not None else "input or output"
        print(f"mica lint: {name}: {error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def run(options: argparse.Namespace) -> int:
    """Do what the options say."""
    if options.explain:
        text = explain(options.explain)
        if text is None:
            raise ConfigError(f"no rule is called {options.explain!r}; --explain all lists them")
        print(text)
        return 0
    paths = options.paths or ["."]
    start = Path(paths[0]) if paths[0] != "-" else Path(options.stdin_filename)
    config = (
        Config()
        if options.isolated
        else configuration.load(start if start.is_dir() else start.parent, options.config)
    )
    if options.select:
        config.select = words(options.select)
    config.ignore = [*config.ignore, *words(options.ignore)]
    config.exclude = [*config.exclude, *options.exclude]
    config.jobs = options.jobs or config.jobs
    if options.no_cache:
        config.cache = False
    chosen = config.rules()
    if options.diff or options.fix:
        from mica.doctor import fixes

        fixes.need_libcst()

    sources: dict[str, bytes] = {}
    missing: list[Broken] = []
    if paths == ["-"]:
        data = sys.stdin.buffer.read()
        sources[options.stdin_filename] = data
        results = [check_file(options.stdin_filename, data)[0]]
    else:
        files, missing = discover(paths, config)
        results = check_files(files, config)
    fixed = 0
    if options.fix or options.diff:
        fixed, changed, difference = fixes.apply_all(results, chosen, options.unsafe_fixes, config, sources)
        if options.diff:
            sys.stdout.write(difference)
            return 1 if difference and not options.exit_zero else 0
        if paths == ["-"]:
            sys.stdout.write(
                changed.get(
                    options.stdin_filename, sources[options.stdin_filename].decode("utf-8", "replace")
                )
            )
            return 0
        if changed:
            fixes.write(changed)
            results = [check_file(r.path)[0] if r.path in changed else r for r in results]
    return present(options, config, results, missing, chosen, sources, fixed)


def present(options: argparse.Namespace, config: Config, results: list[Result], missing: list[Broken],
            chosen: set[str], sources: dict[str, bytes], fixed: int) -> int:  # fmt: skip
    """Print what is left after noqa comments and the baseline."""
    report = gather(results, missing, chosen, config, sources)
    if options.write_baseline:
        target = Path(options.write_baseline)
        known = Counter(
            configuration.fingerprint(f, report.lines.get(f.path, []), config.root) for f in report.findings
        )
        configuration.write_baseline(target, known)
        print(f"Wrote {known.total()} findings to {target}.", file=sys.stderr)
        return 0
    baseline = options.baseline or (str(config.root / config.baseline) if config.baseline else None)
    if baseline:
        known = configuration.read_baseline(Path(baseline))
        left = []
        for f in report.findings:
            key = configuration.fingerprint(f, report.lines.get(f.path, []), config.root)
            if known[key] > 0:
                known[key] -= 1
            else:
                left.append(f)
        report = report._replace(findings=left)
    body = reports.statistics(report) if options.statistics else reports.render(report, options.output_format)
    if options.output_file:
        Path(options.output_file).write_text(body + "\n", encoding="utf-8")
    elif body:
        print(body)
    if options.output_format == "text" and not options.quiet:
        print(reports.summary(report, fixed, fixable(report, results, chosen, config, sources)))
    failed = bool(report.findings or report.broken)
    return 1 if failed and not options.exit_zero else 0


def fixable(report: reports.Report, results: list[Result], chosen: set[str], config: Config,
            sources: dict[str, bytes]) -> int | None:  # fmt: skip
    """How many findings --fix would mend, found by trying; None where LibCST is missing to try it."""
    paths = {f.path for f in report.findings if f.applicability == SAFE_FIX}
    if not paths:
        return 0
    from mica.doctor import fixes

    if fixes.cst is None:
        return None
    return fixes.apply_all([r for r in results if r.path in paths], chosen, False, config, sources)[0]


def gather(results: list[Result], missing: list[Broken], chosen: set[str], config: Config,
           sources: dict[str, bytes]) -> reports.Report:  # fmt: skip
    """Join the results of all files; a finding seen from several of them is one."""
    checked = {os.path.abspath(r.path): r.path for r in results}
    findings: set[Finding] = set()
    cells = {r.path: r.cells for r in results if r.cells}
    for result in results:
        for f in result.findings:
            home = checked.get(os.path.abspath(f.path))
            if home is not None and f.rule in chosen:
                findings.add(f._replace(path=home))
    lines: dict[str, list[str]] = {}
    for path in {f.path for f in findings}:
        lines[path] = read_lines(path, sources.get(path))
    kept: dict[tuple, Finding] = {}
    for f in sorted(findings):
        if f.rule in config.ignored_in(f.path) or configuration.suppressed(f, lines[f.path]):
            continue
        key = (f.path, f.line, f.column, f.rule)
        if key not in kept or f.fix == UNSAFE_FIX:
            kept[key] = f
    broken = missing + [r.broken for r in results if r.broken is not None]
    return reports.Report(list(kept.values()), broken, lines, cells)


def read_lines(path: str, data: bytes | None) -> list[str]:
    """The lines of a file as the checker saw them."""
    from mica.doctor import notebook
    from mica.doctor.project import SourceError, decode

    try:
        text = decode(Path(path).read_bytes() if data is None else data)
        return (notebook.read(text).source if path.endswith(".ipynb") else text).splitlines()
    except (OSError, SourceError):
        return []
