"""The benchmark harness: it measures what it says, and its verdicts follow from the numbers."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"
WORKS = """
import time
from registry import FIGURES, AtMost, Limit, work

def sleeper(seconds):
    def prepare():
        print("this must not reach the answers")
        return lambda: time.sleep(seconds)
    return prepare

def broken():
    raise KeyError("no such thing")

work("sleep", AtMost(1.5, "numpy"), group=FIGURES, calls=2, mlx=sleeper(0.02), numpy=sleeper(0.01))
work("broken", mlx=broken, numpy=sleeper(0.01))
work("outside", Limit(3, "x"), unit="x", external={"mlx": lambda system: 2.0, "torch": lambda system: 4.0})
"""


@pytest.fixture(scope="module")
def bench() -> dict[str, ModuleType]:
    """The harness's modules, loaded for these tests alone."""
    modules = {}
    for name in ("registry", "harness"):
        spec = importlib.util.spec_from_file_location(name, BENCH / f"{name}.py")
        modules[name] = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(modules[name])
    yield modules
    for name in modules:
        del sys.modules[name]


def test_systems_take_turns_and_errors_are_kept(bench: dict[str, ModuleType], tmp_path: Path) -> None:
    registry, harness = bench["registry"], bench["harness"]
    (tmp_path / "some.py").write_text(WORKS)
    registry.WORKS.clear()
    works = {work.name: work for work in registry.load(tmp_path)}
    systems = [registry.System(name, (sys.executable,)) for name in ("mlx", "torch", "numpy")]

    slept = harness.measure(works["sleep"], systems, seconds=0.5, turns=3)
    assert not slept.errors and set(slept.turns) == {"mlx", "numpy"}
    assert all(0.01 <= turn < 0.1 for turn in slept.turns["mlx"])  # 20 ms for two operations
    assert all(0.005 <= turn < 0.05 for turn in slept.turns["numpy"])
    assert slept.values("min")["mlx"] > slept.values("min")["numpy"]

    broken = harness.measure(works["broken"], systems, seconds=0.1, turns=1)
    assert broken.errors == {"mlx": "KeyError: 'no such thing'"}
    assert "numpy" in broken.values("median")

    outside = harness.measure(works["outside"], systems, seconds=0.1, turns=2)
    assert outside.values("median") == {"mlx": 2.0, "torch": 4.0}
    text = harness.table([slept, broken, outside], ["mlx", "torch", "numpy"], "median")
    assert "error" in text and "2 x" in text and len({len(line) for line in text.splitlines()}) == 1


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"mica": 1.0, "mlx": 20.0, "torch": 1.0}, "ok"),
        ({"mica": 1.0, "mlx": 10.0, "torch": 1.0}, "short"),
        ({"mica": 1.0, "mlx": 20.0, "torch": 0.5}, "short"),
        ({"mica": 1.0, "mlx": 20.0}, ""),  # a peer is missing: not known
        ({"mica": 1.0, "mlx": 10.0}, "short"),  # but one demand is missed for certain
        ({"mlx": 10.0, "torch": 1.0}, ""),
    ],
)
def test_verdicts(bench: dict[str, ModuleType], values: dict[str, float], word: str) -> None:
    registry, harness = bench["registry"], bench["harness"]
    bounds = (registry.AtMost(1 / 15, "mlx"), registry.AtMost(1.2, "torch"))
    work = registry.Work("w", registry.FIGURES, Path(), bounds)
    assert harness.verdict(work, values)[2] == word


def test_numbers_are_shown_with_a_fitting_unit(bench: dict[str, ModuleType]) -> None:
    show, show_ratio = bench["registry"].show, bench["registry"].show_ratio
    assert [show(x) for x in (2.5, 0.0403, 1.5e-6, 95e-9)] == ["2.5 s", "40.3 ms", "1.5 us", "95 ns"]
    assert [show_ratio(x) for x in (1 / 15, 1.2, 0.96)] == ["1/15", "1.2", "0.96"]


def test_every_promised_figure_has_a_work() -> None:
    done = subprocess.run(
        [sys.executable, str(BENCH), "--list", "--group", "figures"],
        capture_output=True,
        text=True,
        check=True,
    )
    names = done.stdout.splitlines()
    assert len(names) == len(set(names)) >= 15
    for word in ("train step", "one token", "chain 16M", "matmul float32 2048", "matmul bfloat16 1024",
                 "scalar additions", "one small addition", "item()", "first call", "import", "cast first",
                 "eval first", "clean build", "touching one file", "size of libmica"):  # fmt: skip
        assert any(word in name for name in names), word


def test_json_holds_every_turn(tmp_path: Path) -> None:
    """The whole program, with this interpreter's own import as the work."""
    file = tmp_path / "result.json"
    options = ["--only", "^import$", "--systems", "mica", "--turns", "2", "--json", str(file)]
    done = subprocess.run([sys.executable, str(BENCH), *options], capture_output=True, text=True)
    (result,) = json.loads(file.read_text())
    assert result["work"] == "import" and result["unit"] == "s"
    assert len(result["turns"]["mica"]) == 2, done.stderr
    assert result["verdict"] in ("ok", "short")
