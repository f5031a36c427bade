"""Kernels given as source text, for devices that this machine lacks: their constructors check what they
are given and say what is missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mica import core

_MATH_MODES = ("safe", "relaxed", "fast")


def _require(function: str, **arguments: tuple[Any, type]) -> None:
    for name, (value, kind) in arguments.items():
        if not isinstance(value, kind):
            raise TypeError(
                f"[{function}] argument '{name}' is of type {type(value).__name__}; accepted: {kind.__name__}"
            )


def _require_names(function: str, **lists: Any) -> None:
    for name, value in lists.items():
        if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
            raise TypeError(
                f"[{function}] argument '{name}' is of type {type(value).__name__}; accepted: sequence of str"
            )
        for element in value:
            _require(function, **{name: (element, str)})


def _require_sizes(function: str, **sizes: Any) -> None:
    for name, value in sizes.items():
        if (
            not isinstance(value, (tuple, list))
            or len(value) != 3
            or not all(isinstance(n, int) for n in value)
        ):
            raise TypeError(f"[{function}] argument '{name}' is {value!r}; accepted: three ints")


class _MetalKernel:
    """A kernel that can be built anywhere and run where there is a Metal device."""

    def __init__(self, name: str, inputs: int, outputs: int) -> None:
        self._name = name
        self._inputs = inputs
        self._outputs = outputs

    def __call__(
        self,
        *,
        inputs: Sequence[Any],
        output_shapes: Sequence[Sequence[int]],
        output_dtypes: Sequence[core.Dtype],
        grid: tuple[int, int, int],
        threadgroup: tuple[int, int, int],
        template: Sequence[tuple[str, Any]] | None = None,
        init_value: float | None = None,
        verbose: bool = False,
        stream: Any = None,
    ) -> list[core.array]:
        """Run the kernel.

        Raises:
            ValueError: the numbers of inputs or outputs are not those of the kernel.
            RuntimeError: there is no Metal device.
        """
        _require_sizes("metal_kernel", grid=grid, threadgroup=threadgroup)
        for what, given, wanted in (
            ("inputs", inputs, self._inputs),
            ("output_shapes", output_shapes, self._outputs),
            ("output_dtypes", output_dtypes, self._outputs),
        ):
            if len(given) != wanted:
                raise ValueError(
                    f"[metal_kernel] Expected `{what}` to have size {wanted} but got size {len(given)}."
                )
        raise RuntimeError(
            f"[metal_kernel] No Metal back-end: {self._name!r} needs a Mac with a Metal device"
        )


def metal_kernel(
    name: str,
    input_names: Sequence[str],
    output_names: Sequence[str],
    source: str,
    header: str = "",
    ensure_row_contiguous: bool = True,
    atomic_outputs: bool = False,
    compile_options: object | None = None,
) -> _MetalKernel:
    """Build a kernel from the body of a function in Metal.

    Args:
        name: the kernel's name.
        input_names: names of the inputs in the body.
        output_names: names of the outputs in the body.
        source: the body.
        header: text before the function.
        ensure_row_contiguous: whether inputs are made row-major first.
        atomic_outputs: whether outputs are atomic.
        compile_options: a dict with ``math_mode``: ``safe``, ``relaxed`` or ``fast``.

    Returns:
        An object that raises RuntimeError when it is called, as there is no Metal device.

    Raises:
        ValueError: there are no outputs, or the options are not known.
    """
    _require("metal_kernel", name=(name, str), source=(source, str), header=(header, str))
    _require_names("metal_kernel", input_names=input_names, output_names=output_names)
    if not output_names:
        raise ValueError("[metal_kernel] Must specify at least one output.")
    if compile_options is not None:
        if not isinstance(compile_options, Mapping):
            raise ValueError("[metal_kernel] Expected `compile_options` to be a dict.")
        for key, value in compile_options.items():
            if key != "math_mode":
                raise ValueError(f"[metal_kernel] Unknown compile option `{key}`; there is `math_mode`.")
            if value not in _MATH_MODES:
                raise ValueError(
                    f"[metal_kernel] Expected math_mode to be one of {_MATH_MODES}, not {value!r}."
                )
    return _MetalKernel(name, len(input_names), len(output_names))


def cuda_kernel(
    name: str,
    input_names: Sequence[str],
    output_names: Sequence[str],
    source: str,
    header: str = "",
    ensure_row_contiguous: bool = True,
    shared_memory: int = 0,
) -> Any:
    """Build a kernel from the body of a function in CUDA.

    Args:
        name: the kernel's name.
        input_names: names of the inputs in the body.
        output_names: names of the outputs in the body.
        source: the body.
        header: text before the function.
        ensure_row_contiguous: whether inputs are made row-major first.
        shared_memory: bytes of dynamic shared memory.

    Raises:
        RuntimeError: there is no CUDA device.
    """
    _require("cuda_kernel", name=(name, str), source=(source, str), header=(header, str))
    _require("cuda_kernel", shared_memory=(shared_memory, int))
    _require_names("cuda_kernel", input_names=input_names, output_names=output_names)
    raise RuntimeError(f"[cuda_kernel] No CUDA back-end: {name!r} needs an NVIDIA GPU")


def precompiled_cuda_kernel(
    *,
    name: str,
    compiled_source: bytes,
    inputs: Sequence[Any],
    output_shapes: Sequence[tuple[int, ...]],
    output_dtypes: Sequence[core.Dtype],
    scalars: Sequence[object],
    grid: tuple[int, int, int],
    threadgroup: tuple[int, int, int],
    shared_memory: int = 0,
    init_value: float | None = None,
    ensure_row_contiguous: bool = False,
    stream: Any = None,
) -> list[core.array]:
    """Run a kernel that was compiled to PTX or CUBIN.

    Args:
        name: the kernel's name.
        compiled_source: its code.
        inputs: arrays and numbers.
        output_shapes: the shape of each output.
        output_dtypes: the element type of each output.
        scalars: further arguments.
        grid: threads in each direction.
        threadgroup: threads of a block in each direction.
        shared_memory: bytes of dynamic shared memory.
        init_value: what outputs are filled with before.
        ensure_row_contiguous: whether inputs are made row-major first.
        stream: where it runs.

    Raises:
        RuntimeError: there is no CUDA device.
    """
    _require("precompiled_cuda_kernel", name=(name, str), compiled_source=(compiled_source, bytes))
    _require_sizes("precompiled_cuda_kernel", grid=grid, threadgroup=threadgroup)
    raise RuntimeError(f"[precompiled_cuda_kernel] No CUDA back-end: {name!r} needs an NVIDIA GPU")
