"""Layers whose weights lie in few bits, and the conversion of whole models."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mica.core as mx
from mica.nn.layers.base import Module
from mica.utils import tree_map_with_path

__all__ = ["QQLinear", "QuantizedEmbedding", "QuantizedLinear", "quantize"]

# Group size and bits that each mode takes when none are given.
_DEFAULTS = {"affine": (64, 4), "mxfp4": (32, 4), "nvfp4": (16, 4), "mxfp8": (32, 8)}
_INPUT_MODES = ("nvfp4", "mxfp8")


def _settings(mode: str, group_size: int | None, bits: int | None) -> tuple[int, int]:
    """Group size and bits; None and 0 stand for the mode's own."""
    if mode not in _DEFAULTS:
        raise ValueError(f"Invalid quantization mode '{mode}'. Valid modes are: {', '.join(_DEFAULTS)}.")
    default_group, default_bits = _DEFAULTS[mode]
    return group_size or default_group, bits or default_bits


def check_input_mode(mode: str) -> None:
    """Raise ValueError unless products of two operands in few bits exist for a mode."""
    if mode not in _INPUT_MODES:
        raise ValueError(
            f"Quantized activations are only supported for 'nvfp4' and 'mxfp8' modes, got {mode}."
        )


class _Quantized(Module):
    """What layers with a quantized ``weight`` of rows share."""

    def _store(self, weight: mx.array, group_size: int | None, bits: int | None, mode: str) -> None:
        self.group_size, self.bits = _settings(mode, group_size, bits)
        self.mode = mode
        self.weight, self.scales, *biases = mx.quantize(weight, self.group_size, self.bits, mode=mode)
        self.biases = biases[0] if biases else None

    def _multiply(self, x: mx.array) -> mx.array:
        """x times the transposed weight."""
        return mx.quantized_matmul(
            x,
            self["weight"],
            scales=self["scales"],
            biases=self.get("biases"),
            transpose=True,
            group_size=self.group_size,
            bits=self.bits,
            mode=self.mode,
        )

    def _columns(self) -> int:
        return self["weight"].shape[-1] * 32 // self.bits

    def _format(self) -> str:
        return f"group_size={self.group_size}, bits={self.bits}, mode={self.mode}"


class QuantizedEmbedding(_Quantized):
    """An ``Embedding`` whose vectors lie in few bits. Its parameters are frozen.

    Args:
        num_embeddings: how many vectors.
        dims: size of a vector.
        group_size: elements that share a scale; None: the mode's own.
        bits: bits of an element; None: the mode's own.
        mode: see :func:`mica.core.quantize`.
    """

    def __init__(
        self,
        num_embeddings: int,
        dims: int,
        group_size: int | None = None,
        bits: int | None = None,
        mode: str = "affine",
    ) -> None:
        super().__init__()
        self.num_embeddings, self.dims = num_embeddings, dims
        weight = mx.random.normal(shape=(num_embeddings, dims), scale=math.sqrt(1 / dims) if dims else 0.0)
        self._store(weight, group_size, bits, mode)
        self.freeze()

    def __call__(self, x: mx.array) -> mx.array:
        """Map indices ``x`` of any shape to vectors of shape ``x.shape + (dims,)``."""
        biases = self.get("biases")
        rows = x.reshape(-1)
        y = mx.dequantize(
            self["weight"][rows],
            scales=self["scales"][rows],
            biases=None if biases is None else biases[rows],
            group_size=self.group_size,
            bits=self.bits,
            mode=self.mode,
        )
        return y.reshape(*x.shape, self._columns())

    def as_linear(self, x: mx.array) -> mx.array:
        """Use the table as the weight of a linear layer: ``(..., dims)`` to ``(..., num_embeddings)``."""
        return self._multiply(x)

    def _extra_repr(self) -> str:
        return f"{self['weight'].shape[0]}, {self._columns()}, {self._format()}"

    @classmethod
    def from_embedding(
        cls,
        embedding_layer: Module,
        group_size: int | None = None,
        bits: int | None = None,
        mode: str = "affine",
    ) -> QuantizedEmbedding:
        """The quantized twin of an ``Embedding``."""
        layer = cls(0, 0, group_size, bits, mode)
        layer.num_embeddings, layer.dims = embedding_layer.weight.shape
        layer._store(embedding_layer.weight, group_size, bits, mode)
        layer.freeze()
        return layer


class QuantizedLinear(_Quantized):
    """A ``Linear`` layer whose weight lies in few bits. Its parameters are frozen.

    Args:
        input_dims: size of the last axis of the input.
        output_dims: size of the last axis of the output.
        bias: whether something is added.
        group_size: elements that share a scale; None: the mode's own.
        bits: bits of an element; None: the mode's own.
        mode: see :func:`mica.core.quantize`.
    """

    def __init__(
        self,
        input_dims: int,
        output_dims: int,
        bias: bool = True,
        group_size: int | None = None,
        bits: int | None = None,
        mode: str = "affine",
    ) -> None:
        super().__init__()
        scale = math.sqrt(1 / input_dims) if input_dims else 0.0
        weight = mx.random.uniform(low=-scale, high=scale, shape=(output_dims, input_dims))
        self._store(weight, group_size, bits, mode)
        if bias:
            self.bias = mx.zeros((output_dims,))
        self.freeze()

    def __call__(self, x: mx.array) -> mx.array:
        """Map ``x`` of shape ``(..., input_dims)`` to ``(..., output_dims)``."""
        y = self._multiply(x)
        return y + self["bias"] if "bias" in self else y

    def _extra_repr(self) -> str:
        return (
            f"input_dims={self._columns()}, output_dims={self['weight'].shape[0]}, "
            f"bias={'bias' in self}, {self._format()}"
        )

    @classmethod
    def from_linear(
        cls,
        linear_layer: Module,
        group_size: int | None = None,
        bits: int | None = None,
        mode: str = "affine",
    ) -> QuantizedLinear:
        """The quantized twin of a ``Linear`` layer; its bias stays trainable."""
        layer = cls(0, 0, False, group_size, bits, mode)
        layer._store(linear_layer.weight, group_size, bits, mode)
        layer.freeze()
        if "bias" in linear_layer:
            layer.bias = linear_layer.bias
        return layer


class QQLinear(Module):
    """A linear layer without bias that quantizes its input too.

    In training mode the weight is a float matrix, rounded in each call, and derivatives pass as if it were
    not; ``eval()`` stores it in few bits, ``train()`` makes a bfloat16 matrix of it again.

    Args:
        input_dims: size of the last axis of the input.
        output_dims: size of the last axis of the output.
        group_size: elements that share a scale; None: the mode's own.
        bits: bits of an element; None: the mode's own.
        mode: "nvfp4" or "mxfp8".
    """

    def __init__(
        self,
        input_dims: int,
        output_dims: int,
        group_size: int | None = None,
        bits: int | None = None,
        mode: str = "nvfp4",
    ) -> None:
        super().__init__()
        self.group_size, self.bits = _settings(mode, group_size, bits)
        self.mode = mode
        scale = math.sqrt(1 / input_dims) if input_dims else 0.0
        self.weight = mx.random.uniform(low=-scale, high=scale, shape=(output_dims, input_dims))
        self._quantized = False

    def quantize(self) -> None:
        """Store the weight in few bits; nothing happens when it is."""
        if not self._quantized:
            self.weight, self.scales = mx.quantize(self.weight, self.group_size, self.bits, mode=self.mode)
            self._quantized = True

    def dequantize(self) -> None:
        """Make the stored weight a bfloat16 matrix; nothing happens when it is a matrix."""
        if self._quantized:
            self.weight = mx.dequantize(
                self.weight, scales=self.scales, group_size=self.group_size, bits=self.bits, mode=self.mode
            )
            self.pop("scales")
            self._quantized = False

    def _set_training_mode(self, mode: bool) -> None:
        super()._set_training_mode(mode)
        if self.training:
            self.dequantize()
        else:
            self.quantize()

    def __call__(self, x: mx.array) -> mx.array:
        """Map ``x`` of shape ``(..., input_dims)`` to ``(..., output_dims)``."""
        return mx.qqmm(
            x,
            self["weight"],
            scales=self.get("scales"),
            group_size=self.group_size,
            bits=self.bits,
            mode=self.mode,
        )

    def _extra_repr(self) -> str:
        output_dims, columns = self["weight"].shape
        input_dims = columns * 32 // self.bits if self._quantized else columns
        return (
            f"input_dims={input_dims}, output_dims={output_dims}, group_size={self.group_size}, "
            f"bits={self.bits}, mode={self.mode}"
        )

    @classmethod
    def from_linear(
        cls,
        linear_layer: Module,
        group_size: int | None = None,
        bits: int | None = None,
        mode: str = "nvfp4",
    ) -> QQLinear:
        """The twin of a ``Linear`` layer without bias."""
        if "bias" in linear_layer:
            raise NotImplementedError("QQLinear does not support bias yet.")
        layer = cls(0, 0, group_size, bits, mode)
        layer.weight = linear_layer.weight
        layer.train(linear_layer.training)
        return layer


def quantize(
    model: Module,
    group_size: int | None = None,
    bits: int | None = None,
    *,
    mode: str = "affine",
    quantize_input: bool = False,
    class_predicate: Callable[[str, Module], bool | dict[str, Any]] | None = None,
) -> None:
    """Replace the layers of a model by their quantized twins, in place.

    Args:
        model: its leaf modules that have ``to_quantized`` are replaced; a model that is itself a leaf stays.
        group_size: elements that share a scale; None: the mode's own.
        bits: bits of an element; None: the mode's own.
        mode: see :func:`mica.core.quantize`.
        quantize_input: whether layers quantize their inputs too ("nvfp4" and "mxfp8").
        class_predicate: called with path and module; returns whether to replace it, or the keyword arguments
            for its ``to_quantized``, in place of those given here.

    Raises:
        ValueError: a module was selected that cannot be quantized, or the predicate returned something else.
    """
    if quantize_input:
        check_input_mode(mode)
    select = class_predicate or (lambda _, module: hasattr(module, "to_quantized"))

    def replace(path: str, module: Module) -> Module:
        choice = select(path, module)
        if not isinstance(choice, (bool, dict)):
            raise ValueError(
                "``class_predicate`` must return a bool or a dict of parameters to pass to ``to_quantized``"
            )
        if choice is False or choice == {}:
            return module
        if not hasattr(module, "to_quantized"):
            raise ValueError(f"Unable to quantize model of type {type(module)}")
        if isinstance(choice, dict):
            settings = dict(choice)
        else:
            settings = {
                "group_size": group_size,
                "bits": bits,
                "mode": mode,
                "quantize_input": quantize_input,
            }
        if not settings.get("quantize_input"):
            settings.pop("quantize_input", None)
        return module.to_quantized(**settings)

    leaves = model.leaf_modules()
    model.update_modules(tree_map_with_path(replace, leaves, is_leaf=Module.is_module))
