"""Optimizers take the same steps as those of the reference, and keep the same state."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from oracle import MICA, MLX, compare, normal, outcome, plain, same_outcome

OPTIMIZERS = [
    "SGD(0.1)",
    "SGD(0.1, 0.9)",
    "SGD(0.1, momentum=0.9, weight_decay=0.01, dampening=0.1)",
    "SGD(0.1, 0.9, 0.01, 0, True)",
    "SGD(lambda step: 0.1 / (1 + step))",
    "SGD(1)",
    "RMSprop(0.01)",
    "RMSprop(0.01, alpha=0.9, eps=1e-3)",
    "Adagrad(0.1)",
    "AdaDelta(0.1)",
    "AdaDelta(0.1, rho=0.8, eps=1e-3)",
    "Adam(0.1)",
    "Adam(0.1, betas=[0.8, 0.95], eps=1e-4)",
    "Adam(0.1, bias_correction=True)",
    "Adam(0.1, eps=0.1, bias_correction=True)",
    "Adam(optim.join_schedules([optim.linear_schedule(0, 0.1, 5), optim.cosine_decay(0.1, 10, 0.01)], [5]))",
    "AdamW(0.1)",
    "AdamW(0.1, weight_decay=0.2, bias_correction=True)",
    "Adamax(0.1)",
    "Lion(0.01)",
    "Lion(0.01, betas=[0.8, 0.9], weight_decay=0.1)",
    "Adafactor()",
    "Adafactor(beta_1=0.9)",
    "Adafactor(0.1, relative_step=False)",
    "Adafactor(0.1, relative_step=False, scale_parameter=False)",
    "Adafactor(warmup_init=True)",
    "Adafactor(weight_decay=0.1, clip_threshold=0.5, decay_rate=-0.5, eps=(1e-6, 0.1))",
    "Muon(0.1)",
    "Muon(0.1, momentum=0.5, nesterov=False, weight_decay=0, ns_steps=3)",
]
SHAPES = {
    "tall": (4, 3),
    "wide": (3, 5),
    "bias": (3,),
    "deep": (2, 3, 4),
    "window": (8, 3, 3, 1),
    "scalar": (),
}
PARAMETERS = {name: normal(*shape, seed=i) for i, (name, shape) in enumerate(SHAPES.items())}


def gradients(step):
    return {name: normal(*shape, seed=100 * step + i) for i, (name, shape) in enumerate(SHAPES.items())}


@pytest.mark.parametrize("constructor", OPTIMIZERS)
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_twenty_steps(constructor, dtype):
    def program(side):
        optimizer = side.run("optim." + constructor)
        tree = {"layers": [side.arrays(PARAMETERS, dtype)]}
        for step in range(1, 21):
            tree = optimizer.apply_gradients({"layers": [side.arrays(gradients(step), dtype)]}, tree)
        return tree, optimizer.state

    compare(program(MICA), program(MLX), scale=20.0)


@pytest.mark.parametrize("constructor", OPTIMIZERS)
def test_a_model_is_trained(constructor):
    """Updates of a model: frozen parameters stay, and what has no gradient."""

    def program(side):
        nn = side.nn
        side.mx.random.seed(0)
        model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3), nn.Linear(3, 3).freeze())
        optimizer = side.run("optim." + constructor)
        x, y = side.array(normal(16, 4)), side.array(normal(16, 3, seed=1))
        step = nn.value_and_grad(model, lambda: nn.losses.mse_loss(model(x), y))
        losses = []
        for _ in range(5):
            loss, grads = step()
            losses.append(loss)
            assert optimizer.update(model, grads) is None
        return losses, model.parameters(), optimizer.state

    # Muon makes small singular values large, and rounding with them; the sign in Lion flips.
    compare(program(MICA), program(MLX), scale=500.0 if "Muon" in constructor else 50.0)


G = "{'a': mx.ones((2, 3)), 'b': [mx.ones((2,)), {'c': mx.ones((1,), mx.float16)}], 't': (mx.ones((1,)),)}"


@pytest.mark.parametrize(
    "program",
    [
        "[o.state, o.step, o.learning_rate]",
        "[o.init(G), o.state]",
        "[o.init(G), o.init(G), o.state]",
        "[o.init({'a': G['a']}), o.init(G), o.state]",
        "[o.apply_gradients(G, G), o.state]",
        "[o.apply_gradients({'a': G['a']}, G), o.state]",
        "[o.apply_gradients({'a': G['a']}, G), o.apply_gradients({'a': G['a']}, G), o.state]",
        "[o.apply_gradients({'a': G['a']}, G), o.apply_gradients(G, G)]",
        "[o.apply_gradients({}, {}), o.update({}, {}), o.step]",
        "o.apply_gradients({'z': G['a']}, G)",
        "[setattr(o, 'learning_rate', 0.5), o.state]",
        "[setattr(o, 'learning_rate', 1), o.state]",
        "[setattr(o, 'learning_rate', mx.array(0.5, mx.float16)), o.apply_gradients(G, G)]",
        "setattr(o, 'learning_rate', lambda step: step)",
        "[o.init(G), setattr(o, 'state', dict(o.state)), o.apply_gradients(G, G), o.state]",
        "[setattr(o, 'state', {'learning_rate': mx.array(0.2), 'step': mx.array(5, mx.uint64)}),"
        " o.apply_gradients(G, G), o.state]",
        "[o.apply_gradients(G, G), setattr(o, 'state', {'learning_rate': mx.array(0.2), 'step': o.step}),"
        " o.apply_gradients(G, G), o.state]",
        "[setattr(o, 'state', {}), o.apply_gradients(G, G)]",
        "[o.apply_gradients(G, G), setattr(o, 'state', utils.tree_unflatten(utils.tree_flatten(o.state))),"
        " o.apply_gradients({'a': G['a']}, G), o.state]",
    ],
)
@pytest.mark.parametrize("constructor", ["Adam(0.1)", "SGD(lambda step: step * 0.5, momentum=0.5)"])
def test_state(program, constructor):
    def run(side):
        return outcome(side, program, o=side.run("optim." + constructor), G=side.run(G))

    assert run(MICA) == run(MLX)


@pytest.mark.parametrize(
    "program",
    [
        "optim.SGD(0.1, nesterov=True)",
        "optim.SGD(0.1, 0.9, 0, 0.1, True)",
        "optim.Adam(0.1, [1.0, 0.9])",
        "optim.Adam(0.1, [0.9, -0.1])",
        "optim.Adam(0.1, eps=-1)",
        "optim.AdamW(0.1, [0.9, 1])",
        "optim.Adamax(0.1, eps=-1)",
        "optim.Adamax(0.1, [0.9, 1])",
        "optim.RMSprop(0.1, -1)",
        "optim.RMSprop(0.1, eps=0)",
        "optim.Adagrad(0.1, 0)",
        "optim.AdaDelta(0.1, -1)",
        "optim.AdaDelta(0.1, eps=0)",
        "optim.Lion(0.1, [0.9, 1])",
        "optim.Lion(0.1, [-0.9, 0.1])",
        "optim.MultiOptimizer([])",
        "optim.MultiOptimizer([optim.SGD(0.1)], [1])",
        "setattr(optim.MultiOptimizer([optim.SGD(0.1)]), 'state', {})",
        "optim.join_schedules([], [])",
        "optim.join_schedules([lambda s: s], [1])",
        "optim.linear_schedule(0, 1, 0)",
        "optim.linear_schedule(0, 1, -2)",
        "optim.cosine_decay(1, 0)",
        "optim.step_decay(1, 0.1, 0)",
        "optim.clip_grad_norm({'x': mx.ones((2,))}, -1)",
    ],
)
def test_refusals(program):
    assert same_outcome(program) == ("raises", "ValueError")


@pytest.mark.parametrize(
    "program",
    [
        "optim.Adam(0.1, eps=0).eps",
        "optim.Optimizer().state",
        "optim.Optimizer({'x': lambda step: step + 1}).state",
        "optim.Optimizer().apply_gradients({'a': mx.ones((1,))}, {'a': mx.ones((1,))})",
        "optim.Optimizer().init_single(mx.ones((1,)), {})",
        "optim.Optimizer().apply_single(mx.ones((1,)), mx.ones((1,)), {})",
        "optim.Adafactor(relative_step=False).apply_gradients({'a': mx.ones((1,))}, {'a': mx.ones((1,))})",
        "optim.Adafactor().learning_rate",
    ],
)
def test_edges(program):
    same_outcome(program)


def test_a_schedule_of_ones_own():
    """Subclasses may put any of their parameters on a schedule."""

    def program(side):
        class Decaying(side.optim.Optimizer):
            def __init__(self):
                super().__init__()
                self._maybe_schedule("learning_rate", 0.1)
                self._maybe_schedule("decay", lambda step: 1.0 / (1 + step))

            def init_single(self, parameter, state):
                state["count"] = side.mx.zeros(())

            def apply_single(self, gradient, parameter, state):
                state["count"] = state["count"] + 1
                return parameter * self.state["decay"] - self.learning_rate * gradient

        optimizer = Decaying()
        tree = {"a": side.mx.ones((2,))}
        for _ in range(3):
            tree = optimizer.apply_gradients({"a": side.mx.ones((2,))}, tree)
        return tree, optimizer.state

    compare(program(MICA), program(MLX))


def test_multi_optimizer():
    def program(side):
        seen = []

        def is_matrix(path, gradient):
            seen.append(path)
            return gradient.ndim == 2

        optimizer = side.optim.MultiOptimizer(
            [side.optim.Muon(0.1), side.optim.SGD(0.1, 0.9), side.optim.Adam(0.2)],
            [is_matrix, lambda path, gradient: path.endswith("bias")],
        )
        start = plain(optimizer.state)
        tree = {"layers": [side.arrays(PARAMETERS), side.arrays(PARAMETERS)]}
        optimizer.init(tree)
        for step in range(1, 4):
            grads = {"layers": [side.arrays(gradients(step)), side.arrays(gradients(-step % 7))]}
            tree = optimizer.apply_gradients(grads, tree)
        rate = optimizer.learning_rate
        optimizer.learning_rate = 0.5
        state = optimizer.state
        optimizer.state = state
        flat = dict(sorted(side.utils.tree_flatten(tree)))
        return (
            start,
            flat,
            rate,
            state,
            optimizer.learning_rate,
            [o.learning_rate for o in optimizer.optimizers],
            seen,
        )

    compare(program(MICA), program(MLX), scale=20.0)


@pytest.mark.parametrize(
    "schedule",
    [
        "exponential_decay(0.1, 0.9)",
        "step_decay(0.1, 0.9, 3)",
        "cosine_decay(0.1, 5)",
        "cosine_decay(0.1, 5, 0.01)",
        "linear_schedule(0.0, 0.1, 5)",
        "linear_schedule(0.2, 0.1, 5)",
        "join_schedules([optim.linear_schedule(0, 1, 3), optim.cosine_decay(1, 4), "
        "optim.step_decay(1, 0.1, 2)], [3, 6])",
        "join_schedules([optim.exponential_decay(0.1, 0.9)], [])",
    ],
)
def test_schedules(schedule):
    def program(side):
        value = side.run("optim." + schedule)
        mx = side.mx
        return [value(mx.array(t, dtype)) for t in range(10) for dtype in (mx.uint64, mx.int32, mx.float32)]

    compare(program(MICA), program(MLX))
    compare(MICA.run(f"optim.{schedule}(2)"), MLX.run(f"optim.{schedule}(2)"))


@pytest.mark.parametrize("max_norm", [0, 0.5, 3, 1000.0])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_clip_grad_norm(max_norm, dtype):
    def program(side):
        grads = {"a": side.array(normal(3, 4), dtype), "b": [side.array(100 * normal(5), dtype), {}]}
        return side.optim.clip_grad_norm(grads, max_norm)

    compare(program(MICA), program(MLX), scale=3.0)


def test_clip_grad_norm_of_other_dtypes():
    """The norm is a float32 for every dtype; integers are scaled as float32."""
    mx, clip = MICA.mx, MICA.optim.clip_grad_norm
    clipped, norm = clip({"a": mx.array([300.0, 400.0], mx.bfloat16), "i": mx.array([0, 0])}, 5.0)
    assert norm.dtype == mx.float32 and norm.item() == pytest.approx(500.0, rel=1e-2)
    assert clipped["a"].dtype == mx.bfloat16 and clipped["i"].dtype == mx.float32
    np.testing.assert_allclose(np.array(clipped["a"].astype(mx.float32)), [3.0, 4.0], rtol=2e-2)
    _, norm = clip({"z": mx.array([3 + 4j])}, 1.0)
    assert norm.item() == pytest.approx(5.0)
    assert clip({}, 1.0)[0] == {}


def test_signatures():
    for name in dir(MLX.optim):
        want = getattr(MLX.optim, name)
        is_optimizer = inspect.isclass(want) and issubclass(want, MLX.optim.Optimizer)
        if not is_optimizer and getattr(want, "__module__", "") not in (
            "mlx.optimizers.optimizers", "mlx.optimizers.schedulers",
        ):  # fmt: skip
            continue
        parameters = [
            inspect.signature(getattr(side.optim, name)).parameters.values() for side in (MICA, MLX)
        ]
        got, wanted = ([(p.name, p.kind, p.default) for p in signature] for signature in parameters)
        assert got == wanted, name
