"""Tree utilities agree with the reference."""

from __future__ import annotations

import collections

import pytest
from oracle import MICA, MLX, outcome, same_outcome

Point = collections.namedtuple("Point", "x y")


class Numbers(list):
    pass


TREES = {
    "3": 3,
    "None": None,
    "[]": [],
    "{}": {},
    "()": (),
    "[[]]": [[]],
    "{'a': {}}": {"a": {}},
    "[1, [2, 3], (4,)]": [1, [2, 3], (4,)],
    "{'a': 1, 'b': [2, {'c': 3}]}": {"a": 1, "b": [2, {"c": 3}]},
    "Point(1, [2])": Point(1, [2]),
    "[Point(1, 2), {}]": [Point(1, 2), {}],
    "{1: 2, 'x': (1,)}": {1: 2, "x": (1,)},
    "{'a': None}": {"a": None},
    "OrderedDict(a=1, b=[2])": collections.OrderedDict(a=1, b=[2]),
    "Numbers([1, 2])": Numbers([1, 2]),
    "'text'": "text",
    "{'': 1}": {"": 1},
    "{'a.b': 1}": {"a.b": 1},
}
LEAVES = {
    "None": None,
    "tuples": lambda node: isinstance(node, tuple),
    "dictionaries": lambda node: isinstance(node, dict),
    "empty lists": lambda node: node == [],
}

trees = pytest.mark.parametrize("tree", TREES.values(), ids=TREES)
other_trees = pytest.mark.parametrize("other", TREES.values(), ids=TREES)
leaves = pytest.mark.parametrize("leaf", LEAVES.values(), ids=LEAVES)


@trees
@leaves
@pytest.mark.parametrize(
    "program",
    [
        "utils.tree_map(lambda x: ('leaf', x), t, is_leaf=leaf)",
        "utils.tree_map(lambda x, y: ('leaf', x, y), t, t, is_leaf=leaf)",
        "type(utils.tree_map(lambda x: x, t, is_leaf=leaf)).__name__",
        "utils.tree_map_with_path(lambda p, x: (p, x), t, is_leaf=leaf)",
        "utils.tree_map_with_path(lambda p, x, y: (p, x, y), t, t, is_leaf=leaf, path='pre')",
        "utils.tree_map_with_path(lambda p, x: (p, x), t, is_leaf=leaf, path=3)",
        "utils.tree_flatten(t, is_leaf=leaf)",
        "utils.tree_flatten(t, '.x', leaf)",
        "utils.tree_flatten(t, 'xy', leaf)",
        "utils.tree_flatten(t, is_leaf=leaf, destination={'z': 1})",
        "utils.tree_flatten(t, is_leaf=leaf, destination=[3])",
        "utils.tree_reduce(lambda a, x: (a, x), t, is_leaf=leaf)",
        "utils.tree_reduce(lambda a, x: (a, x), t, 0, leaf)",
        "utils.tree_unflatten(utils.tree_flatten(t))",
        "utils.tree_unflatten(utils.tree_flatten(t, destination={}))",
    ],
)
def test_one_tree(program, tree, leaf):
    same_outcome(program, t=tree, leaf=leaf)


@trees
@other_trees
def test_map_over_two_trees(tree, other):
    same_outcome("utils.tree_map(lambda x, y: (x, y), t, u)", t=tree, u=other)


def sorted_keys(tree):
    if isinstance(tree, dict):
        return {key: sorted_keys(tree[key]) for key in sorted(tree, key=str)}
    return [sorted_keys(child) for child in tree] if type(tree) is list else tree


@trees
@other_trees
@pytest.mark.parametrize("merge", [None, lambda a, b: ("merged", a, b)], ids=["strict", "merging"])
def test_merge(tree, other, merge):
    """Agrees wherever the reference joins; it stumbles where two places without leaves, or None, meet."""
    program = "sorted_keys(utils.tree_merge(t, u, f))"
    names = {"sorted_keys": sorted_keys, "t": tree, "u": other, "f": merge}
    got, want = outcome(MICA, program, **names), outcome(MLX, program, **names)
    stumbled = want == ("raises", "ValueError") or "('merged', None, None)" in repr(want)
    if not stumbled:
        assert got == want
    elif not any(leafless(part) for part in (tree, other)):
        assert got == want


def leafless(tree):
    """Whether None or an empty container stands somewhere in a tree."""
    if isinstance(tree, dict):
        tree = list(tree.values())
    if isinstance(tree, (list, tuple)):
        return not tree or any(leafless(child) for child in tree)
    return tree is None


def test_merge_joins_places_without_leaves():
    merge = MICA.utils.tree_merge
    assert merge({}, []) == []
    assert merge({"a": {}}, {"b": 1}) == {"a": {}, "b": 1}
    assert merge({"a": [1, {}]}, {"a": [{}, 2], "b": 3}) == {"a": [1, 2], "b": 3}
    assert list(merge({"a": 1, "b": 2}, {"c": 3})) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "pairs",
    [
        "[]", "{}", "[('', 1)]", "{'': 1}", "[('', 1), ('', 2)]", "[('0', 1), ('2', 2)]",
        "[('0', 1), ('a', 2)]", "[('a.0', 1), ('a.1.b', 2)]", "[('a', 1), ('a.b', 2)]",
        "[('01', 1), ('1', 2)]", "[('a.', 3)]", "[('1.5', 3)]", "{'a.b': 2}", "[('1', 1), ('0', 2)]",
    ],
)  # fmt: skip
def test_unflatten(pairs):
    same_outcome(f"utils.tree_unflatten({pairs})")


def test_refusals():
    assert same_outcome("utils.tree_flatten([1], destination=())") == ("raises", "ValueError")
    assert same_outcome("utils.tree_merge(1, 2)") == ("raises", "ValueError")
    assert same_outcome("utils.tree_map(lambda x, y: x, {'a': 1}, {})") == ("raises", "KeyError")
    assert same_outcome("utils.tree_map(lambda x, y: x, [1], [])") == ("raises", "IndexError")


def test_nothing_keeps_leaves_alive():
    """Without the garbage collector's help: gradients are freed when their last name goes."""
    import gc
    import weakref

    import mica.core as mx
    import mica.optimizers as optim
    from mica.utils import tree_flatten

    gc.disable()
    try:
        gradient, parameter = mx.ones((4,)), mx.zeros((4,))
        alive = weakref.ref(gradient)
        tree_flatten({"a": [gradient]})
        optimizer = optim.AdamW(1e-3)
        optimizer.apply_gradients({"a": gradient}, {"a": parameter})
        del gradient
        assert alive() is None
    finally:
        gc.enable()
