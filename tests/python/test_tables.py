"""What the tables derive, and the tools that watch over them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import check_layers  # noqa: E402
import gen  # noqa: E402


def write_tables(folder: Path, prim: str, func: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "prim.def").write_text(prim)
    (folder / "func.def").write_text(func)
    monkeypatch.setattr(gen, "PRIM", folder / "prim.def")
    monkeypatch.setattr(gen, "FUNC", folder / "func.def")


def test_generated_files_are_current() -> None:
    command = [sys.executable, "tools/gen.py", "--check"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_one_row_derives_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = '/// Element-wise cube.\nPRIM(cube, UNARY, "a: operand, /", NO_FIELDS, NUMERIC, 0)\n'
    prim, func = gen.PRIM.read_text(), gen.FUNC.read_text()
    before = gen.load()
    outputs = (gen.ops_header, gen.functions_source, gen.stub)
    old = [output(before) for output in outputs]
    write_tables(tmp_path, prim + row, func, monkeypatch)
    after = gen.load()
    new = [output(after) for output in outputs]
    assert len(after) == len(before) + 1
    header, source, stub = (
        [line for line in b.splitlines() if "cube" in line and line not in a.splitlines()]
        for a, b in zip(old, new, strict=True)
    )
    assert "MICA_API mica_array *mica_cube(mica_scope *scope, mica_array *a);" in header
    assert "    return mica__unary(scope, mica_prim_cube, a);" in source
    assert any(line.startswith("static mica_array *call_cube(") for line in source)
    assert '    { "cube", "a: operand, /",' in source
    assert stub[0].startswith("def cube(a: scalar | array, /, *, stream: StreamOrDevice = None) -> array:")


CUBE = """
MICA_BODY float k_cube_f32(float x)
{
    return x * x * x;
}
"""


def preprocessed(engine: Path, source: str, *flags: str) -> subprocess.CompletedProcess:
    """What the compiler makes of one source of a copy of the engine."""
    command = ["cc", "-std=c11", *flags, f"-I{engine}", f"-I{ROOT / 'include'}", "-DMICA_ISA_NAME=portable"]
    return subprocess.run([*command, str(engine / source)], capture_output=True, text=True)


@pytest.mark.skipif(shutil.which("cc") is None, reason="a C compiler is needed")
def test_one_row_and_one_body_make_the_loops(tmp_path: Path) -> None:
    """The row alone does not compile; with its body there is an enumerator and a loop for each float type."""
    engine = tmp_path / "engine"
    shutil.copytree(ROOT / "engine", engine)
    prim, bodies = engine / "ops" / "prim.def", engine / "kernel" / "float32.h"
    row = '/// Element-wise cube.\nPRIM(cube, UNARY, "a: operand, /", NO_FIELDS, FLOAT_REAL, NONDIFF)\n'
    prim.write_text(prim.read_text() + row)
    loops = "backend/cpu/loops.c"
    assert "k_cube" in preprocessed(engine, loops, "-fsyntax-only", "-Werror").stderr
    head, end, tail = bodies.read_text().rpartition("#endif")
    bodies.write_text(head + CUBE + CUBE.replace("float", "double").replace("_f32", "_f64") + end + tail)
    done = preprocessed(engine, loops, "-fsyntax-only", "-Werror")
    assert done.returncode == 0, done.stderr
    text = preprocessed(engine, loops, "-E").stdout
    assert len(set(re.findall(r"k_cube_f(?:32|64)", text))) == 2
    assert "mica_prim_cube" in text
    assert "cube" in preprocessed(engine, "ops/prim.c", "-E").stdout


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('FUNC(f, "a: array")', "needs a doc line"),
        ('/// D.\nFUNC(f, "a: arry")', "kind 'arry'"),
        ('/// D.\nFUNC(f, "a")', "is not `name: kind = default`"),
        ('/// D.\nFUNC(f, "a: array, k: int = 1, m: int")', "without default follows"),
        ('/// D.\nFUNC(f, "a: array -> list")', "result 'list'"),
        ('/// D.\nFUNC(f, "a: shape?")', "no value for None"),
        ('/// D.\nFUNC(f, "a: int = 1, *b: arrays")', "only arrays after parameters without default"),
        ('/// D.\nFUNC(f, "a: array"', "unclosed row"),
        ('/// D.\nFUNC(f, "a: array")\n/// D.\nFUNC(f, "a: array")', "two rows"),
    ],
)
def test_wrong_rows(row: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tables(tmp_path, "", row, monkeypatch)
    with pytest.raises(gen.TableError, match=message.replace("*", r"\*")):
        gen.load()


def test_names_that_c_has_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    func = '/// D.\nFUNC(scalar, "a: array, register: int, scope: int")\n'
    write_tables(tmp_path, "", func, monkeypatch)
    (function,) = gen.load()
    assert (
        gen.prototype(function, "", ";")
        == "mica_array *mica_scalar_(mica_scope *scope, mica_array *a, int64_t register_, int64_t scope_;"
    )


def test_functions_with_a_module_prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    func = '/// D.\nFUNC(random_bits, "shape: shape = [], *, key: array? = None -> tuple")\n'
    write_tables(tmp_path, "", func, monkeypatch)
    (function,) = gen.load()
    assert function.module == ("random", "bits")
    prototype = gen.prototype(function, "", ");")
    assert prototype.startswith("mica_arrays mica_random_bits(mica_scope *scope, mica_dims shape,")
    assert gen.stub_function(function, "")[0] == (
        "def bits(shape: int | Sequence[int] = [], *, key: None | array = None, "
        "stream: StreamOrDevice = None) -> tuple[array, ...]:"
    )


def test_layer_order() -> None:
    assert check_layers.allowed("ops", "core")
    assert check_layers.allowed("backend", "kernel")
    assert not check_layers.allowed("core", "ops")
    assert not check_layers.allowed("io", "backend")
    assert not check_layers.allowed("kernel", "base")
    assert not check_layers.allowed("runtime", "kernel")
    assert not check_layers.allowed("python", "unknown (x.h)")
    assert check_layers.main() == 0
