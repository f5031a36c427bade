"""Random numbers: published vectors, the state, ranges and moments, errors."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from tests.ops.target import mx, wheel

KEY = mx.random.key(0)


def test_keys_and_splits() -> None:
    """Threefry-2x32 with 20 rounds."""
    assert mx.random.split(KEY).tolist() == [[4146024105, 967050713], [2718843009, 1272950319]]
    assert mx.random.split(KEY, 3).tolist() == [
        [2467461003, 428148500],
        [3186719485, 3840466878],
        [2562233961, 1946702221],
    ]
    assert mx.random.split(mx.random.key(42)).tolist() == [[2465931498, 3679230171], [255383827, 267815257]]
    assert mx.random.key(2**40 + 5).tolist() == [256, 5]
    assert KEY.dtype == mx.uint32 and KEY.shape == (2,)


UNIFORM = {
    (): 0.41845712065696716,
    (4,): [0.9653214812278748, 0.22515903413295746, 0.6330299973487854, 0.2963818311691284],
    (5,): [
        0.574500560760498,
        0.09968609362840652,
        0.39316028356552124,
        0.8941783905029297,
        0.5965665578842163,
    ],
    (2, 3): [
        [0.574500560760498, 0.09968609362840652, 0.7419659495353699],
        [0.8941783905029297, 0.5965665578842163, 0.4532519280910492],
    ],
}


@pytest.mark.parametrize("shape", UNIFORM, ids=str)
def test_uniform(shape: tuple[int, ...]) -> None:
    """Exact values."""
    assert mx.random.uniform(shape=shape, key=KEY).tolist() == UNIFORM[shape]


def test_uniform_of_halves() -> None:
    """Rounded, never 1."""
    assert mx.random.uniform(shape=(3,), dtype=mx.float16, key=KEY).tolist() == [
        0.96533203125,
        0.314697265625,
        0.6328125,
    ]
    assert mx.random.uniform(shape=(3,), dtype=mx.bfloat16, key=KEY).tolist() == [
        0.96484375,
        0.314453125,
        0.6328125,
    ]
    for dtype in (mx.float16, mx.bfloat16, mx.float32):
        x = mx.random.uniform(shape=(200_000,), dtype=dtype, key=KEY)
        assert x.max().item() < 1 and x.min().item() >= 0


VECTORS = {
    "normal": (
        lambda: mx.random.normal((5,), key=KEY),
        [0.1878441572189331, -1.2833421230316162, -0.2710915505886078, 1.2490599155426025, 0.24447001516819],
    ),
    "gumbel": (
        lambda: mx.random.gumbel((4,), key=KEY),
        [3.3440396785736084, -0.3994123637676239, 0.7825523614883423, -0.1956544816493988],
    ),
    "laplace": (
        lambda: mx.random.laplace((4,), key=KEY),
        [-2.6684885025024414, 0.7978010773658752, -0.3093280792236328, 0.5229594111442566],
    ),
    "truncated_normal": (
        lambda: mx.random.truncated_normal(-1, 1, (4,), key=KEY),
        [0.9065213799476624, -0.4891465902328491, 0.2296501249074936, -0.35580840706825256],
    ),
}


@pytest.mark.parametrize("name", VECTORS)
def test_distributions(name: str) -> None:
    """Within 4 units in the last place."""
    draw, want = VECTORS[name]
    got = np.array(draw())
    want = np.array(want, np.float32)
    assert np.all(np.abs(got - want) <= 4 * np.spacing(np.abs(want))), got.tolist()


def test_exact_distributions() -> None:
    """What comes from the bits alone."""
    assert mx.random.randint(0, 10, (8,), key=KEY).tolist() == [5, 3, 3, 9, 1, 9, 1, 8]
    assert mx.random.bernoulli(0.5, (8,), key=KEY).tolist() == [
        False,
        True,
        True,
        False,
        True,
        False,
        True,
        False,
    ]
    assert mx.random.permutation(6, key=KEY).tolist() == [1, 5, 0, 4, 2, 3]
    assert mx.random.categorical(mx.zeros((4,)), key=KEY).item() == 0
    assert mx.random.categorical(mx.zeros((3, 4)), key=KEY).tolist() == [0, 1, 3]
    assert mx.random.categorical(mx.zeros((3, 4)), num_samples=2, key=KEY).tolist() == [
        [0, 1],
        [3, 3],
        [1, 3],
    ]
    z = np.array(mx.random.normal((2,), dtype=mx.complex64, key=KEY))
    assert np.allclose(
        z, [1.2841675281524658 - 0.5337841510772705j, 0.24033799767494202 - 0.3781857192516327j], rtol=1e-6
    )


def test_state() -> None:
    """Each draw splits the state; seed resets it; a longer draw does not start with a shorter one."""
    mx.random.seed(42)
    assert mx.random.uniform(shape=(4,)).tolist() == [
        0.2851702570915222,
        0.8120917677879333,
        0.17565257847309113,
        0.9284189343452454,
    ]
    assert np.allclose(
        mx.random.normal((4,)).tolist(),
        [0.6790336966514587, -0.12420596182346344, 0.9467062950134277, -0.3567497134208679],
        rtol=1e-6,
    )
    mx.random.seed(7)
    expected = mx.random.split(mx.random.key(7))
    mx.random.uniform()
    assert mx.random.state[0].tolist() == expected[0].tolist()
    assert len(mx.random.state) == 1 and mx.random.state[-1].tolist() == mx.random.state[0].tolist()
    with pytest.raises(IndexError):
        mx.random.state[1]


def test_saving_the_state() -> None:
    """Copying the key back repeats the numbers."""
    mx.random.seed(1)
    saved = mx.array(mx.random.state[0])
    first = mx.random.uniform(shape=(3,)).tolist()
    assert first != mx.random.uniform(shape=(3,)).tolist()
    second = mx.random.split(saved)
    assert first == mx.random.uniform(shape=(3,), key=second[1]).tolist()


def test_state_is_of_the_thread() -> None:
    """Another thread's seed does not touch ours."""
    mx.random.seed(5)
    want = mx.random.uniform(shape=(2,)).tolist()
    mx.random.seed(5)

    def other():
        mx.random.seed(99)
        mx.eval(mx.random.uniform(shape=(2,)))

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert mx.random.uniform(shape=(2,)).tolist() == want


def test_moments() -> None:
    """Means and variances of 200,000 draws."""
    n = 200_000
    key = mx.random.key(11)
    for x, mean, variance in (
        (mx.random.uniform(-1, 3, (n,), key=key), 1.0, 16 / 12),
        (mx.random.normal((n,), loc=2, scale=3, key=key), 2.0, 9.0),
        (mx.random.bernoulli(0.3, (n,), key=key).astype(mx.float32), 0.3, 0.21),
        (mx.random.gumbel((n,), key=key), 0.5772, np.pi**2 / 6),
        (mx.random.laplace((n,), key=key), 0.0, 2.0),
        (mx.random.randint(0, 10, (n,), key=key).astype(mx.float32), 4.5, 99 / 12),
    ):
        assert abs(x.mean().item() - mean) < 0.03 and abs(x.var().item() - variance) < 0.03 * max(1, variance)


def test_categorical_follows_logits() -> None:
    """Frequencies are the softmax."""
    p = np.array([0.1, 0.2, 0.3, 0.4])
    logits = mx.log(mx.array(p.astype(np.float32)))
    for draws in (
        mx.random.categorical(logits, num_samples=50_000, key=KEY),
        mx.random.categorical(mx.broadcast_to(logits, (50_000, 4)), key=KEY),
    ):
        frequency = np.bincount(np.array(draws).ravel(), minlength=4) / 50_000
        assert np.allclose(frequency, p, atol=0.01)
        assert draws.dtype == mx.uint32


def test_permutation() -> None:
    """A rearrangement, also of the axes of an array."""
    assert sorted(mx.random.permutation(1000, key=KEY).tolist()) == list(range(1000))
    x = mx.arange(20).reshape(4, 5)
    rows, columns = mx.random.permutation(x, key=KEY), mx.random.permutation(x, axis=1, key=KEY)
    assert sorted(rows.tolist()) == x.tolist()
    assert sorted(columns.T.tolist()) == x.T.tolist()


def test_multivariate_normal() -> None:
    """Mean and covariance."""
    if not hasattr(mx.random, "multivariate_normal"):
        pytest.skip("needs linear algebra")
    cov = np.array([[2.0, 0.5], [0.5, 1.0]], np.float32)
    x = np.array(mx.random.multivariate_normal(mx.array([1.0, -1.0]), mx.array(cov), (50_000,), key=KEY))
    assert np.allclose(x.mean(0), [1, -1], atol=0.05) and np.allclose(np.cov(x.T), cov, atol=0.06)


@pytest.mark.parametrize(
    ("wrong", "kind"),
    (
        (lambda: mx.random.uniform(shape=3), TypeError),
        (lambda: mx.random.uniform(shape=(2,), dtype=mx.int32), ValueError),
        (lambda: mx.random.uniform(mx.zeros((3,)), mx.ones((3,)), (2,)), ValueError),
        (lambda: mx.random.normal((2,), dtype=mx.int32), ValueError),
        (lambda: mx.random.randint(0, 5, (2,), dtype=mx.float32), ValueError),
        (lambda: mx.random.bernoulli(1, (2,)), ValueError),
        (lambda: mx.random.uniform(key=mx.array([1, 2])), ValueError),
        (lambda: mx.random.uniform(key=mx.array([1, 2, 3], dtype=mx.uint32)), ValueError),
        (lambda: mx.random.uniform(shape=(-1,)), ValueError),
        (lambda: mx.random.key(-1), TypeError),
        (lambda: mx.random.key("a"), TypeError),
        (lambda: mx.random.categorical(mx.zeros((2, 3)), shape=(2,), num_samples=1), ValueError),
        (lambda: mx.random.categorical(mx.zeros((2, 3)), axis=2), (ValueError, IndexError)),
        (lambda: mx.random.seed("a"), TypeError),
        (lambda: mx.random.split(mx.zeros((2,))), ValueError),
    ),
)
def test_wrong_calls(wrong, kind) -> None:
    """Refused with the reference's class."""
    with pytest.raises(kind):
        mx.eval(wrong())


N = 100_003  # several tasks of the generator, an odd word at the end
EXACT = {
    "uniform": lambda m, key, dtype: m.random.uniform(-2, 3, (N,), dtype=dtype, key=key),
    "normal": lambda m, key, dtype: m.random.normal((N,), dtype=dtype, loc=0.5, scale=2.0, key=key),
}
NEAR = {
    "gumbel": lambda m, key, dtype: m.random.gumbel((N,), dtype=dtype, key=key),
    "laplace": lambda m, key, dtype: m.random.laplace((N,), dtype=dtype, key=key),
    "truncated_normal": lambda m, key, dtype: m.random.truncated_normal(
        -1.5, 2.0, (N,), dtype=dtype, key=key
    ),
}
WORDS = {
    "randint": lambda m, key: m.random.randint(-100, 2**20, (N,), key=key),
    "randint uint8": lambda m, key: m.random.randint(0, 200, (N,), dtype=m.uint8, key=key),
    "bernoulli": lambda m, key: m.random.bernoulli(0.3, (N,), key=key),
    "permutation": lambda m, key: m.random.permutation(N, key=key),
    "split": lambda m, key: m.random.split(key, N),
    "categorical": lambda m, key: m.random.categorical(m.array([0.1, 2, -1]), num_samples=N, key=key),
    "normals of many keys": lambda m, key: m.vmap(lambda k: m.random.normal((1001,), key=k))(
        m.random.split(key, 7)
    ),
    "words of many keys": lambda m, key: m.vmap(lambda k: m.random.randint(0, 9, (33, 3), key=k))(
        m.random.split(key, 7)
    ),
    "complex": lambda m, key: m.random.normal((N,), dtype=m.complex64, key=key).view(m.float32),
}
needs_wheel = pytest.mark.skipif(wheel is None, reason="the reference is not installed")


def drawn(module, draw, *dtype: str) -> np.ndarray:
    """What a module draws, in float32 or as it is."""
    x = draw(module, module.random.key(7), *(getattr(module, d) for d in dtype))
    return np.array(x.astype(module.float32) if x.dtype == module.bfloat16 else x)


@needs_wheel
@pytest.mark.parametrize("name", WORDS)
def test_many_words(name: str) -> None:
    """Large draws, and those of many keys, to the bit."""
    np.testing.assert_array_equal(drawn(mx, WORDS[name]), drawn(wheel, WORDS[name]))


@needs_wheel
def test_gumbel_near_zero() -> None:
    """-log(-log(u)) cancels near 0: within 4 units in the last place of each number but for those few
    where the reference's own inner logarithm is not the float32 nearest to it.
    """
    got, want = drawn(mx, NEAR["gumbel"], "float32"), drawn(wheel, NEAR["gumbel"], "float32")
    u = wheel.random.uniform(shape=(N,), key=wheel.random.key(7))
    nearest = np.log(np.array(u).astype(np.float64)).astype(np.float32)
    off = np.abs(got - want) > 4 * np.spacing(np.abs(want))
    assert np.all(np.array(wheel.log(u))[off] != nearest[off])
    assert np.mean(off) < 1e-3 and np.any(np.abs(want) < 1e-4)


@needs_wheel
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("name", [*EXACT, *NEAR])
def test_many_numbers(name: str, dtype: str) -> None:
    """To the bit where the reference's functions are exact, else within 4 units of the numbers' scale; 16
    where its erf, off by some units at the bounds, decides."""
    draw = EXACT.get(name) or NEAR[name]
    got, want = drawn(mx, draw, dtype), drawn(wheel, draw, dtype)
    unit = {"float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}[dtype]
    units = 0 if name in EXACT else 4
    limit = units * unit * np.maximum(np.abs(want), 1)
    assert np.all(np.abs(got - want) <= limit), np.abs(got - want).max() / unit
