"""The protocol of Module: items, traversal, freezing, updating, weights, printed form."""

from __future__ import annotations

import copy
import pickle

import pytest
from oracle import MICA, MLX, compare, masked, normal, outcome, plain, same_outcome

BOTH = pytest.mark.parametrize("side", [MICA, MLX], ids=["mica", "mlx"])


def nested(side):
    """A module that holds everything in every place where it can stand."""
    mx, nn = side.mx, side.nn
    a = mx.ones((2,))

    class Nested(nn.Module):
        def __init__(self):
            super().__init__()
            mx.random.seed(3)
            self.l1 = nn.Linear(1, 2, bias=False)
            self.layers = [
                nn.Linear(1, 1), a, nn.relu, 3, (a,), [nn.ReLU(), a],
                {"z": a, "m": nn.ReLU(), "n": 5, "_q": a},
            ]  # fmt: skip
            self.d = {"m": nn.Linear(1, 1), "a": a, "_h": a, "n": 7, "t": (a,), "e": {}, "l": [a, nn.Tanh()]}
            self.t = (nn.Linear(1, 1), a)
            self.w = a
            self._p = a
            self.n = 3
            self.f = nn.relu
            self.none = None
            self.empty = []

    return Nested()


def on_nested(program):
    """The outcome of a program with ``m``, a nested module, and what became of the module."""

    def run(side):
        model = nested(side)
        result = outcome(side, program, m=model, A=side.mx.ones((3,)), B=side.mx.zeros((1,)))
        frozen = [(path, sorted(module._no_grad)) for path, module in side.nn.Module.named_modules(model)]
        return result, plain(model), frozen, plain(model.trainable_parameters())

    return run


@pytest.mark.parametrize(
    "program",
    [
        "list(m)",
        "m.parameters()",
        "m.trainable_parameters()",
        "m.children()",
        "m.leaf_modules()",
        "m.named_modules()",
        "m.modules()",
        "m.state is m",
        "repr(m)",
        "len(m)",
        "m.filter_and_map(lambda *_: True, lambda x: ('mapped', x))",
        "m.filter_and_map(lambda m, k, v: not k.endswith('a'))",
        "m.filter_and_map(lambda *_: True, is_leaf_fn=lambda m, k, v: isinstance(v, nn.Module))",
        "m.filter_and_map(nn.Module.valid_child_filter, None, lambda m, k, v: not isinstance(v, list))",
        "[nn.Module.is_module(x) for x in (m, {}, m.w)]",
        "[nn.Module.valid_child_filter(m, '_a', x) for x in ([], {}, m, m.w, (1,), 3)]",
        "[nn.Module.valid_parameter_filter(m, k, x) for k in ('a', '_a') for x in ([], {}, m, m.w, (1,), 3)]",
        "m.freeze() is m",
        "m.freeze().unfreeze() is m",
        "m.freeze().freeze()",
        "m.freeze(recurse=False)",
        "m.freeze(keys='weight')",
        "m.freeze(keys=['weight', 'w', 'zz'])",
        "m.freeze(keys=['d.a', 'layers.1'], recurse=False)",
        "m.freeze(keys='zz', strict=True)",
        "m.freeze(keys='zz', strict=True, recurse=False)",
        "m.freeze(keys=['w', 'weight'], strict=True)",
        "m.freeze(keys=['w', 'weight'], strict=True, recurse=False)",
        "m.freeze().unfreeze(keys='weight')",
        "m.freeze().unfreeze(keys='d.a')",
        "m.freeze().unfreeze(keys=['w', 'zz'])",
        "m.freeze().unfreeze(keys='zz', strict=True)",
        "m.freeze().unfreeze(recurse=False)",
        "m.freeze().l1.unfreeze()",
        "m.train(False) is m and (m.training, [x.training for x in m.modules()])",
        "m.eval().train().training",
        "m.train(0).training",
        "m.apply(lambda x: x * 2) is m",
        "m.apply(lambda x: x * 2, lambda m, k, v: nn.Module.valid_parameter_filter(m, k, v) and k != 'w')",
        "m.apply(lambda x: 3)",
        "m.apply_to_modules(lambda k, v: v.freeze(keys='bias') if k.endswith('m') else None) is m",
        "m.set_dtype(mx.float16)",
        "m.set_dtype(mx.float16, None)",
        "m.set_dtype(mx.float16, lambda d: False)",
        "m.zz",
        "m.none",
        "m.n",
        "delattr(m, 'zz')",
        "[delattr(m, 'w'), hasattr(m, 'w')]",
        "[delattr(m, 'n'), hasattr(m, 'n')]",
        "[setattr(m, 'w', None), 'w' in m, m.w]",
        "[setattr(m, 'w', 3), 'w' in m, m.w]",
        "[setattr(m, 'n', A), 'n' in m, 'n' in m.__dict__]",
        "[setattr(m, 'none', A), 'none' in m, m.none]",
        "[setattr(m, 'new', [A]), 'new' in m]",
        "setattr(m, 'training', False)",
        "hash(m)",
        "m(A)",
        "m.__dict__['_training']",
        "'w' in m and 'n' not in m",
        "bool(nn.ReLU())",
        "nn.ReLU() == nn.ReLU()",
        "nn.ReLU() == nn.Sequential()",
    ],
)
def test_protocol(program):
    """One expression has the same outcome and leaves the same module behind on both sides."""
    same = on_nested(program)
    assert same(MICA) == same(MLX)


UPDATES = [
    "{}", "{'w': B}", "{'zz': B}", "{'w': 3}", "{'w': [B]}", "{'w': {'a': B}}", "{'l1': B}", "{'l1': {}}",
    "{'l1': []}", "{'l1': {'weight': B, 'q': B}}", "{'layers': [{'weight': B}]}", "{'layers': [{}, B]}",
    "{'layers': [{}, B, B]}", "{'layers': {'0': {'weight': B}}}", "{'layers': ({'weight': B},)}",
    "{'d': {'a': B, 'm': {'bias': B}}}", "{'d': {'zz': B}}", "{'t': (B,)}", "{'t': [{'weight': B}]}",
    "{'n': B}", "{'empty': [B]}", "{'layers': [{}, B, {}, {}, {}, [{}, B], {'z': B}, B]}", "{'w': None}",
    "{'l1': None}", "{'layers': [None]}", "{'layers': [{}, {}]}", "{'w': nn.ReLU()}",
    "nn.Sequential(nn.ReLU())", "{'_p': B}", "{'d': {'l': [B]}}", "{'d': {'l': [B, B]}}", "None", "B",
]  # fmt: skip
MODULES = [
    "{}", "{'l1': nn.ReLU()}", "{'zz': nn.ReLU()}", "{'layers': [nn.ReLU()]}",
    "{'layers': [nn.ReLU(), nn.ReLU()]}", "{'layers': [{}, {}, nn.ReLU()]}",
    "{'layers': [{}] * 7 + [nn.ReLU()]}", "{'d': {'m': nn.ReLU()}}", "{'d': {'a': nn.ReLU()}}",
    "{'d': {'zz': nn.ReLU()}}", "{'w': nn.ReLU()}", "{'l1': B}", "{'l1': {}}", "{'l1': 3}",
    "{'t': nn.ReLU()}", "{'n': nn.ReLU()}", "{'l1': None}", "{'l1': []}",
    "{'layers': [{}] * 5 + [[nn.Tanh()]]}", "{'l1': {'weight': nn.ReLU()}}", "{'layers': ()}",
]  # fmt: skip


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("tree", UPDATES)
def test_update(tree, strict):
    same = on_nested(f"m.update({tree}, strict={strict}) is m")
    assert same(MICA) == same(MLX)


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("tree", MODULES)
def test_update_modules(tree, strict):
    same = on_nested(f"m.update_modules({tree}, strict={strict}) is m")
    assert same(MICA) == same(MLX)


@pytest.mark.parametrize("tree", ["[nn.ReLU()]", "{'d': [B]}", "{'t': [{}, B]}"])
def test_a_container_of_the_wrong_kind_is_a_value_error(tree):
    """The reference raises KeyError or TypeError here."""
    (kind, name), *_ = on_nested(f"m.update({tree})")(MICA)
    assert (kind, name) == ("raises", "ValueError")


SEQUENTIAL = "nn.Sequential(nn.Linear(1, 2), nn.relu, nn.Linear(2, 1, bias=False))"
W = (
    "[('layers.0.weight', mx.ones((2, 1))), ('layers.0.bias', mx.ones((2,))), "
    "('layers.2.weight', mx.ones((1, 2)))]"
)


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    "weights",
    [
        "W",
        "dict(W)",
        "[]",
        "W[:1]",
        "W + [('b.c', mx.ones((1,))), ('a', mx.ones((1,)))]",
        "W[:1] + [('q', mx.ones((1,)))]",
        "W[:2] + [('layers.2.weight', mx.ones((2,)))]",
        "W[:2] + [('layers.2.weight', mx.ones((1, 2), mx.float16))]",
        "W[:2] + [('layers.2.weight', 3)]",
        "'missing.safetensors'",
        "'missing.npz'",
        "3",
    ],
)
def test_load_weights(weights, strict):
    def program(side):
        side.mx.random.seed(1)
        model = side.run(SEQUENTIAL)
        names = {"m": model, "W": side.run(W)}
        return outcome(side, f"m.load_weights({weights}, strict={strict}) is m", **names), plain(model)

    assert program(MICA) == program(MLX)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("W[:1]", "Missing 2 parameters: \nlayers.0.bias,\nlayers.2.weight."),
        ("W + [('b', B), ('a', B)]", "Received 2 parameters not in model: \na,\nb."),
        (
            "W[:2] + [('layers.2.weight', B)]",
            r"Expected shape (1, 2) but received shape (1,) for parameter layers.2",
        ),
        (
            "W[:2] + [('layers.2.weight', 3)]",
            "Expected mx.array but received <class 'int'> for parameter layers.2",
        ),
    ],
)
@BOTH
def test_messages_of_load_weights(side, weights, message):
    with pytest.raises(ValueError) as error:
        side.run(f"m.load_weights({weights})", m=side.run(SEQUENTIAL), W=side.run(W), B=side.mx.ones((1,)))
    assert message in str(error.value)


@pytest.mark.parametrize("extension", [".npz", ".safetensors"])
def test_weights_survive_files(tmp_path, extension):
    """What either library saves, mica loads; a path object serves as well."""
    for side in (MICA, MLX):
        side.mx.random.seed(5)
        saved = side.run("nn.Transformer(8, 2, 1, 1)")
        path = tmp_path / (side.name + extension)
        saved.save_weights(str(path))
        for name in (str(path), path):
            loaded = MICA.run("nn.Transformer(8, 2, 1, 1)").load_weights(name)
            compare(loaded.parameters(), saved.parameters(), scale=0.0)


def test_save_weights_refuses_other_files(tmp_path):
    assert same_outcome(f"nn.Linear(1, 1).save_weights({str(tmp_path / 'w.bin')!r})") == (
        "raises",
        "ValueError",
    )


def test_copies():
    def program(side):
        layer = side.nn.Linear(2, 3).freeze(keys="bias")
        copies = [copy.copy(layer), copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))]
        return [
            (type(c) is type(layer), plain(c) == plain(layer), c._no_grad == {"bias"}, c._training)
            for c in copies
        ]

    assert program(MICA) == program(MLX) == [(True, True, True, True)] * 3


def test_names_of_the_class_are_guarded():
    """A parameter that a class attribute would hide is refused, as in the reference."""

    def program(side):
        class Hidden(side.nn.Module):
            scale = 2.0

        model = Hidden()
        model.scale = side.mx.ones((1,))

    for side in (MICA, MLX):
        with pytest.raises(AttributeError):
            program(side)


def test_annotations_do_not_hide_parameters():
    class Annotated(MICA.nn.Module):
        scale: object

    model = Annotated()
    model.scale = MICA.mx.ones((1,))
    assert list(model) == ["scale"]


@BOTH
def test_value_and_grad_leaves_the_model_as_it_was(side):
    mx, nn = side.mx, side.nn
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    before = plain(model.parameters())
    x = side.array(normal(5, 3))
    value, grads = nn.value_and_grad(model, lambda x, scale: (model(x).sum() * scale, "extra", x))(
        x, scale=2.0
    )
    assert plain(model.parameters()) == before
    assert value[1] == "extra"
    assert [path for path, _ in side.utils.tree_flatten(grads)] == [
        path for path, _ in side.utils.tree_flatten(model.parameters())
    ]
    model.layers[0].freeze()
    _, grads = nn.value_and_grad(model, lambda x: model(x).sum())(x)
    assert plain(grads["layers"][0]) == {}
    mx.eval(model.parameters())


def test_value_and_grad_keeps_the_model_when_the_function_fails():
    model = MICA.nn.Linear(2, 2)
    before = plain(model.parameters())

    def loss(x):
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        MICA.nn.value_and_grad(model, loss)(MICA.mx.ones((1, 2)))
    MICA.mx.eval(model.parameters())
    assert plain(model.parameters()) == before


def test_value_and_grad_keeps_what_the_function_assigned():
    """A function may change the model, running averages for example."""

    def program(side):
        side.mx.random.seed(0)
        model = side.nn.Sequential(side.nn.Linear(3, 4), side.nn.BatchNorm(4))
        step = side.nn.value_and_grad(model, lambda x: side.mx.square(model(x)).sum())
        for i in range(3):
            step(side.array(normal(5, 3, seed=i)))
        return model.parameters()

    compare(program(MICA), program(MLX), scale=2.0)


@pytest.mark.parametrize("whole", [True, False])
def test_checkpoint(whole):
    """A checkpointed module or function gives the same gradients, and leaves the model as it was."""

    def program(side):
        nn = side.nn
        side.mx.random.seed(0)
        model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 3))
        x = side.array(normal(5, 3))
        before = plain(model.parameters())
        call = nn.utils.checkpoint(model) if whole else nn.utils.checkpoint(model, lambda x: model(model(x)))
        plain_call = model if whole else (lambda x: model(model(x)))
        result = nn.value_and_grad(model, lambda x: call(x).sum())(x)
        expected = nn.value_and_grad(model, lambda x: plain_call(x).sum())(x)
        compare(result[0], expected[0])
        compare(result[1], expected[1], scale=10.0)
        if side is MICA:
            assert plain(model.parameters()) == before
        return result

    compare(program(MICA), program(MLX), scale=10.0)


def test_compiled_step_with_captured_state():
    """Model and optimizer work as ``inputs`` and ``outputs`` of a compiled training step."""

    def program(side):
        mx, nn, optim = side.mx, side.nn, side.optim
        mx.random.seed(0)
        model = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.2), nn.gelu, nn.Linear(8, 1))
        optimizer = optim.AdamW(learning_rate=optim.cosine_decay(1e-2, 10))
        state = [model.state, optimizer.state, mx.random.state]
        loss_and_grad = nn.value_and_grad(model, lambda x, y: nn.losses.mse_loss(model(x), y))

        def step(x, y):
            loss, grads = loss_and_grad(x, y)
            optimizer.update(model, grads)
            return loss

        compiled = mx.compile(step, inputs=state, outputs=state)
        losses = []
        for i in range(6):
            losses.append(
                compiled(side.array(normal(16, 3, seed=i)), side.array(normal(16, 1, seed=100 + i)))
            )
            mx.eval(state)
        return losses, model.parameters(), optimizer.state["step"]

    compare(program(MICA), program(MLX), scale=50.0)


def test_printed_forms_of_models():
    for program in ("nn.Transformer(8, 2, 1, 1)", SEQUENTIAL, "nn.Module()"):
        assert masked(repr(MICA.run(program))) == masked(repr(MLX.run(program)))


def test_submodules_are_where_the_reference_has_them():
    import importlib

    for name in (
        "layers.activations layers.base layers.containers layers.convolution layers.convolution_transpose "
        "layers.dropout layers.embedding layers.linear layers.normalization layers.pooling "
        "layers.positional_encoding layers.recurrent layers.transformer layers.upsample init losses utils"
    ).split():
        got, want = (importlib.import_module(f"{package}.nn.{name}") for package in ("mica", "mlx"))
        public = {
            key
            for key, value in vars(want).items()
            if not key.startswith("_") and getattr(value, "__module__", "") == want.__name__
        }
        if name == "utils":
            public -= {"average_gradients", "clip_grad_norm_sharded"}
        assert public <= set(vars(got)), name
