"""Memory: exact counters, limits, what does not fit, in-place updates, peaks against liveness."""

from __future__ import annotations

import gc
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import mica.liveness
import pytest

from tests.ops.target import mx

pytestmark = pytest.mark.mica_only
MIB = 1 << 20


@pytest.fixture(autouse=True)
def _limits():
    """Limits are as before, whatever a test does."""
    gc.collect()
    limit = mx.get_memory_limit()
    yield
    mx.set_memory_limit(limit)


def test_counters_are_exact() -> None:
    """Active, peak and cached bytes by the byte; buffers once, views never."""
    mx.clear_cache()
    assert mx.get_cache_memory() == 0
    before = mx.get_active_memory()
    x = mx.arange(MIB)
    mx.eval(x)
    mx.reset_peak_memory()
    assert mx.get_active_memory() - before == 4 * MIB
    y = mx.cumsum(x)
    mx.eval(y)
    assert mx.get_peak_memory() - before == 8 * MIB
    view = x.reshape(-1, 4).T
    mx.eval(view)
    assert mx.get_array_buffer_size(x, [y, {"a": view}]) == 8 * MIB
    del y
    assert mx.get_active_memory() - before == 4 * MIB and mx.get_cache_memory() == 4 * MIB
    mx.clear_cache()
    assert mx.get_cache_memory() == 0


@pytest.mark.parametrize("size", [1, 3, 17, 1000, 4097, 70_001, MIB + 1])
def test_size_of_buffers_is_what_active_memory_grew_by(size: int) -> None:
    """Blocks as large as they are taken; nothing for one number."""
    before = mx.get_active_memory()
    x = mx.array([float(i % 7) for i in range(size)])
    grown = mx.get_active_memory() - before
    assert grown >= (x.nbytes if size > 1 else 0)
    assert mx.get_array_buffer_size(x) == grown
    y = mx.cumsum(x)
    mx.async_eval(y)
    assert mx.get_array_buffer_size(y, {"x": [x, (y, "text")]}) == mx.get_active_memory() - before
    with pytest.raises(ValueError, match=r"\[get_array_buffer_size\] array 1 of shape .* not evaluated"):
        mx.get_array_buffer_size(y, x + 1)


def test_what_does_not_fit() -> None:
    """MemoryError with the numbers that matter; what was done is kept for a later try with more room."""
    x = mx.cumsum(mx.arange(MIB))
    y = mx.concatenate([x, x[::-1] + 1])
    mx.set_memory_limit(mx.get_active_memory() + 9 * MIB)
    with pytest.raises(MemoryError) as error:
        mx.eval(y)
    text = str(error.value)
    for word in ("requested", "active", "cached", "limit", "8.00 MiB"):
        assert word in text, text
    mx.set_memory_limit(1 << 34)
    mx.eval(y)
    assert y[0].item() == 0 and y.size == 2 * MIB


def test_limit_holds_for_the_cache() -> None:
    """A limit below what is active: freed memory is not kept, and what fits then finds room."""
    mx.clear_cache()
    x = mx.ones((MIB,)) + 1
    mx.eval(x)
    rest = mx.get_active_memory() - x.nbytes
    mx.set_memory_limit(rest + MIB)
    del x
    assert mx.get_active_memory() == rest and mx.get_cache_memory() == 0
    y = mx.arange(MIB // 8) + 1
    mx.eval(y)
    del y
    assert mx.get_cache_memory() == MIB // 2
    with pytest.raises(MemoryError, match="limit would be exceeded.* cached 0 bytes"):
        mx.eval(mx.arange(MIB) + 1)
    assert mx.get_cache_memory() == 0


FULL_ADDRESS_SPACE = """
import resource
import mica.core as mx
n = mx.arange(1000)
mx.eval(n)
n.sum().item()
x = mx.ones((30 << 20,)) + 1
mx.eval(x)
del x
assert mx.get_cache_memory() >= 120 << 20
pages = int(open("/proc/self/statm").read().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (2 << 20), -1))
for _ in range(30_000):
    n = n + 1
print(n.sum().item(), mx.get_cache_memory() < 1 << 20)
"""


@pytest.mark.unsanitized
def test_address_space_full_of_cache() -> None:
    """What graphs and evaluations need besides arrays makes the cache give way, too."""
    result = subprocess.run(
        [sys.executable, "-c", FULL_ADDRESS_SPACE], capture_output=True, text=True, timeout=60
    )
    assert result.stdout == "30499500 True\n", result.stderr


def test_order_of_low_memory() -> None:
    """Under a limit, many large results that are needed twice are made one after the other."""
    x = mx.random.normal((MIB // 4,))
    mx.eval(x)
    large = [mx.sort(x * i) for i in range(1, 25)]
    low, high = [mx.min(a) for a in large], [mx.max(a) for a in large]
    total = mx.stack(low).sum() + mx.stack(high).sum()
    del large, low, high
    mx.set_memory_limit(mx.get_active_memory() + 6 * MIB)
    mx.eval(total)


def test_waits_for_running_work() -> None:
    """What finds no memory waits for what another stream holds before it gives up."""
    stream = mx.new_stream(mx.cpu)
    for _ in range(3):
        x = mx.arange(MIB, stream=stream)
        for i in range(4):
            x = mx.cumsum(x, reverse=bool(i % 2), stream=stream)
        x = mx.max(x, stream=stream)
        y = mx.max(mx.concatenate([mx.arange(MIB), mx.arange(MIB)]))
        mx.set_memory_limit(mx.get_active_memory() + 17 * MIB)
        mx.async_eval(x)
        mx.eval(y)
        mx.synchronize(stream)
        assert y.item() == MIB - 1


def test_threads_share_a_limit() -> None:
    """Threads that evaluate at once get along where one of them fits alone."""
    size = 300

    def make(stream: mx.Stream) -> mx.array:
        x = mx.random.normal((size, size), key=mx.random.key(1), stream=stream)
        return mx.sum(mx.matmul(mx.sort(x, stream=stream), x, stream=stream), stream=stream)

    streams = [mx.new_stream(mx.cpu) for _ in range(6)]
    need = 0
    for _ in range(2):
        alone = make(streams[0])
        before = mx.get_active_memory()
        mx.reset_peak_memory()
        mx.eval(alone)
        need = mx.get_peak_memory() - before
    for _ in range(10):
        sums = [make(stream) for stream in streams]
        room = mx.get_active_memory() + need + need // 20
        limit = mx.set_memory_limit(room)
        mx.reset_peak_memory()
        with ThreadPoolExecutor(len(streams)) as pool:
            assert set(pool.map(lambda x: x.item(), sums)) == {alone.item()}
        assert mx.get_peak_memory() <= room
        mx.set_memory_limit(limit)


@pytest.mark.parametrize("count", [500, pytest.param(10_000, marks=pytest.mark.long)])
def test_cache_in_place(count: int) -> None:
    """A key-value cache that is written in place is never copied, by index or by slice_update."""
    cache = mx.zeros((1, 8, 512, 64)) + 0
    keys = mx.ones((1, 8, 1, 64))
    mx.eval(cache, keys)
    mx.reset_peak_memory()
    before = mx.get_active_memory()
    for i in range(count):
        at = i % 512
        if i % 2:
            cache[..., at : at + 1, :] = keys
        else:
            cache = mx.slice_update(cache, keys, mx.array([at]), [2])
        mx.eval(cache)
    assert mx.get_peak_memory() - before < cache.nbytes // 8
    assert mx.sum(cache).item() == 8 * 64 * min(count, 512)


def test_donation_through_views() -> None:
    """An operand that dies gives its memory on, also through reshapes and transpositions."""
    x = mx.random.normal((512, 512))
    mx.eval(x)
    mx.reset_peak_memory()
    before = mx.get_active_memory()
    y = mx.sort(x)
    mx.eval(y)
    for _ in range(5):
        y = mx.sqrt(mx.abs(y.reshape(256, 1024).T)) + 1
        y = y.reshape(1024, 256).T.reshape(512, 512)
        mx.eval(y)
    assert mx.get_peak_memory() - before <= 2 * x.nbytes + 4096


def test_peak_of_a_training_step() -> None:
    """At most 1.1 times what liveness requires of the schedule."""
    import mica.nn as nn
    import mica.optimizers as optim

    model = nn.Sequential(
        nn.Linear(64, 256), nn.GELU(), nn.Linear(256, 256), nn.LayerNorm(256), nn.Linear(256, 8)
    )
    optimizer = optim.AdamW(1e-3)
    x, y = mx.random.normal((2048, 64)), mx.random.normal((2048, 8))
    step = nn.value_and_grad(model, lambda m, x, y: nn.losses.mse_loss(m(x), y))

    def train() -> None:
        loss, grads = step(model, x, y)
        optimizer.update(model, grads)
        mx.eval(loss, model.parameters(), optimizer.state)

    train()
    with mica.liveness.watch() as report:
        train()
        train()
    assert report.evaluations == 2
    assert report.required > 2 * MIB and report.ratio <= 1.1, str(report)


def test_report_without_allocation() -> None:
    """An evaluation that takes no memory, since an operand gives its own, has the peak of what was there."""
    x = mx.random.normal((MIB,))
    mx.eval(x)
    before = mx.get_active_memory()
    with mica.liveness.watch() as report:
        y = x * 2
        del x
        mx.eval(y)
    assert report.required == before
    assert before <= report.peak < before + 64 * 1024


def test_report_of_a_program(tmp_path: Path) -> None:
    """`python -m mica.liveness` runs a program with its arguments and says what it took."""
    program = tmp_path / "program.py"
    program.write_text(
        "import sys\nimport mica.core as mx\n"
        "mx.eval(mx.cumsum(mx.arange(int(sys.argv[1]))))\nprint(__name__)\nsys.exit(3)\n"
    )
    result = subprocess.run(
        [sys.executable, "-m", "mica.liveness", str(program), "100000"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 3 and result.stdout == "__main__\n", result.stderr
    assert "cumsum (100000,)" in result.stderr and "1.000 of it" in result.stderr
