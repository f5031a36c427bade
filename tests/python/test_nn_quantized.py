"""Layers in few bits: parameters, printed form, outputs, what trains, and errors agree with the reference."""

from __future__ import annotations

import mica.core as mx
import mica.nn as nn
import numpy as np
import pytest
from oracle import MICA, MLX, compare, integers, normal, plain, same_outcome

FORMATS = ["", ", bits=8", ", group_size=32, bits=2", ", mode='mxfp4'", ", mode='mxfp8'", ", mode='nvfp4'"]
LAYERS = [
    *((f"nn.QuantizedLinear(64, 32{form})", [normal(2, 5, 64)], "m(*x)") for form in FORMATS),
    ("nn.QuantizedLinear(128, 16, bias=False)", [normal(128)], "m(*x)"),
    ("nn.Linear(64, 32).to_quantized(group_size=32)", [normal(5, 64)], "m(*x)"),
    ("nn.Linear(64, 32, bias=False).to_quantized(mode='mxfp4')", [normal(5, 64)], "m(*x)"),
    *((f"nn.QuantizedEmbedding(7, 64{form})", [integers(7, 2, 5)], "m(*x)") for form in FORMATS),
    ("nn.QuantizedEmbedding(9, 64)", [normal(2, 64)], "m.as_linear(*x)"),
    ("nn.Embedding(9, 64).to_quantized(bits=8)", [integers(9, 3)], "m(*x)"),
    ("nn.QQLinear(64, 32)", [normal(5, 64)], "m(*x)"),
    ("nn.QQLinear(64, 32, mode='mxfp8').eval()", [normal(5, 64)], "m(*x)"),
    (
        "nn.Linear(64, 32, bias=False).to_quantized(mode='nvfp4', quantize_input=True)",
        [normal(5, 64)],
        "m(*x)",
    ),
]
layers = pytest.mark.parametrize(("constructor", "inputs", "call"), LAYERS, ids=[row[0] for row in LAYERS])
MODEL = "nn.Sequential(nn.Embedding(9, 64), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32, bias=False))"


def build(side, constructor):
    side.mx.random.seed(0)
    return side.run(constructor)


def state(model) -> dict:
    """What a user sees of a layer beside its arrays."""
    names = ("group_size", "bits", "mode", "training")
    return {name: getattr(model, name) for name in names if hasattr(model, name)}


@layers
def test_parameters_and_printed_form(constructor, inputs, call):
    """The same seed gives the same words; the same of them are trained."""
    got, want = build(MICA, constructor), build(MLX, constructor)
    assert repr(got) == repr(want)
    assert state(got) == state(want)
    compare(plain(got.parameters()), plain(want.parameters()))
    assert list(got.trainable_parameters()) == list(want.trainable_parameters())


@layers
def test_outputs(constructor, inputs, call):
    """Values, shapes and types of what the layers give. The reference's CPU has no products of two operands
    in few bits, so those are compared with products of what the words stand for.
    """
    if "QQ" in constructor or "quantize_input" in constructor:
        model, (x,) = build(MICA, constructor), inputs
        settings = {"mode": model.mode, "group_size": model.group_size, "bits": model.bits}

        def numbers(words, scales):
            return np.array(mx.dequantize(words, scales, **settings, dtype=mx.float32), dtype=np.float64)

        stored = "scales" in model
        w = (model.weight, model.scales) if stored else mx.quantize(model.weight, **settings)
        want = numbers(*mx.quantize(mx.array(x), **settings)) @ numbers(*w).T
        compare(model(mx.array(x)), mx.array(want.astype(np.float32)), scale=10)
        return
    outputs = [
        side.run(call, m=build(side, constructor), x=[side.array(x) for x in inputs]) for side in (MICA, MLX)
    ]
    compare(outputs[0], outputs[1], scale=10)


@pytest.mark.parametrize("constructor", ["nn.QuantizedLinear(64, 32)", "nn.QuantizedEmbedding(7, 64)"])
def test_stays_frozen(constructor):
    """Unfreezing a layer leaves its codes alone."""
    outcomes = []
    for side in (MICA, MLX):
        model = build(side, constructor)
        before = list(model.trainable_parameters())
        model.unfreeze()
        outcomes.append((before, list(model.trainable_parameters())))
    assert outcomes[0] == outcomes[1]


def test_gradients_of_a_linear_layer():
    """Of the input, and of the bias that from_linear leaves trainable."""
    results = []
    for side in (MICA, MLX):
        model = build(side, "nn.Linear(64, 32).to_quantized()")
        x = side.array(normal(5, 64))
        by_x = side.mx.grad(lambda x, model=model: (model(x) ** 2).sum())(x)
        _, by_parameters = side.nn.value_and_grad(model, lambda x, model=model: (model(x) ** 2).sum())(x)
        results.append((by_x, by_parameters))
    compare(results[0][0], results[1][0], scale=20)
    compare(results[0][1], results[1][1], scale=20)


PREDICATES = {
    "all": "None",
    "linear": "lambda path, m: isinstance(m, nn.Linear)",
    "by path": "lambda path, m: path == 'layers.1'",
    "settings": "lambda path, m: {'group_size': 32, 'bits': 8} if isinstance(m, nn.Linear) else False",
}


@pytest.mark.parametrize("predicate", PREDICATES.values(), ids=PREDICATES)
@pytest.mark.parametrize("settings", ["", "bits=8", "mode='mxfp4'"])
def test_quantize_models(predicate, settings):
    """The same layers are replaced, and the model gives the same."""
    results = []
    for side in (MICA, MLX):
        model = build(side, MODEL)
        side.run(f"nn.quantize(m, {settings + ',' if settings else ''} class_predicate={predicate})", m=model)
        results.append((repr(model), model(side.array(integers(9, 2, 3)))))
    assert results[0][0] == results[1][0]
    # mxfp4 makes bfloat16 of the embedding: one more rounding, at another place.
    compare(results[0][1], results[1][1], scale=2000 if "mxfp4" in settings else 20)


@pytest.mark.parametrize(
    "program",
    [
        "nn.QuantizedLinear(64, 32, mode='none')",
        "nn.QuantizedLinear(63, 32)",
        "nn.QuantizedLinear(64, 32, bits=7)",
        "nn.QuantizedEmbedding(9, 64, mode='none')",
        "nn.QQLinear(64, 32, mode='none')",
        "nn.Linear(64, 32).to_quantized(mode='affine', quantize_input=True)",
        "nn.Linear(64, 32).to_quantized(mode='nvfp4', quantize_input=True)",
        "nn.Embedding(9, 64).to_quantized(quantize_input=True)",
        "nn.quantize(nn.Sequential(nn.ReLU()), class_predicate=lambda path, m: True)",
        "nn.quantize(nn.Sequential(nn.Linear(64, 64)), class_predicate=lambda path, m: 'yes')",
        "nn.quantize(nn.Sequential(nn.Linear(64, 64)), mode='affine', quantize_input=True)",
    ],
)
def test_errors(program):
    """The same exception class."""
    same_outcome(program)


def test_qqlinear_changes_with_the_mode():
    """eval() packs the weight, train() makes a matrix of it again; both twice over."""
    results = []
    for side in (MICA, MLX):
        model = build(side, "nn.QQLinear(64, 32)")
        seen = []
        for step in ("eval", "eval", "train", "train", "eval"):
            getattr(model, step)()
            seen.append((repr(model), plain(model.parameters())))
        results.append(seen)
    for (got_text, got), (want_text, want) in zip(*results, strict=True):
        assert got_text == want_text
        compare(got, want)


def test_qqlinear_trains_in_training_mode_alone():
    """Codes have no derivative: the error says what to call."""
    mx.random.seed(0)
    layer, x = nn.QQLinear(64, 32), mx.array(normal(5, 64))
    step = nn.value_and_grad(layer, lambda x: layer(x).sum())
    _, gradients = step(x)
    assert np.array(gradients["weight"]).any()
    layer.eval()
    with pytest.raises(ValueError, match=r"call train\(\) first"):
        step(x)
    layer.train()
    step(x)
