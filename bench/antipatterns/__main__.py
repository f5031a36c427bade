"""Anti-patterns of lazy arrays: what the bad form costs beside the good one, on mica and on mlx.

python bench/antipatterns                       everything
python bench/antipatterns --only MX6 --systems mica --json result.json
"""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]
from pairs import PAIRS  # noqa: E402
from registry import System, show  # noqa: E402

ROOT = HERE.parents[1]


def options() -> argparse.Namespace:
    """The command line."""
    p = argparse.ArgumentParser(prog="bench/antipatterns", description=__doc__.partition("\n")[0])
    p.add_argument("--only", metavar="PATTERN", default="", help="regular expression on rules and names")
    p.add_argument("--systems", default="mica,mlx", help="comma-separated, default: mica,mlx")
    p.add_argument("--peers", type=Path, default=ROOT / ".peers", help="where bench/peers.sh put them")
    p.add_argument("--python", default=sys.executable, help="the Python that has mica (default: this one)")
    p.add_argument("--seconds", type=float, default=1.0, help="at most about, for a pair in a system")
    p.add_argument("--json", type=Path, metavar="FILE", help="write all measurements")
    return p.parse_args()


def measure(system: System, indices: list[int], seconds: float) -> dict[int, dict]:
    """What a system answers, by pair."""
    done = subprocess.run(
        [*system.program, str(HERE / "worker.py"), str(seconds), *map(str, indices)],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    answers = {a.pop("index"): a for a in map(json.loads, done.stdout.splitlines())}
    lost = {"error": f"the process ended with {done.returncode}"}
    return {i: answers.get(i, lost) for i in indices}


def memory(value: float) -> str:
    """Bytes as people say them."""
    return f"{value / 2**20:.3g} MB"


def row(pair, answers: dict[str, dict]) -> tuple[str, bool]:  # noqa: ANN001
    """One line, and whether mica keeps the limit."""
    cells, kept = [f"{pair.rule}  {pair.name}"], True
    text = memory if pair.unit == "B" else show
    for name, a in answers.items():
        if "error" in a:
            cells.append(f"{name}: {a['error'].splitlines()[0][:60]}")
        else:
            cells.append(f"{name}: {text(a['bad'])} / {text(a['good'])} = {a['ratio']:.2f}")
    if pair.limit is not None and "mica" in answers:
        kept = answers["mica"].get("ratio", float("inf")) <= pair.limit
        cells.append(f"at most {pair.limit:g}: {'reached' if kept else 'SHORT'}")
    return "\n    ".join(cells), kept


def main() -> int:
    """Measure and print; 1 when mica fails in a pair or is over its limit."""
    o = options()
    indices = [i for i, p in enumerate(PAIRS) if re.search(o.only, f"{p.rule} {p.name}")]
    found = {}
    for name in o.systems.split(","):
        python = Path(o.python) if name == "mica" else o.peers / name / "bin" / "python"
        if python.exists():
            found[name] = measure(System(name, (str(python.absolute()),)), indices, o.seconds)
        else:
            print(f"no {name} in {o.peers}; bench/peers.sh installs it", file=sys.stderr)
    print("bad / good = ratio, least of the turns\n")
    status, results = 0, []
    for i in indices:
        answers = {name: by_index[i] for name, by_index in found.items()}
        text, kept = row(PAIRS[i], answers)
        print(text)
        status |= not kept
        results.append({"rule": PAIRS[i].rule, "name": PAIRS[i].name, "unit": PAIRS[i].unit,
                        "limit": PAIRS[i].limit, "measured": answers})  # fmt: skip
    if o.json:
        o.json.write_text(json.dumps(results, indent=1) + "\n")
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
