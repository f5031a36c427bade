"""Prints a digest of results for each case, so that processes under different settings can be compared.

``python -m tests.ops.digest`` prints ``label dtype sha1 kind`` lines; larger sizes than the matrix's, so that
work is split. The kind says whether other instruction sets must give the same bits too.
"""

# ruff: noqa: B023 - the lambdas are called where they stand
from __future__ import annotations

import hashlib
import sys

import numpy as np

from tests.ops import values
from tests.ops.check import outcome
from tests.ops.target import mx
from tests.ops.test_matrix import CASES, arguments

BIG = (37, 5003)
# Families whose functions are made of products of matrices.
PRODUCTS = ("conv", "matmul", "products", "linalg", "quantize")


def shapes_for(case):
    """A large shape of element-wise functions; the largest that a case lists otherwise."""
    if case.elementwise:
        return (BIG,) * len(case.domains)
    return max(case.shapes, key=lambda group: sum(np.prod(s) for s in group))


def main() -> None:
    """Every case in two dtypes, and products and reductions that are split over threads."""
    for case in CASES:
        for name in [n for n in ("float32", "bfloat16") if n in case.dtypes] or case.dtypes[:1]:
            shapes = shapes_for(case)
            arrays = [values.to_array(mx, x, n) for x, n in arguments(case, shapes, name)]
            got = outcome(lambda: case.run(mx, arrays, case.variants[0]))
            text = type(got.error).__name__ if got.error else ""
            digest = hashlib.sha1(text.encode())
            for kind, x in got.leaves:
                x = np.where(np.isnan(x), np.nan, x).astype(x.dtype) if x.dtype.kind == "f" else x
                digest.update(kind.encode() + repr(x.shape).encode() + np.ascontiguousarray(x).tobytes())
            # Products of matrices may contract multiplications and additions, as the instruction set does.
            product = case.scaled == "abs" or case.family in PRODUCTS or "attention" in case.name
            product = product or "multivariate" in case.name
            kind = "product" if product else "same"
            print(case.label.replace(" ", "_"), name, digest.hexdigest(), kind)
    rng = np.random.default_rng(0)
    for rows, inner, columns in ((257, 300, 129), (1, 4096, 1000), (512, 512, 512), (3, 2000, 2)):
        for name in ("float32", "bfloat16", "float16", "float64"):
            a = values.to_array(mx, values.quantized(rng.uniform(-1, 1, (rows, inner)), name), name)
            b = values.to_array(mx, values.quantized(rng.uniform(-1, 1, (inner, columns)), name), name)
            digest = hashlib.sha1(values.bits(a @ b)).hexdigest()
            print(f"matmul{rows}x{inner}x{columns}", name, digest, "product")
    x = values.to_array(mx, rng.uniform(-1, 1, (1000, 3001)), "float32")
    for name in ("sum", "mean", "var", "max", "logsumexp", "prod", "cumsum", "softmax"):
        for axis in (None, 0, 1):
            if name == "softmax" and axis is None:
                continue
            print(
                f"{name}_{axis}",
                "float32",
                hashlib.sha1(values.bits(getattr(mx, name)(x, axis=axis))).hexdigest(),
                "same",
            )


if __name__ == "__main__":
    sys.exit(main())
