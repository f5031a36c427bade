"""What a drawn program is made of: steps, their order, and the values that a next step may take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from tests.ops import values
from tests.ops.target import mx

MOST = 3000  # elements of a value
FLOATS = values.FLOATS
DTYPES = ("float32",) * 6 + ("float64", "float16", "bfloat16", "int32", "uint8", "bool_", "complex64")


@dataclass(frozen=True)
class Step:
    """One call: ``run(m, *arrays)`` in mica, ``ref(*numpy)`` in NumPy.

    ``ulp`` is what the result may be off from NumPy, by dtype (None: exact); ``size`` gives the magnitude at
    which
    a unit is taken (None: each element's). ``loose``: another layout of the batch may give other bits.
    ``jumps``: a
    small change of an argument may change the result a lot. ``smooth``: the derivative is continuous.
    """

    text: str
    args: tuple[int, ...]
    run: Callable
    ref: Callable | None = None
    ulp: dict[str, float] | None = None
    size: Callable | None = None
    loose: bool = False
    jumps: bool = False


class Program:
    """Inputs with their element types, the steps, and which values are results."""

    def __init__(self, inputs: list[tuple[np.ndarray, str]]) -> None:
        self.inputs = inputs
        self.steps: list[Step] = []
        self.outputs: list[int] = []

    def __repr__(self) -> str:
        lines = [f"v{i} = {name}{x.shape}: {x.tolist()}"[:200] for i, (x, name) in enumerate(self.inputs)]
        for i, step in enumerate(self.steps, len(self.inputs)):
            lines.append(f"v{i} = {step.text.format(*[f'v{a}' for a in step.args])}")
        return "\n" + "\n".join(lines) + f"\nresults: {self.outputs}\n"

    def arrays(self) -> list:
        """The inputs as arrays of mica."""
        return [values.to_array(mx, x, name) for x, name in self.inputs]

    def run(self, arrays: Sequence, each: Callable = lambda x: x) -> list:
        """The results, from these inputs; ``each`` sees every value."""
        return [self.all_values(arrays, each)[i] for i in self.outputs]

    def all_values(self, arrays: Sequence, each: Callable = lambda x: x) -> list:
        """Every value of the program."""
        found = list(arrays)
        for step in self.steps:
            found.append(each(step.run(mx, *[found[a] for a in step.args])))
        return found

    @property
    def loose(self) -> bool:
        """Whether batching may change bits."""
        return any(step.loose for step in self.steps)

    @property
    def jumps(self) -> bool:
        """Whether a small change may become a large one."""
        return any(step.jumps for step in self.steps)


def dtype_of(x) -> str:
    """The element type's name."""
    return values.dtype_name(x.dtype)


def wide(x: np.ndarray, name: str) -> np.ndarray:
    """``x`` after conversion to ``name``, in NumPy's widest type of the kind."""
    return values.quantized(x, name)


class Pool:
    """Values so far, and draws of them."""

    def __init__(self, draw: Callable, program: Program, most: int, differentiated: bool) -> None:
        self.draw = draw
        self.differentiated = differentiated
        self.most = most
        self.values = program.arrays()

    def joins(self, a: tuple[int, ...], b: tuple[int, ...]) -> bool:
        """Whether shapes broadcast, to something small."""
        try:
            return int(np.prod(np.broadcast_shapes(a, b))) <= self.most
        except ValueError:
            return False

    def any(self, accept: Callable = lambda x: True) -> int | None:
        """The place of a value that ``accept`` accepts; late ones come first when a failure is shrunk."""
        places = [i for i, x in enumerate(self.values) if accept(x)]
        return self.draw(st.sampled_from(places)) if places else None

    def pick(self, items: Sequence):
        """One of these."""
        return self.draw(st.sampled_from(list(items)))

    def int(self, low: int, high: int) -> int:
        """low to high."""
        return self.draw(st.integers(low, high))

    def axis(self, x) -> int:
        """An axis of ``x``, from either end."""
        return self.int(-x.ndim, x.ndim - 1)

    def ulp(self, single: float) -> dict[str, float]:
        """Tolerance by dtype."""
        return {"float16": 2, "bfloat16": 2, "float32": single, "float64": single, "complex64": 4 * single}
