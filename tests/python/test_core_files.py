"""Files of others read, and ours read by others: safetensors, NumPy, gguf; full disks, large files."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
import textwrap
import time
import zipfile
from pathlib import Path

import gguf
import mica.core as mx
import numpy as np
import pytest
import safetensors.numpy
from gguf.quants import dequantize

TYPES = [
    t for t in ("bool_ uint8 uint16 uint32 uint64 int8 int16 int32 int64 float16 float32 complex64").split()
]


def sample(name: str, shape: tuple = (3, 5)) -> mx.array:
    """Some values of a type."""
    return (mx.arange(15).reshape(3, 5) % 7).astype(getattr(mx, name)).reshape(shape)


def same(got: mx.array, want: np.ndarray) -> None:
    """Type, shape, values."""
    a = np.array(got)
    assert a.dtype == want.dtype and a.shape == want.shape
    np.testing.assert_array_equal(a, want)


# ---- safetensors ----


def test_safetensors_reads_ours(tmp_path: Path) -> None:
    """Every type that NumPy has, metadata, a transposed view, an empty and a 0-d array."""
    names = [t for t in TYPES if t != "complex64"]
    arrays = {t: sample(t) for t in names} | {
        "view": sample("float32").T,
        "empty": mx.zeros((0, 3)),
        "scalar": mx.array(2.5),
    }
    mx.save_safetensors(tmp_path / "f", arrays, {"é": "ü"})
    with safetensors.safe_open(tmp_path / "f.safetensors", "np") as file:
        assert file.metadata() == {"é": "ü"}
        assert set(file.keys()) == set(arrays)
        for name, array in arrays.items():
            same(array, file.get_tensor(name))


def test_ours_reads_safetensors(tmp_path: Path) -> None:
    """The same the other way, from a path, a file, a buffer and a stream that cannot seek."""
    arrays = {t: np.array(sample(t)) for t in TYPES if t != "complex64"}
    arrays |= {"empty": np.zeros((0, 3), np.float32), "scalar": np.array(2.5)}
    path = tmp_path / "f.safetensors"
    safetensors.numpy.save_file(arrays, path, {"a": "b"})
    stream = subprocess.Popen(["cat", str(path)], stdout=subprocess.PIPE)
    with path.open("rb") as file, stream.stdout:
        for source in (path, str(path), file, io.BytesIO(path.read_bytes()), stream.stdout):
            got, metadata = mx.load(source, format="safetensors", return_metadata=True)
            assert metadata == {"a": "b"} and set(got) == set(arrays)
            for name, array in arrays.items():
                same(got[name], array)
    stream.wait()


def test_bfloat16_and_fp8(tmp_path: Path) -> None:
    """Types that NumPy lacks: bfloat16 by its bits, 8-bit floats as the codes that from_fp8 takes."""
    values = mx.array([1.5, -2.0, 3.0e38, 0.1]).astype(mx.bfloat16)
    codes = mx.to_fp8(mx.array([1.5, -2.0, 448.0, 0.25]))
    mx.save_safetensors(tmp_path / "f", {"x": values})
    raw = (tmp_path / "f.safetensors").read_bytes()
    assert raw.endswith(np.array(values.view(mx.uint16)).tobytes())
    head = b'{"x":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}}'
    (tmp_path / "g.safetensors").write_bytes(len(head).to_bytes(8, "little") + head + bytes(np.array(codes)))
    got = mx.load(tmp_path / "g.safetensors")["x"]
    assert got.dtype == mx.uint8
    np.testing.assert_array_equal(np.array(mx.from_fp8(got, dtype=mx.float32)), [1.5, -2.0, 448.0, 0.25])
    back = mx.load(tmp_path / "f.safetensors")["x"]
    assert back.dtype == mx.bfloat16 and mx.array_equal(back, values).item()


# ---- npy and npz ----


@pytest.mark.parametrize("compressed", [False, True])
def test_npz_with_numpy(compressed: bool, tmp_path: Path) -> None:
    """Both directions, from a path, a pathlib path, a file, a buffer; mapped unless compressed."""
    arrays = {t: np.array(sample(t)) for t in TYPES}
    arrays |= {"fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)), "big": np.arange(4, dtype=">i4")}
    (np.savez_compressed if compressed else np.savez)(tmp_path / "f.npz", **arrays)
    with (tmp_path / "f.npz").open("rb") as file:
        for source in (
            str(tmp_path / "f.npz"),
            tmp_path / "f.npz",
            file,
            io.BytesIO((tmp_path / "f.npz").read_bytes()),
        ):
            got = mx.load(source, format="npz")
            assert set(got) == set(arrays)
            for name, array in arrays.items():
                same(got[name], array.astype(array.dtype.newbyteorder("=")))
    (mx.savez_compressed if compressed else mx.savez)(
        tmp_path / "g", *[mx.array(1)], **{t: sample(t) for t in TYPES}
    )
    with np.load(tmp_path / "g.npz") as file:
        assert set(file) == {"arr_0", *TYPES}
        for name in TYPES:
            same(sample(name), file[name])


def test_npz_forms(tmp_path: Path) -> None:
    """zip64, bytes before the archive, a comment behind it; bad ones say what is wrong."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.comment = b"c" * 300
        with archive.open("x.npy", "w", force_zip64=True) as member:
            np.lib.format.write_array(member, np.arange(5))
    whole = stream.getvalue()
    for data in (whole, b"#!" + whole):
        same(mx.load(io.BytesIO(data), format="npz")["x"], np.arange(5))
    for bad in (b"", b"PK", whole[:-310], whole.replace(b"NUMPY", b"numpy")):
        with pytest.raises((ValueError, RuntimeError), match="load"):
            mx.load(io.BytesIO(bad), format="npz")
    damaged = bytearray(whole)
    damaged[whole.index(b"NUMPY") + 130] ^= 1
    with pytest.raises(ValueError, match="checksum"):
        mx.load(io.BytesIO(bytes(damaged)), format="npz")


def test_large_deflated(tmp_path: Path) -> None:
    """All kinds of blocks of the compressor: random, repeated and constant bytes."""
    draw = np.random.default_rng(1)
    for array in (
        draw.integers(0, 256, 1 << 20, np.uint8),
        np.tile(np.arange(1000.0), 300),
        np.zeros(1 << 18),
    ):
        np.savez_compressed(tmp_path / "f.npz", x=array)
        same(mx.load(tmp_path / "f.npz")["x"], array)


# ---- gguf ----


def write_gguf(path: Path, name: str, raw: np.ndarray, kind: gguf.GGMLQuantizationType) -> None:
    """One tensor, as the package writes it."""
    writer = gguf.GGUFWriter(str(path), "test")
    writer.add_tensor(name, raw, raw_shape=raw.shape, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def blocks(kind: gguf.GGMLQuantizationType, rows: int, columns: int) -> np.ndarray:
    """Random blocks whose factors are ordinary numbers."""
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    raw = np.random.default_rng(int(kind)).integers(0, 256, (rows, columns // elements, size), np.uint8)
    factors = {"Q2_K": (81, 83), "Q3_K": (109,), "Q6_K": (209,)}.get(kind.name, (1, 3))
    for at in factors if elements == 256 or kind.name.endswith("_1") else (1,):
        raw[..., at] = raw[..., at] & 3 | 0x2C  # the high byte of a float16: 1/16 to 1/2
    return raw.reshape(rows, -1)


@pytest.mark.parametrize("rows", [4, 200])
@pytest.mark.parametrize("kind", ["Q4_0", "Q4_1", "Q8_0"])
def test_gguf_triples(kind: str, rows: int, tmp_path: Path) -> None:
    """Blocks of 4 and 8 bits become what dequantize takes; few are worked out at once, many when used."""
    kind = gguf.GGMLQuantizationType[kind]
    raw = blocks(kind, rows, 128)
    write_gguf(tmp_path / "f.gguf", "a.weight", raw, kind)
    got = mx.load(tmp_path / "f.gguf")
    assert set(got) == {"a.weight", "a.scales", "a.biases"}
    bits = 8 if kind.name == "Q8_0" else 4
    parts = [got["a.weight"], got["a.scales"].astype(mx.float32), got["a.biases"].astype(mx.float32)]
    want = dequantize(raw, kind)
    np.testing.assert_allclose(
        np.array(mx.dequantize(*parts, group_size=32, bits=bits)), want, rtol=1e-6, atol=1e-5
    )
    assert mx.quantized_matmul(mx.ones((1, 128)), *parts, group_size=32, bits=bits).shape == (1, rows)


@pytest.mark.parametrize("rows", [3, 60])
@pytest.mark.parametrize(
    "kind", ["Q5_0", "Q5_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "BF16", "F16"]
)
def test_gguf_numbers(kind: str, rows: int, tmp_path: Path) -> None:
    """Other types become float16; few are worked out at once, many when used."""
    kind = gguf.GGMLQuantizationType[kind]
    plain = kind.name in ("BF16", "F16")
    raw = np.full((rows, 120), 0x3C, np.uint8) if plain else blocks(kind, rows, 512)
    write_gguf(tmp_path / "f.gguf", "a", raw, kind)
    got = mx.load(tmp_path / "f.gguf")["a"]
    assert got.dtype == mx.float16
    want = dequantize(raw, kind).astype(np.float16)
    np.testing.assert_array_almost_equal_nulp(np.array(got), want, nulp=1)


def test_gguf_values(tmp_path: Path) -> None:
    """Values of all kinds, both directions."""
    values = {
        "text": "é",
        "texts": ["a", "", "ü"],
        "none": [],
        "truth": mx.array(True),
        "one": mx.array(3, mx.uint8),
        "many": mx.array([1, -2], mx.int64),
        "real": mx.array(1.5),
        "wide": mx.arange(3).astype(mx.float32),
    }
    arrays = {"x": sample("float32"), "h": sample("float16").T, "i": sample("int8"), "s": mx.array(2.0)}
    mx.save_gguf(tmp_path / "f", arrays, values)
    reader = gguf.GGUFReader(str(tmp_path / "f.gguf"))
    for tensor in reader.tensors:
        np.testing.assert_array_equal(
            tensor.data.reshape(arrays[tensor.name].shape), np.array(arrays[tensor.name])
        )
    for key, value in values.items():
        want = value.tolist() if isinstance(value, mx.array) else value
        if want != []:
            assert reader.get_field(key).contents() == want
    with (tmp_path / "f.gguf").open("rb") as file:
        for source in (tmp_path / "f.gguf", file, io.BytesIO((tmp_path / "f.gguf").read_bytes())):
            got, metadata = mx.load(source, format="gguf", return_metadata=True)
            assert all(
                mx.array_equal(got[k], v).item() and got[k].dtype == v.dtype for k, v in arrays.items()
            )
            for key, value in values.items():
                if isinstance(value, mx.array):
                    assert metadata[key].dtype == value.dtype and mx.array_equal(metadata[key], value).item()
                else:
                    assert metadata[key] == value


def test_gguf_values_of_others(tmp_path: Path) -> None:
    """float64 values, one and several; a list of lists is refused by name."""
    kinds = gguf.GGUFValueType

    def write(name: str, value: object, *types: gguf.GGUFValueType) -> Path:
        writer = gguf.GGUFWriter(str(tmp_path / name), "test")
        writer.add_key_value("wanted", value, *types)
        writer.add_tensor("x", np.ones((2, 3), np.float32))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return tmp_path / name

    one = write("one.gguf", 2.5, kinds.FLOAT64)
    several = write("several.gguf", [1.5, 0.1], kinds.ARRAY, kinds.FLOAT64)
    for path, want in ((one, 2.5), (several, [1.5, 0.1])):
        value = mx.load(path, return_metadata=True)[1]["wanted"]
        assert value.dtype == mx.float64 and value.tolist() == want
    with pytest.raises(ValueError, match="wanted is a list of lists"):
        mx.load(write("nested.gguf", [[1, 2], [3]], kinds.ARRAY))


def test_gguf_refusals(tmp_path: Path) -> None:
    """What the format or MLX does not hold."""
    for array, error in (
        (mx.zeros(2, mx.int64), RuntimeError),
        (mx.zeros(2, mx.bfloat16), RuntimeError),
        (1, TypeError),
    ):
        with pytest.raises(error, match="save_gguf"):
            mx.save_gguf(tmp_path / "f", {"x": array})
    for value in (mx.zeros((1, 1)), mx.zeros(1, mx.float16), 3, [1]):
        with pytest.raises((ValueError, RuntimeError), match="save_gguf"):
            mx.save_gguf(tmp_path / "f", {"x": mx.zeros(2)}, {"v": value})
    assert not list(tmp_path.iterdir())
    write_gguf(tmp_path / "g.gguf", "a", np.zeros((1, 66), np.uint8), gguf.GGMLQuantizationType.IQ2_XXS)
    with pytest.raises(RuntimeError, match="type 16, which is not read"):
        mx.load(tmp_path / "g.gguf")


# ---- disks and memory ----

SAVES = {
    "npy": "mx.save(path, x)",
    "npz": "mx.savez(path, x)",
    "safetensors": "mx.save_safetensors(path, {'x': x})",
    "gguf": "mx.save_gguf(path, {'x': x})",
    "mlxfn": "mx.export_function(path, lambda y: y + x, mx.zeros((1,)))",
}


@pytest.mark.parametrize("kind", SAVES)
def test_full_disk(kind: str, tmp_path: Path) -> None:
    """What does not fit is an OSError, and the old file is as it was."""
    path = tmp_path / f"f.{kind}"
    path.write_bytes(b"old")
    code = f"""
        import resource, signal
        import mica.core as mx
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        path, x = {str(path)!r}, mx.random.normal((1 << 20,))
        try:
            {SAVES[kind]}
        except OSError as error:
            print("refused", error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.startswith("refused"), done.stderr
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_no_such_place(tmp_path: Path) -> None:
    """What is raised where nothing can be written: archives as Python's own files, others a RuntimeError."""
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder.npz").mkdir()
    x, places = mx.zeros(1), {"nowhere/x": FileNotFoundError, "file/x": NotADirectoryError}
    for place, error in places.items():
        for save in (mx.savez, mx.savez_compressed):
            with pytest.raises(error) as caught:
                save(tmp_path / place, x)
            assert caught.value.filename == f"{tmp_path / place}.npz"
        with pytest.raises(RuntimeError, match="cannot be written"):
            mx.save(tmp_path / place, x)
        for save in (mx.save_safetensors, mx.save_gguf):
            with pytest.raises(RuntimeError, match="cannot be written"):
                save(tmp_path / place, {"x": x})
    with pytest.raises(FileNotFoundError):
        mx.savez("/proc/x", x)
    with pytest.raises(IsADirectoryError):
        mx.savez(tmp_path / "folder", x)


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("kind", ["npy", "npz", "safetensors", "gguf"])
def test_more_than_memory(kind: str, tmp_path: Path) -> None:
    """8 GiB load in milliseconds and cost nothing until they are used: a hole, of which one row is read."""
    rows, columns = 1 << 11, 1 << 20
    path = tmp_path / f"f.{kind}"
    small = mx.zeros((1, 1))
    {"npy": lambda: mx.save(path, small), "npz": lambda: mx.savez(path, x=small),
     "safetensors": lambda: mx.save_safetensors(path, {"x": small}),
     "gguf": lambda: mx.save_gguf(path, {"x": small})}[kind]()  # fmt: skip
    if kind == "npy":
        write_hole(path, npy_head(rows, columns), rows * columns * 4)
    elif kind == "npz":
        write_npz_hole(path, rows, columns)
    elif kind == "safetensors":
        end = rows * columns * 4
        text = f'{{"x":{{"dtype":"F32","shape":[{rows},{columns}],"data_offsets":[0,{end}]}}}}'.encode()
        write_hole(path, len(text).to_bytes(8, "little") + text, rows * columns * 4)
    else:
        head = path.read_bytes().replace(
            (1).to_bytes(8, "little") * 2, columns.to_bytes(8, "little") + rows.to_bytes(8, "little")
        )
        write_hole(path, head[:-4], rows * columns * 4)
    before, start = resident(), time.perf_counter()
    loaded = mx.load(path)
    elapsed = time.perf_counter() - start
    x = loaded if kind == "npy" else loaded["x"]
    assert x.shape == (rows, columns)
    assert mx.sum(x[rows - 1]).item() == 0
    assert resident() - before < 64 << 20
    assert elapsed < 0.5, elapsed  # a few milliseconds on an idle machine


def npy_head(rows: int, columns: int) -> bytes:
    """The header of a float32 matrix."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": "<f4", "fortran_order": False, "shape": (rows, columns)}
    )
    return stream.getvalue()


def write_hole(path: Path, head: bytes, count: int, tail: bytes = b"") -> None:
    """Bytes, zeros that take no room on the disk, bytes."""
    with path.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + count)
        file.seek(0, os.SEEK_END)
        file.write(tail)


def write_npz_hole(path: Path, rows: int, columns: int) -> None:
    """A stored member, with the sizes in zip64 fields."""
    head, name = npy_head(rows, columns), b"x.npy"
    size = len(head) + rows * columns * 4
    sizes = size.to_bytes(8, "little") * 2
    extra = b"\x01\x00\x10\x00" + sizes
    tail = len(name).to_bytes(2, "little") + len(extra).to_bytes(2, "little")
    common = b"\x2d\x00" + bytes(4) + bytes(4) + bytes(4) + b"\xff" * 8 + tail
    local = b"PK\x03\x04" + common + name + extra
    entry = b"PK\x01\x02\x2d\x00" + common + bytes(14) + name + extra
    offset = len(local) + size
    end64 = b"PK\x06\x06" + (44).to_bytes(8, "little") + b"\x2d\x00\x2d\x00" + bytes(8)
    end64 += (1).to_bytes(8, "little") * 2 + len(entry).to_bytes(8, "little") + offset.to_bytes(8, "little")
    locator = (
        b"PK\x06\x07" + bytes(4) + (offset + len(entry)).to_bytes(8, "little") + (1).to_bytes(4, "little")
    )
    end = b"PK\x05\x06" + b"\xff" * 16 + bytes(2)
    write_hole(path, local + head, rows * columns * 4, entry + end64 + locator + end)


SAVERS = {
    "npy": mx.save,
    "npz": lambda file, x: mx.savez(file, x=x),
    "safetensors": lambda file, x: mx.save_safetensors(file, {"x": x}),
    "gguf": lambda file, x: mx.save_gguf(file, {"x": x}),
}


@pytest.mark.parametrize("kind", SAVERS)
def test_streams_without_names(kind: str) -> None:
    """Raw, temporary and in-memory streams, written and read."""
    x = sample("float32")
    with tempfile.TemporaryFile(buffering=0) as raw, tempfile.NamedTemporaryFile() as named:
        for stream in (raw, named, io.BytesIO()):
            SAVERS[kind](stream, x)
            stream.seek(0)
            got = mx.load(stream, format=kind)
            assert mx.array_equal(got if kind == "npy" else got["x"], x).item()
