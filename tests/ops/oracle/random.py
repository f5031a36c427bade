"""Random numbers: bit-equal to the wheel where they come from the bits alone, else within 4 ulp. Published
vectors stand in
tests/python/test_core_random.py."""

from __future__ import annotations

from tests.ops.cases import EXACT, case, family, ulps, v

family("random")


def draw(name, *variants, seed=7, ulp=EXACT, scaled=False):
    """A distribution, drawn with a fixed key."""
    function = name.rsplit(".", 1)[-1]
    case(
        name,
        shapes=((),),
        variants=variants,
        dtypes=("float32",),
        diff=(),
        nondiff=True,
        vmap=False,
        ulp=ulp,
        scaled=scaled,
        call=lambda m, *a, **k: getattr(m.random, function)(*a, **k, key=m.random.key(seed)),
    )


SIZES = ((), (1,), (4,), (5,), (2, 3), (1001,), (3, 0), (7, 11, 13))
case(
    "random.key",
    shapes=((),),
    variants=[v(s) for s in (0, 1, 42, 2**32, 2**40 + 5, 2**64 - 1, -1)],
    dtypes=("float32",),
    diff=(),
    nondiff=True,
    vmap=False,
)
case(
    "random.split",
    shapes=((),),
    variants=[v(s, n) for s in (0, 42, 2**50) for n in (1, 2, 3, 5, 100)],
    dtypes=("float32",),
    diff=(),
    nondiff=True,
    vmap=False,
    call=lambda m, s, n: m.random.split(m.random.key(s), n),
)
draw(
    "random.uniform",
    *[v(shape=s) for s in SIZES],
    *[v(-2.0, 3.0, (50,), dtype=d) for d in ("float16", "bfloat16", "float32")],
    v(0, 1, (4,), dtype="int32"),
)
draw(
    "random.randint",
    *[v(0, 10, s) for s in SIZES],
    *[v(-5, 100, (50,), dtype=d) for d in ("int8", "int16", "int32", "int64")],
    *[v(3, 200, (50,), dtype=d) for d in ("uint8", "uint16", "uint32", "uint64")],
    v(0, 2, (8,), dtype="bool_"),
    v(0, 10, (4,), dtype="float32"),
    v(-(2**31), 2**31 - 1, (64,)),
    v(5, 5, (4,)),
    v(5, 1, (4,)),
)
draw(
    "random.bernoulli",
    *[v(0.3, s) for s in SIZES],
    v(),
    v(0.5),
    v(0.0, (9,)),
    v(1.0, (9,)),
    v(1, (4,)),
    v(True, (4,)),
)
draw("random.permutation", v(1), v(6), v(100), v(5000), v(0))
draw(
    "random.normal",
    *[v(s) for s in SIZES],
    v((50,), loc=2.0, scale=3.0),
    *[v((50,), dtype=d) for d in ("float16", "bfloat16", "complex64")],
    v((4,), dtype="int32"),
    ulp=ulps(4, half=1, pair=8),
    scaled=True,
)
draw(
    "random.truncated_normal",
    *[v(-1.0, 1.0, s) for s in SIZES],
    v(-2.0, 0.5),
    v(-2.0, 2.0, (50,)),
    v(-0.1, 0.2, (50,)),
    v(1.0, 5.0, (50,)),
    v(0.0, 3.0, (50,), dtype="float16"),
    ulp=ulps(4, half=2),
    scaled=True,
)
draw("random.gumbel", *[v(s) for s in SIZES], v((50,), dtype="float16"), ulp=ulps(4, half=1), scaled=True)
draw(
    "random.laplace",
    *[v(s) for s in SIZES],
    v((50,), loc=1.0, scale=2.0),
    v((50,), dtype="bfloat16"),
    ulp=ulps(4, half=2),
    scaled=True,
)


def _categorical(m, shape, *args, **kwargs):
    logits = m.sin(m.arange(60, dtype=m.float32) * 1.7).reshape(shape) * 2
    return m.random.categorical(logits, *args, **kwargs, key=m.random.key(3))


case(
    "random.categorical",
    shapes=((),),
    dtypes=("float32",),
    diff=(),
    nondiff=True,
    vmap=False,
    call=_categorical,
    ulp=EXACT,
    variants=(
        v((60,)),
        v((60,), num_samples=100),
        v((6, 10)),
        v((6, 10), axis=0),
        v((6, 10), num_samples=5),
        v((3, 4, 5), 1),
        v((6, 10), shape=(7, 6)),
        v((60,), shape=(2, 3)),
        v((6, 10), shape=(6,), num_samples=2),
        v((6, 10), 2),
    ),
)
case(
    "random.permutation",
    shapes=((),),
    dtypes=("float32",),
    diff=(),
    nondiff=True,
    vmap=False,
    label="array",
    variants=(v(), v(0), v(axis=1), v(2)),
    call=lambda m, *a, **k: m.random.permutation(m.arange(20).reshape(4, 5), *a, **k, key=m.random.key(5)),
)
