"""Recent calls of compiled functions are known by the objects of their texts: what that must not change."""

from __future__ import annotations

import dataclasses
import enum
import gc
import threading
import weakref
from collections.abc import Callable

import mica.core as mx


def counted(fun: Callable, **named) -> tuple[Callable, list]:
    traces: list = []
    return mx.compile(lambda *args, **kwargs: (traces.append(1), fun(*args, **kwargs))[1], **named), traces


def text(*parts: object) -> str:
    """A text that is an object of its own."""
    return "".join(map(str, parts))


def test_equal_texts_of_other_objects_do_not_trace() -> None:
    x = mx.array(1.0)
    f, traces = counted(lambda tree, name, **more: tree["key1"] + more["more2"]["x"])
    for _ in range(10):
        tree = {text("key", i): x * i for i in range(3)}
        assert f(tree, text("na", "me"), **{text("more", 2): {text("", "x"): x}}).item() == 2
    assert len(traces) == 1


def test_texts_at_the_place_of_others() -> None:
    """Texts that are freed and made again often come to lie where others lay."""
    x = mx.array(1.0)
    f, traces = counted(lambda tree, name: next(iter(tree.values())) * int(name) + int(next(iter(tree))))
    for _ in range(20):
        for i in range(1000, 1007):
            assert f({text(i): x}, text(i + 1)).item() == 2 * i + 1
    assert len(traces) == 7


def test_many_signatures_in_turn() -> None:
    f, traces = counted(lambda x, tree, t: x * tree["w"] + t)
    for _ in range(3):
        for n in range(1, 12):
            assert f(mx.ones((n,)), {"w": mx.array(2.0)}, n).tolist() == [2.0 + n] * n
    assert len(traces) == 11


def test_numbers_that_count() -> None:
    f, traces = counted(lambda tree, n: tree["a"] + 1 if n > 2 else tree["a"] ** n)
    tree = {"a": mx.array(3.0)}
    for _ in range(3):
        for n, want in ((1, 3), (2, 9), (3, 4), (4, 4), (2.5, 4), (-1, 1 / 3)):
            assert abs(f(tree, n).item() - want) < 1e-6
    assert len(traces) <= 14


def test_other_structures_of_the_same_texts() -> None:
    x, y = mx.array(1.0), mx.array(2.0)
    a, b = "a", "b"
    f, _ = counted(
        lambda t: sum(v if not isinstance(v, dict) else 10 * next(iter(v.values())) for v in t.values())
    )
    for _ in range(2):
        assert f({a: x, b: y}).item() == 3
        assert f({b: x, a: y}).item() == 3
        assert f({a: {b: y}}).item() == 20
        assert f({a: x, b: {a: y}}).item() == 21
        assert f({a: {a: x}, b: y}).item() == 12
    named, _ = counted(lambda t: t[a] - t[b])
    assert named({a: x, b: y}).item() == -1 and named({b: x, a: y}).item() == 1


def test_names_of_state() -> None:
    state = {text("w", 0): mx.array(1.0)}
    f, traces = counted(lambda x: next(iter(state.values())) * x * len(next(iter(state))), inputs=state)
    for name, want in (("w0", 4), ("w0", 4), ("long", 8), ("w0", 4)):
        state.clear()
        state[text(name)] = mx.array(1.0)
        assert f(mx.array(2.0)).item() == want
    assert len(traces) == 2


def test_nothing_is_kept_alive_but_texts() -> None:
    class Leaf(dict):
        """Something that can be referred to weakly."""

    f, _ = counted(lambda tree: tree["a"] + 1)
    leaf = Leaf(a=mx.array(1.0))
    f(leaf)
    f(leaf)
    gone = weakref.ref(leaf)
    del leaf
    gc.collect()
    assert gone() is None
    function = weakref.ref(f._compiled)
    f._compiled.itself = f
    del f
    gc.collect()
    assert function() is None


# ---- what is given may change while the function is traced ----


def test_arguments_that_the_function_drops() -> None:
    """A call holds what it was given until it ends."""
    numbers, others = [1234.5 * i for i in range(1, 5)], []

    def f(x, values):
        y = x * values[0] + values[1]
        numbers.clear()
        others.extend(float(i) + 0.25 for i in range(200))
        return y

    assert mx.compile(f)(mx.array(1.0), numbers).item() == 3703.5
    tree = {"w": mx.array([1.0, 2.0, 3.0])}

    def step(given, x):
        new = given["w"] - 0.5 * x
        tree["w"] = mx.zeros((3,))
        return new

    assert mx.compile(step)(tree, mx.array([1.0, 1.0, 1.0])).tolist() == [0.5, 1.5, 2.5]


def test_arguments_that_another_thread_replaces() -> None:
    for _ in range(20):
        tree, begun = {"w": mx.array([1.0, 2.0])}, threading.Event()

        def f(given, begun=begun):
            y = given["w"]
            begun.set()
            for _ in range(300):
                y = y + 0
            return y

        def replace(tree=tree, begun=begun):
            begun.wait()
            tree["w"] = mx.array([3.0, 4.0])

        thread = threading.Thread(target=replace)
        thread.start()
        assert mx.compile(f)(tree).tolist() == [1.0, 2.0]
        thread.join()


class Color(enum.Enum):
    RED = 1
    BLUE = 2


@dataclasses.dataclass(frozen=True)
class Scaled:
    name: str
    scale: float = dataclasses.field(repr=False, default=1.0)


class Changing:
    """A key that changes the dict when it is printed."""

    def __init__(self, tree: dict) -> None:
        self.tree = tree

    def __repr__(self) -> str:
        self.tree.clear()
        return "Changing"


def test_keys_that_print_alike() -> None:
    """Keys of which nobody can say when they are equal make a plain call."""
    f = mx.compile(lambda tree: sum((v * key.scale for key, v in tree.items()), mx.array(0.0)))
    assert [f({Scaled("a", float(i)): mx.array(1.0)}).item() for i in range(20)] == list(range(20))
    tree: dict = {}
    tree.update({Changing(tree): mx.array(1.0), "b": mx.array(2.0)})
    assert mx.compile(lambda given: given["b"] * 2)(tree).item() == 4 and len(tree) == 2


def test_keys_that_are_values() -> None:
    """Members of enumerations, numbers, None, and tuples of these are told apart, and do not trace again."""
    f, traces = counted(lambda tree: sum((v * i for i, v in enumerate(tree.values(), 1)), mx.array(0.0)))
    for _ in range(3):
        for key in (Color.RED, Color.BLUE, 1, 1.0, True, None, (1, "a", None), b"a"):
            assert f({key: mx.array(2.0), "other": mx.array(1.0)}).item() == 4
    assert len(traces) == 8
