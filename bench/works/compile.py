"""What compiled functions cost beside the work: looking up a call, tracing, shapes that change."""

from collections.abc import Callable
from itertools import count

from registry import FIGURES, AtMost, Limit, work

Run = Callable[[], object]
US, NS = 1e-6, 1e-9


def mlx_hits(arguments: int) -> Callable[[], Run]:
    """Calls of a function that was traced, with so many arrays, not evaluated."""

    def prepare() -> Run:
        import mlx.core as mx

        given = [mx.array([float(i)]) for i in range(arguments)]
        mx.eval(given)
        function = mx.compile(lambda *args: args[0] + 1.0)
        function(*given)

        def run() -> None:
            for _ in range(200):
                function(*given)

        return run

    return prepare


def mlx_tree_hits() -> Run:
    """As of a training step: a dict of parameters, a list, a number."""
    import mlx.core as mx

    tree = {f"layer{i}": {"weight": mx.zeros((2, 2)), "bias": mx.zeros((2,))} for i in range(24)}
    mx.eval(tree)
    function = mx.compile(lambda tree, batch, rate: batch[0] * rate + tree["layer0"]["bias"])
    batch = [mx.zeros((2,)), mx.zeros((2,))]
    mx.eval(batch)
    function(tree, batch, 0.5)

    def run() -> None:
        for _ in range(200):
            function(tree, batch, 0.5)

    return run


for _arguments in (1, 10, 100):
    work(
        f"call of a compiled function, {_arguments} argument{'s' * (_arguments > 1)}",
        Limit(3 * US + 50 * NS * _arguments),
        group=FIGURES,
        calls=200,
        mlx=mlx_hits(_arguments),
    )
work(
    "call of a compiled function, a tree of 50 arrays and a number",
    Limit(3 * US + 50 * NS * 51),
    group=FIGURES,
    calls=200,
    mlx=mlx_tree_hits,
)


def mlx_dict_hits(keys: str) -> Callable[[], Run]:
    """A dict of 50 arrays or 25 dicts of two; or dicts whose keys are other objects in each call."""

    def prepare() -> Run:
        import mlx.core as mx

        arrays = [mx.zeros((2,)) for _ in range(50)]
        mx.eval(arrays)
        if keys == "nested":
            trees = [{f"layer{i}": {"w": arrays[i], "b": arrays[i + 25]} for i in range(25)}] * 200
        elif keys == "new":
            trees = [{f"weight{i}": a for i, a in enumerate(arrays)} for _ in range(200)]
        else:
            trees = [{f"weight{i}": a for i, a in enumerate(arrays)}] * 200
        function = mx.compile(
            lambda tree: next(iter(tree["layer0"].values() if keys == "nested" else tree.values())) + 1.0
        )
        function(trees[0])

        def run() -> None:
            for tree in trees:
                function(tree)

        return run

    return prepare


for _keys, _tree in (
    ("same", "a dict of 50 arrays"),
    ("nested", "25 dicts of 2 arrays"),
    ("new", "dicts of 50 arrays, the keys made anew"),
):
    work(
        f"call of a compiled function, {_tree}",
        Limit(3 * US + 50 * NS * 50),
        calls=200,
        mlx=mlx_dict_hits(_keys),
    )


def mlx_long_trace(nodes: int) -> Callable[[], Run]:
    """Each run compiles and calls a function of so many operations that no run before has seen."""

    def prepare() -> Run:
        import mlx.core as mx

        x = mx.random.normal((4,))
        mx.eval(x)
        numbers = count(1)

        def run() -> object:
            shift = mx.array(float(next(numbers)))

            def function(x: mx.array) -> mx.array:
                for _ in range(nodes // 2):
                    x = mx.sin(x) * 1.5
                return x + shift

            return mx.compile(function)(x)

        return run

    return prepare


# The wheel takes minutes for 40,000 nodes.
work(
    "compile of 40,000 nodes, each node",
    Limit(25 * US),
    group=FIGURES,
    calls=40_000,
    mica=mlx_long_trace(40_000),
)
work("compile of 1,000 nodes, each node", calls=1000, mlx=mlx_long_trace(1000))


def mlx_new_shapes() -> Run:
    """A length that was not seen before in each call."""
    import mlx.core as mx

    function = mx.compile(lambda x: mx.softmax(x * 2 + 1, axis=-1).sum(), shapeless=True)
    lengths = count(2)
    return lambda: mx.eval(function(mx.zeros((next(lengths) % 5000 + 2,))))


work("compile(shapeless=True), another length in each call", AtMost(1, "mlx"), mlx=mlx_new_shapes)
