"""Functions in files: signatures, errors, damaged files, DOT."""

from __future__ import annotations

import io
import random
import zlib
from pathlib import Path

import mica.core as mx
import numpy as np
import pytest

A = mx.array([1.0, 2.0])
B = mx.ones((3,))


def add(x, y):
    """Two results in a list."""
    return [mx.exp(x) + y, x * mx.array(2.0)]


def same(got: tuple, want: list) -> None:
    """Equal bits; an imported function gives a tuple."""
    assert type(got) is tuple and len(got) == len(want)
    for x, y in zip(got, want, strict=True):
        assert x.dtype == y.dtype
        np.testing.assert_array_equal(np.array(x), np.array(y))


def test_ways_to_give_inputs(tmp_path: Path) -> None:
    """Positional and keyword arrays, or one tuple and one dict, match alike."""
    path = str(tmp_path / "f.mlxfn")
    mx.export_function(path, add, A, y=A)
    f = mx.import_function(path)
    same(f(A, y=A), add(A, A))
    same(f((A,), {"y": A}), add(A, A))
    mx.export_function(path, add, (A, A))
    same(mx.import_function(path)([A, A]), add(A, A))
    mx.export_function(path, lambda x: x * 2, A)
    same(mx.import_function(path)(A), [A * 2])


def test_no_match_lists_what_there_is(tmp_path: Path) -> None:
    """A call that fits no signature says which there are and what was given."""
    mx.export_function(tmp_path / "f", add, A, y=A)
    f = mx.import_function(tmp_path / "f")
    for call in (lambda: f(A), lambda: f(A, A), lambda: f(B, y=B), lambda: f(A.astype(mx.float16), y=A)):
        with pytest.raises(ValueError, match="1 positional inputs and 1 keyword inputs"):
            call()
    with pytest.raises(ValueError, match="single tuple and/or dictionary"):
        f(1.0, y=A)


def test_several_signatures(tmp_path: Path) -> None:
    """One file holds several; the same one twice and writing after closing are refused."""
    with mx.exporter(tmp_path / "f", add) as export:
        assert export(A, A) is None
        export(B, B)
        with pytest.raises(RuntimeError, match="twice"):
            export(A, A)
    with pytest.raises(RuntimeError, match="closed"):
        export(A, A)
    f = mx.import_function(tmp_path / "f")
    same(f(B, B), add(B, B))
    same(f(A, A), add(A, A))


def test_a_failed_block_writes_nothing(tmp_path: Path) -> None:
    """An exception inside leaves no file."""
    with pytest.raises(ZeroDivisionError), mx.exporter(tmp_path / "f", add) as export:
        export(A, A)
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())


def test_shapeless(tmp_path: Path) -> None:
    """Other sizes pass through element-wise operations and slices."""
    mx.export_function(tmp_path / "f", add, A, A, shapeless=True)
    f = mx.import_function(tmp_path / "f")
    same(f(B, B), add(B, B))
    same(f(A, A), add(A, A))
    with pytest.raises(ValueError, match="No imported function"):
        f(mx.ones((2, 2)), B)
    mx.export_function(tmp_path / "f", lambda x: x[1:], A, shapeless=True)
    same(mx.import_function(tmp_path / "f")(B), [B[1:]])


def layers(x: mx.array, w: mx.array) -> mx.array:
    """What a small network does, for a batch of sequences."""
    y = mx.fast.rms_norm(mx.maximum(x @ w, 0), None, 1e-5)
    b, t, d = y.shape
    heads = mx.unflatten(y, 2, (2, d // 2)).transpose(0, 2, 1, 3)
    y = mx.fast.scaled_dot_product_attention(heads, heads, heads, scale=0.5)
    y = mx.flatten(y.transpose(0, 2, 1, 3), 2, 3)
    return mx.concatenate([mx.softmax(y, axis=-1), mx.cumsum(y[:, ::-1], axis=1)], axis=-1).sum(axis=1)


@pytest.mark.parametrize("shape", [(3, 5, 4), (1, 1, 4), (6, 2, 4)])
def test_shapeless_layers(tmp_path: Path, shape: tuple) -> None:
    """Batch and length are followed through products, reshapes, norms, attention, scans and reductions."""
    w = mx.random.normal((4, 8))
    mx.export_function(tmp_path / "f", layers, mx.random.normal((2, 3, 4)), w, shapeless=True)
    x = mx.random.normal(shape)
    (got,) = mx.import_function(tmp_path / "f")(x, w)
    assert got.shape == (shape[0], 16)
    np.testing.assert_allclose(np.array(got), np.array(layers(x, w)), rtol=1e-5, atol=1e-6)


def test_shapeless_counts(tmp_path: Path) -> None:
    """Means, variances and losses divide by the sizes that are given, not by those of the trace."""

    def function(x):
        return [mx.mean(x), mx.var(x, axis=0, ddof=1), mx.std(x, axis=1), mx.mean(x.astype(mx.int32), axis=0)]

    mx.export_function(tmp_path / "f", function, mx.ones((2, 3)), shapeless=True)
    f = mx.import_function(tmp_path / "f")
    for shape in ((2, 3), (5, 4), (1, 2)):
        x = mx.random.normal(shape) * 9
        for got, want in zip(f(x), function(x), strict=True):
            np.testing.assert_allclose(np.array(got), np.array(want), rtol=1e-5)


def test_shapeless_derivatives(tmp_path: Path) -> None:
    """Derivatives of sums, means and variances have the shape that is given."""
    functions = [
        mx.grad(lambda x: (x * x).sum()),
        mx.grad(mx.mean),
        mx.grad(lambda x: (x.mean(axis=0) ** 2).sum()),
        mx.grad(lambda x: x.var(axis=-1).sum()),
        mx.grad(lambda x: (x - x.mean(axis=1, keepdims=True)).square().astype(mx.float16).sum()),
        mx.grad(lambda x: mx.grad(lambda x: (x**3).mean())(x).sum()),
    ]
    for function in functions:
        mx.export_function(tmp_path / "f", function, mx.ones((4, 3)), shapeless=True)
        f = mx.import_function(tmp_path / "f")
        for shape in ((4, 3), (6, 3), (1, 5)):
            x = mx.random.normal(shape)
            (got,) = f(x)
            assert got.shape == shape
            np.testing.assert_allclose(np.array(got), np.array(function(x)), rtol=1e-5, atol=1e-6)


FOLLOWED = {
    "softmax of all": (mx.softmax, (6, 4)),
    "zeros_like": (mx.zeros_like, (5, 6)),
    "ones_like": (lambda x: mx.ones_like(x) * x, (5, 6)),
    "full_like": (lambda x: mx.full_like(x, 2), (5, 6)),
    "gradient of logsumexp": (mx.grad(mx.logsumexp), (6, 4)),
    "gradient of softmax": (mx.grad(lambda x: mx.softmax(x)[0, 0]), (1, 4)),
    "gradient of sort": (mx.grad(lambda x: mx.sort(x, 1).max()), (4, 8)),
    "gradient of cumsum": (mx.grad(lambda x: mx.cumsum(x).max()), (6, 4)),
    "pad": (lambda x: mx.pad(x, 1), (5, 7)),
    "roll": (lambda x: mx.roll(x, 2), (6, 4)),
    "permutation": (lambda x: mx.random.permutation(x, key=mx.random.key(3)), (5, 6)),
    "slice": (lambda x: x[:2], (8, 6)),
    "split": (lambda x: mx.split(x, 2)[0], (8, 6)),
    "rfft": (lambda x: mx.fft.rfft(x, axis=0), (8, 6)),
    "partition": (lambda x: mx.partition(x, 2, axis=0), (8, 6)),
    "a size that was read": (lambda x: x.reshape(x.shape[0] * 2, -1), (5, 6)),
    "eye": (lambda x: mx.eye(x.shape[0]) @ x, (5, 6)),
    "within a threshold": (lambda x: x[:100], (99, 6)),
    "convolution": (lambda x: mx.conv1d(x[None], mx.ones((2, 3, 6))), (9, 6)),
    "several of one size": (lambda x: x @ x.T, (1, 3)),
}


@pytest.mark.parametrize("name", FOLLOWED)
def test_shapeless_sizes(tmp_path: Path, name: str) -> None:
    """Sizes are followed wherever they enter: results, gradients, zeros, what Python code read."""
    function, shape = FOLLOWED[name]
    mx.export_function(tmp_path / "f", function, mx.ones((4, 6)), shapeless=True)
    x = mx.random.normal(shape, key=mx.random.key(1))
    (got,) = mx.import_function(tmp_path / "f")(x)
    want = function(x)
    assert got.shape == want.shape and got.dtype == want.dtype
    np.testing.assert_allclose(np.array(got), np.array(want), rtol=1e-5, atol=1e-6)


REFUSED = {
    "diagonal": ("slice was exported", mx.diagonal, (6, 4)),
    "threshold": ("exported for sizes of 0 to 100", lambda x: x[:100].sum(axis=0), (101, 6)),
    "edge": ("broadcast_to was", lambda x: mx.pad(x, 1, mode="edge"), (5, 6)),
    "inverse transform": ("fft was exported", lambda x: mx.fft.ifft(x, axis=0), (8, 6)),
    "one size": ("the function was exported", lambda x: x.reshape(2, 12), (8, 6)),
    "captured": ("a captured array was exported", lambda x: x * mx.array(x.shape[0]), (5, 6)),
    "loop": ("exported for one shape", lambda x: sum(x[i] for i in range(x.shape[0])), (5, 6)),
    "channels": ("the function was", lambda x: mx.conv1d(x[None], mx.ones((2, 3, 6))), (6, 4)),
    "multiples": ("in multiples of 2", lambda x: mx.split(x, 2)[0], (5, 6)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_shapeless_refusals(tmp_path: Path, name: str) -> None:
    """What a size means is not guessed: other sizes than the traced one are refused."""
    message, function, shape = REFUSED[name]
    x = mx.ones((4, 6))
    mx.export_function(tmp_path / "f", function, x, shapeless=True)
    f = mx.import_function(tmp_path / "f")
    same((f(x)[0],), [function(x)])
    with pytest.raises(ValueError, match=message):
        f(mx.ones(shape))


def test_shapeless_traces_leave_no_trace(tmp_path: Path) -> None:
    """The random state moves as by one call, and a function that takes one size is exported for it."""

    def function(x):
        if x.shape != (2, 3):
            raise RuntimeError("another size")
        return x + mx.random.normal(x.shape)

    x = mx.ones((2, 3))
    mx.random.seed(5)
    want = function(x), mx.random.normal((2,))
    mx.random.seed(5)
    mx.export_function(tmp_path / "f", function, x, shapeless=True)
    same((mx.random.normal((2,)), *mx.import_function(tmp_path / "f")(x)), [want[1], want[0]])


def test_shapeless_is_interrupted(tmp_path: Path) -> None:
    """An interruption of a further trace comes out of the export."""

    def function(x):
        if x.shape[0] != 2:
            raise KeyboardInterrupt
        return x

    with pytest.raises(KeyboardInterrupt):
        mx.export_function(tmp_path / "f", function, A, shapeless=True)
    assert not (tmp_path / "f").exists()


def test_metadata(tmp_path: Path) -> None:
    """A text comes back as it was given."""
    mx.export_function(tmp_path / "f", add, A, A, metadata='{"é": 1}')
    assert mx.import_function(tmp_path / "f", return_metadata=True)[1] == '{"é": 1}'
    mx.export_function(tmp_path / "f", add, A, A)
    assert mx.import_function(tmp_path / "f", return_metadata=True)[1] == ""


def test_bad_values(tmp_path: Path) -> None:
    """Numbers as inputs, dicts as results."""
    with pytest.raises(ValueError, match="Inputs can"):
        mx.export_function(tmp_path / "f", add, A, 1.0)
    with pytest.raises(ValueError, match="Outputs can"):
        mx.export_function(tmp_path / "f", lambda x: {"a": x}, A)
    with pytest.raises(RuntimeError, match="Failed to open"):
        mx.import_function(tmp_path / "none")


def test_transformed(tmp_path: Path) -> None:
    """Imported functions are differentiated; gradients and checkpoints are exported."""
    mx.export_function(tmp_path / "f", lambda x: mx.sum(mx.sin(x) * x), A)
    f = mx.import_function(tmp_path / "f")
    want = mx.grad(lambda x: mx.sum(mx.sin(x) * x))(A)
    same((mx.grad(lambda x: f(x)[0])(A),), [want])
    mx.export_function(tmp_path / "f", mx.grad(mx.checkpoint(lambda x: mx.sum(mx.sin(x) * x))), A)
    same(mx.import_function(tmp_path / "f")(A), [want])


def test_damaged_files(tmp_path: Path) -> None:
    """Each cut and each changed byte is found before anything is built."""
    path = tmp_path / "f"
    mx.export_function(path, add, A, A)
    whole = path.read_bytes()
    draw = random.Random(1)
    for i in range(0, len(whole), 7):
        changed = bytearray(whole)
        changed[i] ^= 1 << draw.randrange(8)
        for data in (whole[:i], bytes(changed)):
            path.write_bytes(data)
            with pytest.raises(RuntimeError, match="import_function"):
                mx.import_function(path)


def crafted(path: Path, change: int, bit: int) -> bytes:
    """A file with one bit changed and the checksum made right."""
    data = bytearray(path.read_bytes())
    data[change] ^= 1 << bit
    described = int.from_bytes(data[16:24], "little")
    data[32:40] = zlib.crc32(bytes(data[48 + described :])).to_bytes(8, "little")
    crc = zlib.crc32(bytes(data[:40]) + bytes(data[48 : 48 + described]))
    data[40:48] = crc.to_bytes(8, "little")
    return bytes(data)


def test_crafted_files(tmp_path: Path) -> None:
    """Files with a right checksum and a wrong graph fail or give something; they never end the process."""
    path, other = tmp_path / "f", tmp_path / "g"

    def function(x, w):
        return mx.sort(x[:, ::-1] @ w, axis=-1)[1:, :2], mx.take(w, mx.array([1, 0]), axis=0).sum(axis=0)

    x, w = mx.ones((4, 3)), mx.ones((3, 5))
    mx.export_function(path, function, x, w)
    size, refused = len(path.read_bytes()), 0
    for i in range(48, size, 2):
        for bit in (0, 7):
            other.write_bytes(crafted(path, i, bit))
            try:
                mx.eval(mx.import_function(other)(x, w))
            except (RuntimeError, OSError, ValueError, IndexError, MemoryError):
                refused += 1
    assert refused > size // 4


def test_crafted_sizes(tmp_path: Path) -> None:
    """So do shapeless files with wrong rules for sizes, called with other sizes."""
    path, other = tmp_path / "f", tmp_path / "g"

    def function(x):
        return mx.concatenate([x[1:], mx.zeros_like(x)]).reshape(-1)

    mx.export_function(path, function, mx.ones((4, 3)), shapeless=True)
    size, refused = len(path.read_bytes()), 0
    for i in range(48, size):
        for bit in (1, 7):
            other.write_bytes(crafted(path, i, bit))
            try:
                for result in mx.import_function(other)(mx.ones((5, 2))):
                    if result.size < 1000:
                        mx.eval(result)
            except (RuntimeError, OSError, ValueError, IndexError, MemoryError):
                refused += 1
    assert refused > size // 2


def test_dot(tmp_path: Path) -> None:
    """Sources, boxes and sinks of a graph; names where they are given."""
    x = mx.array([1.0])
    text = io.StringIO()
    mx.export_to_dot(text, mx.exp(x) + x, named=mx.sin(x))
    dot = text.getvalue()
    assert dot.startswith("digraph {\n") and dot.endswith("}\n")
    assert dot.count("rank=source") == 1 and dot.count("rank=sink") == 2
    assert all(f'[label ="{name}"' in dot for name in ("exp", "add", "sin")) and '"named"' in dot
    mx.export_to_dot(str(tmp_path / "g.dot"), [x + x])
    assert "add" in (tmp_path / "g.dot").read_text()
    with pytest.raises(ValueError, match="only arrays"):
        mx.export_to_dot(text, 1)
