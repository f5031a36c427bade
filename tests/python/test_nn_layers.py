"""Layers: parameters from a seed, printed form, outputs and gradients agree with the reference."""

from __future__ import annotations

import numpy as np
import pytest
from oracle import MICA, MLX, compare, integers, masked, normal, plain, same_outcome

SEQUENCE = normal(2, 5, 8)
MEMORY = normal(2, 6, 8, seed=1)
IMAGE = normal(2, 6, 7, 4)
VOLUME = normal(2, 4, 5, 6, 4)

# (constructor, inputs[, call of model m with inputs x])
LAYERS = [
    ("nn.Linear(3, 4)", [normal(5, 3)]),
    ("nn.Linear(3, 4)", [normal(2, 5, 3)]),
    ("nn.Linear(3, 4)", [normal(3)]),
    ("nn.Linear(3, 4, bias=False)", [normal(2, 5, 3)]),
    ("nn.Bilinear(2, 3, 4)", [normal(5, 2), normal(5, 3)]),
    ("nn.Bilinear(2, 3, 4, bias=False)", [normal(2, 5, 2), normal(2, 5, 3)]),
    ("nn.Identity(1, a=2)", [normal(5, 2)]),
    ("nn.Embedding(7, 3)", [integers(7, 2, 5)]),
    ("nn.Embedding(7, 3)", [normal(2, 3)], "m.as_linear(*x)"),
    ("nn.Sequential(nn.Linear(3, 4), nn.relu, nn.Linear(4, 2), nn.Tanh())", [normal(5, 3)]),
    # normalization
    ("nn.RMSNorm(8)", [SEQUENCE]),
    ("nn.RMSNorm(8, eps=0.1)", [SEQUENCE]),
    ("nn.LayerNorm(8)", [SEQUENCE]),
    ("nn.LayerNorm(8, bias=False)", [SEQUENCE]),
    ("nn.LayerNorm(8, affine=False, eps=0.1)", [SEQUENCE]),
    ("nn.InstanceNorm(8)", [SEQUENCE]),
    ("nn.InstanceNorm(4, affine=True)", [IMAGE]),
    ("nn.GroupNorm(2, 8)", [SEQUENCE]),
    ("nn.GroupNorm(2, 4)", [IMAGE]),
    ("nn.GroupNorm(4, 8, pytorch_compatible=True)", [SEQUENCE]),
    ("nn.GroupNorm(2, 4, affine=False, pytorch_compatible=True)", [IMAGE]),
    ("nn.BatchNorm(8)", [normal(5, 8)]),
    ("nn.BatchNorm(8, momentum=0.3)", [SEQUENCE]),
    ("nn.BatchNorm(4, affine=False)", [IMAGE]),
    ("nn.BatchNorm(4, track_running_stats=False)", [IMAGE]),
    ("nn.BatchNorm(4).eval()", [IMAGE]),
    ("nn.BatchNorm(4, track_running_stats=False).eval()", [IMAGE]),
    # dropout
    ("nn.Dropout(0.3)", [SEQUENCE]),
    ("nn.Dropout(0.0)", [SEQUENCE]),
    ("nn.Dropout(0.3).eval()", [SEQUENCE]),
    ("nn.Dropout2d(0.4)", [IMAGE]),
    ("nn.Dropout2d(0.4)", [normal(5, 6, 8)]),
    ("nn.Dropout3d(0.4)", [VOLUME]),
    ("nn.Dropout3d(0.4)", [IMAGE]),
    # positions
    ("nn.RoPE(8)", [normal(2, 3, 5, 8)]),
    ("nn.RoPE(4)", [normal(2, 5, 8)]),
    ("nn.RoPE(8, traditional=True, base=500, scale=0.5)", [normal(2, 3, 5, 8)], "m(*x, offset=3)"),
    ("nn.SinusoidalPositionalEncoding(8)", [integers(50, 2, 5)]),
    ("nn.SinusoidalPositionalEncoding(8, min_freq=0.01, max_freq=2, cos_first=True)", [normal(5)]),
    ("nn.SinusoidalPositionalEncoding(8, scale=1.0, full_turns=True)", [normal(2, 3)]),
    ("nn.SinusoidalPositionalEncoding(2)", [normal(5)]),
    ("nn.ALiBi()", [normal(2, 8, 5, 5)]),
    ("nn.ALiBi()", [normal(2, 6, 5, 7)], "m(x[0], offset=2)"),
    ("nn.ALiBi()", [normal(2, 3, 5, 5), normal(5, 5)], "m(x[0], mask=x[1])"),
    # attention
    ("nn.MultiHeadAttention(8, 2)", [SEQUENCE, MEMORY, MEMORY]),
    ("nn.MultiHeadAttention(8, 2, 3, 4, 5, 6, 7, True)", [normal(2, 5, 3), normal(2, 6, 4), normal(2, 6, 5)]),
    ("nn.MultiHeadAttention(8, 4)", [SEQUENCE] * 3, "m(*x, m.create_additive_causal_mask(5, x[0].dtype))"),
    ("nn.TransformerEncoderLayer(8, 2)", [SEQUENCE], "m(x[0], None)"),
    ("nn.TransformerEncoderLayer(8, 2, 12, 0.2, nn.gelu, False)", [SEQUENCE], "m(x[0], None)"),
    ("nn.TransformerDecoderLayer(8, 2)", [SEQUENCE, MEMORY], "m(*x, None, None)"),
    ("nn.TransformerDecoderLayer(8, 2, 12, 0.2, nn.gelu, False)", [SEQUENCE, MEMORY], "m(*x, None, None)"),
    ("nn.TransformerEncoder(2, 8, 2)", [SEQUENCE], "m(x[0], None)"),
    ("nn.TransformerEncoder(2, 8, 2, checkpoint=True)", [SEQUENCE], "m(x[0], None)"),
    ("nn.TransformerDecoder(2, 8, 2, norm_first=False)", [SEQUENCE, MEMORY], "m(*x, None, None)"),
    ("nn.Transformer(8, 2, 1, 2, 16)", [MEMORY, SEQUENCE], "m(*x, None, 'causal', None)"),
    ("nn.Transformer(8, 2, 1, 1, checkpoint=True)", [MEMORY, SEQUENCE], "m(*x, None, None, None)"),
    # convolution
    ("nn.Conv1d(8, 6, 3)", [SEQUENCE]),
    ("nn.Conv1d(8, 6, 2, stride=2, padding=1, dilation=2, groups=2, bias=False)", [SEQUENCE]),
    ("nn.Conv2d(4, 6, 3)", [IMAGE]),
    ("nn.Conv2d(4, 6, (3, 2), (1, 2), (0, 1), 2, 2)", [IMAGE]),
    ("nn.Conv3d(4, 6, (2, 3, 1), 2, 1)", [VOLUME]),
    ("nn.Conv3d(4, 6, 2, dilation=2, bias=False)", [VOLUME]),
    ("nn.ConvTranspose1d(8, 6, 3, 2, 1, 1, 1)", [SEQUENCE]),
    ("nn.ConvTranspose2d(4, 6, (3, 2), (1, 2))", [IMAGE]),
    ("nn.ConvTranspose2d(4, 6, 3, bias=False)", [IMAGE]),
    ("nn.ConvTranspose3d(4, 2, 2, 2)", [VOLUME]),
    # pooling
    ("nn.MaxPool1d(2)", [SEQUENCE]),
    ("nn.MaxPool1d(3, 1, 1)", [SEQUENCE - 5]),
    ("nn.AvgPool1d(2, 3)", [SEQUENCE]),
    ("nn.MaxPool2d(2)", [IMAGE]),
    ("nn.MaxPool2d((2, 3), stride=(1, 2), padding=1)", [IMAGE - 5]),
    ("nn.MaxPool2d(7)", [normal(2, 7, 7, 4)]),
    ("nn.MaxPool2d(2, 1)", [np.maximum(IMAGE, 0)]),
    ("nn.AvgPool2d((3, 2), padding=(1, 0))", [IMAGE]),
    ("nn.AvgPool2d(3, 2)", [IMAGE]),
    ("nn.MaxPool3d(2)", [VOLUME]),
    ("nn.MaxPool3d(2, 1, 1)", [VOLUME - 5]),
    ("nn.AvgPool3d((2, 3, 2), 1, 1)", [VOLUME]),
    # resampling
    ("nn.Upsample(2)", [IMAGE]),
    ("nn.Upsample((1.7, 0.6))", [IMAGE]),
    ("nn.Upsample(2, mode='linear')", [SEQUENCE]),
    ("nn.Upsample((1.7, 0.6), mode='linear')", [IMAGE]),
    ("nn.Upsample((2, 1.5), mode='linear', align_corners=True)", [IMAGE]),
    ("nn.Upsample(2, mode='linear')", [VOLUME]),
    ("nn.Upsample(2, mode='cubic')", [IMAGE]),
    ("nn.Upsample((1.7, 0.6), mode='cubic')", [IMAGE]),
    ("nn.Upsample(1.5, mode='cubic', align_corners=True)", [SEQUENCE]),
    ("nn.Upsample(0.5, mode='linear', antialias=True)", [IMAGE]),
    ("nn.Upsample((0.25, 2), mode='linear', antialias=True)", [normal(1, 9, 5, 3)]),
    ("nn.Upsample((0.5, 1.5), mode='cubic', antialias=True)", [IMAGE]),
    ("nn.Upsample(0.3, mode='cubic', antialias=True)", [normal(1, 11, 3)]),
    ("nn.Upsample(0.4, mode='linear', antialias=True)", [normal(1, 11, 3)]),
    # recurrence
    ("nn.RNN(3, 4)", [normal(2, 5, 3)]),
    ("nn.RNN(3, 4, bias=False, nonlinearity=nn.relu)", [normal(5, 3), normal(4)]),
    ("nn.GRU(3, 4)", [normal(2, 5, 3)]),
    ("nn.GRU(3, 4)", [normal(2, 5, 3), normal(2, 4)]),
    ("nn.GRU(3, 4, bias=False)", [normal(5, 3), normal(4)]),
    ("nn.LSTM(3, 4)", [normal(2, 5, 3)]),
    ("nn.LSTM(3, 4)", [normal(2, 5, 3), normal(2, 4), normal(2, 4, seed=1)]),
    ("nn.LSTM(3, 4, bias=False)", [normal(5, 3)]),
]
LAYERS = [(*row, "m(*x)")[:3] for row in LAYERS]
IDS = [f"{constructor}-{call}-{len(inputs)}-{inputs[0].ndim}" for constructor, inputs, call in LAYERS]

layers = pytest.mark.parametrize(("constructor", "inputs", "call"), LAYERS, ids=IDS)


def build(side, constructor, dtype=None):
    side.mx.random.seed(0)
    model = side.run(constructor)
    if dtype:
        model.set_dtype(getattr(side.mx, dtype))
    return model


@layers
def test_parameters_and_printed_form(constructor, inputs, call):
    """The same seed gives the same parameters, in the same order."""
    got, want = build(MICA, constructor), build(MLX, constructor)
    compare(got.parameters(), want.parameters(), scale=0.2)
    compare(got.trainable_parameters(), want.trainable_parameters(), scale=0.2)
    assert masked(repr(got)) == masked(repr(want))


@layers
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_output(constructor, inputs, call, dtype):
    """Outputs and what the call changes (running averages, the random state) agree."""

    def program(side):
        model = build(side, constructor, dtype)
        output = side.run(call, m=model, x=side.arrays(inputs, dtype))
        return output, model.parameters(), side.mx.random.uniform(shape=(2,))

    compare(program(MICA), program(MLX), scale=2.0)


@layers
def test_gradients(constructor, inputs, call):
    """Gradients of a weighted sum of the outputs with respect to parameters and inputs agree."""

    def program(side):
        mx = side.mx
        holder = side.nn.Module()
        holder.model = build(side, constructor)
        holder.inputs = side.arrays(inputs)
        if inputs[0].dtype.kind != "f":
            holder.freeze(keys="inputs", recurse=False)

        def loss():
            outputs = side.run(call, m=holder.model, x=holder.inputs)
            outputs = outputs if isinstance(outputs, tuple) else (outputs,)
            return sum(mx.sum(y * mx.cos(mx.arange(y.size)).reshape(y.shape)) for y in outputs)

        before = holder.trainable_parameters()
        result = side.nn.value_and_grad(holder, loss)()
        assert plain(holder.trainable_parameters()) == plain(before)
        return result

    if constructor.startswith("nn.Sinusoidal") and inputs[0].dtype.kind != "f":
        with pytest.raises(ValueError):
            program(MICA)
    else:
        compare(program(MICA), program(MLX), scale=20.0)


@pytest.mark.parametrize(
    "program",
    [
        "nn.Dropout(1.0)",
        "nn.Dropout(-0.1)",
        "nn.Dropout2d(1.5)",
        "nn.Dropout3d(1.5)",
        "nn.Dropout2d(0.5)(mx.ones((2, 3)))",
        "nn.Dropout3d(0.5)(mx.ones((2, 3)))",
        "nn.BatchNorm(3)(mx.ones((3,)))",
        "nn.BatchNorm(3)(mx.ones((1, 3)))",
        "nn.BatchNorm(3)(mx.ones((1, 2, 2, 2, 3)))",
        "nn.BatchNorm(3).eval()(mx.ones((1, 3)))",
        "nn.BatchNorm(3, track_running_stats=False)(mx.ones((1, 3)))",
        "nn.MultiHeadAttention(8, 3)",
        "nn.GELU('other')",
        "nn.RNN(2, 3, nonlinearity=3)",
        "nn.Linear(2, 3)(mx.ones((4,)))",
        "nn.BatchNorm(2).unfreeze()",
        "nn.BatchNorm(2, track_running_stats=False).unfreeze()",
        "nn.Conv1d(3, 4, 2, groups=2)",
        "nn.Conv2d(3, 4, 2)(mx.ones((2, 3, 3, 4)))",
        "repr(nn.Conv1d(4, 3, 2, groups=2))",
        "nn.MaxPool2d(2)(mx.ones((4, 4, 3)))",
        "nn.MaxPool1d(2, padding=1)(mx.ones((4, 3)))",
        "nn.MaxPool2d(5)(mx.ones((1, 4, 4, 3)))",
        "nn.MaxPool2d(5, 1)(mx.ones((1, 4, 4, 3)))",
        "nn.MaxPool2d((1, 2, 3))",
        "nn.MaxPool2d(1.5)",
        "nn.MaxPool2d(2, 'a')",
        "nn.MaxPool2d(0)",
        "nn.MaxPool2d(2, 0)",
        "nn.MaxPool1d((2, 3))",
        "nn.MaxPool2d(2)(mx.arange(16).reshape(1, 4, 4, 1))",
        "nn.AvgPool2d(2)(mx.arange(16).reshape(1, 4, 4, 1))",
        "nn.Upsample(2)(mx.ones((3, 2)))",
        "nn.Upsample((2, 3))(mx.ones((1, 3, 2)))",
        "nn.Upsample(2, 'other')",
        "nn.Upsample(2, 'nearest', antialias=True)",
        "nn.Upsample(2, 'linear', True, True)",
        "nn.Upsample(2)(mx.arange(4).reshape(1, 4, 1))",
        "nn.Upsample(2, 'linear')(mx.arange(4).reshape(1, 4, 1))",
        "[nn.Upsample(s / 7)(mx.arange(n).reshape(1, n, 1)) for s in range(3, 20) for n in range(3, 12)]",
        "nn.ALiBi.create_alibi_slope(12, mx.float32).shape",
        "nn.ALiBi.create_alibi_matrix(5, 7, 8, 2).shape",
        "nn.ALiBi.create_alibi_matrix(5, 7, 8)",
        "nn.ALiBi.create_alibi_slope(6)",
        "nn.SinusoidalPositionalEncoding(3)",
        "nn.SinusoidalPositionalEncoding(2.5)",
        "nn.ALiBi.create_alibi_matrix(5, 7, 8, 2, mx.float16).dtype == mx.float16",
        "nn.MultiHeadAttention.create_additive_causal_mask(4, mx.float16)",
        "nn.Transformer(custom_encoder=nn.Identity(), custom_decoder=nn.Linear(1, 1)).encoder",
    ],
)
def test_edges(program):
    same_outcome(program)


def test_every_name_of_the_reference_is_known():
    """What the reference exports is here."""
    names = {name for name in dir(MLX.nn) if not name.startswith("_")}
    assert not names - set(dir(MICA.nn))
