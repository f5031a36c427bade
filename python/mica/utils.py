"""Trees: nested lists, tuples and dictionaries whose other values are leaves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, overload

__all__ = [
    "tree_flatten",
    "tree_map",
    "tree_map_with_path",
    "tree_merge",
    "tree_reduce",
    "tree_unflatten",
]


def _sequence_like(template: list | tuple, items: list) -> list | tuple:
    """Give ``items`` the sequence type of ``template``; named tuples take their fields apart."""
    kind = type(template)
    return kind(*items) if hasattr(template, "_fields") else kind(items)


def tree_map(fn: Callable, tree: Any, *rest: Any, is_leaf: Callable | None = None) -> Any:
    """Apply ``fn`` to the leaves of a tree and return the tree of its results.

    Args:
        fn: called with a leaf of ``tree`` and the subtrees of ``rest`` in the same place.
        tree: decides the structure.
        rest: trees that hold at least the places of ``tree``.
        is_leaf: true for a container that shall be handed to ``fn`` whole.

    Returns:
        A tree of the structure of ``tree``; dictionaries of any kind come out as ``dict``.

    Raises:
        KeyError, IndexError: a tree of ``rest`` lacks a place of ``tree``.

    Example:
        >>> tree_map(lambda a, b: a + b, {"x": [1, 2]}, {"x": [10, 20], "y": 0})
        {'x': [11, 22]}
    """
    if is_leaf is not None and is_leaf(tree):
        return fn(tree, *rest)
    if isinstance(tree, (list, tuple)):
        items = [
            tree_map(fn, child, *(other[i] for other in rest), is_leaf=is_leaf)
            for i, child in enumerate(tree)
        ]
        return _sequence_like(tree, items)
    if isinstance(tree, dict):
        return {
            key: tree_map(fn, child, *(other[key] for other in rest), is_leaf=is_leaf)
            for key, child in tree.items()
        }
    return fn(tree, *rest)


def tree_map_with_path(
    fn: Callable, tree: Any, *rest: Any, is_leaf: Callable | None = None, path: Any | None = None
) -> Any:
    """Apply ``fn`` to the dotted path and the leaf of every place of a tree.

    Args:
        fn: called with the path, a leaf of ``tree`` and the subtrees of ``rest`` in the same place.
        tree: decides the structure.
        rest: trees that hold at least the places of ``tree``.
        is_leaf: true for a container that shall be handed to ``fn`` whole.
        path: goes before every path.

    Returns:
        A tree of the structure of ``tree``.

    Example:
        >>> tree_map_with_path(lambda path, leaf: path, {"layers": [{"w": 0}]})
        {'layers': [{'w': 'layers.0.w'}]}
    """
    if is_leaf is not None and is_leaf(tree):
        return fn(path, tree, *rest)
    before = f"{path}." if path else ""
    if isinstance(tree, (list, tuple)):
        items = [
            tree_map_with_path(fn, child, *(other[i] for other in rest), is_leaf=is_leaf, path=f"{before}{i}")
            for i, child in enumerate(tree)
        ]
        return _sequence_like(tree, items)
    if isinstance(tree, dict):
        return {
            key: tree_map_with_path(
                fn, child, *(other[key] for other in rest), is_leaf=is_leaf, path=f"{before}{key}"
            )
            for key, child in tree.items()
        }
    return fn(path, tree, *rest)


@overload
def tree_flatten(
    tree: Any,
    prefix: str = "",
    is_leaf: Callable | None = None,
    destination: list[tuple[str, Any]] | None = None,
) -> list[tuple[str, Any]]: ...


@overload
def tree_flatten(
    tree: Any, prefix: str = "", is_leaf: Callable | None = None, *, destination: dict[str, Any]
) -> dict[str, Any]: ...


def tree_flatten(
    tree: Any,
    prefix: str = "",
    is_leaf: Callable | None = None,
    destination: list[tuple[str, Any]] | dict[str, Any] | None = None,
) -> list[tuple[str, Any]] | dict[str, Any]:
    """List the leaves of a tree with their dotted paths; empty containers leave no trace.

    Args:
        tree: the tree; keys of dictionaries should be identifiers.
        prefix: goes before every path, without its first character.
        is_leaf: true for a container that shall be listed whole.
        destination: a list or a dictionary to add to; None makes a new list.

    Returns:
        The destination: pairs (path, leaf), or a dictionary of them.

    Raises:
        ValueError: ``destination`` is neither a list nor a dictionary.

    Example:
        >>> tree_flatten({"a": [1, 2]})
        [('a.0', 1), ('a.1', 2)]
    """
    if destination is None:
        destination = []
    if isinstance(destination, list):

        def add(path: str, leaf: Any) -> None:
            destination.append((path[1:], leaf))

    elif isinstance(destination, dict):

        def add(path: str, leaf: Any) -> None:
            destination[path[1:]] = leaf

    else:
        raise ValueError(
            "[tree_flatten] destination must be a list, a dictionary or None, "
            f"not {type(destination).__name__}."
        )

    _walk(tree, prefix, is_leaf, add)
    return destination


def _walk(node: Any, path: str, is_leaf: Callable | None, add: Callable[[str, Any], None]) -> None:
    """Call ``add`` with the path of each leaf and the leaf.

    At module level: a function inside ``tree_flatten`` that calls itself would be part of a reference cycle,
    and keep all leaves alive until the next garbage collection.
    """
    if is_leaf is None or not is_leaf(node):
        if isinstance(node, (list, tuple)):
            for i, child in enumerate(node):
                _walk(child, f"{path}.{i}", is_leaf, add)
            return
        if isinstance(node, dict):
            for key, child in node.items():
                _walk(child, f"{path}.{key}", is_leaf, add)
            return
    add(path, node)


def tree_unflatten(tree: list[tuple[str, Any]] | dict[str, Any]) -> Any:
    """Build the tree that ``tree_flatten`` took apart.

    A level whose names are all integers becomes a list (places that nothing names hold ``{}``), any other a
    dictionary.

    Args:
        tree: pairs (dotted path, leaf), or a dictionary of them.

    Returns:
        The tree; the bare leaf for the single path ``""``.

    Example:
        >>> tree_unflatten([("a.0", 1), ("a.1", 2)])
        {'a': [1, 2]}
    """
    pairs = list(tree.items()) if isinstance(tree, dict) else list(tree)
    if len(pairs) == 1 and pairs[0][0] == "":
        return pairs[0][1]

    levels: dict[str, list[tuple[str, Any]]] = {}
    for path, leaf in pairs:
        name, _, remainder = path.partition(".")
        levels.setdefault(name, []).append((remainder, leaf))

    try:
        places = {int(name): below for name, below in levels.items()}
    except ValueError:
        return {name: tree_unflatten(below) for name, below in levels.items()}
    if len(places) < len(levels) or min(places, default=0) < 0:  # "1" beside "01", "-1": not an index
        return {name: tree_unflatten(below) for name, below in levels.items()}
    length = max(places, default=-1) + 1
    return [tree_unflatten(places[i]) if i in places else {} for i in range(length)]


def tree_reduce(fn: Callable, tree: Any, initializer: Any = None, is_leaf: Callable | None = None) -> Any:
    """Combine the leaves of a tree from first to last.

    Args:
        fn: called with what has been combined so far and the next leaf.
        tree: the tree.
        initializer: where to start; None starts with the first leaf.
        is_leaf: true for a container that shall count as one leaf.

    Returns:
        What ``fn`` returned last; ``initializer`` for a tree without leaves.

    Example:
        >>> tree_reduce(lambda total, leaf: total + leaf, {"a": [1, 2, 3], "b": 4}, 0)
        10
    """
    if is_leaf is None or not is_leaf(tree):
        if isinstance(tree, dict):
            tree = tree.values()
        elif not isinstance(tree, (list, tuple)):
            return tree if initializer is None else fn(initializer, tree)
        for child in tree:
            initializer = tree_reduce(fn, child, initializer, is_leaf)
        return initializer
    return tree if initializer is None else fn(initializer, tree)


def _is_empty(tree: Any) -> bool:
    return tree is None or (isinstance(tree, (dict, list, tuple)) and not tree)


def tree_merge(tree_a: Any, tree_b: Any, merge_fn: Callable | None = None) -> Any:
    """Join two trees into one that holds the leaves of both.

    Args:
        tree_a: a tree.
        tree_b: a tree; where both hold a container, it is of the same kind.
        merge_fn: called with two leaves in the same place, returns the one to keep.

    Returns:
        The joined tree; None and an empty container give way to what the other tree holds.

    Raises:
        ValueError: both trees hold a leaf, or containers of different kinds, in one place, and there is no
            ``merge_fn``.

    Example:
        >>> tree_merge({"a": [1, {}]}, {"a": [{}, 2], "b": 3})
        {'a': [1, 2], 'b': 3}
    """
    if _is_empty(tree_a) and tree_b is not None:
        return tree_b
    if _is_empty(tree_b) and not (tree_a is None and tree_b is None):
        return tree_a
    if isinstance(tree_a, (list, tuple)) and isinstance(tree_b, (list, tuple)):
        longer, shared = (tree_a, len(tree_b)) if len(tree_a) >= len(tree_b) else (tree_b, len(tree_a))
        items = [tree_merge(tree_a[i], tree_b[i], merge_fn) for i in range(shared)] + list(longer[shared:])
        return _sequence_like(tree_a, items)
    if isinstance(tree_a, dict) and isinstance(tree_b, dict):
        merged = {
            key: tree_merge(child, tree_b[key], merge_fn) if key in tree_b else child
            for key, child in tree_a.items()
        }
        merged.update((key, child) for key, child in tree_b.items() if key not in tree_a)
        return merged
    if merge_fn is None:
        raise ValueError(
            "[tree_merge] both trees hold a leaf in the same place "
            f"({type(tree_a).__name__} and {type(tree_b).__name__}); pass merge_fn to choose."
        )
    return merge_fn(tree_a, tree_b)
