"""Distinct elements."""

from __future__ import annotations

from tests.ops.cases import EXACT, X, case, family, v

family("unique")

ALL_PARTS = {"return_index": True, "return_inverse": True, "return_counts": True}
case(
    "unique",
    X(-3, 3, distinct=True),
    shapes=(((4, 5),), ((7,),), ((),), ((1, 1),)),
    variants=(
        v(4),
        v(size=20),
        v(9, True),
        v(9, False, True),
        v(9, False, False, True),
        v(30, **ALL_PARTS),
        v(3, **ALL_PARTS),
        v(0, **ALL_PARTS),
        v(25, fill_value=7),
        v(25, True, True, True, 1.5),
        v(-1),
    ),
    ulp=EXACT,
)
# Few distinct values: runs.
case(
    "unique",
    X(0, 5, dtype="int32"),
    shapes=(((60,),), ((2, 3, 10),), ((0,),)),
    variants=(v(6, **ALL_PARTS), v(8, fill_value=-1, **ALL_PARTS), v(2, return_counts=True), v(0)),
    dtypes=("int32",),
    ulp=EXACT,
    diff=(),
    label="runs",
)
