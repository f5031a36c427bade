"""compile: the bounds of its cache, and its settings."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.ops.target import mx


@pytest.mark.mica_only
def test_cache_is_bounded_and_dies_with_the_function() -> None:
    """At most 256 programs; what they hold goes with the function."""
    f = mx.compile(lambda x: x + 1)
    cache = f._compiled.programs
    for n in range(300):
        f(mx.zeros((n,)))
    assert len(cache) == 256
    texts = mx.compile(lambda x, s: x)
    for n in range(300):
        texts(mx.array(1.0), str(n))
    assert len(texts._compiled.programs) == 256


PROGRAM = """
from collections import OrderedDict
import mica.core as mx
calls = []
f = mx.compile(lambda x: (calls.append(1), x + 1)[1])
for _ in range(3): f(mx.array(1))
before = len(calls)
mx.enable_compile()
for _ in range(3): f(mx.array(1))
state = {"n": mx.array(0)}
def step(x):
    state["n"] = state["n"] + 1
    return x * state["n"]
g = mx.compile(step, inputs=state, outputs=state)
print(before, len(calls) - before, [g(mx.array(2)).item() for _ in range(3)], state["n"].item())
kept = OrderedDict(a=mx.array(1), b=mx.array(2), n=0)
def turn(x):
    kept.move_to_end("a")
    kept["a"] = kept["a"] + x
    kept["n"] += 1
    return x * kept["n"] * kept.pop("b")
turned = mx.compile(turn, inputs=kept, outputs=kept)(mx.array(3)).item()
print(turned, list(kept), kept["a"].item())
leak = iter(range(9))
wrong = mx.compile(lambda x: x + next(leak))
try:
    for _ in range(2): wrong(mx.array(1))
    print("not seen")
except RuntimeError as error:
    print(error)
"""


@pytest.mark.mica_only
@pytest.mark.parametrize(
    "variable, lines",
    (
        ("MLX_DISABLE_COMPILE=1", ["3 1 [2, 4, 6] 3", "6 ['n', 'a'] 4", "not seen"]),
        ("MICA_DISABLE_COMPILE=1", ["3 1 [2, 4, 6] 3", "6 ['n', 'a'] 4", "not seen"]),
        (
            "MICA_CHECK=2",
            [
                "4 3 [2, 4, 6] 3",
                "6 ['n', 'a'] 4",
                "[compile] MICA_CHECK: a compiled call of '<lambda>' and the plain one give different "
                "results",
            ],
        ),
    ),
)
def test_settings(variable: str, lines: list[str]) -> None:
    """Compilation switched off from outside, and compiled calls compared with plain ones."""
    name, value = variable.split("=")
    environment = {**os.environ, name: value}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.splitlines() == lines, done.stderr
