"""DLPack, out and in: shared memory one way, copies the other, and refusals that say why."""

from __future__ import annotations

import subprocess
import sys

import mica.core as mx
import numpy as np
import pytest

DTYPES = ("bool_", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64")
DTYPES += ("float16", "float32", "float64", "bfloat16", "complex64")


class Once:
    """Someone's tensor: hands out one capsule, with the protocol's keywords or without."""

    def __init__(self, array: mx.array, modern: bool = True) -> None:
        self.capsule = array.__dlpack__(max_version=(1, 1)) if modern else array.__dlpack__()
        self.modern = modern

    def __dlpack__(self, **keywords: object) -> object:
        if keywords and not self.modern:
            raise TypeError("no keywords")
        return self.capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)


@pytest.mark.parametrize("name", DTYPES)
@pytest.mark.parametrize("modern", [True, False])
def test_round_trip(name: str, modern: bool) -> None:
    x = mx.arange(24).reshape(2, 3, 4).astype(getattr(mx, name))
    for y in (x, x.T, x[:, ::-1, 1:3], x[0, 0, 0], x[:0]):
        back = mx.from_dlpack(Once(y, modern))
        assert back.dtype == (mx.float32 if name == "float64" else y.dtype) and back.shape == y.shape
        assert back.tolist() == y.tolist()


def test_numpy_shares_the_memory() -> None:
    x = mx.zeros((2, 3))
    view = np.from_dlpack(x.T)
    assert view.shape == (3, 2)
    same = np.from_dlpack(x)
    assert same.ctypes.data == np.from_dlpack(x).ctypes.data
    assert np.from_dlpack(mx.broadcast_to(mx.array(2.0), (3,))).tolist() == [2.0] * 3


def test_copies_and_devices() -> None:
    x = mx.ones((3,))
    copy = mx.from_dlpack(Once(x))
    x[0] = 5
    assert copy.tolist() == [1.0, 1.0, 1.0]
    assert x.__dlpack_device__() == (1, 0)
    assert mx.from_dlpack(Once(x)).tolist() == [5.0, 1.0, 1.0]
    with pytest.raises(BufferError, match="CPU"):
        x.__dlpack__(dl_device=(2, 0))
    with pytest.raises(TypeError, match="pair"):
        x.__dlpack__(dl_device=2)
    with pytest.raises(ValueError, match="stream"):
        x.__dlpack__(stream=1)
    assert "dltensor" in repr(x.__dlpack__(copy=True))


def test_a_capsule_is_used_once() -> None:
    tensor = Once(mx.ones((3,)))
    assert mx.array(tensor).tolist() == [1.0, 1.0, 1.0]
    with pytest.raises(ValueError, match="used already"):
        mx.array(tensor)


def test_without_numpy() -> None:
    program = """
import sys
sys.modules["numpy"] = None
import mica.core as mx
class Other:
    def __dlpack__(self, **keywords):
        return mx.ones((2,)).__dlpack__(**keywords)
assert mx.from_dlpack(Other()).tolist() == [1.0, 1.0]
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
