"""The containers that a compiled function reads and changes: dicts (modules too), lists, tuples in them, and
``mx.random.state``.

Tracing puts placeholders into them, notes how the function leaves them (``Leaving``), and makes that undone;
each call then gives them what the noted function would have.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Iterable, Iterator

from mica import core
from mica._number import Number

# typing is left out at run time: its import takes longer than the engine's.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Contents = list[tuple[Any, Any]]  # containers, and what they hold

_array = core.array
_random = type(core.random.state)


def _holds(tree: Any) -> bool:
    """Whether something can be put into it."""
    return isinstance(tree, (dict, list)) or type(tree) is _random


def _items(tree: Any) -> dict | list | tuple:
    if isinstance(tree, dict):
        return dict(tree.items() if isinstance(tree, OrderedDict) else dict.items(tree))
    return [tree[0]] if type(tree) is _random else list(tree)


def _pairs(items: dict | list | tuple) -> Iterable[tuple[Any, Any]]:
    return items.items() if isinstance(items, dict) else enumerate(items)


def _visit(tree: Any, found: dict[int, tuple[Any, Any]]) -> None:
    if id(tree) in found or not (_holds(tree) or isinstance(tree, tuple)):
        return
    items = _items(tree)
    if not isinstance(tree, tuple):
        found[id(tree)] = (tree, items)
    for _, item in _pairs(items):
        _visit(item, found)


def contents(*trees: Any) -> Contents:
    """All containers of trees and what they hold, in the order of the signature, each once."""
    found: dict[int, tuple[Any, Any]] = {}
    _visit(trees, found)
    return list(found.values())


def _give(container: Any, items: Any) -> None:
    """Let a container hold these items and no others."""
    if isinstance(container, dict) and list(container) != list(items):
        container.clear()
        for key, value in items.items():  # the update of modules is another
            container[key] = value
    elif isinstance(container, list) and len(container) != len(items):
        container[:] = items
    else:
        for key, value in _pairs(items):
            if container[key] is not value:
                container[key] = value


def restore(kept: Contents) -> None:
    """Let containers hold what they held."""
    for container, items in kept:
        _give(container, items)


def _new(model: Any) -> Any:
    """Another container of a type, or like one."""
    if isinstance(model, type):
        return model()
    return model if type(model) is _random else copy.copy(model)


def _retuple(kind: type, items: list) -> Any:
    return kind(*items) if hasattr(kind, "_fields") else kind(items)


def _arrays(tree: Any) -> Iterator[Any]:
    """The arrays of an array or of a tuple, not those of containers."""
    if type(tree) is _array:
        yield tree
    elif isinstance(tree, tuple):
        for item in tree:
            yield from _arrays(item)


def arrays(tree: Any) -> list:
    """The arrays of all containers, each container once."""
    return [a for _, items in contents(tree) for _, item in _pairs(items) for a in _arrays(item)]


class Filling:
    """Placeholders in the places of a state's arrays."""

    def __init__(self, tree: Any, arrays: Iterator[Any]) -> None:
        self.tree = tree
        self.kept = contents(tree)
        self.put: dict[int, tuple] = {}  # by what was put there: it, its graph, what stood there
        self.key: tuple | None = None  # the same of mx.random.state, whose array is another object each time
        self._fill(tree, arrays)

    def _fill(self, tree: Any, arrays: Iterator[Any]) -> Any:
        if type(tree) is _array:
            return next(arrays)
        if isinstance(tree, tuple):
            items = [self._fill(item, arrays) for item in tree]
            same = all(new is old for new, old in zip(items, tree, strict=True))
            return tree if same else _retuple(type(tree), items)
        if type(tree) is _random:
            old = tree[0]
            tree[0] = new = next(arrays)
            self.key = (core._key(new), old if self.key is None else self.key[1])
        elif _holds(tree):
            # In the order of the signature, which is not an OrderedDict's.
            for key, old in list(dict.items(tree)) if isinstance(tree, dict) else _pairs(_items(tree)):
                new = self._fill(old, arrays)
                if new is not old:
                    tree[key] = new
                    self.put[id(new)] = (new, [core._key(a) for a in _arrays(new)], old)
        return tree

    def _given(self, value: Any) -> Any:
        """What a value stands for, unless the function has made or written it."""
        new, graphs, old = self.put.get(id(value), (None, None, None))
        if new is None or graphs != [core._key(a) for a in _arrays(new)]:
            return value
        return self._given(old)

    def undo(self) -> None:
        """Put back what stands for arrays of the state.

        No call will change what ``outputs`` does not name: what the function has put into other places stays,
        to be refused where it is used.
        """
        for container, items in contents(self.tree, [kept[0] for kept in self.kept]):
            for key, value in _pairs(items):
                given = self._given(value)
                if self.key is not None and type(container) is _random and core._key(value) == self.key[0]:
                    given = self.key[1]
                if given is not value:
                    container[key] = given


_ARRAY, _CONTAINER, _TUPLE, _KEPT, _CONSTANT = range(5)


class Leaving:
    """How a traced function leaves the containers of ``outputs``."""

    def __init__(self, outputs: Any, before: Contents) -> None:
        self.arrays: list = []  # of the trace; results of a call take their places
        self.changed: list[tuple] = []  # constants that the function has put in the place of others
        self._before = before
        self._number = {id(container): i for i, (container, _) in enumerate(before)}
        self._made: dict[int, int] = {}
        self.made: list[tuple] = []  # number of the container before, or None; its type, or it; its items
        self._what(outputs, None, None)
        in_order = list(map(id, self.arrays)) == list(map(id, core._state_arrays(outputs)))
        self.simple = in_order and self._is_simple()

    def _what(self, x: Any, source: int | None, key: Any) -> tuple:
        if type(x) is Number:
            x = x._pin()
        if type(x) is _array:
            self.arrays.append(x)
            return _ARRAY, len(self.arrays) - 1
        if _holds(x):
            return _CONTAINER, self._container(x)
        if isinstance(x, tuple) and any(type(i) is _array or _holds(i) or isinstance(i, tuple) for i in x):
            return _TUPLE, (type(x), [self._what(item, None, None) for item in x])
        return self._constant(x, source, key)

    def _constant(self, x: Any, source: int | None, key: Any) -> tuple:
        if source is None:
            return _CONSTANT, x
        container, items = self._before[source]
        places = dict(_pairs(items))
        if key in places and places[key] is x:
            return _KEPT, key
        if isinstance(items, list):  # what stood elsewhere has moved
            found = [place for place, value in places.items() if value is x]
            if len(found) == 1:
                return _KEPT, found[0]
        old = places.get(key, container)
        if type(old) is _array or _holds(old) or isinstance(old, tuple):
            return _CONSTANT, x
        self.changed.append((container, key, x))
        return _KEPT, key

    def _container(self, x: Any) -> int:
        made = self._made.get(id(x))
        if made is None:
            made = self._made[id(x)] = len(self.made)
            source = self._number.get(id(x))
            items: list = []
            self.made.append((source, type(x) if type(x) in (dict, list) else x, items))
            items += [(key, self._what(value, source, key)) for key, value in _pairs(_items(x))]
        return made

    def _is_simple(self) -> bool:
        """Whether arrays stand where arrays stood, and all else is as it was."""
        if [source for source, _, _ in self.made] != list(range(len(self._before))):
            return False
        for (_, before), (_, _, after) in zip(self._before, self.made, strict=True):
            if [key for key, _ in _pairs(before)] != [key for key, _ in after]:
                return False
            for (key, old), (_, (kind, what)) in zip(_pairs(before), after, strict=True):
                if kind == _ARRAY and type(old) is _array:
                    continue
                if kind == _CONTAINER and self._number.get(id(old)) == self.made[what][0]:
                    continue
                if kind != _KEPT or what != key:
                    return False
        return True

    def settle(self) -> None:
        """Forget the trace. What only the traced call changes is changed here, or by its ``give``, which
        looks at what was there.
        """
        if self.simple:
            self._change()
        self.arrays, self._before, self._number, self._made = [], [], {}, {}

    def _change(self) -> None:
        for container, key, value in self.changed:
            container[key] = value
        self.changed = []

    def give(self, outputs: Any, arrays: list) -> None:
        """Leave containers of the same structure in the same way, with these arrays."""
        before = contents(outputs)
        objects = [_new(model) if source is None else before[source][0] for source, model, _ in self.made]

        def value(what: tuple, items: Any) -> Any:
            kind, of = what
            if kind == _ARRAY:
                return arrays[of]
            if kind == _CONTAINER:
                return objects[of]
            if kind == _TUPLE:
                return _retuple(of[0], [value(item, None) for item in of[1]])
            return items[of] if kind == _KEPT else of

        given = []
        for container, (source, _, items) in zip(objects, self.made, strict=True):
            old = None if source is None else before[source][1]
            new = {key: value(what, old) for key, what in items}
            given.append((container, new if isinstance(container, dict) else list(new.values())))
        restore(given)
        self._change()
