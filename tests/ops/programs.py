"""Programs drawn at random: graphs of the tables' functions, each step with its meaning in NumPy.

``programs()`` is a Hypothesis strategy. A program prints as the Python text that repeats it.
Element-wise steps come from the oracle's cases (name, domain, reference, tolerance); the rest are written
one function a kind.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from tests.ops import values
from tests.ops.program_axes import indexed, joined, order, product, reduction, scan, softmax, view
from tests.ops.program_base import DTYPES, MOST, Pool, Program
from tests.ops.program_elementwise import arithmetic, astype, bitwise, comparison, elementwise, number, where
from tests.ops.target import mx

KINDS = (elementwise,) * 8 + (arithmetic,) * 4 + (number, number, comparison, bitwise, where, astype)
KINDS += (
    (reduction,) * 3 + (scan, order, softmax, product, product) + (view,) * 4 + (joined, indexed, indexed)
)


@st.composite
def programs(
    draw,
    most: int = 12,
    dtypes: Sequence[str] = DTYPES,
    kinds=KINDS,
    scale: int = 1,
    differentiated: bool = False,
) -> Program:
    """Programs of 1 to ``most`` steps; ``scale`` multiplies one axis of the inputs, so that work is split."""
    dims = st.sampled_from((1, 2, 3, 5))
    base = draw(st.lists(dims, min_size=0, max_size=3))
    if scale > 1:
        base = [*base[:1], 7 * scale]
    inputs = []
    seed = draw(st.integers(0, 1000))
    rng = np.random.default_rng(seed)
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from(list(dtypes)))
        kept = draw(st.integers(0, len(base)))
        shape = tuple(base[len(base) - kept :])
        if kept and draw(st.booleans()):
            shape = (*shape[:-1], 1) if scale == 1 else shape
        inputs.append((drawn(rng, shape, name), name))
    program = Program(inputs)
    pool = Pool(draw, program, MOST * scale, differentiated)
    for _ in range(draw(st.integers(1, most))):
        step = draw(st.sampled_from(list(kinds)))(pool)
        if step is None or None in step.args:
            continue
        result = step.run(mx, *[pool.values[i] for i in step.args])
        if result.ndim > 5 or result.size > MOST * scale:
            continue
        program.steps.append(step)
        pool.values.append(result)
    last = len(pool.values) - 1
    first = len(inputs) if program.steps else 0
    program.outputs = sorted({last, *draw(st.lists(st.integers(first, last), max_size=2))})
    return program


def drawn(rng: np.random.Generator, shape: tuple[int, ...], name: str) -> np.ndarray:
    """Values of an input, without ties that matter."""
    if name == "bool_":
        return rng.random(shape) < 0.5
    if name in values.INTEGERS:
        return rng.integers(0 if name.startswith("u") else -9, 10, shape).astype(values.NUMPY[name])
    x = rng.uniform(-2, 2, shape)
    if name == "complex64":
        x = x + 1j * rng.uniform(-2, 2, shape)
    return values.quantized(x, name)
