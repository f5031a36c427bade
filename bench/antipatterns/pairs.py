"""Habits that cost time or memory with lazy arrays, each beside the form that is meant.

A pair's ``bad`` and ``good`` prepare a piece of work and return the function that does it, as in
bench/works; with a unit of memory the function returns the bytes it needed. ``limit`` is what bad/good may be
for mica where the engine takes the habit away; None: it costs what it costs, and the checkers name the line.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Run = Callable[[], object]


@dataclass(frozen=True)
class Pair:
    """A bad and a good form of one thing."""

    rule: str
    name: str
    bad: Callable[[], Run]
    good: Callable[[], Run]
    limit: float | None
    unit: str = "s"


PAIRS: list[Pair] = []
ABSORBED = 1.1


def pair(rule: str, name: str, limit: float | None, unit: str = "s"):  # noqa: ANN201
    """Register the two functions that the decorated one returns: bad, good."""

    def register(make: Callable) -> Callable:
        PAIRS.append(Pair(rule, name, lambda: make()[0](), lambda: make()[1](), limit, unit))
        return make

    return register


# ---- evaluation ----


@pair("MX101", "item() of each element in a loop; tolist()", 5.0)
def eval_in_loop():
    import mlx.core as mx

    def bad() -> Run:
        x = mx.random.normal((10_000,))
        mx.eval(x)
        return lambda: [v.item() for v in x]

    def good() -> Run:
        x = mx.random.normal((10_000,))
        mx.eval(x)
        return lambda: x.tolist()

    return bad, good


@pair("MX102", "gradients, then parameters evaluated in a step; both at once", None)
def eval_too_often():
    import mlx.core as mx

    def step(cut: bool) -> Run:
        w, x = mx.random.normal((64, 64)) * 0.1, mx.random.normal((64, 64))
        mx.eval(w, x)
        loss = mx.value_and_grad(lambda w: mx.tanh(x @ w).square().mean())

        def run() -> None:
            value, g = loss(w)
            if cut:
                mx.eval(value, g)
            mx.eval(value, w - 0.1 * g)

        return run

    return lambda: step(True), lambda: step(False)


@pair("MX103", "each step waits for the last; async_eval of the next first", None)
def blocked_pipeline():
    import mlx.core as mx

    def steps(ahead: bool) -> Run:
        w = mx.random.normal((128, 128)) * 0.1
        mx.eval(w)

        def run() -> None:
            x = mx.ones((1, 128))
            y = mx.tanh(x @ w)
            if ahead:
                mx.async_eval(y)
            for _ in range(50):
                following = mx.tanh(y @ w)
                if ahead:
                    mx.async_eval(following)
                y.tolist()
                y = following

        return run

    return lambda: steps(False), lambda: steps(True)


# ---- types ----


def half(*shape: int):  # noqa: ANN201
    """Evaluated bfloat16 numbers."""
    import mlx.core as mx

    x = mx.random.normal(shape).astype(mx.bfloat16)
    mx.eval(x)
    return x


@pair("MX201", "half x times a float32 0-d array; times a number", None)
def scalar_array_promotes():
    import mlx.core as mx

    def run(factor) -> Run:  # noqa: ANN001
        x = half(4_000_000)
        return lambda: mx.eval(x * factor + x)

    return lambda: run(mx.array(2.0)), lambda: run(2.0)


@pair("MX204", "rms_norm of x as float32, cast back; rms_norm of x", ABSORBED)
def upcast_around_rms_norm():
    import mlx.core as mx

    x, w = half(2048, 1024), half(1024)
    return (
        lambda: (
            lambda: mx.eval(
                mx.fast.rms_norm(x.astype(mx.float32), w.astype(mx.float32), 1e-5).astype(x.dtype)
            )
        ),
        lambda: lambda: mx.eval(mx.fast.rms_norm(x, w, 1e-5)),
    )


@pair("MX204", "layer_norm of x as float32, cast back; layer_norm of x", ABSORBED)
def upcast_around_layer_norm():
    import mlx.core as mx

    x, w, b = half(2048, 1024), half(1024), half(1024)
    return (
        lambda: lambda: mx.eval(mx.fast.layer_norm(x.astype(mx.float32), w, b, 1e-5).astype(x.dtype)),
        lambda: lambda: mx.eval(mx.fast.layer_norm(x, w, b, 1e-5)),
    )


@pair("MX205", "softmax of x as float32, cast back; softmax(x, precise=True)", ABSORBED)
def upcast_around_softmax():
    import mlx.core as mx

    x = half(2048, 1024)
    return (
        lambda: lambda: mx.eval(mx.softmax(x.astype(mx.float32), axis=-1).astype(x.dtype)),
        lambda: lambda: mx.eval(mx.softmax(x, axis=-1, precise=True)),
    )


# ---- compilation ----


@pair("MX302", "another Python number in each call of a compiled function; an array", ABSORBED)
def retrace_on_scalar():
    import mlx.core as mx

    def run(as_array: bool) -> Run:
        x = mx.random.normal((64,))
        mx.eval(x)
        f = mx.compile(lambda x, t: mx.exp(x * t) + mx.sin(x) * t)
        count = [0]

        def calls() -> None:
            for _ in range(3):
                count[0] += 1
                t = count[0] * 1e-3
                mx.eval(f(x, mx.array(t) if as_array else t))

        return calls

    return lambda: run(False), lambda: run(True)


@pair("MX303", "a compiled function captures a pending array; it is evaluated before", ABSORBED)
def captured_graph():
    import mlx.core as mx

    def run(evaluated: bool) -> Run:
        w = mx.random.normal((512, 512)) * 0.05
        for _ in range(5):
            w = mx.tanh(w @ w)
        if evaluated:
            mx.eval(w)
        f = mx.compile(lambda x: mx.tanh(x @ w))
        x = mx.random.normal((64, 512))
        mx.eval(x)
        return lambda: mx.eval(f(x))

    return lambda: run(False), lambda: run(True)


# ---- memory ----


def peak_of(work: Callable[[], object]) -> Callable[[], float]:
    """A function that returns how far `work` lets memory rise."""
    import mlx.core as mx

    def run() -> float:
        mx.synchronize()
        mx.clear_cache()
        before = mx.get_active_memory()
        mx.reset_peak_memory()
        kept = work()
        peak = mx.get_peak_memory()
        del kept
        return float(peak - before)

    return run


def weights() -> str:
    """A file of 16 Mi float32 numbers."""
    import mlx.core as mx

    path = Path(tempfile.gettempdir()) / "antipatterns-weights.safetensors"
    if not path.exists():
        mx.save_safetensors(str(path), {"w": mx.random.normal((16 << 20,))})
    return str(path)


@pair("MX402", "loaded weights are evaluated, then cast; cast, then evaluated", ABSORBED, "B")
def eval_before_cast():
    import mlx.core as mx

    path = weights()

    def load(early: bool) -> object:
        w = mx.load(path)["w"]
        if early:
            mx.eval(w)
        w = w.astype(mx.bfloat16)
        mx.eval(w)
        return w

    return lambda: peak_of(lambda: load(True)), lambda: peak_of(lambda: load(False))


@pair("MX403", "load from an open file; from a path", ABSORBED, "B")
def load_from_handle():
    import mlx.core as mx

    path = weights()

    def read(handle: bool) -> object:
        if handle:
            with open(path, "rb") as file:
                w = mx.load(file, format="safetensors")["w"]
        else:
            w = mx.load(path)["w"]
        w = w.astype(mx.bfloat16)
        mx.eval(w)
        return w

    return lambda: peak_of(lambda: read(True)), lambda: peak_of(lambda: read(False))


@pair("MX404", "1,000 different lengths, what is held in all; twice the largest step", 1.0, "B")
def growing_cache():
    import mlx.core as mx

    def lengths() -> float:
        mx.clear_cache()
        before = mx.get_active_memory()
        for i in range(1000):
            mx.eval(mx.ones((1000 + 997 * i,)) * 2 + 1)
        return float(mx.get_active_memory() + mx.get_cache_memory() - before)

    def largest() -> float:
        mx.clear_cache()
        before = mx.get_active_memory()
        mx.reset_peak_memory()
        mx.eval(mx.ones((1000 + 997 * 999,)) * 2 + 1)
        return 2.0 * (mx.get_peak_memory() - before)

    return lambda: lengths, lambda: largest


# ---- habits ----


def single_writes(size: int) -> Run:
    """1,000 writes of one element, then one evaluation."""
    import mlx.core as mx

    def run() -> None:
        x = mx.zeros((size,)) + 0.0
        for i in range(1000):
            x[i] = 1.0
        mx.eval(x)

    return run


@pair("MX503", "1,000 single writes into 100,000 elements; into 1,000", ABSORBED)
def expects_inplace():
    return lambda: single_writes(100_000), lambda: single_writes(1_000)


@pair("MX503", "1,000 single writes, each evaluated, into 1,000,000 elements; into 1,000", ABSORBED)
def expects_inplace_evaluated():
    import time

    import mlx.core as mx

    def filled(size: int) -> Run:
        def measured() -> float:
            x = mx.zeros((size,)) + 0.0
            mx.eval(x)
            start = time.perf_counter()
            for i in range(1000):
                x[i] = 1.0
                mx.eval(x)
            return time.perf_counter() - start

        return measured

    return lambda: filled(1_000_000), lambda: filled(1_000)


@pair("MX505", "np.exp of an array, added to another; mx.exp", None)
def numpy_in_graph():
    import mlx.core as mx
    import numpy as np

    def run(foreign: bool) -> Run:
        x = mx.random.normal((1_000_000,))
        mx.eval(x)
        if foreign:
            return lambda: mx.eval(x + mx.array(np.exp(np.array(x))))
        return lambda: mx.eval(x + mx.exp(x))

    return lambda: run(True), lambda: run(False)


# ---- indexing ----


@pair("MX601", "x[arange(n), i]; take_along_axis(x, i)", ABSORBED)
def fancy_gather():
    import mlx.core as mx

    def run(fancy: bool) -> Run:
        n = 100_000
        x, i = mx.random.normal((n, 16)), mx.random.randint(0, 16, (n,))
        mx.eval(x, i)
        if fancy:
            return lambda: mx.eval(x[mx.arange(n), i])
        return lambda: mx.eval(mx.take_along_axis(x, i[:, None], axis=1)[:, 0])

    return lambda: run(True), lambda: run(False)


@pair("MX602", "concatenate([a] * n); tile(a, n)", ABSORBED)
def concatenated_copies():
    import mlx.core as mx

    def run(joined: bool) -> Run:
        a = mx.random.normal((1000, 64))
        mx.eval(a)
        if joined:
            return lambda: mx.eval(mx.concatenate([a] * 50))
        return lambda: mx.eval(mx.tile(a, (50, 1)))

    return lambda: run(True), lambda: run(False)


@pair("MX602", "concatenate([a] * n) * b; broadcast_to(a) * b", ABSORBED)
def concatenated_operand():
    import mlx.core as mx

    def run(joined: bool) -> Run:
        a, b = mx.random.normal((1, 4096)), mx.random.normal((512, 4096))
        mx.eval(a, b)
        if joined:
            return lambda: mx.eval(mx.concatenate([a] * 512) * b)
        return lambda: mx.eval(mx.broadcast_to(a, (512, 4096)) * b)

    return lambda: run(True), lambda: run(False)


# ---- matrix products ----


def product(first: bool, second: bool) -> Run:
    """A product of 768 x 768 matrices, each of which may lie transposed."""
    import mlx.core as mx

    a, b = mx.random.normal((768, 768)), mx.random.normal((768, 768))
    mx.eval(a, b)
    a, b = (a.T if first else a), (b.T if second else b)
    return lambda: mx.eval(a @ b)


for _name, _first, _second in (("x @ W.T", False, True), ("x.T @ W", True, False), ("x.T @ W.T", True, True)):

    @pair("MX701", f"{_name}; x @ W", ABSORBED)
    def transposed_side(first: bool = _first, second: bool = _second):
        return lambda: product(first, second), lambda: product(False, False)


for _rows in (16, 512):

    @pair("MX702", f"x @ W.T + b of {_rows} rows; addmm(b, x, W.T)", ABSORBED)
    def unfused_bias(rows: int = _rows):
        import mlx.core as mx

        def run(fused: bool) -> Run:
            x, w, b = mx.random.normal((rows, 768)), mx.random.normal((768, 768)), mx.random.normal((768,))
            mx.eval(x, w, b)
            return (lambda: mx.eval(mx.addmm(b, x, w.T))) if fused else (lambda: mx.eval(x @ w.T + b))

        return lambda: run(False), lambda: run(True)
