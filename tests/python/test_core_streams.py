"""Streams, threads and processes: order, contexts, the GIL, Ctrl-C, fork, exit, interpreters."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.ops import target
from tests.ops.target import mx

HERE = Path(__file__).resolve().parent


def run(program: str, *arguments: str, seconds: int = 120) -> str:
    """The output of a Python program that has to end well."""
    result = subprocess.run(
        [sys.executable, "-c", program.replace("{target}", target.TARGET), *arguments],
        capture_output=True,
        text=True,
        timeout=seconds,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert not result.stderr, result.stderr
    return result.stdout


# ---- streams ----


def test_order_across_streams() -> None:
    """Work on one stream waits for what it needs from others, however it goes to and fro."""
    s, t = mx.new_stream(mx.cpu), mx.new_stream(mx.cpu)
    for i in range(30):
        x = mx.full((64, 64), float(i), stream=s)
        y = mx.add(x, 1, stream=t)
        z = mx.matmul(mx.eye(64, stream=s), y, stream=s)
        w = mx.subtract(z, x, stream=t)
        mx.async_eval(w)
        assert mx.sum(w, stream=s).item() == 64 * 64
    mx.synchronize(s)
    mx.synchronize(t)


def test_contexts() -> None:
    """`with mx.stream(s)` sets the default and brings it back, also nested and after an exception."""
    before = mx.default_stream(mx.cpu)
    s, t = mx.new_stream(mx.cpu), mx.new_stream(mx.cpu)
    with mx.stream(s):
        assert mx.default_stream(mx.cpu) == s
        with mx.stream(t):
            assert mx.default_stream(mx.cpu) == t
        assert mx.default_stream(mx.cpu) == s
        with pytest.raises(KeyError), mx.stream(t):
            raise KeyError
        assert mx.default_stream(mx.cpu) == s
    assert mx.default_stream(mx.cpu) == before
    with pytest.raises(TypeError):
        mx.stream(None)


def test_thread_local_streams() -> None:
    """One handle, a stream for each thread, the same one each time."""
    local = mx.new_thread_local_stream(mx.cpu)
    seen: list[str] = []

    def look() -> None:
        for _ in range(3):
            with mx.stream(local):
                seen.append(repr(mx.default_stream(mx.cpu)))
                assert (mx.ones((3,)) + 1).tolist() == [2, 2, 2]

    look()
    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
        thread.join()
    assert len(seen) == 12
    assert all(len(set(seen[i : i + 3])) == 1 for i in range(0, 12, 3))
    assert len(set(seen)) == 4


@pytest.mark.mica_only
def test_dropped_thread_local_streams() -> None:
    """Nothing stays of those that are gone, in any thread; and a later one has streams of its own."""
    handle: list[mx.ThreadLocalStream] = []
    seen: set[str] = set()

    def use() -> None:
        with mx.stream(handle[0]):
            seen.add(repr(mx.default_stream(mx.cpu)))
            assert (mx.ones((3,)) + 1).tolist() == [2, 2, 2]

    def make(count: int) -> None:
        for _ in range(count):
            handle[:] = [mx.new_thread_local_stream(mx.cpu)]
            use()
            pool.submit(use).result()

    with ThreadPoolExecutor(1) as pool:
        make(20)
        before = mx._live()["host"]
        make(500)
        assert mx._live()["host"] <= before + 20  # lists of free nodes may have grown
        assert len(seen) == 2 * 520


@pytest.mark.mica_only
def test_many_streams() -> None:
    """10,000 streams made, used and dropped; arrays that were built on them stay usable."""
    kept = []
    for i in range(10_000):
        x = mx.add(mx.array(float(i)), 1, stream=mx.new_stream(mx.cpu))
        if i % 500 == 0:
            mx.async_eval(x)
        if i % 1000 == 0:
            kept.append((i, x))
    assert all(x.item() == i + 1 for i, x in kept)
    for i in range(100):  # more thread-local ones than any fixed table has
        with mx.stream(mx.new_thread_local_stream(mx.cpu)):
            assert mx.array(i).item() == i


WIDE = """
import os, signal, sys, time
import {target} as mx
def threads():
    return int(next(line for line in open("/proc/self/status") if line.startswith("Threads")).split()[1])
def chain(x, streams):
    for s in streams:
        x = mx.add(x, 1, stream=s)
    return x
streams = [mx.new_stream(mx.cpu) for _ in range(int(sys.argv[1]))]
for i in range(3):
    x = chain(mx.zeros((1,)), streams)
    if i == 1:
        mx.async_eval(x)
    assert x.item() == len(streams)
    own = [mx.add(mx.array(float(k)), i, stream=s) for k, s in enumerate(streams)]
    if i == 1:
        mx.async_eval(*own)
        for s in streams:
            mx.synchronize(s)
    mx.eval(own)
    assert [y.item() for y in own] == [k + i for k in range(len(streams))]
signal.signal(signal.SIGALRM, signal.default_int_handler)
for late in (0.0005, 0.005, 0.02):
    start = mx.sort(mx.random.uniform(shape=(1 << 20,)), stream=streams[0])[0] * 0
    sums = [chain(start, streams[k:]) for k in range(1, len(streams), len(streams) // 20)]
    signal.setitimer(signal.ITIMER_REAL, late)
    try:
        mx.eval(sums)
    except KeyboardInterrupt:
        pass
    signal.setitimer(signal.ITIMER_REAL, 0)
    assert [s.item() for s in sums] == [len(streams) - k for k in range(1, len(streams), len(streams) // 20)]
assert threads() <= 2 * os.cpu_count() + 16, threads()
print("done")
"""


@pytest.mark.mica_only
def test_streams_at_work_at_once() -> None:
    """2,000 streams whose works wait for each other, or do not, take few threads; interrupted ones go on."""
    assert run(WIDE, "2000", seconds=100) == "done\n"


def test_depends() -> None:
    """What depends on others has the same values and is computed after them."""
    x = mx.ones((3,)) * 2
    y = mx.exp(x)
    z = mx.depends(x, [y])
    assert z.tolist() == [2, 2, 2]
    a, b = mx.depends([x, y], mx.zeros((1,)))
    assert a.tolist() == x.tolist() and b.tolist() == y.tolist()


# ---- threads ----


@pytest.mark.mica_only
def test_built_here_evaluated_there() -> None:
    """A graph goes to another thread before it is evaluated, and its results come back."""
    x = mx.arange(1000) * 2
    with mx.stream(mx.new_stream(mx.cpu)):
        y = mx.sort(x * -1)
    results: list[int] = []

    def finish() -> None:
        mx.eval(y)
        results.append(y[0].item())
        results.append(mx.sum(x).item())

    thread = threading.Thread(target=finish)
    thread.start()
    thread.join()
    assert results == [-1998, 999_000]
    assert y.tolist() == sorted(-2 * i for i in range(1000))


def test_threads_count_on() -> None:
    """The engine works without the GIL: a Python thread counts on during a long evaluation."""
    n = 800
    x = mx.random.normal((n, n))
    mx.eval(x)
    counted = 0
    done = False

    def count() -> None:
        nonlocal counted
        while not done:
            counted += 1

    thread = threading.Thread(target=count)
    y = x
    for _ in range(12):
        y = y @ x * 1e-2
    thread.start()
    before, start = counted, time.perf_counter()
    mx.eval(y)
    seconds, during = time.perf_counter() - start, counted - before
    done = True
    thread.join()
    assert seconds > 0.01
    assert during > 1e4 * seconds, f"{during} counts in {seconds} s"


@pytest.mark.mica_only
@pytest.mark.parametrize("turns", [60, pytest.param(3000, marks=pytest.mark.long)])
def test_storm(turns: int) -> None:
    """8 threads build, evaluate, interrupt and drop the same graphs at once."""
    result = subprocess.run(
        [sys.executable, HERE / "threads_storm.py", str(turns)], capture_output=True, text=True, timeout=600
    )
    assert result.returncode == 0, result.stdout + result.stderr


# ---- processes ----

FORKS = """
import os, sys, warnings
import {target} as mx
warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of any fork beside threads
s = mx.new_stream(mx.cpu)
for i in range(int(sys.argv[1])):
    x = mx.ones((200, 200))
    for _ in range(20):
        x = mx.matmul(x, mx.eye(200), stream=s)
    mx.async_eval(x)
    child = os.fork()
    if child == 0:
        y = mx.sum(mx.add(x, 1, stream=s))
        ok = y.item() == 80000 and mx.ones((500, 500)).sum().item() == 250000
        mx.synchronize(s)
        os._exit(0 if ok else 1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status == 0, (i, status)
    assert x.sum().item() == 40000
"""


QUEUED = """
import os, signal, threading, time
import mica.core as mx
signal.signal(signal.SIGINT, signal.default_int_handler)  # jobs in the background start with it ignored
x = mx.ones((1500, 1500))
mx.eval(x @ x)
start = time.monotonic()
mx.eval(x @ x)
whole = 400 * (time.monotonic() - start)
z = x
for _ in range(400):
    z = z @ x
y = z[0, 0] + 1
sent = 0
def send():
    global sent
    sent = time.monotonic()
    os.kill(os.getpid(), signal.SIGINT)
try:
    mx.async_eval(z)
    threading.Timer(0.1, send).start()
    y.item()
except KeyboardInterrupt:
    # The queue did not have to be worked off first: what it waited for still runs.
    print("interrupted", "early" if time.monotonic() - sent < whole / 2 else "late")
"""


@pytest.mark.mica_only
def test_interrupt_of_work_behind_other_work() -> None:
    """What stands in a queue is given up at once; what runs before it goes on."""
    assert run(QUEUED) == "interrupted early\n"


INSIDE = """
import os, signal, threading
os.environ["MICA_THREADS"] = "2"
import mica.core as mx
signal.signal(signal.SIGINT, signal.default_int_handler)
x = {given}
mx.eval(x)
y = {operation}
before = mx.get_active_memory()
threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
try:
    mx.eval(y)
    print("finished")
except KeyboardInterrupt:
    # Neither the result nor what the kernel took is there: it was left in the middle.
    print("interrupted", mx.get_active_memory() - before)
print({proof})
"""

LONG_ROW = "mx.random.normal((1 << 24,), key=mx.random.key(0))"
LONGER_ROW = f"mx.concatenate([{LONG_ROW}] * 4)"
ELEMENTWISE = "lambda x: " + "mx.tan(mx.sin(mx.erf(" * 6 + "x" + ")))" * 6
SORTED = "mx.all(y[1:] >= y[:-1]).item() and abs(mx.sum(y).item() - mx.sum(x).item()) < 1"


@pytest.mark.mica_only
@pytest.mark.parametrize(
    ("given", "operation", "proof"),
    [
        pytest.param(LONGER_ROW, "mx.sort(x)", SORTED, id="sort"),
        pytest.param(LONG_ROW, "mx.argsort(x)", "mx.all(x[y][1:] >= x[y][:-1]).item()", id="argsort"),
        pytest.param(
            f"{LONG_ROW}.reshape(-1, 2)",
            "mx.sort(x, axis=0)",
            "mx.all(y[1:] >= y[:-1]).item()",
            id="sort of columns",
        ),
        pytest.param(
            f"{LONGER_ROW}.reshape(-1, 2)",
            "mx.partition(x, 1000, axis=0)",
            "mx.all(mx.max(y[:1000], axis=0) <= mx.min(y[1000:], axis=0)).item()",
            id="partition",
        ),
        pytest.param(LONG_ROW, "mx.logcumsumexp(x)", "mx.all(y[1:] >= y[:-1]).item()", id="logcumsumexp"),
        pytest.param(
            "mx.ones((32, 128, 128, 64))",
            "mx.conv2d(x, mx.ones((64, 25, 25, 1)), groups=64)",
            "mx.all(y == 625).item()",
            id="depthwise convolution",
        ),
        pytest.param(
            f"{LONG_ROW}, mx.arange(1 << 24) * 7919 % (1 << 24)",
            "x[0].at[x[1]].maximum(x[0])",
            "mx.all(y >= x[0]).item()",
            id="scatter",
        ),
        pytest.param(
            "mx.random.normal((4000, 50, 50))",
            "mx.linalg.svd(x, compute_uv=False, stream=mx.cpu)",
            "mx.all(y >= 0).item()",
            id="many factorizations",
        ),
        pytest.param(
            f"mx.concatenate([{LONG_ROW}] * 2).astype(mx.complex64)",  # the conversion would be kept
            "mx.fft.fft(x)",
            "abs(y[0].item() - mx.sum(x).item()) < 1",
            id="fft",
        ),
        pytest.param(
            LONG_ROW,
            f"({ELEMENTWISE})(x)",
            f"mx.array_equal(({ELEMENTWISE})(x[5000:7000]), y[5000:7000]).item()",
            id="element-wise",
        ),
    ],
)
def test_interrupt_inside_an_operation(given: str, operation: str, proof: str) -> None:
    """Ctrl-C leaves an operation in its middle; then it can be done again."""
    program = INSIDE.format(given=given, operation=operation, proof=proof)
    assert run(program) == "interrupted 0\nTrue\n"


@pytest.mark.mica_only
@pytest.mark.parametrize("count", [5, pytest.param(200, marks=pytest.mark.long)])
def test_fork_with_work_in_flight(count: int) -> None:
    """The child has its own streams and threads, and computes again what the parent's were at."""
    run(FORKS, str(count), seconds=600)


FORKS_WITHIN_STEPS = """
import os, warnings
os.environ["MICA_FUSE"] = "0"  # each addition is a step of its own, in its argument's memory
import mica.core as mx
warnings.simplefilter("ignore", DeprecationWarning)
s = mx.new_stream(mx.cpu)
for i in range(40):
    x = mx.zeros((300_000,))
    for _ in range(100):
        x = mx.add(x, 1, stream=s)
    mx.async_eval(x)
    child = os.fork()
    if child == 0:
        os._exit(0 if mx.all(x == 100).item() else 1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status == 0, (i, status)
    assert mx.all(x == 100).item()
"""


@pytest.mark.mica_only
def test_fork_finds_steps_whole() -> None:
    """A step that writes where its argument was is not cut in two: the child's values are right."""
    run(FORKS_WITHIN_STEPS)


LOST = """
import os, time, warnings
os.environ["MICA_THREADS"] = "1"
import mica.core as mx
warnings.simplefilter("ignore", DeprecationWarning)
s = mx.new_stream(mx.cpu)
a = mx.random.normal((1 << 15, 1 << 11))
b, c = mx.random.normal((1 << 11, 1 << 14)), mx.ones((3,))
mx.eval(a, b)
product, other = mx.matmul(a, b, stream=s), mx.add(c, 1, stream=s)
mx.async_eval(product, other)
time.sleep(0.3)
start = time.monotonic()
child = os.fork()
if child == 0:
    try:
        mx.eval(product)
    except RuntimeError as error:
        assert "forked" in str(error), error
    os._exit(0 if other.tolist() == [2, 2, 2] else 1)
assert time.monotonic() - start < 10, "fork waits for ever"
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
mx.eval(product, other)
"""


@pytest.mark.mica_only
@pytest.mark.long
def test_fork_loses_steps_without_end() -> None:
    """Fork waits for a step, but not for ever: to the child its result is lost, and nothing else."""
    run(LOST, seconds=600)


EXITS = """
import sys, threading, atexit
import {target} as mx
kept = []
def work():
    s = mx.new_stream(mx.cpu)
    for _ in range(200):
        x = mx.random.normal((300, 300))
        for _ in range(30):
            x = mx.matmul(x, x, stream=s) * 1e-3
        mx.async_eval(x)
        kept.append(x)
        if sys.argv[1] == "busy":
            mx.eval(mx.linalg.svd(mx.random.normal((60, 60)), compute_uv=False))
if sys.argv[1] == "busy":
    threading.Thread(target=work, daemon=True).start()
    while len(kept) < 5:
        pass
else:
    work()
if sys.argv[1] == "error":
    sys.exit(0)
"""


@pytest.mark.parametrize("how", ["plain", "error", "busy"])
def test_exit_with_work_in_flight(how: str) -> None:
    """The interpreter ends at once and without a word, whatever streams and other threads still do."""
    many = 12 if how == "busy" else 1  # at once, so that threads are held up in any place
    with ThreadPoolExecutor(many) as pool:
        assert list(pool.map(lambda _: run(EXITS, how), range(many))) == [""] * many


INTERPRETERS = """
import {target} as mx
assert (mx.ones((2,)) + 1).tolist() == [2, 2]
try:
    import _xxsubinterpreters as interpreters
except ImportError:
    import _interpreters as interpreters
text = '''
try:
    import {target}
    print("imported")
except ImportError as error:
    print(error)
'''
other = interpreters.create()
interpreters.run_string(other, text)
interpreters.destroy(other)
print((mx.ones((2,)) + 2).tolist())
"""


@pytest.mark.mica_only
def test_other_interpreters() -> None:
    """A second interpreter of the process is refused with the reason; the first goes on."""
    said = run(INTERPRETERS).splitlines()
    assert "interpreter" in said[0] and "imported" not in said[0]
    assert said[-1] == "[3.0, 3.0]"


@pytest.mark.mica_only
def test_another_interpreter_first() -> None:
    """The attempt of a second interpreter, which then ends, does not keep the first from importing."""
    lines = INTERPRETERS.strip().splitlines()
    said = run("\n".join([*lines[2:-1], *lines[:2], lines[-1]])).splitlines()
    assert "main interpreter" in said[0] or "subinterpreters" in said[0]  # CPython 3.12 asks before we can
    assert said[-1] == "[3.0, 3.0]"


# ---- deep and wide ----

DEEP = """
import resource, sys, threading
resource.setrlimit(resource.RLIMIT_STACK, (256 << 10, 256 << 10))
threading.stack_size(256 << 10)
import {target} as mx
def chain(n):
    x, one = mx.zeros((2,)), mx.ones((2,))
    for _ in range(n):
        x = x + one
    assert x[0].item() == n
    y = mx.ones((2,))
    for _ in range(n // 10):
        y = mx.cumsum(y) * 0 + 1
    del y
def tree(n):
    leaves = [mx.array(1.0) for _ in range(n)]
    while len(leaves) > 1:
        leaves = [a + b for a, b in zip(leaves[::2], leaves[1::2])] + leaves[len(leaves) & ~1:]
    assert leaves[0].item() == n
def slope(n):
    def f(x):
        for _ in range(n):
            x = mx.sin(x)
        return x
    assert mx.grad(f)(mx.array(0.0)).item() == 1
def all_of():
    chain(int(sys.argv[1]))
    tree(int(sys.argv[1]) // 5)
    slope(int(sys.argv[1]) // 20)
    print("done")
thread = threading.Thread(target=all_of)
thread.start()
thread.join()
"""


@pytest.mark.mica_only
@pytest.mark.parametrize("nodes", [100_000, pytest.param(1_000_000, marks=pytest.mark.long)])
def test_deep_and_wide_on_a_small_stack(nodes: int) -> None:
    """Chains of up to 1,000,000 nodes and trees of 200,000 leaves on a C stack of 256 KiB."""
    assert run(DEEP, str(nodes), seconds=600) == "done\n"
