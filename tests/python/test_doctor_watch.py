"""The run-time doctor: for each finding a program with the mistake and the same without it."""

from __future__ import annotations

import json
import linecache
import shutil
import subprocess
import sys
import tempfile
import textwrap

import mica.core as mx
import mica.nn as nn
import mica.optimizers as optim
import numpy as np
import pytest
from mica import doctor
from mica.doctor.rules import RULES
from mica.doctor.runtime import report

HALF = mx.float16


def rules_of(program, *args, **options) -> set[str]:
    with doctor.watch(**options) as watch:
        program(*args)
    return {f.rule for f in watch.findings}


# ---- pairs: (rule, wrong, right) ----


def eval_in_loop(wrong):
    y = mx.random.normal((200,))
    mx.eval(y)
    total = 0.0
    for v in y if wrong else y.tolist():
        total += v.item() if wrong else v


def eval_of_pending_in_loop(wrong):
    y = mx.random.normal((200,))
    for _ in range(12):
        y = mx.tanh(y)  # the first read evaluates all this
    total = 0.0
    for v in y if wrong else y.tolist():
        total += v.item() if wrong else v


def eval_in_inner_loop(wrong):
    x = mx.zeros((4,))
    for _ in range(100):
        x = x + 1.0
        if wrong:
            mx.eval(x)
    mx.eval(x)


def _model(width=64):
    model = nn.Sequential(nn.Linear(width, 4 * width), nn.ReLU(), nn.Linear(4 * width, width))
    mx.eval(model.parameters())
    return model, mx.random.normal((32, width)), mx.random.normal((32, width))


def _steps(n, between=lambda loss, grads: None, release=True):
    model, x, y = _model()
    optimizer = optim.Adam(1e-3)
    step = nn.value_and_grad(model, lambda x, y: nn.losses.mse_loss(model(x), y))
    for _ in range(n):
        loss, grads = step(x, y)
        between(loss, grads)
        optimizer.update(model, grads)
        if release:
            del grads
        mx.eval(model.parameters(), optimizer.state, loss)
        loss.item()


def eval_too_often(wrong):
    _steps(20, (lambda loss, grads: mx.eval(loss, grads)) if wrong else (lambda loss, grads: None))


def held_gradients(wrong):
    _steps(10, release=not wrong)


def blocked_pipeline(wrong):
    model, x, _ = _model()

    def step(x):
        for _ in range(4):
            x = mx.tanh(model(x))
        return x

    y = step(x)
    if not wrong:
        mx.async_eval(y)
    for _ in range(40):
        if wrong:
            y.sum().item()
            y = step(y)
            sum(range(3000))  # host work that could run meanwhile
        else:
            after = step(y)
            mx.async_eval(after)
            y.sum().item()
            y = after


def blocking_evaluations(wrong):
    model = nn.Sequential(nn.Embedding(64, 64), *(nn.Linear(64, 64) for _ in range(5)))
    mx.eval(model.parameters())
    y, tokens = mx.array([3]), []
    for _ in range(100):
        y = mx.argmax(model(y), axis=-1)
        if wrong:
            mx.eval(y)
            tokens.append(y.item())
        else:
            mx.async_eval(y)
    mx.eval(y)


def eval_before_cast(wrong):
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/weights.safetensors"
        mx.save_safetensors(path, {"a": mx.ones((64, 64)), "b": mx.ones((8,))})
        weights = mx.load(path)
        if wrong:
            mx.eval(weights)
        weights = {k: v.astype(HALF) for k, v in weights.items()}
        mx.eval(weights)


def model_eval_before_cast(wrong):
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/weights.safetensors"
        _model()[0].save_weights(path)
        model = _model()[0]
        model.load_weights(path)
        if wrong:
            mx.eval(model.parameters())
        model.set_dtype(mx.bfloat16)
        mx.eval(model.parameters())


def scalar_array(wrong):
    x = mx.ones((64, 64), dtype=HALF)
    mx.eval(x * (mx.array(2.0) if wrong else 2.0))


def default_dtype(wrong):
    x = mx.ones((64, 64), dtype=HALF)
    mx.eval(x + (mx.random.normal((64, 64)) if wrong else mx.random.normal((64, 64), dtype=HALF)))


def evaluated_default_dtype(wrong):
    x, y = mx.ones((64, 64), dtype=HALF), mx.ones((64, 64), dtype=mx.float32 if wrong else HALF)
    mx.eval(y)
    for _ in range(20):
        mx.eval(x + y)


def long_list(wrong):
    x, rows = mx.ones((64, 64), dtype=HALF), [[1.0] * 64] * 64
    mx.eval(x + (mx.array(rows) if wrong else mx.array(rows, dtype=HALF)))


def mixed_half(wrong):
    x = mx.ones((64, 64), dtype=HALF)
    mx.eval(x * mx.ones((64, 64), dtype=mx.bfloat16 if wrong else HALF))


def upcast_norm(wrong):
    x = mx.ones((64, 64), dtype=HALF)
    y = mx.fast.rms_norm(x.astype(mx.float32) if wrong else x, None, 1e-5)
    mx.eval(y.astype(HALF))


def upcast_softmax(wrong):
    x = mx.ones((64, 64), dtype=HALF)
    mx.eval(mx.softmax(x.astype(mx.float32)).astype(HALF) if wrong else mx.softmax(x, precise=True))


def float64(wrong):
    mx.eval(mx.ones((8,), dtype=mx.float64 if wrong else mx.float32) + 1.0)


def retrace(wrong):
    x = mx.random.normal((64,))
    f = mx.compile((lambda x, n: x[:n].sum()) if wrong else (lambda x, n: x.sum() * n))
    for n in range(1, 20):
        mx.eval(f(x, n))


def compile_in_loop(wrong):
    x = mx.random.normal((64,))

    def square(x):
        return x * x

    f = mx.compile(square)
    for _ in range(20):
        mx.eval((mx.compile(square) if wrong else f)(x))


def captured(wrong):
    table = mx.arange(64) * 2.0
    if not wrong:
        mx.eval(table)
    mx.eval(mx.compile(lambda x: x + table)(mx.ones((64,))))


def side_effect(wrong):
    kept = []

    def f(x):
        y = x * 2.0
        if wrong:
            kept.append(y)
        return y + 1.0

    mx.eval(mx.compile(f)(mx.ones((4,))))


class Talkative(nn.Module):
    def __init__(self, wrong):
        super().__init__()
        self.wrong = wrong
        self.layer = nn.Linear(8, 8)

    def __call__(self, x):
        y = self.layer(x)
        str(y if self.wrong else y.shape)
        return y


def printing(wrong):
    mx.eval(Talkative(wrong)(mx.ones((2, 8))))


def filling(wrong):
    x = mx.zeros((100,))
    if wrong:
        for i in range(100):
            x[i] = i
    else:
        x[:] = mx.arange(100)
    mx.eval(x)


def numpy_in_graph(wrong):
    x = mx.ones((16,))
    for _ in range(20):
        if wrong:
            np.exp(x)
        else:
            np.array(x)


def numpy_and_back(wrong):
    x = mx.ones((16,))
    for _ in range(20):
        if wrong:
            mx.array(np.tanh(x))
        else:
            mx.array(np.array(x))


def fancy_gather(wrong):
    x, i = mx.random.normal((64, 8)), mx.zeros((64,), dtype=mx.int32)
    mx.eval(x[mx.arange(64), i] if wrong else mx.take_along_axis(x, i[:, None], axis=1))


def concatenated(wrong):
    x = mx.ones((64, 64))
    mx.eval(mx.concatenate([x] * 4) if wrong else mx.tile(x, (4, 1)))


def layout(wrong):
    x = mx.random.normal((600, 700))
    mx.eval(mx.sort(x.T if wrong else x, axis=-1))


def bias(wrong):
    x, w, b = mx.ones((8, 8)), mx.ones((8, 8)), mx.ones((8,))
    for _ in range(8):
        mx.eval(x @ w.T + b if wrong else mx.addmm(b, x, w.T))


def side_effect_in_dict(wrong):
    kept = {}

    def f(x):
        y = x * 2.0
        if wrong:
            kept["last"] = y  # a dictionary of arrays only
        return y + 1.0

    f = mx.compile(f)
    for _ in range(3):
        mx.eval(f(mx.ones((4,))))


def first_nan(wrong):
    x = mx.array([1.0, 0.0 if wrong else 2.0])
    mx.eval(mx.log(x) * 0.0 + 1.0)


PAIRS = [
    ("MX101", eval_in_loop),
    ("MX101", eval_of_pending_in_loop),
    ("MX101", eval_in_inner_loop),
    ("MX102", eval_too_often),
    ("MX103", blocked_pipeline),
    ("MX103", blocking_evaluations),
    ("MX201", scalar_array),
    ("MX202", default_dtype),
    ("MX202", evaluated_default_dtype),
    ("MX202", long_list),
    ("MX203", mixed_half),
    ("MX204", upcast_norm),
    ("MX205", upcast_softmax),
    ("MX206", float64),
    ("MX302", retrace),
    ("MX302", compile_in_loop),
    ("MX303", captured),
    ("MX304", side_effect),
    ("MX304", side_effect_in_dict),
    ("MX401", held_gradients),
    ("MX402", eval_before_cast),
    ("MX402", model_eval_before_cast),
    ("MX501", printing),
    ("MX503", filling),
    ("MX505", numpy_in_graph),
    ("MX505", numpy_and_back),
    ("MX601", fancy_gather),
    ("MX602", concatenated),
    ("MX701", layout),
    ("MX702", bias),
    ("MX901", first_nan),
]


@pytest.mark.parametrize(("rule", "program"), PAIRS, ids=[f"{r}-{p.__name__}" for r, p in PAIRS])
def test_found_with_the_mistake_and_silent_without(rule, program):
    options = {"nan": True} if rule == "MX901" else {}
    assert rules_of(program, True, **options) == {rule}
    assert rules_of(program, False, **options) == set()


def constants_in_compiled_functions():
    x = mx.random.normal((512,))
    mx.eval(mx.compile(lambda x: x * mx.arange(512.0))(x))
    mx.eval(mx.compile(mx.grad(lambda x: (x * x).mean()))(x))
    mx.eval(mx.compile(mx.value_and_grad(mx.checkpoint(lambda x: mx.sin(x).sum())))(x))


def compiled_step_with_state():
    model, x, y = _model()
    optimizer = optim.Adam(1e-3)
    state = [model.state, optimizer.state]

    def step(x, y):
        loss, grads = nn.value_and_grad(model, lambda x, y: nn.losses.mse_loss(model(x), y))(x, y)
        optimizer.update(model, grads)
        return loss

    step = mx.compile(step, inputs=state, outputs=state)
    for _ in range(10):
        mx.eval(step(x, y), state)


def compiled_module():
    f = mx.compile(nn.Sequential(nn.Linear(4, 4)))
    mx.eval(f.__wrapped__.parameters() if hasattr(f, "__wrapped__") else mx.zeros(1))
    mx.eval(f(mx.ones((1, 4))))


def accuracy():
    a, b = mx.random.randint(0, 4, (64,)), mx.random.randint(0, 4, (64,))
    mx.eval(mx.mean(a == b))


def master_weights():
    w = mx.random.normal((64, 64))
    x = mx.random.normal((8, 64)).astype(mx.bfloat16)

    def loss(w):
        return ((x @ w.astype(mx.bfloat16)) ** 2).astype(mx.float32).mean()

    for _ in range(4):
        w = w - 0.1 * mx.grad(loss)(w)
        mx.eval(w)


def training_by_hand():
    """Each step is evaluated, and rightly."""
    w = mx.random.normal((64, 64))
    x = mx.random.normal((8, 64))
    for _ in range(40):
        w = w - 0.1 * mx.grad(lambda w: mx.tanh(mx.tanh(x @ w) @ w).square().mean())(w)
        mx.eval(w)


def simulation():
    """What is evaluated is not read."""
    x = mx.random.normal((64, 64))
    for _ in range(40):
        near = sum(mx.roll(x, k, axis) for k in (-1, 1) for axis in (0, 1))
        x = mx.where(near > 0, x * 0.5, x + 0.1)
        mx.eval(x)


def arrays_of_numpy():
    """Their type was chosen elsewhere."""
    x, y = mx.ones((64, 64), dtype=HALF), mx.array(np.ones((64, 64), np.float32))
    z = mx.array([[1.0] * 64] * 64, dtype=mx.float32)
    w = mx.exp(
        mx.ones((64, 64))  # what is computed from it has another history
    )
    mx.eval(w)
    mx.eval(x + y, x + z, x + w)


def accumulated_gradients():
    model, x, y = _model()
    optimizer = optim.SGD(1e-3)
    step = nn.value_and_grad(model, lambda x, y: nn.losses.mse_loss(model(x), y))
    from mica.utils import tree_map

    for _ in range(10):
        total = None
        for _ in range(4):
            loss, grads = step(x, y)
            total = grads if total is None else tree_map(mx.add, total, grads)
            del grads
            mx.eval(loss, total)
        optimizer.update(model, total)
        del total
        mx.eval(model.parameters(), optimizer.state)


def validation():
    model, x, y = _model()
    total = 0.0
    for _ in range(40):
        total += nn.losses.mse_loss(mx.tanh(model(mx.tanh(model(x)))), y).item()


def large_results_one_by_one():
    layers = [mx.random.normal((256, 256)) for _ in range(64)]
    for weight in layers:
        mx.eval(weight)


RIGHT = [
    constants_in_compiled_functions,
    compiled_step_with_state,
    compiled_module,
    accuracy,
    master_weights,
    training_by_hand,
    simulation,
    arrays_of_numpy,
    accumulated_gradients,
    validation,
    large_results_one_by_one,
]


@pytest.mark.parametrize("program", RIGHT, ids=[p.__name__ for p in RIGHT])
def test_silent_on_right_programs(program):
    assert rules_of(program) == set()


def test_what_was_cached_before_does_not_count():
    x = mx.random.normal((40 << 20,))
    mx.eval(x)
    del x
    assert mx.get_cache_memory() > 128 << 20
    assert rules_of(validation) == set()
    mx.clear_cache()


def test_an_update_belongs_to_its_line():
    """The nodes that an optimizer of the package makes, not those that a schedule of the program makes."""
    model, x, y = _model()
    step = nn.value_and_grad(model, lambda x, y: nn.losses.mse_loss(model(x), y))
    rate = HALF

    def schedule(step):
        return (mx.ones((64, 64), dtype=rate) * mx.array(2.0)).sum() * 1e-6

    for optimizer in (optim.Adam(1e-3), optim.Adam(schedule)):
        with doctor.watch() as watch:
            _, grads = step(x, y)
            optimizer.update(model, grads)
            del grads
            mx.eval(model.parameters(), optimizer.state)
        (at,) = (watch.place(site).line for _, site in watch.notes.updates)
        assert "optimizer.update" in linecache.getline(__file__, at)
        account = watch.record["accounts"][watch.notes.updates[0][1]]
        assert account[0] > 0
    (finding,) = watch.findings
    assert finding.place.function.endswith("schedule")


def quantized(train):
    layer = nn.QQLinear(64, 32, mode="mxfp8")
    layer.train() if train else layer.eval()
    x = mx.random.normal((4, 64))
    mx.eval(layer(x))


def test_quantized_layers():
    assert rules_of(quantized, False) == {"MX802"}

    def differentiate(mode):
        layer = nn.QQLinear(64, 32, mode="mxfp8")
        layer.train(mode)
        x = mx.random.normal((4, 64))
        try:
            mx.eval(mx.grad(lambda x: layer(x).sum())(x))
        except ValueError:
            assert not mode

    assert rules_of(differentiate, False) == {"MX801"}


def test_places_are_lines_of_the_program():
    """Through helpers of the package: the caller's line, and in derivatives the line of the operation."""
    x = mx.ones((64, 64), dtype=HALF)
    with doctor.watch() as watch:
        scale = mx.array(2.0)
        mx.eval(x * scale)
    (finding,) = watch.findings
    first = test_places_are_lines_of_the_program.__code__.co_firstlineno
    assert finding.place.path == __file__
    assert finding.place.line == first + 5
    assert finding.related[0][0].line == first + 4
    assert finding.place.function == "test_places_are_lines_of_the_program"


def test_costs_are_measured():
    with doctor.watch() as watch:
        _steps(20, lambda loss, grads: mx.eval(loss, grads))
    (finding,) = watch.findings
    assert finding.cost.count == 19
    assert 0 < finding.cost.milliseconds < (watch.notes.end - watch.notes.begin) / 1e6
    assert 0 < finding.cost.share < 1


def test_nothing_is_left_behind():
    from mica import _compile
    from mica.nn.layers.base import Module
    from mica.optimizers.base import Optimizer

    def state():
        return (
            Optimizer.__dict__["apply_gradients"],
            nn.Linear.__dict__["__call__"],
            dict(vars(_compile._Compiled)),
            Module.__dict__.get("__init_subclass__"),
        )

    before = state()
    with pytest.raises(ZeroDivisionError), doctor.watch() as watch:
        _steps(1)
        raise ZeroDivisionError
    assert state() == before
    assert watch.record
    live = mx._live()
    for _ in range(3):
        with doctor.watch():
            mx.eval(mx.ones((4,)) + 1)
    after = mx._live()
    assert {k: after[k] for k in ("nodes", "buffers")} == {k: live[k] for k in ("nodes", "buffers")}


def test_a_fault_names_the_line_that_built_it():
    x = mx.arange(8)
    with pytest.raises(IndexError) as caught, doctor.watch():
        y = x[mx.array([9])]
        z = y + 1
        mx.eval(z)
    line = test_a_fault_names_the_line_that_built_it.__code__.co_firstlineno + 3
    assert f"test_doctor_watch.py:{line}" in caught.value.__notes__[0]


def test_one_watch_at_a_time():
    with doctor.watch(), pytest.raises(RuntimeError, match="already"):
        doctor.watch().start()


def test_results_are_the_same_while_watched():
    model, x, y = _model()
    step = nn.value_and_grad(model, lambda x, y: nn.losses.mse_loss(model(x), y))
    loss, grads = step(x, y)
    mx.eval(loss, grads)
    for nan in (False, True):
        with doctor.watch(nan=nan):
            again, other = step(x, y)
            mx.eval(again, other)
        assert again.item() == loss.item()
        for a, b in zip(mx_leaves(grads), mx_leaves(other), strict=True):
            assert mx.array_equal(a, b).item()


def mx_leaves(tree):
    from mica.utils import tree_flatten

    return [leaf for _, leaf in tree_flatten(tree)]


def test_profile_by_module():
    model, x, _ = _model()
    with doctor.watch() as watch:
        mx.eval(model(x))
    names = {name for name, *_ in report.by_module(watch)}
    assert {"Sequential.layers.0", "Sequential.layers.1", "Sequential.layers.2"} <= names
    assert "Sequential.layers.0" in report.text(watch, profile=True)


def test_memory_at_the_peak_belongs_to_its_line():
    with doctor.watch() as watch:
        x = mx.ones((1 << 18,)) + 1.0
        mx.eval(x)
    held = {p.line: b for p, _, _, b in report.by_line(watch)}
    assert max(held.values()) == 4 << 18


# ---- forms of the report ----


@pytest.fixture(scope="module")
def watched():
    with doctor.watch() as watch:
        scalar_array(True)
        _steps(8, lambda loss, grads: mx.eval(loss, grads))
    return watch


def test_json(watched):
    data = json.loads(report.as_json(watched))
    assert [f["rule"] for f in data["findings"]] == [f.rule for f in watched.findings]
    assert data["run"]["updates"] == 8
    assert data["findings"][0]["cost"]["count"]


def test_sarif(watched):
    run = json.loads(report.sarif(watched))["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["locations"][0]["physicalLocation"]["region"]["startLine"] > 0


def test_github(watched):
    lines = report.github(watched).splitlines()
    assert len(lines) == len(watched.findings)
    assert all(line.startswith("::warning file=") for line in lines)


def test_trace(watched):
    events = json.loads(report.trace(watched))["traceEvents"]
    kinds = {e.get("cat") for e in events}
    assert {"evaluation", "step"} <= kinds
    assert all(e["dur"] >= 0 for e in events if e["ph"] == "X")


def test_page_holds_everything_and_needs_no_network(watched):
    page = report.html(watched)
    data = json.loads(page.split('id="data">', 1)[1].split("</script>", 1)[0].replace("<\\/", "</"))
    assert len(data["findings"]) == len(watched.findings)
    assert data["graph"]["steps"] and data["evaluations"] and data["steps"]
    outside = page.replace("http://www.w3.org/2000/svg", "")
    assert "http://" not in outside and "https://" not in outside and "src=" not in outside


def test_every_run_time_rule_has_a_row():
    assert {rule for rule, _ in PAIRS} <= set(RULES)


# ---- the command ----


def run(tmp_path, source, *options, program="program.py"):
    path = tmp_path / program
    path.write_text(textwrap.dedent(source))
    return subprocess.run(
        [sys.executable, "-m", "mica.doctor", *options, str(path), "one"],
        capture_output=True,
        text=True,
        timeout=120,
    )


PROGRAM = """
import sys
import mlx.core as mx
print("out", sys.argv[1])
mx.eval(mx.ones((64, 64), dtype=mx.float16) * mx.array(2.0))
sys.exit(3)
"""


def test_command(tmp_path):
    done = run(tmp_path, PROGRAM)
    assert done.returncode == 3
    assert done.stdout == "out one\n"
    assert "program.py:5" in done.stderr and "MX201" in done.stderr


def test_command_writes_files(tmp_path):
    out, page, trace = tmp_path / "r.json", tmp_path / "r.html", tmp_path / "t.json"
    done = run(
        tmp_path, PROGRAM, "--output-format", "json", "--output-file", str(out), "--html", str(page),
        "--trace", str(trace),
    )  # fmt: skip
    assert done.returncode == 3 and done.stderr == ""
    assert json.loads(out.read_text())["findings"][0]["rule"] == "MX201"
    assert "MX201" in page.read_text() and json.loads(trace.read_text())["traceEvents"]


def test_command_reports_when_the_program_fails(tmp_path):
    done = run(tmp_path, PROGRAM.replace("sys.exit(3)", "raise KeyError('x')"))
    assert done.returncode == 1
    assert "MX201" in done.stderr and "KeyError" in done.stderr


def test_command_refuses_wrong_options(tmp_path):
    done = run(tmp_path, PROGRAM, "--output-format", "yaml")
    assert done.returncode == 2 and "out one" not in done.stdout


# ---- explain ----


def test_explain_runs_nothing_and_adds_up():
    x = mx.random.normal((256, 64)) * 0.1
    made = []

    def f(x):
        made.append(mx.exp(x @ x.T) + 1.0)
        return made[-1]

    plan = doctor.explain(f, x)
    (step,) = [s for s in plan.steps if not s.is_view]
    assert step.nodes == ["matmul", "exp", "add"]
    assert step.written == 4 * 256 * 256 and plan.peak == step.written
    assert step.operations == 2 * 256 * 256 * 64 + 16 * 256 * 256
    assert plan.total_seconds > 0
    assert "tape(matmul+exp+add)" in str(plan)
    assert "tape" in plan.html() or "matmul" in plan.html()
    mx.eval(made[-1])  # what was planned can still run
    assert np.allclose(np.array(made[-1]), np.exp(np.array(x) @ np.array(x).T) + 1, rtol=1e-4)


def test_explain_wants_arrays():
    with pytest.raises(ValueError, match="explain"):
        doctor.explain(lambda: 3)


# ---- in a browser ----


def _pixels(path) -> np.ndarray:
    """The picture of a PNG file with 8 bits a channel, as (height, width, channels)."""
    import struct
    import zlib

    data = path.read_bytes()
    width, height, depth, kind = struct.unpack(">IIBB", data[16:26])
    assert depth == 8
    channels = {2: 3, 6: 4}[kind]
    packed, at = b"", 8
    while at < len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        if data[at + 4 : at + 8] == b"IDAT":
            packed += data[at + 8 : at + 8 + size]
        at += 12 + size
    rows = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, 1 + width * channels)
    out = np.zeros((height, width * channels), np.int64)
    for y in range(height):
        row, above = rows[y, 1:].astype(np.int64), out[y - 1] if y else np.zeros(width * channels, np.int64)
        if rows[y, 0] == 2:
            row = (row + above) % 256
        elif rows[y, 0] in (1, 3, 4):
            for x in range(width * channels):
                left = row[x - channels] if x >= channels else 0
                corner = above[x - channels] if x >= channels else 0
                if rows[y, 0] == 1:
                    guess = left
                elif rows[y, 0] == 3:
                    guess = (left + above[x]) // 2
                else:
                    p = left + above[x] - corner
                    guess = min((left, above[x], corner), key=lambda v: abs(p - v))
                row[x] = (row[x] + guess) % 256
        out[y] = row
    return out.reshape(height, width, channels)[:, :, :3]


@pytest.mark.unsanitized
@pytest.mark.skipif(not shutil.which("chromium"), reason="there is no chromium on this machine")
def test_page_in_a_browser(watched, tmp_path):
    page, picture = tmp_path / "page.html", tmp_path / "page.png"
    page.write_text(report.html(watched))
    chromium = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    chromium += [
        f"--user-data-dir={tmp_path / 'profile'}",
        "--window-size=500,1700",
        "--force-color-profile=srgb",
    ]
    shown = subprocess.run(
        [*chromium, "--dump-dom", "--enable-logging=stderr", page.as_uri()],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert "CONSOLE" not in shown.stderr
    body = shown.stdout.split("<main>", 1)[1].split("</main>", 1)[0]
    for finding in watched.findings:
        assert finding.rule in body
    for part in (
        "Evaluations and steps",
        "Memory of arrays",
        "By module",
        "By line",
        "Graph of evaluation",
        "<rect",
    ):
        assert part in body
    subprocess.run(
        [*chromium, f"--screenshot={picture}", page.as_uri()], capture_output=True, timeout=120, check=True
    )
    pixels = _pixels(picture)
    assert pixels.shape == (1700, 500, 3)
    for colour in ((0x3F, 0x7C, 0xC7), (0x4F, 0xA6, 0x73)):  # bars of evaluations, of steps
        assert (np.abs(pixels - np.array(colour)).sum(axis=2) < 12).sum() > 50
