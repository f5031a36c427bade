"""Evaluation: laziness, long chains, streams, threads, memory, faults and interruption."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading

import numpy as np
import pytest

from tests.ops import target
from tests.ops.target import mx

LENGTH = 1_000_000 if target.IS_MICA else 20_000


def test_lazy() -> None:
    """Nothing is computed before it is asked for."""
    x = mx.ones((64, 1024, 1024), dtype=mx.uint8)
    before = mx.get_active_memory()
    y = x + 1
    z = (y * 2).sum()
    assert mx.get_active_memory() - before < 1_000_000
    assert z.shape == () and y.shape == x.shape
    mx.eval(mx.zeros((1,)))


def test_what_evaluates() -> None:
    """item, tolist, printing, conversion."""
    for ask in (
        lambda a: a.item(),
        lambda a: a.tolist(),
        repr,
        str,
        bool,
        float,
        np.array,
        memoryview,
        lambda a: f"{a}",
    ):
        ask(mx.array([2.0]) * 3)


def test_trees() -> None:
    """eval walks lists, tuples and dicts, and passes over the rest."""
    a, b, c = mx.ones((2,)) + 1, mx.ones((2,)) + 2, mx.ones((2,)) + 3
    mx.eval({"a": [a, (b, None, "text")]}, c, 3, object())
    mx.async_eval([a, b], {"c": c})
    assert mx.eval() is None


def test_long_chain() -> None:
    """A chain of a million operations is built, evaluated and dropped."""
    x = mx.zeros((4,))
    for _ in range(LENGTH):
        x = x + 1
    mx.eval(x)
    assert x.tolist() == [float(LENGTH)] * 4
    x = mx.zeros((4,))
    for _ in range(LENGTH):
        x = mx.abs(x)
    del x


@pytest.mark.mica_only
def test_long_chain_differentiated() -> None:
    """The walkers are not recursive either."""

    def f(x):
        for _ in range(100_000):
            x = x + 0.5
        return x

    assert mx.grad(f)(mx.array(1.0)).item() == 1.0
    assert mx.vmap(f)(mx.zeros((3,))).tolist() == [50_000.0] * 3
    assert mx.compile(f)(mx.array(0.0)).item() == 50_000.0


def test_wide_graph() -> None:
    """Many inputs of one sum, and a diamond."""
    parts = [mx.full((3,), float(i)) * 1 for i in range(2000)]
    assert mx.sum(mx.stack(parts), axis=0).tolist() == [1999000.0] * 3
    x = mx.ones((2,))
    for _ in range(200):
        x = x * 0.5 + x * 0.5
    assert x.tolist() == [1.0, 1.0]


def test_intermediates_are_released() -> None:
    """A loop that keeps nothing keeps no memory."""
    x = mx.zeros((1 << 20,))
    mx.eval(x)
    for _ in range(3):
        x = x + 1
        mx.eval(x)
    before = mx.get_active_memory()
    for _ in range(20):
        x = x * 1.0001 + 1
        mx.eval(x)
    assert mx.get_active_memory() <= before + (1 << 22)


# ---- streams ----
def test_streams() -> None:
    """Operations on several streams see each other's results in order."""
    first, second = mx.new_stream(mx.cpu), mx.new_stream(mx.cpu)
    x = mx.ones((1000,))
    for i in range(50):
        x = mx.add(x, 1, stream=first if i % 2 else second)
    assert x[0].item() == 51.0
    mx.synchronize(first), mx.synchronize(second), mx.synchronize()
    with mx.stream(first):
        assert mx.default_stream(mx.cpu) == first
        y = mx.sin(mx.zeros((3,))) + 1
    assert y.tolist() == [1.0] * 3 and mx.default_stream(mx.cpu) != first
    with mx.stream(mx.cpu):
        assert (mx.ones((2,)) * 2).tolist() == [2.0, 2.0]


def test_wrong_streams() -> None:
    """What is no stream is refused; there is no GPU here."""
    for wrong in ("cpu", 3):
        with pytest.raises(TypeError):
            mx.add(mx.ones((1,)), 1, stream=wrong)
    with pytest.raises(TypeError):
        mx.stream(None)
    if not mx.is_available(mx.gpu):
        for wrong in (
            lambda: mx.new_stream(mx.gpu),
            lambda: mx.set_default_device(mx.gpu),
            lambda: mx.default_stream(mx.gpu),
        ):
            with pytest.raises(ValueError):
                wrong()


def test_devices() -> None:
    """Devices compare and print."""
    assert (
        mx.default_device() == mx.cpu
        and repr(mx.Device(mx.cpu, 0)) == "Device(cpu, 0)"
        and mx.Device(mx.cpu) == mx.cpu
    )
    assert mx.is_available(mx.cpu) and mx.device_count(mx.cpu) >= 1
    assert repr(mx.cpu) == "DeviceType.cpu" and repr(mx.default_stream(mx.cpu)).startswith(
        "Stream(Device(cpu, 0), "
    )
    assert "architecture" in mx.device_info()


def test_async_eval() -> None:
    """Returns before the work is done; the value is there when asked for."""
    x = mx.ones((512, 512))
    for _ in range(5):
        x = x @ x * 1e-3
        mx.async_eval(x)
    assert np.isfinite(np.array(x)).all()


def test_depends() -> None:
    """Same values, later."""
    a, b = mx.ones((2,)), mx.ones((3,)) * 2
    assert mx.depends(a, b).tolist() == [1.0, 1.0]
    out = mx.depends([a, b], [b])
    assert [o.tolist() for o in out] == [[1.0, 1.0], [2.0, 2.0, 2.0]]


# ---- threads ----
def run_threads(work, count: int = 4) -> None:
    """Runs ``work(i)`` in threads; what one raises is raised here."""
    errors = []

    def guarded(i: int) -> None:
        try:
            work(i)
        except BaseException as error:  # noqa: BLE001 - carried to the caller
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive(), "a thread hangs"
    if errors:
        raise errors[0]


def test_threads_on_their_own() -> None:
    """Each thread builds and evaluates its graphs."""

    def work(i: int) -> None:
        for k in range(30):
            x = mx.full((100, 100), float(i))
            assert ((x + k) * 2).sum().item() == (i + k) * 2 * 10_000
            assert mx.grad(lambda v: (v * v).sum())(x)[0, 0].item() == 2.0 * i

    run_threads(work)


def test_evaluated_arrays_cross_threads() -> None:
    """Many threads read one array."""
    x = mx.arange(1000.0)
    mx.eval(x)
    run_threads(
        lambda i: [None for _ in range(20) if (x * 2).sum().item() == 999000.0] or pytest.fail("wrong sum")
    )


@pytest.mark.mica_only
def test_pending_arrays_cross_threads() -> None:
    """What one thread built another may evaluate; two that evaluate a shared graph run it once."""
    shared = mx.ones((300, 300)) @ mx.ones((300, 300)) + 1
    run_threads(lambda i: (shared * i).sum().item() == 301 * 90_000 * i or pytest.fail("wrong"))


# ---- faults ----
@pytest.mark.mica_only
def test_fault_poisons_what_depends_on_it() -> None:
    """An index out of range surfaces at evaluation, each time it is needed; the rest goes on."""
    x = mx.arange(4.0)
    bad = x[mx.array([9])]
    dependent, other = bad * 2 + 1, x * 2
    with pytest.raises(IndexError):
        mx.eval(dependent, other)
    assert other.tolist() == [0.0, 2.0, 4.0, 6.0]
    with pytest.raises(IndexError):
        dependent.tolist()
    with pytest.raises(IndexError):
        (bad + 1).item()
    assert (x.sum() + 1).item() == 7.0


@pytest.mark.mica_only
def test_fault_in_async_eval() -> None:
    """It surfaces at the next item, and the stream is usable."""
    stream = mx.new_stream(mx.cpu)
    bad = mx.take(mx.arange(4.0), mx.array([7]), stream=stream)
    try:
        mx.async_eval(bad)
    except IndexError:
        pass
    with pytest.raises(IndexError):
        bad.item()
    assert mx.add(mx.array(1.0), 1, stream=stream).item() == 2.0
    try:
        mx.synchronize(stream)
    except IndexError:
        mx.synchronize(stream)


@pytest.mark.mica_only
@pytest.mark.parametrize(
    "make",
    (
        lambda: mx.zeros((2**60,)),
        lambda: mx.ones((2**31, 2**31)),
        lambda: mx.broadcast_to(mx.array(1.0), (2**50,)) + 1,
        lambda: mx.random.uniform(shape=(2**55,)),
        lambda: mx.zeros((2**40,)).reshape(2**20, 2**20) @ mx.zeros((2**20, 2**40)),
    ),
)
def test_impossible_allocation(make) -> None:
    """MemoryError with the size; nothing breaks."""
    with pytest.raises((MemoryError, ValueError, OverflowError)):
        mx.eval(make())
    assert (mx.ones((2,)) + 1).tolist() == [2.0, 2.0]


@pytest.mark.mica_only
def test_large_shapes_without_memory() -> None:
    """Sizes are 64 bit: views of 2**40 elements cost nothing."""
    x = mx.broadcast_to(mx.array(1.5), (2**20, 2**20))
    assert x.size == 2**40 and x.nbytes == 2**42
    assert x[2**19, 5:8].tolist() == [1.5] * 3 and x.T[0, :: 2**18].shape == (4,)


INTERRUPTED = """
import os, signal, sys, threading, time
import {target} as mx
signal.signal(signal.SIGINT, signal.default_int_handler)  # jobs in the background start with it ignored
x = mx.ones(({size}, {size})) * 1e-3
mx.eval(x)
y = x
for _ in range({count}):
    y = y @ x
y = {last}
def stop():
    time.sleep(0.7)
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=stop, daemon=True).start()
start = time.time()
try:
    mx.eval(y)
    print("finished")
except KeyboardInterrupt:
    print("interrupted after", time.time() - start)
    assert time.time() - start < 5
assert (mx.ones((3,)) + 1).tolist() == [2.0] * 3
z = x[:100, :100]
for _ in range(3):
    z = z @ z
mx.eval(z)
print("usable")
"""


@pytest.mark.mica_only
@pytest.mark.parametrize(
    ("size", "count", "last"), [(1200, 400, "y"), (9000, 1, "y"), (9000, 1, "mx.exp(y * 1e-3) + 1")]
)
def test_interruption(size: int, count: int, last: str) -> None:
    """Ctrl-C ends a long evaluation, between its operations and inside one, and the library is usable."""
    result = subprocess.run(
        [sys.executable, "-c", INTERRUPTED.format(target=target.TARGET, size=size, count=count, last=last)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    assert "interrupted" in result.stdout and "usable" in result.stdout


FORKED = """
import os, sys
import {target} as mx
x = mx.ones((100, 100))
mx.eval(x @ x)
child = os.fork()
if child == 0:
    try:
        ok = (mx.ones((100, 100)) @ mx.ones((100, 100)))[0, 0].item() == 100.0
    except RuntimeError:
        ok = True
    os._exit(0 if ok else 1)
_, status = os.waitpid(child, 0)
sys.exit(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.mica_only
def test_fork() -> None:
    """A forked child works, or says clearly that it does not."""
    result = subprocess.run(
        [sys.executable, "-c", FORKED.format(target=target.TARGET)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr


def test_exit_with_pending_work() -> None:
    """The interpreter ends while streams still have work."""
    program = (
        f"import {target.TARGET} as mx\nx = mx.ones((500, 500))\n"
        "for _ in range(20):\n    x = x @ x * 1e-3\n    mx.async_eval(x)\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr


# ---- memory ----
def test_memory_counters() -> None:
    """Active, peak and cached bytes; limits return what was set before."""
    gc.collect()
    mx.clear_cache()
    assert mx.get_cache_memory() == 0
    mx.reset_peak_memory()
    before = mx.get_active_memory()
    x = mx.arange(1 << 20)
    mx.eval(x)
    assert mx.get_active_memory() - before >= 1 << 22 and mx.get_peak_memory() >= 1 << 22
    del x
    assert mx.get_active_memory() - before < 1 << 20
    previous = mx.set_cache_limit(1 << 20)
    assert mx.set_cache_limit(previous) == 1 << 20
    limit = mx.set_memory_limit(1 << 33)
    assert mx.set_memory_limit(limit) == 1 << 33 and mx.get_memory_limit() == limit
    assert isinstance(mx.set_wired_limit(0), int)
    for wrong in (
        lambda: mx.set_cache_limit(-1),
        lambda: mx.set_memory_limit(-1),
        lambda: mx.set_memory_limit("a"),
    ):
        with pytest.raises(TypeError):
            wrong()


def test_cache_limit_holds() -> None:
    """Freed buffers beyond the limit are given back."""
    previous = mx.set_cache_limit(1 << 20)
    try:
        for n in range(1, 6):
            mx.eval(mx.arange(n << 18))
        mx.eval(mx.ones((1,)))
        assert mx.get_cache_memory() <= 1 << 21
    finally:
        mx.set_cache_limit(previous)
        mx.clear_cache()


@pytest.mark.mica_only
def test_nothing_is_left() -> None:
    """Objects are counted, and the count comes back."""

    def work() -> None:
        x = mx.random.normal((50, 50))
        f = mx.compile(lambda a: mx.sin(a) @ a)
        mx.eval(
            f(x),
            mx.grad(lambda a: f(a).sum())(x),
            mx.vmap(lambda a: a * 2)(x),
            x[mx.array([1, 2])],
            mx.checkpoint(mx.exp)(x),
        )
        try:
            mx.eval(x[mx.array([99])])
        except IndexError:
            pass

    work()
    gc.collect()
    before = target.live()
    for _ in range(5):
        work()
    gc.collect()
    assert before is not None and target.live() == before
