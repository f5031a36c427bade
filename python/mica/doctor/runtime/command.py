"""``mica doctor``: runs a program as ``python -m mica`` does, watches it, and reports what it did wrong."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mica.doctor.runtime.watching import Watch

_FORMATS = ("text", "json", "sarif", "github", "html", "trace")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mica doctor",
        usage="mica doctor [options] (program.py | -m module | -c code) [argument ...]",
        description="Run a program written for mica or MLX and report mistakes with lazy arrays: file, line, "
        "cost and cure. The program's own output is left alone; the report follows on standard error.",
        epilog="The program's exit status is kept. What stands behind the program belongs to it.",
    )
    parser.add_argument(
        "--nan", action="store_true", help="find the first NaN or infinity (nothing is fused)"
    )
    parser.add_argument(
        "--profile", action="store_true", help="time and memory by module of the model and by line"
    )
    parser.add_argument(
        "--output-format", choices=_FORMATS, default="text", help="of the report; default: text"
    )
    parser.add_argument(
        "--output-file", metavar="FILE", help="where the report goes instead of standard error"
    )
    parser.add_argument("--html", metavar="FILE", help="also write the report as one HTML page")
    parser.add_argument(
        "--trace", metavar="FILE", help="also write a trace for Perfetto and chrome://tracing"
    )
    parser.add_argument("program", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Options of the doctor, and the program with its own."""
    with_value = {"--output-format", "--output-file", "--html", "--trace"}
    i = 0
    while i < len(arguments):
        word = arguments[i]
        if word in ("-m", "-c", "-") or not word.startswith("-"):
            break
        i += 2 if word in with_value else 1
    return arguments[:i], arguments[i:]


def _write(path: str | None, text: str) -> None:
    if path is None or path == "-":
        sys.stderr.write(text)
        sys.stderr.flush()
        return
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def _report(watch: Watch, options: argparse.Namespace) -> None:
    """Write all that was asked for."""
    from mica.doctor.runtime import report

    if options.output_format == "text":
        text = report.text(watch, profile=options.profile)
    else:
        text = report.FORMATS[options.output_format](watch)
    _write(options.output_file, text)
    for path, make in ((options.html, report.html), (options.trace, report.trace)):
        if path:
            _write(path, make(watch))
    left_out = watch.record["left_out"]
    if left_out:
        sys.stderr.write(f"mica doctor: {left_out} events were left out: the lists are full\n")


def main(arguments: list[str] | None = None) -> int:
    """Read the options, run the program, report.

    Args:
        arguments: default: those of the process.

    Returns:
        0 when the program ends of itself, 1 when an exception ends it (its traceback is printed).

    Raises:
        SystemExit: with the program's own status; 2 for wrong options.
    """
    own, program = _split(sys.argv[1:] if arguments is None else arguments)
    options = _parser().parse_args(own)
    if not program:
        _parser().error("a program is missing")
    for path in (options.output_file, options.html, options.trace):
        if path and path != "-" and not os.path.isdir(os.path.dirname(os.path.abspath(path))):
            _parser().error(f"there is no folder for {path}")

    from mica import _launch
    from mica.doctor.runtime.raised import hide_doctor
    from mica.doctor.runtime.watching import Watch

    watch = Watch(
        nan=options.nan,
        timeline=options.output_format in ("html", "trace") or bool(options.html or options.trace),
    )
    sys.argv[1:] = program
    started = os.getpid()
    watch.start()
    try:
        _launch.main("")
    except Exception as error:
        watch.stop()
        watch.annotate(error)
        hide_doctor(error)
        # As Python ends: what the program says of its exception comes before the report.
        sys.excepthook(type(error), error, error.__traceback__)
        return 1
    except KeyboardInterrupt as error:
        hide_doctor(error)
        raise
    finally:
        watch.stop()
        if os.getpid() == started:  # a forked child leaves the report to its parent
            _report(watch, options)
    return 0
