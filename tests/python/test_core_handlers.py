"""Signal handlers that evaluate: they run on the thread that an evaluation has, in its middle."""

from __future__ import annotations

import pytest

from tests.python.test_core_streams import run

pytestmark = pytest.mark.mica_only

HEAD = """
import os, signal, warnings
import mica.core as mx
warnings.simplefilter("ignore", DeprecationWarning)
seen = []
w = mx.ones((150, 150)) / 150
t = mx.new_stream(mx.cpu)
mx.eval(w)
loss = w
for _ in range(1500):
    loss = loss @ w
for _ in range(1500):
    loss = mx.matmul(loss, w, stream=t)
loss = loss.sum()
{before}
def handler(*unused):
    seen.append(1)
    {handler}
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.03, {again})
mx.eval(loss)
signal.setitimer(signal.ITIMER_REAL, 0)
assert seen, "the handler did not run"
assert abs(loss.item() - 150) < 0.1
"""

HANDLERS = {
    "the value itself": "assert abs(loss.item() - 150) < 0.1",
    "what follows from it": "assert abs((loss * 2).item() - 300) < 0.2",
    "its stream": "mx.synchronize()",
    "the other stream": "mx.synchronize(t)",
    "new work there": "assert mx.add(w, 1, stream=t).sum().item() > 0",
    "a file": "mx.save(os.devnull, loss)",
    "started only": "mx.async_eval(loss)",
    "its gradient": "mx.eval(mx.grad(lambda x: (x * loss).sum())(w))",
    "a child": """
    child = os.fork()
    if child == 0:
        signal.alarm(0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        os._exit(0 if abs(loss.item() - 150) < 0.1 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0""",
}


@pytest.mark.parametrize("before", ["", "mx.async_eval(loss)"], ids=["alone", "beside executors"])
@pytest.mark.parametrize("name", HANDLERS)
def test_handler_asks_for(name: str, before: str) -> None:
    """What the handler waits for is computed there; the evaluation below goes on with what is left."""
    run(HEAD.replace("{handler}", HANDLERS[name]).replace("{before}", before).replace("{again}", "0"))


def test_handlers_come_again() -> None:
    """Each evaluation within another one gives way to the next."""
    run(
        HEAD.replace("{handler}", "mx.eval(loss * len(seen)) if len(seen) < 6 else None")
        .replace("{before}", "")
        .replace("{again}", "0.03")
    )


WITHIN = """
import os, signal
os.environ["MICA_THREADS"] = "1"
import mica.core as mx
said = []
x, other = mx.random.normal((1 << 24,), key=mx.random.key(0)), mx.ones((3,)) + 1
mx.eval(x)
y = mx.sort(x)
def handler(*unused):
    try:
        said.append(y[0].item())
    except RuntimeError as error:
        said.append(str(error))
    assert other.tolist() == [2, 2, 2]
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.02)
mx.eval(y)
signal.setitimer(signal.ITIMER_REAL, 0)
print(said)
assert not said or isinstance(said[0], float) or "a signal handler waits" in said[0]
assert mx.all(y[1:] >= y[:-1]).item()
"""


def test_handler_within_a_kernel() -> None:
    """Waiting for the kernel that is interrupted is an error, not a wait without end; the rest works."""
    run(WITHIN)
