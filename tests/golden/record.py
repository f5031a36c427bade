"""Records how the reference prints arrays: ``python tests/golden/record.py`` (with the wheel) writes
tests/golden/print/*.txt.

Each file holds blocks: a line ``>>> expression``, then what ``print`` writes. The expressions stand here;
the text is the wheel's.
"""

from __future__ import annotations

import sys
from pathlib import Path

FOLDER = Path(__file__).parent / "print"

EXPRESSIONS = {
    "scalars": (
        "mx.array(5)",
        "mx.array(-3, dtype=mx.int8)",
        "mx.array(200, dtype=mx.uint8)",
        "mx.array(True)",
        "mx.array(False)",
        "mx.array(1.5)",
        "mx.array(0.1)",
        "mx.array(1/3)",
        "mx.array(1e10)",
        "mx.array(1e-10)",
        "mx.array(123456789.0)",
        "mx.array(1234567.0)",
        "mx.array(999999.5)",
        "mx.array(-0.0)",
        "mx.array(0.0)",
        "mx.array(float('inf'))",
        "mx.array(float('-inf'))",
        "mx.array(float('nan'))",
        "mx.array(1e38)",
        "mx.array(1e-45)",
        "mx.array(100000.0)",
        "mx.array(1000000.0)",
        "mx.array(0.0001)",
        "mx.array(0.00001)",
        "mx.array(1/3).astype(mx.float16)",
        "mx.array(1/3).astype(mx.bfloat16)",
        "mx.array(1/3, dtype=mx.float64)",
        "mx.array(65504.0).astype(mx.float16)",
        "mx.array(2**40)",
        "mx.array(-2**40)",
        "mx.array(2**63-1)",
        "mx.array(3.4e38).astype(mx.bfloat16)",
    ),
    "complex": (
        "mx.array(1+2j)",
        "mx.array(-1-0.5j)",
        "mx.array(1e10-1e-10j)",
        "mx.array(1j)",
        "mx.array([1+1j, 2, 0j])",
        "mx.array(complex(0, float('inf')))",
        "mx.array([[1+1j], [2-2j]])",
    ),
    "vectors": (
        "mx.array([1, 2, 3])",
        "mx.array([1.0, 2.5, -3.25])",
        "mx.array([True, False])",
        "mx.arange(6)",
        "mx.arange(7)",
        "mx.arange(8)",
        "mx.arange(1000)",
        "mx.array([1e-10, 1.0, 1e10])",
        "mx.array([])",
        "mx.array([1.0])",
        "mx.arange(7, dtype=mx.float16)",
        "mx.arange(10) > 5",
    ),
    "matrices": (
        "mx.arange(6).reshape(2, 3)",
        "mx.arange(24).reshape(2, 3, 4)",
        "mx.arange(48).reshape(2, 1, 4, 6)",
        "mx.arange(49).reshape(7, 7)",
        "mx.arange(64).reshape(8, 8)",
        "mx.arange(16).reshape(8, 2)",
        "mx.arange(16).reshape(2, 8)",
        "mx.arange(512).reshape(8, 8, 8)",
        "mx.arange(7).reshape(7, 1)",
        "mx.arange(6.0).reshape(3, 2) / 7",
        "mx.array([[[[1]]]])",
        "mx.arange(12).reshape(3, 4).T",
        "mx.arange(12).reshape(3, 4)[:, ::-2]",
        "mx.broadcast_to(mx.array(1.5), (2, 7))",
        "mx.arange(162).reshape(2, 9, 9)",
    ),
    "empty": (
        "mx.zeros((0,))",
        "mx.zeros((0, 3))",
        "mx.zeros((3, 0))",
        "mx.zeros((2, 0, 3))",
        "mx.zeros((2, 3, 0))",
        "mx.zeros((8, 0))",
        "mx.zeros((0, 0), dtype=mx.int8)",
    ),
    "dtypes": tuple(
        f"mx.ones((2,), dtype=mx.{n})"
        for n in (
            "bool_",
            "uint8",
            "uint16",
            "uint32",
            "uint64",
            "int8",
            "int16",
            "int32",
            "int64",
            "float16",
            "float32",
            "float64",
            "bfloat16",
            "complex64",
        )
    ),
    "precision 3": (
        "mx.array(1/3)",
        "mx.array([1.0, 2.25, 1e6])",
        "mx.array(5)",
        "mx.array(1+1/3j)",
        "mx.array(float('nan'))",
        "mx.array(1/3).astype(mx.float16)",
        "mx.array([[1/7, 22/7]])",
    ),
    "precision 0": ("mx.array(2.5)", "mx.array([1.4, 1.6])"),
    "precision 10": ("mx.array(1/3)", "mx.array(1/3, dtype=mx.float64)"),
    "format": (
        "format(mx.array(1.5), '.3f')",
        "format(mx.array(3))",
        "format(mx.array(3), '05d')",
        "format(mx.array([1, 2]))",
        "format(mx.array(True))",
        "str(mx.arange(3))",
        "repr(mx.float32)",
        "repr(mx.cpu)",
        "repr(mx.Device(mx.cpu))",
        "repr(mx.bool_)",
        "repr(mx.floating)",
        "format(mx.array(2.0))",
        "format(mx.array([5]))",
    ),
}


def printed(mx, group: str) -> str:
    """The text of one file, made with module ``mx``."""
    lines = []
    precision = int(group.split()[1]) if group.startswith("precision") else -1
    with mx.printoptions(precision=precision):
        for expression in EXPRESSIONS[group]:
            lines += [f">>> {expression}", str(eval(expression, {"mx": mx}))]  # noqa: S307 - the expressions stand above
    return "\n".join(lines) + "\n"


def main() -> None:
    """Writes all files with the wheel."""
    import mlx.core as mx

    FOLDER.mkdir(exist_ok=True)
    for group in EXPRESSIONS:
        (FOLDER / f"{group.replace(' ', '_')}.txt").write_text(printed(mx, group))


if __name__ == "__main__":
    sys.exit(main())
