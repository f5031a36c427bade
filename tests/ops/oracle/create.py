"""Creation."""

from __future__ import annotations

from tests.ops.cases import EXACT, X, case, family, ulps, v
from tests.ops.values import ALL

family("create")

NONE = ((),)


def create(name, *variants, **kwargs):
    """A function without array arguments."""
    kwargs.setdefault("ulp", EXACT)
    case(
        name, shapes=NONE, variants=variants, dtypes=("float32",), diff=(), nondiff=True, vmap=False, **kwargs
    )


for name in ("zeros", "ones", "empty"):
    create(
        name,
        v(3),
        v((2, 3)),
        v([2, 0, 3]),
        v(()),
        v(4, None),
        v((-1,)),
        v((2, -3)),
        v("a"),
        v(2.5),
        *[v((2, 3), dtype=d) for d in ALL],
        *[v(shape=(2,), dtype=d) for d in ("int8", "complex64")],
        **({"call": lambda m, *a, **k: m.zeros_like(m.empty(*a, **k))} if name == "empty" else {}),
    )
create(
    "full",
    v(3, 2),
    v((2, 3), 1.5),
    v((2,), True),
    v((2, 2), 1j),
    v((2,), 3.7, dtype="int32"),
    v((2,), 3, dtype="float16"),
    v((2,), 300, dtype="uint8"),
    v((), 7),
    v((0, 2), 1),
    v((-1,), 1),
    *[v((2, 3), 5, dtype=d) for d in ALL],
)
create("full", v([1, 2, 3]), v(2.0), call=lambda m, x: m.full((2, 3), m.array(x)), label="array value")
create("full", v(), call=lambda m: m.full((2, 3), m.array([1.0, 2.0])), label="array that does not fit")
create(
    "eye",
    v(3),
    v(3, 4),
    v(3, 4, 1),
    v(4, 3, -2),
    v(0),
    v(2, k=5),
    v(3, dtype="int8"),
    v(3, None, 0, dtype="bool_"),
    v(-1),
)
create("identity", v(3), v(0), v(2, dtype="complex64"), v(3, dtype="int32"))
create("tri", v(3), v(3, 4), v(3, 4, 1), v(4, 3, -1), v(3, 3, 0, dtype="int32"), later=True)
create(
    "arange",
    v(5),
    v(0),
    v(-3),
    v(2, 7),
    v(7, 2, -2),
    v(0, 1, 0.25),
    v(5.0),
    v(1, 2, 0.3),
    v(2, 7, 2),
    v(5, None, 2),
    v(0, 10, 3, dtype="float16"),
    v(3, dtype="uint8"),
    v(0, 2, 0.5, dtype="int32"),
    v(2**40, 2**40 + 3),
    v(1, 10, 0),
    v(float("inf")),
    v(float("nan")),
    v(True),
    v(-1, 1, 0.1),
    v(0, 1000),
    v(start=1, stop=4, step=1),
    v(10, 0, -0.7),
    v(0.5, 5),
    v(3, 3),
    v("a"),
)
create(
    "linspace",
    v(0, 1),
    v(0, 1, 5),
    v(-2.5, 4, 7),
    v(1, 0, 3),
    v(0, 10, 11, dtype="int32"),
    v(0, 1, 1),
    v(0, 1, 0),
    v(0, 1, num=4, dtype="float16"),
    v(0, 1, 4, dtype="float64"),
    v(0, 1, -1),
    ulp=ulps(2, half=1),
)
case(
    "zeros_like",
    X(),
    shapes=(((3, 4),), ((),), ((0, 2),)),
    variants=(v(), v(dtype="int8")),
    nondiff=True,
    ulp=EXACT,
)
case(
    "ones_like",
    X(),
    shapes=(((3, 4),), ((),), ((0, 2),)),
    variants=(v(), v(dtype="complex64")),
    nondiff=True,
    ulp=EXACT,
)
case(
    "empty_like",
    X(),
    shapes=(((3, 4),),),
    variants=(v(),),
    nondiff=True,
    ulp=EXACT,
    call=lambda m, x: m.zeros_like(m.empty_like(x)),
    later=True,
)
case(
    "full_like",
    X(),
    shapes=(((3, 4),), ((),)),
    variants=(v(2), v(2.7), v(True), v(1, dtype="float16")),
    nondiff=True,
    ulp=EXACT,
    later=True,
)

_VALUES = (
    1,
    -5,
    2**31,
    2**40,
    True,
    1.5,
    1 + 2j,
    [1, 2, 3],
    [1, 2.5],
    [True, False],
    [[1, 2], [3, 4]],
    [1, 1j],
    [],
    [[], []],
    (1, 2),
    [[1], [2, 3]],
    [1, [2]],
    [2**31, 1],
    "a",
    None,
    [None],
    ["a"],
    [1.5, True],
    [[[1.0]]],
    float("inf"),
    -0.0,
)
create("array", *[v(x) for x in _VALUES])
create(
    "array",
    *[v(x, dtype=d) for x in ([300, -1, 2], 1.7, [True, 2.5], -1, 1j, [0, 1]) for d in ALL],
    label="dtype",
)
create(
    "array",
    v([1, 2]),
    v([[1.5, 2.5]]),
    call=lambda m, x: m.array([m.array(x), m.array(x).astype(m.float16)]),
    label="of arrays",
)
create("asarray", *[v(x) for x in (1, [1, 2.5], [[True]])], later=True)
