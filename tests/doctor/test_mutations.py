"""Whatever a file holds, the checker gives findings or says why not: it never fails, hangs or dies."""

# ruff: noqa: E501

from __future__ import annotations

import random
import time

import pytest
from mica.doctor.run import check_file

from tests.doctor.corpus import FOLDER

WORDS = [b"(", b")", b"[", b"]", b"{", b"}", b":", b"\n", b"    ", b"\t", b"=", b"@", b"*", b"**", b"lambda x: ", b"for ", b" in ",
         b"if ", b"else:", b"def f(", b"class A(", b"return ", b"yield ", b"await ", b"async ", b"import *", b"\\\n", b'"""', b"f'{",
         b"\xff", b"\x00", b"\xef\xbb\xbf", b"1" * 5000, b"0x", b"1e999", b"nonlocal x", b"global mx", b"del x", b"match x:",
         b"case _:", b"with ", b"try:", b"except*", b"x.item()", b"mx.eval(x)", b"mx", b"self", b"...", b";", b"#", b"\r", b"\x0c"]  # fmt: skip


def seeds() -> list[bytes]:
    return [p.read_bytes() for p in sorted(FOLDER.glob("*.py"))]


def mutate(rng: random.Random, text: bytes) -> bytes:
    """One odd file."""
    lines = text.splitlines(True)
    start = rng.randrange(len(lines))
    data = bytearray(b"".join(lines[start : start + rng.randrange(5, 60)]))
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        at = rng.randrange(len(data) + 1)
        kind = rng.randrange(7)
        if kind == 0:
            del data[at:]
        elif kind == 1:
            del data[at : at + rng.randrange(1, 20)]
        elif kind == 2:
            data[at:at] = rng.choice(WORDS)
        elif kind == 3 and data:
            data[min(at, len(data) - 1)] = rng.randrange(256)
        elif kind == 4:
            part = bytes(data[at : at + rng.randrange(1, 200)])
            to = rng.randrange(len(data) + 1)
            data[to:to] = part
        elif kind == 5:
            shuffled = bytes(data).splitlines(True)
            rng.shuffle(shuffled)
            data = bytearray(b"".join(shuffled))
        else:
            depth = rng.choice((50, 150, 1000, 20_000))
            opening, closing = rng.choice(((b"(", b")"), (b"[", b"]"), (b"-", b""), (b"f(", b")"), (b"x.y", b""),
                                           (b"not ", b""), (b"1+", b""), (b"lambda:", b"")))  # fmt: skip
            data[at:at] = b"\nz = " + opening * depth + b"x" + closing * depth + b"\n"
    # Files that do not name mlx are not walked through.
    data[:0] = (
        b"import mlx.core as mx; import mlx.nn as nn; import mlx.optimizers as optim; import numpy as np\n"
    )
    if rng.random() < 0.05:
        data[:0] = rng.choice(
            (b"# coding: latin-1\n", b"# coding: utf-16\n", b"# coding: nonsense\n", b"\xef\xbb\xbf")
        )
    return bytes(data)


def check(name: str, data: bytes) -> None:
    start = time.process_time()
    result, _ = check_file(name, data)
    if result.broken is not None:
        assert "the checker failed" not in result.broken.message, (result.broken.message, data)
    for finding in result.findings:
        assert finding.line >= 1 and finding.column >= 1
    assert time.process_time() - start < 20, data


@pytest.mark.parametrize("part", range(4))
def test_mutated_files(part: int, pytestconfig: pytest.Config) -> None:
    count = 2500 if pytestconfig.getoption("--tier") == "long" else 75
    rng = random.Random(1000 * part + count)
    texts = seeds()
    for _ in range(count):
        check("mutated.py", mutate(rng, rng.choice(texts)))


HOSTILE = {
    "empty": b"",
    "null": b"\0\0\0",
    "parentheses": b"x = " + b"(" * 5000 + b")" * 5000,
    "attributes": b"x = a" + b".b" * 5000,
    "calls": b"x = a" + b"()" * 3000,
    "operators": b"x = " + b"1 + " * 5000 + b"1",
    "minus": b"x = " + b"-" * 5000 + b"1",
    "blocks": b"".join(b" " * i + b"if x:\n" for i in range(90)) + b" " * 90 + b"pass\n",
    "literal": b"x = " + b"9" * 100_000,
    "string": b"x = '" + b"a" * 1_000_000 + b"'",
    "elif": b"if x:\n    pass\n" + b"elif x:\n    pass\n" * 3000,
    "utf-16": "x = 1\n".encode("utf-16"),
    "latin-1": b"# coding: latin-1\nx = '\xe4'\n",
    "self import": b"from mutated import *\nimport mutated\nfrom . import mutated\n",
    "recursion": b"import mlx.core as mx\ndef f(x):\n    return g(x)\ndef g(x):\n    return f(x)\nf(mx.ones(3))\n",
    "own base": b"class A(A):\n    pass\nclass B(B):\n    def __call__(self): return self()\nB()()\n",
    "growing": b"import mlx.core as mx\n" + b"x = [1]\n" + b"x = x + x\n" * 60 + b"y = (mx, x)\n" + b"y = (y, y)\n" * 60,
    "many calls": b"import mlx.core as mx\n" + b"".join(
        b"def f%d(x):\n    return f%d(x) + f%d(x)\n" % (i, i + 1, i + 1) for i in range(60)) + b"f0(mx.ones(3))\n",
    "wide": b"x = [" + b"1, " * 20_000 + b"]\n",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files(name: str) -> None:
    check("mutated.py", HOSTILE[name])
    check("mutated.py", HOSTILE[name] + b"\n# mlx\n")
    check("mutated.ipynb", HOSTILE[name])


def test_fixes_of_mutated_files(pytestconfig: pytest.Config) -> None:
    pytest.importorskip("libcst")
    from mica.doctor.config import Config
    from mica.doctor.fixes import fix_text
    from mica.doctor.rules import RULES

    rng = random.Random(5)
    texts = [p.read_bytes() for p in FOLDER.glob("mx[26]*.py")]
    for _ in range(500 if pytestconfig.getoption("--tier") == "long" else 15):
        text = mutate(rng, rng.choice(texts)).decode("utf-8", "ignore").replace("\0", "")
        once, _ = fix_text("mutated.py", text, set(RULES), True, Config())
        assert fix_text("mutated.py", once, set(RULES), True, Config())[0] == once
