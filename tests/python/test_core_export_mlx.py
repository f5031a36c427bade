"""Files of functions between MLX and mica: what one exports, the other imports and computes the same."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

import mica.core as mx
import mlx.core as wheel
import numpy as np
import pytest

draw = np.random.default_rng(0)
SQUARE = draw.normal(size=(4, 4)).astype(np.float32) + 4 * np.eye(4, dtype=np.float32)
# Arguments by name.
ARRAYS = {
    "x": draw.normal(size=(4, 6)).astype(np.float32),
    "y": draw.normal(size=(6, 4)).astype(np.float32),
    "p": draw.uniform(0.1, 0.4, (4, 6)).astype(np.float32),
    "r": draw.uniform(0.5, 1, (6,)).astype(np.float32),
    "i": np.array([0, 1], np.int32),
    "j": np.array([5, 6], np.int32),
    "k": np.array([0, 7], np.uint32),
    "q": draw.normal(size=(1, 2, 4, 8)).astype(np.float32),
    "c": SQUARE,
    "d": SQUARE @ SQUARE.T,
    "z": draw.normal(size=(2, 64)).astype(np.float32),
    "s": draw.normal(size=(8, 64)).astype(np.float32),
    "o": np.ones((32, 32), np.float32),
}


def unary(name: str) -> Callable:
    """A function of one positive array."""
    return lambda mx, p: getattr(mx, name)(p)


def binary(name: str) -> Callable:
    """A function of two positive arrays, of which one is repeated."""
    return lambda mx, p, r: getattr(mx, name)(p, r)


def integers(name: str) -> Callable:
    """A function of two arrays of integers."""
    return lambda mx, j, i: getattr(mx, name)(j, i)


def assigned(mx, x, index, value):
    """x with a part replaced."""
    copy = x + 0
    copy[index] = value
    return copy


def weight_gradient(mx, x, shape: tuple, **settings):
    """The gradient of a convolution's squares in its weights."""
    w = mx.arange(np.prod(shape).item()).reshape(shape) / 100
    return mx.grad(lambda w: mx.sum(mx.square(mx.conv_general(x, w, **settings))))(w)


def gated(mx, q) -> list:
    """Arguments of the gated delta rule."""
    q = q.transpose(0, 2, 1, 3)
    return [q, 0.3 * q, 0.5 * q, mx.sigmoid(q[..., 0]), mx.sigmoid(q[..., 1])]


def cpu(mx) -> dict:
    """Where MLX has linear algebra."""
    return {"stream": mx.cpu}


UNARY = """abs negative sign ceil floor square sqrt rsqrt reciprocal exp expm1 log log2 log10 log1p
sin cos tan sinh cosh tanh arcsin arccos arctan arcsinh arctanh erf erfinv sigmoid
isnan isinf round isfinite nan_to_num""".split()
BINARY = """add subtract multiply divide floor_divide remainder power maximum minimum logaddexp arctan2
equal not_equal less less_equal greater greater_equal logical_and logical_or divmod array_equal""".split()
CASES: dict[str, Callable] = {
    **{name: unary(name) for name in UNARY},
    **{name: binary(name) for name in BINARY},
    **{n: integers(n) for n in "bitwise_and bitwise_or bitwise_xor left_shift right_shift".split()},
    "sum": lambda mx, x: mx.sum(x, axis=0),
    "sum of int8": lambda mx, x: mx.sum(x.astype(mx.int8), axis=0),
    "prod": lambda mx, x: mx.prod(x, axis=1),
    "max": lambda mx, x: mx.max(x, axis=1, keepdims=True),
    "min": lambda mx, x: mx.min(x),
    "all": lambda mx, x: mx.all(x > 0, axis=1),
    "any": lambda mx, x: mx.any(x > 0, axis=1),
    "mean": lambda mx, x: mx.mean(x, axis=1),
    "var": lambda mx, x: mx.var(x, axis=1),
    "argmax": lambda mx, x: mx.argmax(x, axis=1),
    "argmin": lambda mx, x: mx.argmin(x, axis=1),
    "softmax": lambda mx, x: mx.softmax(x, axis=-1),
    "softmax precise": lambda mx, x: mx.softmax(x.astype(mx.float16), axis=-1, precise=True),
    "logsumexp": lambda mx, x: mx.logsumexp(x, axis=-1),
    "cumsum": lambda mx, x: mx.cumsum(x, axis=1, reverse=True),
    "cumprod": lambda mx, x: mx.cumprod(x, axis=0, inclusive=False),
    "cummax": lambda mx, x: mx.cummax(x, axis=0),
    "cummin": lambda mx, x: mx.cummin(x, axis=0),
    "sort": lambda mx, x: mx.sort(x, axis=0),
    "argsort": lambda mx, x: mx.argsort(x, axis=1),
    "topk": lambda mx, x: mx.sort(mx.topk(x, 2)),
    "argpartition": lambda mx, x: mx.sort(mx.argpartition(x, 2)[:, :3], axis=1),
    "searchsorted": lambda mx, x: mx.searchsorted(mx.sort(x[0]), x),
    "transpose": lambda mx, x: x.T,
    "reshape": lambda mx, x: x.reshape(2, -1),
    "flatten": lambda mx, x: mx.flatten(x),
    "unflatten": lambda mx, x: mx.unflatten(x, 1, (2, 3)),
    "expand and squeeze": lambda mx, x: mx.squeeze(mx.expand_dims(x, (0, 2))[:, :1], 1),
    "broadcast_to": lambda mx, x: mx.broadcast_to(x, (3, 4, 6)),
    "slice": lambda mx, x: [x[1:3, ::2], x[::-1, 1:5:3]],
    "as_strided": lambda mx, x: mx.as_strided(x, (2, 2), (1, 2), 1),
    "view": lambda mx, x: x.view(mx.int32),
    "astype": lambda mx, x: [x.astype(mx.float16), (x.astype(mx.bfloat16) * 2).astype(mx.float32)],
    "stop_gradient": lambda mx, x: mx.stop_gradient(x),
    "concatenate": lambda mx, x: [mx.concatenate([x, x], axis=1), mx.stack([x, x])],
    "split": lambda mx, x: [*mx.split(x, [1, 3], axis=1), mx.split(x, 3, axis=1)[1]],
    "take": lambda mx, x, i: mx.take(x, i, axis=0),
    "gather": lambda mx, x, i: x[i, i],
    "take_along_axis": lambda mx, x, i: mx.take_along_axis(x, i.reshape(1, 2), axis=1),
    "put_along_axis": lambda mx, x, i: mx.put_along_axis(x, i.reshape(1, 2), mx.array(1.0), axis=1),
    "at": lambda mx, x, i: [getattr(x.at[i], n)(2.0) for n in ("add", "multiply", "maximum", "minimum")],
    "assign": lambda mx, x, i: [
        assigned(mx, x, slice(1, 3), 2.0),
        assigned(mx, x, i, 2.0),
        x.at[1:3].add(2.0),
    ],
    "dynamic slices": lambda mx, x, i: [
        mx.slice(x, i, (0, 1), (2, 2)),
        mx.slice_update(x, mx.ones((2, 2)), i, (0, 1)),
    ],
    "matmul": lambda mx, x, y: [x @ y, x[None] @ y, x @ x[0]],
    "matmul of batches": lambda mx, q: q @ q.swapaxes(-1, -2),
    "addmm": lambda mx, x, y: mx.addmm(mx.ones((4,)), x, y, 2.0, 3.0),
    "where": lambda mx, x: [mx.where(x > 0, x, 0), mx.clip(x, 0, 1)],
    "arange": lambda mx, x: [mx.arange(6) + x, mx.arange(0, 3, 0.5) + x],
    "full": lambda mx, x: mx.full((4, 6), 2.0) + x,
    "pad": lambda mx, x: mx.pad(x, ((1, 2), (0, 1))),
    "conv1d": lambda mx, x: mx.conv1d(x[None], mx.ones((2, 3, 6)), stride=2, padding=1),
    "conv2d": lambda mx, x: mx.conv2d(x.reshape(1, 4, 6, 1), mx.ones((2, 3, 3, 1))),
    "conv_transpose2d": lambda mx, x: mx.conv_transpose2d(
        x.reshape(1, 4, 6, 1), mx.ones((2, 3, 3, 1)), stride=2
    ),
    "quantize": lambda mx, z: list(mx.quantize(z)),
    "quantized_matmul": lambda mx, z, s: mx.quantized_matmul(z, *mx.quantize(s)),
    "gather_mm": lambda mx, x, y: mx.gather_mm(x[None], y[None], rhs_indices=mx.array([0])),
    "block_masked_mm": lambda mx, o: [
        mx.block_masked_mm(o, o, 32, mx.array([[True]])),
        mx.block_masked_mm(o, o, 32, mx.array([[True]]), mx.array([[True]]), mx.array([[False]])),
    ],
    "fft": lambda mx, x: [
        mx.fft.fft(x),
        mx.fft.ifft(x, axis=0),
        mx.fft.rfft(x),
        mx.fft.fft2(x),
        mx.fft.rfft2(x),
    ],
    "irfft": lambda mx, x: [mx.fft.irfft(mx.fft.rfft(x, n=5), n=5), mx.fft.irfft2(mx.fft.rfft2(x))],
    "hadamard_transform": lambda mx, q: mx.hadamard_transform(q),
    "inv": lambda mx, c: [mx.linalg.inv(c, **cpu(mx)), mx.linalg.tri_inv(mx.tril(c), **cpu(mx))],
    "cholesky": lambda mx, d: mx.linalg.cholesky(d, **cpu(mx)),
    "qr": lambda mx, c: [mx.abs(a) for a in mx.linalg.qr(c, **cpu(mx))],
    "svd": lambda mx, c: mx.linalg.svd(c, compute_uv=False, **cpu(mx)),
    "eigvalsh": lambda mx, d: mx.linalg.eigvalsh(d, **cpu(mx)),
    "rms_norm": lambda mx, x: mx.fast.rms_norm(x, mx.ones(6), 1e-5),
    "layer_norm": lambda mx, x: mx.fast.layer_norm(x, mx.ones(6), mx.ones(6), 1e-5),
    "rope": lambda mx, q: mx.fast.rope(q, 8, traditional=False, base=1e4, scale=1.0, offset=3),
    "attention": lambda mx, q: mx.fast.scaled_dot_product_attention(q, q, q, scale=0.5, mask="causal"),
    "random": lambda mx, k: [mx.random.uniform(shape=(5,), key=k), mx.random.randint(0, 9, (4,), key=k)],
    "gradient": lambda mx, x, y: mx.grad(lambda a: mx.sum(mx.tanh(a @ y)))(x),
    "gradient of softmax": lambda mx, x: mx.grad(lambda a: mx.sum(mx.softmax(a) * a))(x),
    "complex": lambda mx, x: [mx.abs(x * 1j + 1), mx.real(mx.conjugate(x * 1j)), mx.imag(x + 2j)],
    "compiled": lambda mx, x: mx.compile(lambda a: mx.exp(a) + mx.sin(a))(x),
    "depends": lambda mx, x: mx.depends([x + 1], [x]),
    "einsum": lambda mx, x, y: [
        mx.einsum("ij,jk->k", x, y),
        mx.roll(x, 1),
        mx.tile(x, 2),
        mx.repeat(x, 2, axis=0),
    ],
    "triangular solutions": lambda mx, c, x: [
        mx.linalg.solve_triangular(mx.tril(c), x, **cpu(mx)),
        mx.linalg.solve_triangular(mx.triu(c), x[:, 0], upper=True, **cpu(mx)),
        mx.linalg.solve_triangular(mx.stack([mx.triu(c)] * 2), x, upper=True, **cpu(mx)),
    ],
    "pinv": lambda mx, x: [
        mx.linalg.pinv(a, **cpu(mx)) for a in (x, x.T, mx.stack([x, 2 * x]), x[:1] + 0 * x)
    ],
    "determinants": lambda mx, c: [
        f(a, **cpu(mx))
        for a in (c[:1, :1], c[:2, :2], -c[:3, :3], mx.stack([c[:3, :3], c[1:, 1:]]))
        for f in (mx.linalg.det, lambda a, **s: mx.stack(mx.linalg.slogdet(a, **s)))
    ],
    "masked_scatter": lambda mx, x: [
        assigned(mx, x, x > 0, mx.arange(24).astype(mx.float32)),
        assigned(mx, x, x[:, 0] > 0, mx.arange(24).reshape(4, 6).astype(mx.float32)),
        assigned(mx, x[None], x[None] > 0, mx.arange(24).astype(mx.float32)),
    ],
    "derivatives of convolutions": lambda mx, q: [
        weight_gradient(mx, q.reshape(2, 4, 4, 2), (4, 3, 2, 2), stride=(1, 2), padding=1),
        weight_gradient(mx, q.reshape(2, 4, 4, 2), (4, 2, 2, 1), groups=2, kernel_dilation=2),
        weight_gradient(mx, q.reshape(1, 4, 8, 2), (3, 2, 3, 2), stride=3, flip=True),
        weight_gradient(mx, q.reshape(2, 8, 4), (3, 3, 4), input_dilation=2, padding=(1,)),
        weight_gradient(mx, q.reshape(1, 2, 4, 4, 2), (2, 2, 2, 3, 2), padding=1, kernel_dilation=(1, 2, 1)),
    ],
    "convolutions that leave a rest": lambda mx, q: [
        mx.conv1d(q.reshape(2, 8, 4), mx.ones((3, 2, 4)), stride=3),
        mx.conv2d(q.reshape(1, 8, 8, 1), mx.ones((2, 1, 3, 1)), stride=(5, 4)),
        mx.grad(lambda a: mx.sum(mx.square(mx.conv1d(a, mx.ones((3, 1, 4)), padding=2))))(q.reshape(2, 8, 4)),
        mx.grad(lambda a: mx.sum(mx.square(mx.conv1d(a, mx.ones((3, 2, 4)), stride=3, padding=4))))(
            q.reshape(2, 8, 4)
        ),
    ],
    "cross_entropy": lambda mx, x, k: [
        mx.fast.cross_entropy(x[:2], mx.minimum(k, 5)),
        mx.fast.cross_entropy(x[:2].astype(mx.float16), mx.array([3, -1])),
        mx.grad(lambda a: mx.sum(mx.fast.cross_entropy(a, mx.array([0, 5, 2, 1]))))(x),
    ],
    "gated_delta_update": lambda mx, q: [
        *mx.fast.gated_delta_update(*gated(mx, q)),
        *mx.grad(lambda *a: mx.sum(mx.square(mx.fast.gated_delta_update(*a)[0])), argnums=(0, 2, 3))(
            *gated(mx, q)
        ),
    ],
    "unique": lambda mx, j: [
        *mx.unique(j, size=3, return_index=True, return_inverse=True, return_counts=True),
        mx.unique(mx.stack([j, j]).astype(mx.float32), size=1),
    ],
    "random normal": lambda mx, k: [
        mx.random.normal((3, 5), key=k),
        mx.random.normal((4,), dtype=mx.float16, loc=1.0, scale=2.0, key=k),
        mx.vmap(lambda k: mx.random.normal((3,), key=k))(mx.stack([k, k + 1])),
    ],
    "dequantize": lambda mx, s: [
        mx.dequantize(*mx.quantize(s, bits=b, group_size=g), bits=b, group_size=g)
        for b, g in ((2, 32), (3, 64), (4, 64), (5, 32), (6, 64), (8, 32))
    ],
}


def of_codes(mx, i, mode: str, group: int, bits: int):
    """Random codes of a mode, with scales near 1, as numbers."""
    draw = np.random.default_rng(7)
    low, high = (120, 134) if mode.startswith("mx") else (0, 127)
    scales = mx.array(draw.integers(low, high, (3, 64 // group)).astype(np.uint8))
    words = mx.array(draw.integers(0, 2**32, (3, 2 * bits), np.uint32)) + 0 * i[0].astype(mx.uint32)
    numbers = mx.dequantize(words, scales, group_size=group, bits=bits, mode=mode, dtype=mx.float32)
    return mx.nan_to_num(numbers)


# What MLX cannot record, or gives in another form.
EXPORT_ONLY: dict[str, Callable] = {
    "bitwise_invert": lambda mx, j, k: [~j, ~k, ~j.astype(mx.int8), ~k.astype(mx.uint64), ~(j > 5)],
    "from_fp8": lambda mx, x: mx.from_fp8(mx.arange(256).astype(mx.uint8)).astype(mx.float32) + x[0, 0],
    "unique of NaN": lambda mx, x: mx.unique(mx.log(x), size=30),
    "complex pinv": lambda mx, x: [mx.linalg.pinv(a, **cpu(mx)) for a in (x + 1j * x[::-1], x.T * (1 + 1j))],
    "complex determinants": lambda mx, c: [
        part
        for n in (1, 2, 3)
        for a in (c[:n, :n] + 1j * c[1 : n + 1, 1 : n + 1],)
        for part in (mx.linalg.det(a, **cpu(mx)), *mx.linalg.slogdet(a, **cpu(mx)))
    ],
    "complex factors": lambda mx, c: [
        mx.linalg.svd(c + 1j * c.T, compute_uv=False, **cpu(mx)),
        mx.linalg.eigvalsh(c + 1j * c.T, **cpu(mx)),
    ],
    "mxfp4": lambda mx, i: of_codes(mx, i, "mxfp4", 32, 4),
    "nvfp4": lambda mx, i: of_codes(mx, i, "nvfp4", 16, 4),
    "mxfp8": lambda mx, i: of_codes(mx, i, "mxfp8", 32, 8),
}


def arguments(module, function: Callable) -> list:
    """Arrays for the parameters of a case."""
    return [module.array(ARRAYS[name]) for name in list(inspect.signature(function).parameters)[1:]]


def close(got: tuple, want: tuple) -> None:
    """The same shapes and types, values but for rounding."""
    assert len(got) == len(want)
    for x, y in zip(got, want, strict=True):
        a, b = np.array(x), np.array(y)
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        np.testing.assert_allclose(a, b, rtol=2e-3 if a.dtype == np.float16 else 1e-4, atol=1e-4)


@pytest.mark.parametrize("name", CASES)
def test_import(name: str, tmp_path: Path) -> None:
    """What MLX exported gives here what it gives there."""
    function, path = CASES[name], str(tmp_path / "f.mlxfn")
    given = arguments(wheel, function)
    wheel.export_function(path, lambda *args: function(wheel, *args), *given)
    close(mx.import_function(path)(*arguments(mx, function)), wheel.import_function(path)(*given))


def test_signatures_and_metadata(tmp_path: Path) -> None:
    """Several signatures, keywords, a text."""
    path = str(tmp_path / "f.mlxfn")
    a, b = wheel.ones((2, 3)), wheel.ones((3,))
    with wheel.exporter(path, lambda x, *, w, v: x * w - v) as export:
        export(a, w=b, v=a)
        export(b, w=b, v=b)
    f = mx.import_function(path)
    x, y = mx.array([[1.0, 2, 3], [4, 5, 6]]), mx.array([1.0, 2, 3])
    close(f(x, v=x, w=y), [x * y - x])
    close(f(y, w=y, v=y), [y * y - y])
    with pytest.raises(ValueError, match='"w": '):
        f(x, y)
    wheel.export_function(path, lambda x: x + 1, a, metadata="text")
    assert mx.import_function(path, return_metadata=True)[1] == "text"


def test_shapeless(tmp_path: Path) -> None:
    """Sizes follow where MLX's primitives say how."""
    path = str(tmp_path / "f.mlxfn")

    def function(mx, x, y):
        return mx.mean(mx.softmax(mx.flatten(x @ y, 0, 1), axis=-1) + 1, axis=0)

    wheel.export_function(
        path, lambda x, y: function(wheel, x, y), wheel.ones((2, 4, 6)), wheel.ones((6, 4)), shapeless=True
    )
    x, y = mx.random.normal((3, 5, 6)), mx.array(ARRAYS["y"])
    close(mx.import_function(path)(x, y), [function(mx, x, y)])


def test_damaged(tmp_path: Path) -> None:
    """Cut and changed files raise, or give something; they never end the process."""
    path, other = tmp_path / "f.mlxfn", tmp_path / "g.mlxfn"
    x = mx.array(ARRAYS["x"])
    wheel.export_function(
        str(path), lambda x: wheel.sort(x[:, ::-1] @ x.T, axis=0)[1:], wheel.array(ARRAYS["x"])
    )
    whole = path.read_bytes()
    for i in range(len(whole)):
        changed = bytearray(whole)
        changed[i] ^= 1 << i % 8
        for data in (whole[:i], bytes(changed)):
            other.write_bytes(data)
            try:
                mx.eval(mx.import_function(other)(x))
            except (RuntimeError, OSError, ValueError, IndexError, MemoryError):
                continue
            assert data != whole[:i]


@pytest.mark.parametrize("name", {**CASES, **EXPORT_ONLY})
def test_export(name: str, tmp_path: Path) -> None:
    """What is exported for MLX gives there what it gives here."""
    function, path = {**CASES, **EXPORT_ONLY}[name], str(tmp_path / "f.mlxfn")
    given = arguments(mx, function)
    export = mx.exporter(path, lambda *args: function(mx, *args), format="mlx")
    export(*given)
    export.close()
    want = mx.import_function(path)(*given)
    close(wheel.import_function(path)(*arguments(wheel, function)), want)
    eager = function(mx, *given)
    close(want, tuple(eager) if isinstance(eager, (list, tuple)) else (eager,))


def test_export_of_signatures(tmp_path: Path) -> None:
    """Keywords, several signatures and a text, for MLX."""
    path, a, b = str(tmp_path / "f.mlxfn"), mx.array(ARRAYS["x"]), mx.array(ARRAYS["r"])
    with mx.exporter(path, lambda x, *, w, v: x * w - v, metadata="text", format="mlx") as export:
        export(a, w=b, v=a)
        export(b, w=b, v=b)
    f = wheel.import_function(path)
    x, w = wheel.array(ARRAYS["x"]), wheel.array(ARRAYS["r"])
    close(f(x, v=x, w=w), [a * b - a])
    close(f(w, w=w, v=w), [b * b - b])
    with pytest.raises(ValueError, match="shapeless"):
        mx.exporter(path, mx.exp, shapeless=True, format="mlx")
    with pytest.raises(ValueError, match="format may be"):
        mx.exporter(path, mx.exp, format="onnx")


@pytest.mark.parametrize("name", ["reduce", "mixed", "nothing"])
def test_callback(name: str) -> None:
    """The graph told step by step, as MLX tells it."""

    def reduce(mx, x, *, y, w):
        return [mx.sum(x, axis=(0, 1)), mx.maximum(w, y)]

    def mixed(mx, x, *, y, w):
        a = mx.sort((x * w)[1:3, ::-1].reshape(2, -1), axis=1)
        return [mx.transpose(a).astype(mx.float16), mx.as_strided(y, (2, 2), (1, 2), 1)]

    def nothing(mx, x, *, y, w):
        return [x, y]

    function = {"reduce": reduce, "mixed": mixed, "nothing": nothing}[name]

    def told(module) -> list:
        steps: list = []
        x = module.array(ARRAYS["x"])
        module.export_function(steps.append, lambda x, *, y, w: function(module, x, y=y, w=w), x, w=x, y=x)
        return steps

    ours, theirs = told(mx), told(wheel)
    assert [s["type"] for s in ours[:4]] == [s["type"] for s in theirs[:4]]
    for a, b in zip(ours[:3], theirs[:3], strict=True):
        assert str(a) == str(b).replace("mlx.core", "mica.core") or sorted(map(str, a.items())) == sorted(
            map(str, b.items())
        )
    arguments_of = [{(s["name"], str(s["arguments"])) for s in steps[4:]} for steps in (ours, theirs)]
    simple = {
        ("Flatten", "[0, 1]"),
        ("Reshape", "[(24,)]"),
        ("Reshape", "[(2, -1)]"),
        ("Reshape", "[(2, 6)]"),
    }
    assert arguments_of[0] - simple == arguments_of[1] - simple


def test_callback_with_constants() -> None:
    """Captured arrays are told with their values."""
    steps: list = []
    mx.export_function(steps.append, lambda x: x + mx.array([1.5, 2.5]), mx.ones(2))
    ((name, value),) = steps[3]["constants"]
    assert name == "C" and value.tolist() == [1.5, 2.5]
    assert steps[4]["inputs"][1][0] == name and steps[4]["name"] == "Add"


def test_what_cannot_be_exported(tmp_path: Path) -> None:
    """Primitives that MLX does not record are named."""
    for function, name in (
        (lambda x: mx.vmap(lambda y: mx.unique(y, size=2))(mx.stack([x, x])), "run_starts"),
        (lambda x: mx.linalg.det(mx.ones((4, 4)) * x[0]), "det"),
        (lambda x: mx.linalg.solve(mx.eye(2) + x, mx.ones((2,))), "solve"),
        (lambda x: mx.logcumsumexp(x.astype(mx.float32), axis=0), "logcumsumexp"),
    ):
        with pytest.raises(ValueError, match=f"{name} cannot be in a file of MLX"):
            mx.exporter(tmp_path / "f", function, format="mlx")(mx.array(ARRAYS["k"]))
    c = mx.eye(4).astype(mx.complex64)
    for name in ("cholesky", "inv", "tri_inv", "qr"):
        with pytest.raises(ValueError, match=f"{name} cannot be in a file of MLX: .*complex64"):
            mx.exporter(tmp_path / "f", getattr(mx.linalg, name), format="mlx")(c)
    for function, name in (
        (lambda x: mx.linalg.solve_triangular(x, x), "tri_inv"),
        (lambda x: mx.linalg.cholesky_inv(x), "tri_inv"),
        (lambda x: mx.linalg.solve(x, x), "solve"),
        (mx.linalg.det, "det"),
        (mx.linalg.lu, "lu"),
    ):
        with pytest.raises(ValueError, match=f"{name} cannot be in a file of MLX"):
            mx.exporter(tmp_path / "f", function, format="mlx")(c)
    assert not list(tmp_path.iterdir())
