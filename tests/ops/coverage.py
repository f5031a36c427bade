"""What the tables promise and nothing proves: ``python -m tests.ops --coverage`` prints it.

A hole is a row without a case of the matrix (or tests that ``ELSEWHERE`` names), without a doc line, a
primitive without derivative or batching rule, or a function that the matrix does not run batched, compiled or
differentiated. Each line says what mends it. The tables are read with regular expressions.
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
    "gather_qqmm": "tests/python/test_core_quantize.py: the wheel has it on the GPU alone",
    "inflate": "tests/python/test_core_files.py: compressed members",
    "broadcast_shapes": "tests/python/test_core_numbers.py",
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
    "cofactor": "linalg.det",
    "run_starts": "unique",
    "run_ranks": "unique",
    "cross_entropy_vjp": "fast.cross_entropy",
    "gated_delta": "fast.gated_delta_update",
    "gated_delta_vjp": "fast.gated_delta_update",
    "fft": "fft.fft",
    "rfft": "fft.rfft",
    "irfft": "fft.irfft",
    "hadamard": "hadamard_transform",
    "quantize_through": "qqmm",
    "masked_mm": "block_masked_mm",
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
            missing.append(
                f"{kind.lower()}.def: {name} has no case: add `case(...)` to tests/ops/oracle/<family>.py"
                + (
                    ", or the function that runs this primitive to PRIMITIVES in tests/ops/coverage.py"
                    if internal
                    else ""
                )
            )
    return missing


RULES = ROOT / "engine" / "autodiff" / "rules.def"
PRIM_ROW = re.compile(r"((?:^///[^\n]*\n)*)^PRIM\((\w+),\s*(\w+),.*,\s*([\w| ]+)\)\s*$", re.MULTILINE)
# Classes that batch without a rule of their own (engine/autodiff/vmap.c).
BATCH_BY_CLASS = {"UNARY", "BINARY", "TERNARY", "CAST", "REDUCE", "AXISOP", "BATCHED", "SOURCE"}

# Primitives that lack a derivative on purpose.
NOT_DIFFERENTIATED = {"view": "bytes under another type have no derivative"}
# Functions that the matrix does not batch, differentiate or compile, and why.
NOT_IN_MODE = {
    ("vmap", "as_strided"): "strides count over the memory of the whole argument",
    ("vmap", "view"): "proven in tests/python/test_core_beside_matrix.py",
    ("vmap", "array.view"): "the method of view",
    ("vmap", "qqmm"): "proven in tests/python/test_core_beside_matrix.py",
    **{
        (mode, "einsum_path"): "its result is a plan, not an array"
        for mode in ("vmap", "compile", "derivative")
    },
    ("derivative", "argpartition"): "its result is an index",
    ("derivative", "qqmm"): "passes through steps: proven in tests/python/test_core_quantize.py",
}


def rule_holes() -> list[str]:
    """Primitives without a doc line, a derivative or a way to batch."""
    text = RULES.read_text().split("/* clang-format off */")[-1]
    have = {kind: set(re.findall(rf"\b{kind}\((\w+)\)", text)) for kind in ("PARTIAL", "VJP", "JVP", "VMAP")}
    missing = []
    for doc, name, cls, flags in PRIM_ROW.findall(TABLES[0].read_text()):
        where = f"prim.def: {name}"
        if not doc.strip("/ \n"):
            missing.append(f"{where} has no doc line: write `/// ...` above its row")
        if cls not in BATCH_BY_CLASS and name not in have["VMAP"]:
            missing.append(f"{where} does not batch: {cls} needs VMAP({name}) in rules.def")
        if cls == "SOURCE" or "NONDIFF" in flags or name in NOT_DIFFERENTIATED:
            continue
        if name not in have["VJP"] | have["PARTIAL"]:
            missing.append(
                f"{where} has no derivative: PARTIAL or VJP({name}) in rules.def, or the flag NONDIFF"
            )
        if name not in have["JVP"] | have["PARTIAL"] and "LINEAR" not in flags:
            missing.append(f"{where} has no jvp: PARTIAL or JVP({name}) in rules.def, or the flag LINEAR")
    return missing


def aliases() -> set[str]:
    """Further names of functions that have cases of their own."""
    text = (ROOT / "python" / "src" / "alias.def").read_text()
    return set(re.findall(r"^ALIAS\((\w+),", text, re.MULTILINE))


def mode_holes() -> list[str]:
    """Functions with array arguments whose cases leave a mode out."""
    from tests.ops.cases import all_cases

    modes = {
        "vmap": lambda case: case.vmap,
        "compile": lambda case: case.compiled,
        "derivative": lambda case: case.nondiff or case.diff,
    }
    missing = []
    cases = [case for case in all_cases() if case.domains and case.name not in aliases()]
    for mode, runs in modes.items():
        for name in sorted({case.name for case in cases} - {case.name for case in cases if runs(case)}):
            if (mode, name) not in NOT_IN_MODE:
                missing.append(
                    f"oracle: no case of {name} runs in the mode {mode}: add one, or a reason to NOT_IN_MODE"
                )
    return missing


def every_hole() -> list[str]:
    """All that is not proven."""
    return [*holes(), *rule_holes(), *mode_holes()]


def main() -> int:
    """Prints the holes; 1 when there are any."""
    found = every_hole()
    for line in found:
        print(line)
    print(f"{len(rows())} rows, {len(found)} holes", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
