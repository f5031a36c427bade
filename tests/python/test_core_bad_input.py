"""Wrong calls: thousands drawn from the signatures of the tables. Each gives an exception or a valid
result; nothing is left over.
"""

from __future__ import annotations

import gc
import re

import numpy as np
import pytest

from tests.ops import coverage, target
from tests.ops.target import mx

COUNT = 1500 if target.LONG else 60
ALLOWED = (
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
HUGE = (2**31 - 1, 2**31, 2**32, 2**62, 2**63 - 1, 2**63, -(2**63), 2**70, -(2**70))
PARAMETER = re.compile(r"(\*?\w+):\s*([a-z]+\??)(?:\s*=\s*('[^']*'|[^,]+?))?\s*(?:,|$|->)")
# Evaluating more elements than these would only take time.
SMALL = 20_000


def counted() -> dict | tuple | None:
    """Counters of live objects, with nothing pending: the random state is a lazy chain of splits."""
    mx.random.seed(0)
    mx.eval(mx.random.state[0])
    gc.collect()
    return target.live()


def signatures() -> dict[str, tuple[list[tuple[str, str, bool]], bool]]:
    """Public name to (parameters as (name, kind, positional only), whether a vararg starts), for all rows
    with a signature.
    """
    found = {}
    for table in coverage.TABLES:
        for kind, name, cls, text, rest in coverage.ROW.findall(table.read_text()):
            if not text or (
                kind == "PRIM" and (cls not in ("UNARY", "BINARY", "TERNARY") or "INTERNAL" in rest)
            ):
                continue
            public = re.sub(r"^(random|fast|linalg|fft)_", r"\1.", name)
            try:
                target.resolve(mx, public)
            except AttributeError:
                continue
            head, _, tail = text.partition("/")
            before = PARAMETER.findall(head) if tail or text.endswith("/") else []
            after = PARAMETER.findall(tail if tail or text.endswith("/") else head)
            parameters = [(n.lstrip("*"), k, True) for n, k, _ in before] + [
                (n.lstrip("*"), k, False) for n, k, _ in after
            ]
            found[public] = (parameters, text.startswith("*"))
    return found


SIGNATURES = signatures()
DTYPES = (
    "bool_",
    "uint8",
    "uint32",
    "int8",
    "int32",
    "int64",
    "float16",
    "bfloat16",
    "float32",
    "float64",
    "complex64",
    "uint64",
)
SHAPES = ((), (1,), (3,), (2, 3), (3, 3), (0,), (2, 0), (2, 3, 4), (1, 1, 1, 1), (2, 2, 3, 4), (1,) * 9)
ODD = (
    None,
    "a",
    "",
    object(),
    [],
    (),
    {},
    1.5,
    float("nan"),
    True,
    b"x",
    [1, [2]],
    lambda: 0,
    type,
    np.zeros(2),
    np.array(["a"]),
    1j,
    ...,
    slice(1),
    range(3),
    mx.float32,
    mx.cpu,
)


def pick(rng: np.random.Generator, items):
    """One of these."""
    return items[int(rng.integers(len(items)))]


def an_array(rng: np.random.Generator):
    """Any dtype, rank, layout; sometimes pending, empty, or with 2**40 elements and no memory."""
    choice = rng.random()
    if choice < 0.04 and target.IS_MICA:
        return mx.broadcast_to(mx.array(1.0), pick(rng, ((2**40,), (2**20, 2**20), (1, 2**33))))
    shape = pick(rng, SHAPES)
    a = mx.ones(shape, dtype=getattr(mx, pick(rng, DTYPES)))
    if choice < 0.2:
        a = a * 2 if a.dtype != mx.bool_ else a
    elif choice < 0.3:
        a = a.T
    elif choice < 0.4 and a.ndim:
        a = a[::-1]
    elif choice < 0.45:
        a = mx.full(shape, float("nan"))
    elif choice < 0.5 and target.IS_MICA:
        a = mx.full(shape, 2**30).astype(mx.int32)
    return a


def an_int(rng: np.random.Generator):
    """Small, mostly."""
    return int(rng.integers(-6, 7)) if rng.random() < 0.75 else pick(rng, HUGE)


def some_ints(rng: np.random.Generator):
    """A tuple or list of integers."""
    return pick(rng, (tuple, list))(an_int(rng) for _ in range(int(rng.integers(0, 5))))


def value(rng: np.random.Generator, kind: str):
    """A value of a kind; one time in five anything else."""
    if rng.random() < 0.2:
        return pick(rng, ODD)
    kind = kind.rstrip("?")
    if kind == "array":
        return an_array(rng)
    if kind == "operand":
        return (
            an_array(rng)
            if rng.random() < 0.6
            else pick(
                rng, (1, 2.5, True, 1j, np.float32(2), np.ones(3), np.ones((2, 3), np.int16), 2**40, -1)
            )
        )
    if kind == "arrays":
        return [an_array(rng) for _ in range(int(rng.integers(0, 4)))]
    if kind in ("int", "axis"):
        return an_int(rng)
    if kind in ("axes", "dims", "shape"):
        return some_ints(rng) if rng.random() < 0.7 else an_int(rng)
    if kind == "float":
        return pick(rng, (0.5, -1.0, 0.0, float("nan"), float("inf"), 1e300, 3, 1e-300, -float("inf")))
    if kind == "dtype":
        return getattr(mx, pick(rng, DTYPES))
    if kind == "bool":
        return bool(rng.integers(2))
    if kind == "string":
        return pick(rng, ("constant", "edge", "xy", "ij", "left", "causal", "\0", "x" * 1000, "é"))
    if kind == "key":
        return mx.random.key(3) if rng.random() < 0.7 else an_array(rng)
    return pick(rng, ODD)


def call(rng: np.random.Generator, name: str) -> str:
    """One call, evaluated when it is small; the text of what was raised, or ''."""
    parameters, variadic = SIGNATURES[name]
    args, kwargs = [], {}
    for i, (parameter, kind, positional) in enumerate(parameters):
        given = value(rng, kind)
        if variadic and i == 0:
            args += [value(rng, "array") for _ in range(int(rng.integers(0, 4)))]
        elif positional or (not kwargs and rng.random() < 0.6):
            args.append(given)
        elif rng.random() < 0.7:
            kwargs[parameter] = given
    mischief = rng.random()
    if mischief < 0.03:
        args.append(pick(rng, ODD))
    elif mischief < 0.06 and args:
        args.pop()
    elif mischief < 0.09:
        kwargs[pick(rng, ("unknown", "a", "stream", "axis"))] = pick(rng, ODD)
    try:
        result = target.resolve(mx, name)(*args, **kwargs)
        leaves = [
            x for x in (result if isinstance(result, (list, tuple)) else [result]) if isinstance(x, mx.array)
        ]
        sizes = [x.size for x in (*leaves, *[a for a in args if isinstance(a, mx.array)])]
        sizes += [x.size for a in args if isinstance(a, (list, tuple)) for x in a if isinstance(x, mx.array)]
        sizes += [x.size for x in kwargs.values() if isinstance(x, mx.array)]
        numbers = [n for a in (*args, *kwargs.values()) for n in (a if isinstance(a, (list, tuple)) else [a])]
        sizes += [abs(n) for n in numbers if type(n) is int]
        assert all(
            isinstance(x, (mx.array, int, float, bool, tuple, mx.Dtype))
            for x in (result if isinstance(result, (list, tuple)) else [result])
        ), result
        for x in leaves:
            assert all(n >= 0 for n in x.shape) and x.ndim == len(x.shape)
        if all(size <= SMALL for size in sizes):
            mx.eval(leaves)
        return ""
    except ALLOWED as error:
        return f"{type(error).__name__}: {error}"


@pytest.mark.mica_only
@pytest.mark.parametrize("name", sorted(SIGNATURES))
def test_wrong_calls(name: str) -> None:
    """An exception of a public class with a text, or a result; the counters of live objects come back."""
    rng = np.random.default_rng(len(name))
    mx.random.seed(0)  # the state's key stays alive
    call(rng, name)
    before = counted()
    rng = np.random.default_rng(sum(map(ord, name)))
    refused = 0
    for i in range(COUNT):
        text = call(rng, name)
        refused += bool(text)
        if text:
            assert len(text.split(":", 1)[1].strip()) > 5, f"call {i}: no text in {text!r}"
            assert "bad_cast" not in text and "SystemError" not in text
    mx.synchronize()
    assert counted() == before, "objects are left"
    assert refused, "no call was wrong"
    assert (mx.ones((2,)) + 1).tolist() == [2.0, 2.0]


def test_signatures_are_found() -> None:
    """The generator reads the tables."""
    assert len(SIGNATURES) > 100
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
        arguments = [
            value(rng, pick(rng, ("array", "int", "axes", "dtype", "float", "bool", "operand")))
            for _ in range(int(rng.integers(0, 4)))
        ]
        if a.size > SMALL or any(isinstance(x, mx.array) and x.size > SMALL for x in arguments):
            continue
        try:
            result = getattr(a, method)(*arguments)
            if isinstance(result, mx.array) and result.size <= SMALL:
                mx.eval(result)
            mx.eval(a)
        except (*ALLOWED, AttributeError, BufferError):
            pass
    a = arguments = result = None
    assert counted() == before


TRANSFORMS = (
    "grad",
    "value_and_grad",
    "vjp",
    "jvp",
    "vmap",
    "compile",
    "checkpoint",
    "custom_function",
    "eval",
    "async_eval",
    "depends",
    "save",
    "load",
    "save_safetensors",
    "stream",
    "set_default_device",
    "set_default_stream",
    "synchronize",
    "set_printoptions",
    "finfo",
    "iinfo",
    "issubdtype",
    "isdtype",
    "can_cast",
    "result_type",
    "broadcast_shapes",
    "array",
    "from_dlpack",
    "Device",
    "random.key",
    "random.split",
    "random.seed",
    "random.permutation",
)


@pytest.mark.mica_only
@pytest.mark.parametrize("name", TRANSFORMS)
def test_wrong_calls_of_the_rest(name: str) -> None:
    """Callables outside the tables: arguments of any kind, results called with arguments of any kind."""
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
        arguments = [
            pick(rng, functions)
            if rng.random() < 0.4
            else value(rng, pick(rng, ("array", "int", "axes", "arrays", "string")))
            for _ in range(int(rng.integers(0, 4)))
        ]
        arguments = [x for x in arguments if x is not print]
        if any(isinstance(x, mx.array) and x.size > SMALL for x in arguments):
            continue
        if name in ("save", "save_safetensors") and arguments and isinstance(arguments[0], (str, bytes)):
            continue
        try:
            result = function(*arguments)
            if callable(result) and name in (
                "grad",
                "value_and_grad",
                "vmap",
                "compile",
                "checkpoint",
                "custom_function",
            ):
                result(*[value(rng, "array") for _ in range(int(rng.integers(0, 3)))])
        except (*ALLOWED, AttributeError, BufferError):
            pass
    arguments = result = None
    mx.set_printoptions(precision=-1)
    mx.set_default_device(mx.cpu)
    assert counted() == before
    assert (mx.ones((2,)) + 1).tolist() == [2.0, 2.0]


@pytest.mark.mica_only
@pytest.mark.parametrize(
    ("wrong", "texts"),
    (
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
    ),
    ids=range(12),
)
def test_texts(wrong, texts) -> None:
    """Messages name the function, what was given and what is accepted."""
    with pytest.raises(Exception) as caught:
        mx.eval(wrong())
    for text in texts:
        assert text in str(caught.value), str(caught.value)


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
