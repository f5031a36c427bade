"""A group of one process; devices that are not there."""

from __future__ import annotations

import importlib

import mica.core as mx
import numpy as np
import pytest

COLLECTIVES = ("all_sum", "all_max", "all_min", "all_gather", "sum_scatter")


def test_group() -> None:
    """This process alone."""
    group = mx.distributed.init()
    assert (group.rank(), group.size()) == (0, 1)
    assert isinstance(group, mx.distributed.Group)
    with pytest.raises(TypeError, match="init"):
        mx.distributed.Group()
    with pytest.raises(RuntimeError, match="split"):
        group.split(0)
    with pytest.raises(RuntimeError, match="ring"):
        mx.distributed.init(strict=True, backend="ring")
    with pytest.raises(ValueError, match="smoke"):
        mx.distributed.init(backend="smoke")
    assert mx.distributed.is_available("mpi") is False
    assert importlib.import_module("mica.core.distributed") is mx.distributed


@pytest.mark.parametrize("name", COLLECTIVES)
def test_collectives_are_identities(name: str) -> None:
    """Values, gradients, batches; numbers and NumPy arrays; wrong groups."""
    collective = getattr(mx.distributed, name)
    x = mx.array([[1.0, 2.0], [3.0, 4.0]])
    assert mx.array_equal(collective(x, group=mx.distributed.init(), stream=mx.cpu), x).item()
    assert mx.array_equal(mx.grad(lambda x: (collective(x) ** 2).sum())(x), 2 * x).item()
    assert mx.array_equal(mx.vmap(collective)(x), x).item()
    assert collective(2.0).item() == 2.0
    assert collective(np.ones(2)).tolist() == [1.0, 1.0]
    with pytest.raises(TypeError, match="group"):
        collective(x, group=1)
    with pytest.raises(TypeError):
        collective(x, mx.distributed.init())
    with pytest.raises(ValueError, match=name):
        collective([1, 2])


def test_nobody_to_talk_to() -> None:
    """send and recv raise as in the reference."""
    x = mx.ones(2)
    with pytest.raises(ValueError, match="singleton"):
        mx.distributed.send(x, 0)
    with pytest.raises(ValueError, match="singleton"):
        mx.distributed.recv((2,), mx.float32, 0)
    with pytest.raises(ValueError, match="singleton"):
        mx.distributed.recv_like(x, 1)
    with pytest.raises(TypeError, match="dst"):
        mx.distributed.send(x, "a")


CALL = {"output_shapes": [(1,)], "output_dtypes": [mx.float32], "grid": (1, 1, 1), "threadgroup": (1, 1, 1)}


def test_metal_kernel() -> None:
    """Checked where it is built, refused where it is run."""
    build = mx.fast.metal_kernel
    kernel = build(name="copy", input_names=["x"], output_names=["y"], source="y[0] = x[0];")
    with pytest.raises(RuntimeError, match="No Metal back-end: 'copy'"):
        kernel(inputs=[mx.ones(1)], **CALL)
    with pytest.raises(ValueError, match="size 1 but got size 2"):
        kernel(inputs=[1, 2], **CALL)
    with pytest.raises(TypeError, match="grid"):
        kernel(inputs=[1], **{**CALL, "grid": (1, 1)})
    with pytest.raises(ValueError, match="at least one output"):
        build("a", ["x"], [], "")
    with pytest.raises(TypeError, match="input_names"):
        build("a", "xy", ["y"], "")
    for options in (5, {"speed": 1}, {"math_mode": "wild"}):
        with pytest.raises(ValueError, match="metal_kernel"):
            build("a", ["x"], ["y"], "", compile_options=options)


def test_cuda_kernels() -> None:
    """Refused where they are built."""
    with pytest.raises(RuntimeError, match="No CUDA back-end"):
        mx.fast.cuda_kernel("a", ["x"], ["y"], "")
    with pytest.raises(RuntimeError, match="No CUDA back-end"):
        mx.fast.precompiled_cuda_kernel(name="a", compiled_source=b"", inputs=[], scalars=[], **CALL)
    with pytest.raises(TypeError, match="compiled_source"):
        mx.fast.precompiled_cuda_kernel(name="a", compiled_source="", inputs=[], scalars=[], **CALL)


def test_metal_memory() -> None:
    """Former names of the memory functions warn and work."""
    for name in (
        "get_active_memory",
        "get_cache_memory",
        "get_peak_memory",
        "clear_cache",
        "reset_peak_memory",
    ):
        with pytest.warns(DeprecationWarning, match=name):
            getattr(mx.metal, name)()
    with pytest.warns(DeprecationWarning):
        previous = mx.metal.set_memory_limit(1 << 40)
    assert mx.set_memory_limit(previous) == 1 << 40
    with pytest.warns(DeprecationWarning):
        assert mx.metal.device_info() == {}


def test_array_protocol() -> None:
    """mT, bytes, and division by its old names."""
    a = mx.array([[1, 2, 3], [4, 5, 6]], dtype=mx.int16)
    assert a.mT.tolist() == [[1, 4], [2, 5], [3, 6]]
    with pytest.raises(ValueError, match="2 dimensions"):
        _ = a[0].mT
    assert bytes(a.T) == np.array(a).T.tobytes()
    assert bytes(mx.array(1.0, dtype=mx.bfloat16)) == b"\x80\x3f"
    assert bytes(mx.zeros((0,))) == b""
    assert a.__div__(2).tolist() == (np.array(a) / 2).tolist()
    assert mx.allclose(a.__rdiv__(12), mx.array(12 / np.array(a))).item()


def test_random_names() -> None:
    """The module answers for its state, and says which name it lacks."""
    assert mx.random.__getattr__("state") is mx.random.state
    with pytest.raises(AttributeError, match="shuffle"):
        _ = mx.random.shuffle
    assert len(list(mx.random.state)) == 1
