"""compile: containers named as inputs and outputs are left as plain calls leave them, whatever these do."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from collections.abc import Callable
from typing import Any

import mica.core as mx
import mica.nn as nn
import pytest

Pair = namedtuple("Pair", "first second")


def shown(tree: Any) -> Any:
    """A tree with numbers for arrays, and types."""
    if isinstance(tree, mx.array):
        return ("array", tree.tolist())
    if isinstance(tree, dict):
        return (type(tree).__name__, [(key, shown(value)) for key, value in tree.items()])
    if isinstance(tree, (list, tuple)):
        return (type(tree).__name__, [shown(value) for value in tree])
    return tree


def number(value: float) -> mx.array:
    return mx.array(float(value))


def letters() -> dict:
    return {"a": number(1), "b": number(2)}


def items() -> list:
    return [number(1), number(2)]


def nested() -> dict:
    return {"d": {"w": number(1), "v": number(2)}, "l": [number(3), "text", {"k": number(4)}], "n": 3}


def move(state, y):
    state["d"], state["l"][2] = state["l"][2], state["d"]
    return y


def set_key(key: Any, make: Callable) -> Callable:
    def change(state, y):
        state[key] = make(y)
        return y

    return change


CASES: dict[str, tuple[Callable, Callable]] = {
    "pop": (letters, lambda s, y: (s.pop("a"), y)[1]),
    "pop and change": (letters, lambda s, y: (s.pop("a"), s.update(b=s["b"] + y), y)[2]),
    "pop the first, return the other": (letters, lambda s, y: y + s.pop("a") * s["b"]),
    "clear": (letters, lambda s, y: (s.clear(), y)[1]),
    "to None": (letters, set_key("a", lambda y: None)),
    "to text": (letters, set_key("a", lambda y: "text")),
    "to an integer": (letters, set_key("a", lambda y: 3)),
    "to a float": (letters, set_key("b", lambda y: 2.5)),
    "to a dict": (letters, set_key("a", lambda y: {"q": y * 2, "n": None})),
    "to a tuple": (letters, set_key("a", lambda y: (y, [y * 3], "text"))),
    "to a named tuple": (letters, set_key("a", lambda y: Pair(y, y + 1))),
    "new key": (letters, set_key("z", lambda y: y * 2)),
    "new constant": (letters, set_key("z", lambda y: "text")),
    "new nested": (letters, set_key("z", lambda y: {"w": y, "k": [y * 2, None, {"x": y}]})),
    "new of another class": (letters, set_key("z", lambda y: OrderedDict(b=y, a=y + 1))),
    "other order": (letters, lambda s, y: (s.update(a=s.pop("a") + y), y)[1]),
    "one container twice": (letters, lambda s, y: (s.update(p=[y]), s.update(q=s["p"]), y)[2]),
    "ordered": (lambda: OrderedDict(letters()), lambda s, y: (s.move_to_end("a"), s.update(a=y), y)[2]),
    "list pop": (items, lambda s, y: (s.pop(), y)[1]),
    "list pop first": (items, lambda s, y: (s.pop(0), y + s[0])[1]),
    "list slice": (items, lambda s, y: (s.__setitem__(slice(None), [y * 2]), y)[1]),
    "list append": (items, lambda s, y: (s.append(y * 2), y)[1]),
    "list insert text": (items, lambda s, y: (s.insert(0, "text"), y)[1]),
    "list reverse": (items, lambda s, y: (s.reverse(), y)[1]),
    "list clear": (items, lambda s, y: (s.clear(), y)[1]),
    "list of dicts": (lambda: [letters(), letters()], lambda s, y: (s.pop(0), s[0].update(a=y), y)[2]),
    "constants of lists": (lambda: [number(1), "x", "y"], lambda s, y: (s.pop(1), s.append(y), y)[2]),
    "nested pop": (nested, lambda s, y: (s["d"].pop("w"), s["l"].pop(0), y)[2]),
    "nested to array": (nested, set_key("d", lambda y: y * 3)),
    "nested moved": (nested, move),
    "nested removed": (nested, lambda s, y: (s.pop("d"), s["l"].pop(), y)[2]),
    "tuple read": (lambda: {"t": (number(1), [number(2)])}, lambda s, y: y + s["t"][0] * s["t"][1][0]),
    "tuple changed": (lambda: {"t": (number(1), 2)}, lambda s, y: (s.update(t=(s["t"][0] + y, 2)), y)[1]),
    "list in a tuple": (lambda: {"t": ([number(1)], 2)}, lambda s, y: (s["t"][0].append(y), y)[1]),
    "nothing": (nested, lambda s, y: y),
    "a number of the call": (letters, lambda s, y, k=2: (s.update(a=k), y)[1]),
}


@pytest.mark.parametrize("shapeless", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_as_plain_calls_leave_them(name: str, shapeless: bool) -> None:
    """In the call that traces, and in calls with the same structure again, which replay."""
    make, change = CASES[name]
    traces: list = []
    state = make()

    def fun(y):
        traces.append(1)
        return change(state, y)

    compiled = mx.compile(fun, inputs=state, outputs=state, shapeless=shapeless)
    for y in (10, 20, 30):
        plain = make()
        want = change(plain, number(y))
        fresh = make()
        state.clear()
        state.update(fresh) if isinstance(state, dict) else state.extend(fresh)
        assert shown(compiled(number(y))) == shown(want)
        assert shown(state) == shown(plain)
    assert len(traces) == 1


@pytest.mark.parametrize("name", CASES)
def test_one_call_after_another(name: str) -> None:
    """Each call from what the one before has left: the same results, and the same refusals."""
    make, change = CASES[name]
    state, plain = make(), make()
    compiled = mx.compile(lambda y: change(state, y), inputs=state, outputs=state)
    for y in (10, 20, 30, 40):
        try:
            want = change(plain, number(y))
        except Exception as error:
            before = shown(state)
            with pytest.raises(type(error)):
                compiled(number(y))
            assert shown(state) == before
            return
        assert shown(compiled(number(y))) == shown(want)
        assert shown(state) == shown(plain)


def test_containers_stay_themselves() -> None:
    state = nested()
    inner, items = state["d"], state["l"]
    compiled = mx.compile(lambda y: (inner.pop("w"), items.append(y), y)[2], inputs=state, outputs=state)
    for _ in range(2):
        compiled(number(1))
        assert state["d"] is inner and state["l"] is items and "w" not in inner
        assert items.pop().item() == 1
        inner.clear()
        inner.update(w=number(5), v=number(6))
    made = mx.compile(set_key("z", lambda y: [y]).__get__(state), inputs=state, outputs=state)
    made(number(1))
    first = state.pop("z")
    made(number(2))
    assert first[0].item() == 1 and state["z"][0].item() == 2


@pytest.mark.parametrize("named", ["both", "inputs", "outputs"])
def test_nothing_half_done(named: str) -> None:
    """A function that raises leaves the containers as they were, however far it came."""
    state = nested()
    arrays = (state["d"]["w"], state["d"]["v"], state["l"][0], state["l"][2]["k"])

    def fun(y):
        state["d"]["w"] = y
        state["d"].pop("v")
        state["l"].pop()
        state["l"][0] += y
        state["new"] = [y]
        state["n"] = None
        raise KeyError("half way")

    given = {"both": ("inputs", "outputs"), "inputs": ("inputs",), "outputs": ("outputs",)}[named]
    compiled = mx.compile(fun, **dict.fromkeys(given, state))
    for _ in range(2):
        with pytest.raises(KeyError, match="half way"):
            compiled(number(7))
        assert list(state) == ["d", "l", "n"] and state["n"] == 3
        now = (state["d"]["w"], state["d"]["v"], state["l"][0], state["l"][2]["k"])
        assert [a is b for a, b in zip(now, arrays, strict=True)][:2] == [True, True]
        if named != "outputs":
            assert [a.item() for a in now] == [1, 2, 3, 4]


def test_outputs_that_are_no_inputs() -> None:
    """Their structure tells calls apart: what they lack is not given to another key."""
    log: list = []
    compiled = mx.compile(lambda y: (log.append(y * 2), y)[1], outputs=log)
    for y in (1, 2):
        compiled(number(y))
    assert shown(log) == shown([number(2), number(4)])
    log.clear()
    compiled(number(3))
    assert shown(log) == shown([number(6)])
    state = letters()
    compiled = mx.compile(set_key("b", lambda y: y * 2).__get__(state), outputs=state)
    compiled(number(1))
    state.pop("a")
    compiled(number(2))
    assert shown(state) == shown({"b": number(4)})


def test_same_structure_under_other_names() -> None:
    state: dict = {"a": {"w": number(1)}}

    def fun(y):
        return y + state["a"]["w"] if "a" in state else y - state["b"]["w"]

    compiled = mx.compile(fun, inputs=state, outputs=state)
    assert compiled(number(5)).item() == 6
    state["b"] = state.pop("a")
    assert compiled(number(5)).item() == 4


def test_constants_in_the_place_of_constants_change_once() -> None:
    """What is no array is Python's: replayed calls leave it alone."""
    state = {"a": number(1), "n": 3, "text": "x"}

    def fun(y):
        state["n"] += 1
        state["a"] = state["a"] + y
        return y

    compiled = mx.compile(fun, inputs=state, outputs=state)
    for total in (2, 3, 4):
        compiled(number(1))
        assert state["n"] == 4 and state["a"].item() == total
    state["n"], state["text"] = 9, "y"
    compiled(number(1))
    assert state["n"] == 9 and state["text"] == "y"


def test_modules() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    first = model.layers[0]

    def fun(x):
        if "bias" in first:
            del first.bias
        model.extra = nn.Linear(2, 1, bias=False)
        model.extra.weight = x
        first.weight = first.weight + 1
        return x

    weight = first.weight
    compiled = mx.compile(fun, inputs=model, outputs=model)
    for n in (1, 2, 3):
        compiled(mx.ones((1, 2)) * n)
        assert "bias" not in first and "bias" in model.layers[1]
        assert type(model.extra) is nn.Linear and model.extra.weight.tolist() == [[n, n]]
        assert mx.array_equal(first.weight, weight + n).item() and model.layers[0] is first
    assert mx.isfinite(model(mx.ones((1, 2)))).all().item()


def test_random_state_in_a_container() -> None:
    state = [letters(), mx.random.state]

    def fun():
        state[0].pop("a", None)
        state[0]["b"] = mx.random.uniform()
        return state[0]["b"]

    compiled = mx.compile(fun, inputs=state, outputs=state)
    mx.random.seed(4)
    got = [compiled().item() for _ in range(4)]
    mx.random.seed(4)
    assert got == [fun().item() for _ in range(4)] and list(state[0]) == ["b"]


def test_inputs_that_are_no_outputs() -> None:
    """What a function takes from them or moves in them it does once, and leaves no placeholder of theirs."""
    state = nested()
    compiled = mx.compile(
        lambda y: (state["l"].reverse(), state["d"].pop("w"), y + state["d"]["v"])[2], inputs=state
    )
    want = nested()
    want["l"].reverse()
    want["d"].pop("w")
    assert compiled(number(1)).item() == 3
    assert shown(state) == shown(want)
    numbers = [number(1), (number(2), number(3)), number(4)]
    compiled = mx.compile(
        lambda y: (len(numbers) > 2 and numbers.pop(0), y + numbers[0][1])[1], inputs=numbers
    )
    for _ in range(3):
        assert compiled(number(1)).item() == 4
        assert shown(numbers) == shown([(number(2), number(3)), number(4)])


def test_random_state_that_is_only_read() -> None:
    compiled = mx.compile(lambda x: x + 1, inputs=[mx.random.state])
    mx.random.seed(1)
    assert compiled(number(1)).item() == 2
    drawn = mx.random.uniform().item()
    mx.random.seed(1)
    assert drawn == mx.random.uniform().item()


CONSTANTS = {
    "moved": ({"c": 3}, lambda s: s.update(b=s["c"], c=None)),
    "a history": ({"before": "a", "now": "b"}, lambda s: s.update(before=s["now"], now="c")),
    "None as elsewhere": ({"c": 0, "mode": None}, lambda s: s.update(c=None)),
    "small numbers": ({"c": 1, "d": 2}, lambda s: s.update(c=2, d=1, e=2)),
    "a list": ({"l": [1, 2, None]}, lambda s: s["l"].pop(0)),
    "within a list": ({"l": ["a", "b", "c"]}, lambda s: s["l"].__setitem__(slice(None), s["l"][1:] + ["d"])),
}


@pytest.mark.parametrize("name", CONSTANTS)
def test_constants_that_look_alike(name: str) -> None:
    """The traced call leaves what a plain call does, though constants are one object in many places."""
    start, change = CONSTANTS[name]
    states = []
    for compiled in (False, True):
        state = {key: list(value) if isinstance(value, list) else value for key, value in start.items()}
        state["x"] = number(1)

        def f(y, state=state):
            change(state)
            state["x"] = state["x"] + y
            return y

        step = mx.compile(f, inputs=state, outputs=state) if compiled else f
        step(number(1))
        states.append(shown(state))
    assert states[0] == states[1]


def test_constants_of_other_keys_are_not_copied() -> None:
    """A replay leaves constants as they are, whatever other keys hold by then."""
    state = {"x": number(1), "c": 0, "mode": None}

    def f(y):
        state["c"] = None
        state["x"] = state["x"] + y
        return y

    step = mx.compile(f, inputs=state, outputs=state)
    step(number(1))
    state["mode"] = "train"
    step(number(1))
    assert state["c"] is None and state["mode"] == "train" and state["x"].item() == 3


def test_numbers_kept_in_state() -> None:
    """A number that is given and stored is what each traced call was given."""
    state = {"x": number(1)}

    def f(y, k):
        state["x"], state["k"], state["more"] = state["x"] * k, k, k + 1
        return y

    step = mx.compile(f, inputs=state, outputs=state)
    for k in (2, 3, 4, 5):
        step(number(1), k)
        assert (state["k"], state["more"]) == (k, k + 1)
    assert state["x"].item() == 120
