"""What a line of the oracle says: a function, where its arguments come from, and how exact its result must
be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from tests.ops import values
from tests.ops.layouts import LAYOUTS
from tests.ops.target import mx, resolve

# Units in the last place of the result's dtype.
EXACT = {name: 0.0 for name in values.PRECISION}
DEFAULT = {"float16": 1.0, "bfloat16": 1.0, "float32": 2.0, "float64": 2.0, "complex64": 8.0}


def ulps(
    single: float, double: float | None = None, half: float = 1.0, pair: float | None = None
) -> dict[str, float]:
    """Tolerances by dtype: float32, float64 (like float32), the halves, complex64 (four times float32)."""
    return {
        "float16": half,
        "bfloat16": half,
        "float32": single,
        "float64": single if double is None else double,
        "complex64": 4 * single if pair is None else pair,
    }


@dataclass(frozen=True)
class X:
    """Where an argument's values are drawn from.

    ``dtype`` fixes the element type (an index array, a condition) whatever the case's dtype is.
    ``distinct`` draws values
    that differ by more than a difference quotient's step, for functions with ties.
    """

    low: float = -4.0
    high: float = 4.0
    dtype: str | None = None
    distinct: bool = False
    log: bool = False

    def draw(self, rng: np.random.Generator, shape: Sequence[int], name: str) -> np.ndarray:
        """Values for a dtype, quantized to it."""
        name = self.dtype or name
        shape = tuple(shape)
        if name == "bool_":
            return rng.random(shape) < 0.5
        if name in values.INTEGERS:
            info = np.iinfo(values.NUMPY[name])
            low, high = (
                max(int(np.ceil(self.low)), int(info.min)),
                min(int(np.floor(self.high)), int(info.max)),
            )
            if self.distinct and high - low + 1 >= int(np.prod(shape)):
                picked = rng.permutation(high - low + 1)[: int(np.prod(shape))]
                return (picked + low).reshape(shape).astype(values.NUMPY[name])
            return rng.integers(low, max(low, high), shape, endpoint=True).astype(values.NUMPY[name])
        if self.distinct:
            count = int(np.prod(shape))
            grid = np.linspace(self.low, self.high, count + 2)[1:-1]
            return values.quantized(rng.permutation(grid).reshape(shape), name)
        if name == "complex64":
            x = rng.uniform(self.low, self.high, shape) + 1j * rng.uniform(self.low, self.high, shape)
        elif self.log:
            x = np.exp(rng.uniform(np.log(self.low), np.log(self.high), shape))
        else:
            x = rng.uniform(self.low, self.high, shape)
        return values.quantized(x, name)


@dataclass(frozen=True)
class V:
    """Arguments after the arrays: one way to call the function."""

    args: tuple = ()
    kwargs: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        parts = [repr(a) for a in self.args] + [f"{k}={v!r}" for k, v in self.kwargs.items()]
        return f"({', '.join(parts)})" if parts else ""


def v(*args: Any, **kwargs: Any) -> V:
    """Arguments after the arrays."""
    return V(args, kwargs)


@dataclass(frozen=True)
class Case:
    """One function of the matrix; see ``case`` for the meaning of the fields."""

    name: str
    label: str
    domains: tuple[X, ...]
    shapes: tuple[tuple[tuple[int, ...], ...], ...] | None
    variants: tuple[V, ...]
    ref: Callable | None
    call: Callable | None
    dtypes: tuple[str, ...]
    ulp: dict[str, float]
    scaled: bool | str
    nondiff: bool
    diff: tuple[int, ...]
    grad_domains: tuple[X, ...]
    vmap: bool
    compiled: bool
    specials: bool
    family: str
    later: bool
    layouts: tuple[str, ...]

    @property
    def elementwise(self) -> bool:
        """Whether the function takes any shapes that broadcast."""
        return self.shapes is None

    def run(self, module, arrays: Sequence, variant: V):
        """The function's result on arrays of ``module``."""
        function = resolve(module, self.name) if self.call is None else partial(self.call, module)
        kwargs = dict(variant.kwargs)
        if isinstance(kwargs.get("dtype"), str):
            kwargs["dtype"] = getattr(module, kwargs["dtype"])
        return function(*arrays, *variant.args, **kwargs)

    @property
    def missing(self) -> bool:
        """Whether the target may still lack this function, and does."""
        return self.later and not hasattr(mx, self.name)


CASES: list[Case] = []
ELSEWHERE: dict[str, str] = {}
_FAMILY = ""


def family(name: str) -> None:
    """Cases that follow belong to this family."""
    global _FAMILY
    _FAMILY = name


def elsewhere(place: str, *names: str) -> None:
    """Functions that tests outside the matrix prove, and where."""
    for name in names:
        ELSEWHERE[name] = place


def case(
    name: str,
    *domains: X,
    shapes: Sequence[Sequence[Sequence[int]]] | None = None,
    variants: Sequence[V] = (V(),),
    ref: Callable | None = None,
    call: Callable | None = None,
    dtypes: Sequence[str] = values.ALL,
    ulp: dict[str, float] | None = None,
    scaled: bool | str = False,
    nondiff: bool = False,
    diff: Sequence[int] | None = None,
    grad: X | Sequence[X] | None = None,
    vmap: bool = True,
    compiled: bool = True,
    specials: bool = True,
    label: str | None = None,
    later: bool = False,
    layouts: Sequence[str] = LAYOUTS,
) -> None:
    """Adds a function to the matrix.

    Args:
        name: the public name; a dot leads into a submodule.
        domains: one a positional array argument.
        shapes: tuples of one shape an argument; None for element-wise functions, whose shapes the
            matrix chooses.
        variants: the arguments after the arrays, made by ``v``.
        ref: the function in NumPy, called with float64 (complex128, integer) values; None: the wheel judges.
        call: ``call(module, *arrays, ...)`` where the call is not ``module.name(*arrays, ...)``.
        dtypes: element types given; those the reference refuses must be refused in the same way.
        ulp: tolerance by dtype of the result.
        scaled: a unit in the last place is taken at the largest magnitude of the result; "abs": at
            the element's magnitude were
            all arguments positive (sums, products of matrices).
        nondiff: no derivative is compared with difference quotients; it must be the wheel's (zeros,
            or its error).
        diff: arguments with a derivative; all that have the case's dtype when None.
        grad: domains for derivatives, away from poles and ties.
        vmap, compiled: whether the function is batched, compiled.
        specials: whether NaN, infinities and the like are given to an element-wise function.
        label: what distinguishes several cases of one function.
        layouts: in which memory the arguments may lie.
        later: a target that lacks the name is forgiven, as long as no table has it.
    """
    if grad is None:
        grad_domains = tuple(domains)
    else:
        grad_domains = (grad,) * len(domains) if isinstance(grad, X) else tuple(grad)
    if diff is None:
        diff = [i for i, domain in enumerate(domains) if domain.dtype is None]
    CASES.append(
        Case(
            name,
            f"{name}[{label}]" if label else name,
            tuple(domains),
            None if shapes is None else tuple(tuple(tuple(s) for s in group) for group in shapes),
            tuple(variants),
            ref,
            call,
            tuple(dtypes),
            DEFAULT if ulp is None else ulp,
            scaled,
            nondiff,
            tuple(diff),
            grad_domains,
            vmap,
            compiled,
            specials,
            _FAMILY,
            later,
            tuple(layouts),
        )
    )


def all_cases() -> list[Case]:
    """Every case, with the oracle modules loaded."""
    import importlib
    import pkgutil

    from tests.ops import oracle

    for found in sorted(pkgutil.iter_modules(oracle.__path__), key=lambda m: m.name):
        importlib.import_module(f"tests.ops.oracle.{found.name}")
    return CASES
