"""Wrong calls: thousands drawn from the signatures of the tables. Each gives an exception or a valid
result; nothing is left over.
"""

from __future__ import annotations

import contextlib
import re
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.ops import target, vocabulary
from tests.ops.target import mx
from tests.ops.wrong import ODD, SIGNATURES, SMALL, an_array, arguments, counted, pick, text, value

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import gen  # noqa: E402
import page  # noqa: E402

COUNT = 1500 if target.LONG else 60
ALLOWED = {
    "TypeError",
    "ValueError",
    "IndexError",
    "OverflowError",
    "MemoryError",
    "RuntimeError",
    "OSError",
    "KeyError",
    "NotImplementedError",
}
RAISED = (
    TypeError,
    ValueError,
    IndexError,
    OverflowError,
    MemoryError,
    RuntimeError,
    OSError,
    KeyError,
    NotImplementedError,
)


def checked(function: str, given: str) -> str:
    """Makes one call; what it gives is an array or a plain value. The text of what was raised, or ''."""
    found = vocabulary.run(mx, function, given)
    if found[0] == "skipped":
        return ""
    if found[0] == "error":
        _, kind, text = found
        assert kind in ALLOWED, f"{function}({given}): {kind}: {text}"
        assert len(text.strip()) > 5 and "bad_cast" not in text, f"{function}({given}): {kind}: {text!r}"
        return f"{kind}: {text}"
    return ""


@pytest.mark.mica_only
@pytest.mark.parametrize("name", sorted(SIGNATURES))
def test_wrong_calls(name: str) -> None:
    """An exception of a public class with a text, or a result; the counters of live objects come back."""
    rng = np.random.default_rng(len(name))
    checked(f"mx.{name}", arguments(rng, name))  # the state's key stays alive
    before = counted()
    rng = np.random.default_rng(sum(map(ord, name)))
    named = re.compile(rf"\[{name.rsplit('.', 1)[-1]}\]|\b{name.rsplit('.', 1)[-1]}\(\)")
    refused = 0
    for _ in range(COUNT):
        given = arguments(rng, name)
        text = checked(f"mx.{name}", given)
        refused += bool(text)
        assert not text or named.search(text), f"mx.{name}({given}): {text!r} does not name the function"
    mx.synchronize()
    assert counted() == before, "objects are left"
    assert refused, "no call was wrong"
    assert (mx.ones((2,)) + 1).tolist() == [2.0, 2.0]


def test_signatures_are_found() -> None:
    """The generator reads the tables: each function of Python, each kind of argument."""
    assert {page.public_name(f) for f in gen.load()} <= set(SIGNATURES)
    rng = np.random.default_rng(0)
    kinds = {kind.rstrip("?") for parameters, _ in SIGNATURES.values() for _, kind, _ in parameters}
    assert kinds <= set(gen.KINDS)
    for kind in kinds:
        drawn = [text(rng, kind) for _ in range(80)]
        assert sum(x not in ODD for x in drawn) > 10, f"text() draws nothing for {kind}"
    assert SIGNATURES["exp"][0] == [("a", "operand", True)]
    assert ("keepdims", "bool", False) in SIGNATURES["sum"][0]


METHODS = (
    "reshape",
    "transpose",
    "astype",
    "view",
    "sum",
    "max",
    "mean",
    "var",
    "argmax",
    "squeeze",
    "split",
    "moveaxis",
    "swapaxes",
    "flatten",
    "diagonal",
    "round",
    "__getitem__",
    "__add__",
    "__matmul__",
    "__pow__",
    "__lshift__",
    "__eq__",
    "__lt__",
    "__setitem__",
    "__format__",
    "__dlpack__",
    "__setstate__",
    "cumsum",
    "all",
    "item",
    "tolist",
)


@pytest.mark.mica_only
@pytest.mark.parametrize("method", METHODS)
def test_wrong_method_calls(method: str) -> None:
    """Methods with arguments of any kind."""
    rng = np.random.default_rng(sum(map(ord, method)))
    mx.eval(mx.ones((1,)) + 1)
    before = counted()
    for _ in range(COUNT * 3):
        a = an_array(rng)
        given = [
            value(rng, pick(rng, ("array", "int", "axes", "dtype", "float", "bool", "operand")))
            for _ in range(int(rng.integers(0, 4)))
        ]
        if a.size > SMALL or any(isinstance(x, mx.array) and x.size > SMALL for x in given):
            continue
        try:
            result = getattr(a, method)(*given)
            if isinstance(result, mx.array) and result.size <= SMALL:
                mx.eval(result)
            mx.eval(a)
        except (*RAISED, AttributeError, BufferError):
            pass
    a = given = result = None
    assert counted() == before


# Callables outside the tables that are not called with anything, and why.
NOT_CALLED = {
    "set_memory_limit": "what follows would run out of memory",
    "set_cache_limit": "what follows would be slow",
    "set_wired_limit": "a limit of the process",
    "disable_compile": "what follows would not be compiled",
    "new_stream": "streams live as long as the process",
    "new_thread_local_stream": "streams live as long as the process",
    "new_thread_unsafe_stream": "streams live as long as the process",
    "clear_streams": "forgets streams of other tests",
    "savez": "any keyword becomes a file's member; tests/python/test_core_io.py",
    "savez_compressed": "tests/python/test_core_io.py",
    "save_gguf": "tests/python/test_core_io.py",
    "metal.start_capture": "starts a capture",
}
# Errors that name what the reference names.
NAMES_ANOTHER = {"depends": "tree_flatten", "distributed.recv_like": "recv", "distributed.send": "send"}
MODULES = ("random", "fast", "linalg", "fft", "metal", "cuda", "distributed")


def rest() -> list[str]:
    """Functions of mica.core, and classes that arguments make, that no table lists."""
    aliases = {row[0] for row, _, _ in gen.rows(gen.ALIAS, "ALIAS")}
    found = {name for name in dir(mx) if callable(getattr(mx, name))}
    for module in MODULES:
        inside = getattr(mx, module, None)
        found |= {f"{module}.{name}" for name in dir(inside) if callable(getattr(inside, name))}
    kept = {name for name in found if not name.rsplit(".", 1)[-1].startswith("_")}
    kept = {n for n in kept if not isinstance(target.resolve(mx, n), type) or n in ("array", "Device")}
    left_out = {n for n in kept if n in NOT_CALLED or n.rsplit(".", 1)[-1] in NOT_CALLED}
    return sorted(kept - set(SIGNATURES) - aliases - left_out | {"custom_function"})


TRANSFORMS = rest() if target.IS_MICA else []


@pytest.mark.mica_only
@pytest.mark.parametrize("name", TRANSFORMS)
def test_wrong_calls_of_the_rest(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Callables outside the tables: arguments of any kind, results called with arguments of any kind."""
    monkeypatch.chdir(tmp_path)  # a drawn text may be taken for a file's name
    try:
        function = target.resolve(mx, name)
    except AttributeError:
        pytest.skip("not there yet")
    rng = np.random.default_rng(sum(map(ord, name)))
    functions = (
        lambda x: x,
        lambda *a: mx.array(1.0),
        lambda: 0,
        lambda x: x.sum(),
        lambda *a: None,
        lambda x, y: x @ y,
        print,
        5,
    )
    before = counted()
    for _ in range(COUNT):
        given = [
            pick(rng, functions)
            if rng.random() < 0.4
            else value(rng, pick(rng, ("array", "int", "axes", "arrays", "string")))
            for _ in range(int(rng.integers(0, 4)))
        ]
        given = [x for x in given if x is not print]
        if any(isinstance(x, mx.array) and x.size > SMALL for x in given):
            continue
        if name in ("save", "save_safetensors") and given and isinstance(given[0], (str, bytes)):
            continue
        try:
            result = function(*given)
            if callable(result) and name in (
                "grad",
                "value_and_grad",
                "vmap",
                "compile",
                "checkpoint",
                "custom_function",
            ):
                result(*[value(rng, "array") for _ in range(int(rng.integers(0, 3)))])
        except (*RAISED, AttributeError, BufferError) as error:
            named = re.search(rf"\b{name.rsplit('.', 1)[-1]}\b", str(error))
            called = any(map(callable, given[:2]))  # what a drawn function raises is its own
            filed = isinstance(error, OSError) and error.filename is not None  # Python's own, of a file
            assert named or called or filed or name in NAMES_ANOTHER, f"{name}{given}: {error!r}"
    given = result = None
    mx.set_printoptions(precision=-1)
    mx.set_default_device(mx.cpu)
    assert counted() == before
    assert (mx.ones((2,)) + 1).tolist() == [2.0, 2.0]


@pytest.mark.mica_only
@pytest.mark.parametrize(
    ("wrong", "texts"),
    (
        (lambda: mx.fft.istft(mx.zeros((0, 3))), ("[istft]", "(0, 3)", "give n_fft")),
        (lambda: mx.sum(mx.ones((2, 3)), axis=3), ("sum", "3", "2")),
        (lambda: mx.ones((4, 3)) + mx.ones((4,)), ("broadcast", "(4, 3)", "(4,)")),
        (lambda: mx.ones((2, 3)) @ mx.ones((2, 3)), ("matmul", "(2, 3)")),
        (lambda: mx.exp("a"), ("exp", "str")),
        (lambda: mx.reshape(mx.ones((2, 3)), (4, 2)), ("reshape", "6")),
        (lambda: mx.concatenate([mx.ones((2, 3)), mx.ones((2, 4))]), ("concatenate", "(2, 4)")),
        (lambda: mx.zeros((2,), dtype="float32"), ("zeros", "dtype", "str")),
        (lambda: mx.take(mx.arange(3), 7), ("7", "3")),
        (lambda: mx.bitwise_and(mx.ones((2,)), 1.5), ("bitwise_and", "float32")),
        (lambda: mx.sort(mx.ones((2,)), axis=2), ("sort", "2")),
        (lambda: mx.split(mx.arange(5), 2), ("split", "5", "2")),
        (lambda: mx.squeeze(mx.ones((2, 3)), 0), ("squeeze", "2")),
        (lambda: mx.vjp(5, [mx.ones((2,))], []), ("vjp", "function", "int")),
        (lambda: mx.jvp(5, [mx.ones((2,))], [mx.ones((2,))]), ("jvp", "function", "int")),
        (lambda: mx.from_dlpack(np.array(["a"])), ("from_dlpack", "1w")),
        (lambda: mx.export_function("x" * 300, lambda x: x, mx.ones((2,))), ("export_function", "too long")),
        (lambda: mx.distributed.init(mx.ones((3, 3))), ("init", "strict", "array")),
        # Found before a graph or a list fills the memory.
        (lambda: mx.full(mx.broadcast_to(mx.array(1.0), (2**40,)), 1), ("full", "8796093022")),
        (lambda: mx.diff(mx.broadcast_to(mx.array(1), (2**40,)), 2**32), ("diff", "1048576", "4294967296")),
    ),
    ids=range(20),
)
def test_texts(wrong, texts) -> None:
    """Messages name the function, what was given and what is accepted."""
    with pytest.raises(Exception) as caught:
        mx.eval(wrong())
    for part in texts:
        assert part in str(caught.value), str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "kind"),
    (
        (lambda: mx.ones((2,)) + mx.ones((3,)), ValueError),
        (lambda: mx.sum(mx.ones((2,)), axis=1), IndexError),
        (lambda: mx.mean(mx.ones((2,)), axis=1), IndexError),
        (lambda: mx.sort(mx.ones((2,)), axis=1), IndexError),
        (lambda: mx.exp(), TypeError),
        (lambda: mx.exp(1, 2), TypeError),
        (lambda: mx.exp(a=mx.ones((1,))), TypeError),
        (lambda: mx.add(mx.ones((1,))), TypeError),
        (lambda: mx.sum(mx.ones((1,)), unknown=1), TypeError),
        (lambda: mx.sum([1, 2]), TypeError),
        (lambda: mx.sum(mx.ones((1,)), axis="a"), TypeError),
        (lambda: mx.matmul(mx.ones((2, 3)), mx.ones((2, 3))), ValueError),
        (lambda: mx.matmul(mx.ones((2, 2), dtype=mx.int32), mx.ones((2, 2), dtype=mx.int32)), ValueError),
        (lambda: mx.concatenate([]), ValueError),
        (lambda: mx.stack([]), ValueError),
        (lambda: mx.negative(mx.array(True)), ValueError),
        (lambda: mx.clip(mx.ones((1,)), None, None), ValueError),
        (lambda: mx.zeros((-1,)), ValueError),
        (lambda: mx.arange(0, 1, 0), ValueError),
        (lambda: mx.reshape(mx.ones((6,)), (4, 2)), ValueError),
        (lambda: mx.erf(mx.array(1j)), ValueError),
        (lambda: mx.transpose(mx.ones((2, 3)), (0, 0)), ValueError),
        (lambda: mx.expand_dims(mx.ones((2,)), 5), IndexError),
        (lambda: mx.moveaxis(mx.ones((2,)), 0, 3), IndexError),
    ),
)
def test_classes(wrong, kind) -> None:
    """The class of the exception is the reference's."""
    with pytest.raises(kind):
        mx.eval(wrong())


@pytest.mark.mica_only
def test_signals_while_lists_are_made_and_read() -> None:
    """Handlers run in the middle, and may change the list that is read."""
    rows = 1 << 20
    lists: list = []
    handled: list[int] = []

    def shrink(*unused: object) -> None:
        handled.append(len(lists))
        if lists:
            del lists[rows // 2 :]

    before = signal.signal(signal.SIGALRM, shrink)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        made = mx.zeros((4, rows)).tolist()
        signal.setitimer(signal.ITIMER_REAL, 0)
        assert len(made) == 4 and len(handled) > 3
        lists, handled = made.pop(), []
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        with contextlib.suppress(ValueError, IndexError):  # unless it was cut before it was looked at
            assert mx.array(lists).size == rows // 2
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
