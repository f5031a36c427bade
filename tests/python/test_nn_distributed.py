"""Sharded layers: those of one process agree with the reference; those of several agree with the whole."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import mica.core as mx
import mica.nn as nn
import numpy as np
import pytest
from mica.nn.layers.distributed import shard_inplace, shard_linear, sum_gradients
from mica.nn.utils import average_gradients, clip_grad_norm_sharded
from oracle import MICA, MLX, compare, masked, normal, outcome

# ---- one process: the reference beside

LAYERS = [
    "nn.AllToShardedLinear(64, 6)",
    "nn.AllToShardedLinear(64, 6, bias=False)",
    "nn.ShardedToAllLinear(64, 6)",
    "nn.ShardedToAllLinear(64, 6, False)",
    "nn.QuantizedAllToShardedLinear(64, 6)",
    "nn.QuantizedShardedToAllLinear(64, 6, False, group_size=32, mode='mxfp4')",
    "nn.FullyShardedModule(nn.Linear(64, 6))",
    "nn.FullyShardedModule(nn.Sequential(nn.Linear(64, 6), nn.Linear(6, 2, bias=False)))",
    "nn.FullyShardedModule(nn.Linear(64, 6), compute_dtype=mx.float16)",
    "nn.fully_shard(nn.Linear(64, 6))",
    "nn.layers.distributed.shard_linear(nn.Linear(64, 6), 'all-to-sharded', segments=3)",
    "nn.layers.distributed.shard_linear(nn.Linear(64, 6), 'all-to-sharded', segments=[2, 3])",
    "nn.layers.distributed.shard_linear(nn.Linear(64, 6, bias=False), 'sharded-to-all', segments=[0.5])",
    "nn.layers.distributed.shard_linear(nn.QuantizedLinear(64, 6), 'all-to-sharded')",
    "nn.layers.distributed.shard_linear(nn.QuantizedLinear(64, 6), 'sharded-to-all')",
]


@pytest.mark.parametrize("constructor", LAYERS)
def test_like_the_reference(constructor: str) -> None:
    """Parameters, what is trainable, printed form, output and gradients."""

    def program(side: Any) -> Any:
        side.mx.random.seed(0)
        import importlib

        importlib.import_module(f"{side.nn.__name__}.layers.distributed")
        model = side.run(constructor)
        x = side.array(normal(3, 64))
        step = side.nn.value_and_grad(model, lambda x: (model(x) ** 2).sum())
        frozen = {} if "Quantized" in constructor else step(x)
        return model.parameters(), model.trainable_parameters(), masked(repr(model)), model(x), frozen

    compare(program(MICA), program(MLX), scale=300.0 if "float16" in constructor else 20.0)


@pytest.mark.parametrize(
    "program",
    [
        "D.shard_linear(nn.Linear(4, 6), 'x')",
        "D.shard_linear(nn.Conv1d(4, 6, 2), 'sharded-to-all')",
        "D.shard_linear(nn.Linear(4, 6), 'all-to-sharded', segments=4)",
        "D.shard_linear(nn.Embedding(4, 6), 'all-to-sharded')",
        "D.shard_inplace(nn.Linear(4, 6), 'x')",
        "D.shard_inplace(nn.Linear(4, 6), 'all-to-sharded')",
        "D.shard_inplace(nn.Sequential(nn.Linear(4, 6), nn.Embedding(3, 2)), 'sharded-to-all')",
        "D.shard_inplace(nn.Linear(4, 6), lambda path, weight: 5)",
        "D.shard_inplace(nn.Linear(4, 6), lambda path, weight: None)",
        "D.shard_inplace(nn.Linear(4, 6), lambda path, weight: (0, 2))",
        "D.shard_inplace(nn.Linear(4, 6), lambda path, weight: 'a')",
        "D.shard_inplace(nn.Linear(4, 6), 3)",
        "D.sum_gradients(None)",
        "D.sum_gradients(mx.distributed.init())(mx.ones((2,)))",
        "nn.FullyShardedModule(3)",
        "nn.FullyShardedModule(nn.BatchNorm(3))(mx.ones((4, 3)))",
        "nn.FullyShardedModule(nn.Embedding(4, 3)).as_linear(mx.ones((2, 3))).shape",
        "nn.FullyShardedModule(nn.Linear(4, 3)).as_linear(mx.ones((2, 3)))",
        "nn.fully_shard(3)",
        "nn.QuantizedAllToShardedLinear(64, 6).unfreeze()",
        "nn.QuantizedAllToShardedLinear(64, 6, mode='mxfp4')",
        "sorted(vars(nn.QuantizedAllToShardedLinear(64, 6)))",
        "sorted(vars(nn.AllToShardedLinear(64, 6)))",
        "sorted(vars(nn.FullyShardedModule(nn.Linear(4, 3))))",
        "[(q := nn.QuantizedAllToShardedLinear(64, 6)).unfreeze(), q.trainable_parameters()]",
        "nn.average_gradients({'a': mx.ones((2,)), 'b': [{}, 3]})",
        "nn.average_gradients({'a': mx.ones((2,))}, None, 0)",
        "nn.average_gradients({'a': mx.ones((2,))}, all_reduce_size=-1)",
        "U.clip_grad_norm_sharded({}, 1.0)",
        "U.clip_grad_norm_sharded({'a': mx.array([1.0, 2.0, 2.0])}, 4.0)",
    ],
)
def test_edges(program: str) -> None:
    """The same values, and errors of the same classes."""

    def run(side: Any) -> Any:
        import importlib

        inner = [importlib.import_module(f"{side.nn.__name__}.{n}") for n in ("layers.distributed", "utils")]
        return outcome(side, program, D=inner[0], U=inner[1])

    assert run(MICA) == run(MLX)


def test_beyond_the_reference() -> None:
    """There, a negative norm turns gradients round, halves overflow, and what has no parameters fails."""
    with pytest.raises(ValueError, match="max_norm"):
        clip_grad_norm_sharded({"a": mx.ones(2)}, -1.0)
    clipped, norm = clip_grad_norm_sharded({"a": mx.full(4, 300.0, mx.float16)}, 1.0)
    assert norm.item() == 600.0 and norm.dtype == mx.float32 and clipped["a"].dtype == mx.float16
    assert nn.FullyShardedModule(nn.ReLU())(mx.array([-1.0, 1.0])).tolist() == [0.0, 1.0]


# ---- several processes, played by threads that meet in each collective


class Team:
    """Stands in for ``mx.distributed``: a group of so many threads."""

    def __init__(self, size: int):
        self.size = size
        self.barrier = threading.Barrier(size, timeout=20)
        self.sent: list[Any] = [None] * size
        self.local = threading.local()

    def exchange(self, x: mx.array) -> list[np.ndarray]:
        rank = self.local.rank
        self.sent[rank] = np.array(x)
        self.barrier.wait()
        received = list(self.sent)
        self.barrier.wait()
        return received

    def run(self, program: Callable[[Any], Any]) -> list[Any]:
        """What the program returns in each thread."""
        results: list[Any] = [None] * self.size

        def work(rank: int) -> None:
            self.local.rank = rank
            try:
                results[rank] = program(Member(self, rank))
            except BaseException as error:
                self.barrier.abort()
                results[rank] = error

        threads = [threading.Thread(target=work, args=(rank,)) for rank in range(self.size)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return results


class Member:
    """One thread's view of the group."""

    def __init__(self, team: Team, rank: int):
        self.team, self._rank = team, rank

    def rank(self) -> int:
        return self._rank

    def size(self) -> int:
        return self.team.size

    def __hash__(self) -> int:
        return hash((id(self.team), self._rank))


@pytest.fixture
def team(monkeypatch: pytest.MonkeyPatch) -> Iterator[Team]:
    """Two threads; collectives exchange values at once, with the derivatives of the reference."""
    team = Team(2)

    def all_sum(x: mx.array, *, group: Any, stream: Any = None) -> mx.array:
        @mx.custom_function
        def collective(x: mx.array) -> mx.array:
            return mx.array(sum(team.exchange(x)))

        @collective.vjp
        def passed(x: mx.array, cotangent: mx.array, _: mx.array) -> mx.array:
            return cotangent

        return collective(x)

    def all_gather(x: mx.array, *, group: Any, stream: Any = None) -> mx.array:
        return mx.array(np.concatenate(team.exchange(x)))

    def sum_scatter(x: mx.array, *, group: Any, stream: Any = None) -> mx.array:
        return mx.array(np.split(sum(team.exchange(x)), team.size)[group.rank()])

    monkeypatch.setattr(mx.distributed, "all_sum", all_sum)
    monkeypatch.setattr(mx.distributed, "all_gather", all_gather)
    monkeypatch.setattr(mx.distributed, "sum_scatter", sum_scatter)
    yield team
    sum_gradients.cache_clear()


def perceptron() -> tuple[nn.Linear, nn.Linear]:
    """The same two layers on each call."""
    rng = np.random.default_rng(0)
    layers = nn.Linear(6, 8), nn.Linear(8, 4)
    for layer in layers:
        for name in ("weight", "bias"):
            layer[name] = mx.array(rng.normal(size=layer[name].shape).astype(np.float32))
    return layers


X = normal(5, 6)


def step(first: nn.Module, second: nn.Module) -> tuple[np.ndarray, dict]:
    """Output and gradients of two layers."""
    model = nn.Sequential(first, nn.Tanh(), second)

    def loss(x: mx.array) -> tuple[mx.array, mx.array]:
        y = model(x)
        return (y * y).sum(), y

    (_, y), gradients = nn.value_and_grad(model, loss)(mx.array(X))
    found = {f"{i}.{name}": np.array(value) for i in (0, 2) for name, value in gradients["layers"][i].items()}
    return np.array(y), found


def test_tensor_parallel(team: Team) -> None:
    """Two processes with half of the hidden units each compute what one does with all."""
    want, whole = step(*perceptron())

    def program(group: Any) -> Any:
        first, second = perceptron()
        first = shard_linear(first, "all-to-sharded", group=group)
        second = shard_linear(second, "sharded-to-all", group=group)
        assert first.weight.shape == (4, 6) and second.weight.shape == (4, 4)
        assert repr(first) == "AllToShardedLinear(input_dims=6, output_dims=8, bias=True)"
        assert repr(second) == "ShardedToAllLinear(input_dims=8, output_dims=4, bias=True)"
        return step(first, second)

    results = team.run(program)
    for y, _ in results:
        np.testing.assert_allclose(y, want, rtol=1e-5, atol=1e-5)
    axes = {"0.weight": 0, "0.bias": 0, "2.weight": 1}
    for name, gradient in whole.items():
        parts = [gradients[name] for _, gradients in results]
        got = np.concatenate(parts, axes[name]) if name in axes else parts[0]
        np.testing.assert_allclose(got, gradient, rtol=1e-4, atol=1e-4, err_msg=name)


def test_inputs_of_split_layers_get_whole_cotangents(team: Team) -> None:
    """Each process' part of the outputs adds to the gradient of the input."""
    want = mx.grad(lambda x: (perceptron()[0](x) ** 2).sum())(mx.array(X))

    def program(group: Any) -> Any:
        layer = shard_linear(perceptron()[0], "all-to-sharded", group=group)
        return np.array(mx.grad(lambda x: (layer(x) ** 2).sum())(mx.array(X)))

    for got in team.run(program):
        np.testing.assert_allclose(got, np.array(want), rtol=1e-4, atol=1e-4)


def test_segments_are_cut_by_themselves(team: Team) -> None:
    """Of a projection to queries, keys and values each process gets a part of each."""
    weight = mx.arange(12 * 2, dtype=mx.float32).reshape(12, 2)

    def program(group: Any) -> Any:
        layer = nn.Linear(2, 12, bias=False)
        layer.weight = weight
        shard_inplace(layer, "all-to-sharded", segments=[4, 8] if group.rank() else 3, group=group)
        return np.array(layer.weight[:, 0] / 2).tolist()

    assert team.run(program) == [[0, 1, 4, 5, 8, 9], [2, 3, 6, 7, 10, 11]]

    def uneven(group: Any) -> Any:
        with pytest.raises(ValueError, match="2 processes"):
            shard_linear(nn.Linear(3, 5), "all-to-sharded", group=group)
        with pytest.raises(ValueError, match="2 processes"):
            nn.ShardedToAllLinear(3, 5, group=group)
        with pytest.raises(ValueError, match="2 processes"):
            nn.FullyShardedModule(nn.Linear(3, 5), group=group)

    team.run(uneven)


def test_quantized(team: Team) -> None:
    """Quantized layers of two processes."""
    whole = nn.QuantizedLinear(128, 6)
    x = mx.array(normal(3, 128))
    want = np.array(whole(x))
    mx.eval(whole.parameters(), x)

    def program(group: Any) -> Any:
        outputs = shard_linear(whole, "all-to-sharded", group=group)
        inputs = shard_linear(whole, "sharded-to-all", group=group)
        assert "input_dims=128, output_dims=6" in repr(outputs) and "input_dims=128" in repr(inputs)
        half = x[:, 64 * group.rank() : 64 * (group.rank() + 1)]
        return np.array(outputs(x)), np.array(inputs(half))

    results = team.run(program)
    np.testing.assert_allclose(np.concatenate([r[0] for r in results], 1), want, rtol=1e-5, atol=1e-5)
    for _, summed in results:
        np.testing.assert_allclose(summed, want, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("compute_dtype", [None, mx.float16])
def test_fully_sharded(team: Team, compute_dtype: Any) -> None:
    """Each process holds half of the rows; gradients are the averages, of which each gets its rows."""
    want, whole = step(*perceptron())

    def program(group: Any) -> Any:
        layers = [nn.fully_shard(m, group=group, compute_dtype=compute_dtype) for m in perceptron()]
        assert layers[0].module.weight.shape == (4, 6)
        model = nn.Sequential(layers[0], nn.Tanh(), layers[1])

        def loss(x: mx.array) -> tuple[mx.array, mx.array]:
            y = model(x).astype(mx.float32)
            return (y * y).sum(), y

        (_, y), gradients = nn.value_and_grad(model, loss)(mx.array(X))
        assert layers[0].module.weight.shape == (4, 6)
        parts = [gradients["layers"][i]["module"] for i in (0, 2)]
        return np.array(y), [{name: np.array(part) for name, part in p.items()} for p in parts]

    tolerance = 1e-5 if compute_dtype is None else 2e-2
    results = team.run(program)
    for y, _ in results:
        np.testing.assert_allclose(y, want, rtol=tolerance, atol=10 * tolerance)
    for layer, place in enumerate((0, 2)):
        for name in ("weight", "bias"):
            got = np.concatenate([gradients[layer][name] for _, gradients in results])
            assert got.dtype == np.float32
            np.testing.assert_allclose(
                got, whole[f"{place}.{name}"], rtol=10 * tolerance, atol=30 * tolerance
            )


@pytest.mark.parametrize("size", [0, 1, 40, 1 << 20])
def test_average_gradients(team: Team, size: int) -> None:
    """Averages have the structure of the gradients, however these travel."""

    def program(group: Any) -> Any:
        scale = 1.0 + 2.0 * group.rank()
        tree = {"a": scale * mx.ones((2, 3)), "b": [{}, (scale * mx.arange(3.0), scale * mx.ones(()))]}
        averages = average_gradients(tree, group, all_reduce_size=size)
        clipped, norm = clip_grad_norm_sharded({"a": scale * mx.ones(8)}, 1.0, group)
        return averages["a"].tolist(), averages["b"][0], averages["b"][1][0].tolist(), norm.item()

    for a, empty, b, norm in team.run(program):
        assert a == [[2.0] * 3] * 2 and empty == {} and b == [0.0, 2.0, 4.0]
        assert norm == pytest.approx(np.sqrt(8 * (1 + 9)))
