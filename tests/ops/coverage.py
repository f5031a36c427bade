"""Which functions of the tables have no case: ``python -m tests.ops.coverage`` prints them.

The tables are read with regular expressions, so that the report needs no build; a function is covered by a
case of the matrix, or
by tests that ``ELSEWHERE`` names.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TABLES = (ROOT / "engine" / "ops" / "prim.def", ROOT / "engine" / "ops" / "func.def")
ROW = re.compile(r'^(PRIM|FUNC)\((\w+),\s*(?:(\w+),)?\s*"(.*?)"(.*)$', re.MULTILINE)

# Functions proven outside the matrix, and where.
ELSEWHERE = {
    "depends": "tests/python/test_core_eval.py",
    "random_seed": "tests/python/test_core_random.py",
    "random_bits": "tests/ops/oracle/random.py: every distribution",
    "broadcast_shapes": "tests/python/test_core_protocol.py",
}

# Primitives without a name of their own in Python, and the case that runs them.
PRIMITIVES = {
    "conv": "conv_general",
    "conv_weight": "conv_general",
    "rint": "round",
    "constant": "array",
    "placeholder": "vmap",
    "alias": "grad",
    "gather": "take",
    "scatter": "array.at.add",
    "gather_axis": "take_along_axis",
    "scatter_axis": "put_along_axis",
    "dynamic_slice": "slice",
    "dynamic_slice_update": "slice_update",
    "masked_scatter": "array.__setitem__",
    "rms_norm_vjp": "fast.rms_norm",
    "layer_norm_vjp": "fast.layer_norm",
    "attention": "fast.scaled_dot_product_attention",
    "attention_vjp": "fast.scaled_dot_product_attention",
    "custom": "custom_function",
    "run_starts": "unique",
    "run_ranks": "unique",
    "cross_entropy_vjp": "fast.cross_entropy",
    "gated_delta": "fast.gated_delta_update",
    "gated_delta_vjp": "fast.gated_delta_update",
    "cofactor": "linalg.det",
    "fft": "fft.fft",
    "rfft": "fft.rfft",
    "irfft": "fft.irfft",
    "hadamard": "hadamard_transform",
    # Second builders of one Python function.
    "split_at": "split",
    "arange_integer": "arange",
    "tensordot_axes": "tensordot",
    "random_permutation_of": "random_permutation",
}


def rows() -> list[tuple[str, str, bool]]:
    """Table, name and whether the row is internal, for each row of the tables."""
    found = []
    for table in TABLES:
        if table.exists():
            for kind, name, cls, _, rest in ROW.findall(table.read_text()):
                internal = kind == "PRIM" and (
                    cls not in ("UNARY", "BINARY", "TERNARY") or "INTERNAL" in rest
                )
                found.append((kind, name, internal))
    return found


def underscored(name: str) -> str:
    """``fast.rope`` as the tables say it: ``fast_rope``."""
    return name.removeprefix("array.").replace(".", "_")


def holes() -> list[str]:
    """Functions of the tables that nothing proves."""
    from tests.ops.cases import all_cases

    names = {underscored(case.name) for case in all_cases()} | {case.name for case in all_cases()}
    proven = names | set(ELSEWHERE) | {"grad", "vmap", "custom_function"}
    missing = []
    for kind, name, internal in rows():
        candidates = {name, PRIMITIVES.get(name, name), f"fast_{name}", f"random_{name}", f"linalg_{name}"}
        if not candidates & proven:
            missing.append(f"{kind.lower()}.def: {name}" + (" (internal)" if internal else ""))
    return missing


def main() -> int:
    """Prints the holes; 1 when there are any."""
    found = holes()
    for line in found:
        print(line)
    print(f"{len(rows())} rows, {len(found)} without a case", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
