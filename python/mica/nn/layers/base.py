"""The base class of all layers and models: a dictionary of parameters and child modules."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable, Iterable
from typing import Any, Self

import mica.core as mx
from mica.nn.layers.walk import replace_arrays, replace_modules, select
from mica.nn.layers.weights import check_weights, read_weights, write_weights
from mica.utils import tree_flatten, tree_unflatten

__all__ = ["Module"]

_ITEMS = (mx.array, dict, list, tuple)
_PARAMETERS = (mx.array, dict, list)
_MOVES = ("to", "cuda", "cpu")  # methods of PyTorch's modules that move them


def _is_floating(dtype: mx.Dtype) -> bool:
    return mx.issubdtype(dtype, mx.floating)


class Module(dict):
    """What layers and models derive from.

    Arrays, dictionaries, lists, tuples and modules assigned to attributes become items of the dictionary;
    anything else is an ordinary attribute. Arrays are parameters wherever they stand in nested dictionaries
    and lists of items whose names do not begin with an underscore (tuples are kept, but not searched), and
    are trainable unless they are frozen. Since a module is a dictionary, it is unhashable, one without items
    is false, and ``"bias" in layer`` tells whether it has a bias.

    Example:
        >>> class Perceptron(nn.Module):
        ...     def __init__(self, dims: int):
        ...         super().__init__()
        ...         self.hidden = nn.Linear(dims, 4 * dims)
        ...         self.out = nn.Linear(4 * dims, 1)
        ...
        ...     def __call__(self, x):
        ...         return self.out(nn.relu(self.hidden(x)))
        >>> model = Perceptron(8)
        >>> mx.eval(model.parameters())     # parameters are drawn lazily
    """

    __call__: Callable

    def __init__(self) -> None:
        """Subclasses call this before they set attributes."""
        self._no_grad = set()
        self._training = True

    @property
    def training(self) -> bool:
        """Whether the module is in training mode (see ``train``)."""
        return self._training

    @property
    def state(self) -> Module:
        """The module itself, as the dictionary of its items: to write to it is to write to the module."""
        return self

    def _extra_repr(self) -> str:
        return ""

    def __repr__(self) -> str:
        children = tree_flatten(self.children(), is_leaf=self.is_module)
        lines = "".join("\n" + textwrap.indent(f"({path}): {child!r}", "  ") for path, child in children)
        end = "\n" if children else ""
        return f"{type(self).__name__}({self._extra_repr()}{lines}{end})"

    def __getattr__(self, key: str) -> Any:
        try:
            return self[key]
        except KeyError:
            pass
        hint = ": there is nothing to move, arrays live where streams run" if key in _MOVES else ""
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {key!r}{hint}")

    def __setattr__(self, key: str, val: Any) -> None:
        if not isinstance(val, _ITEMS):
            super().__setattr__(key, val)
            self.pop(key, None)
            return
        if key not in self:
            if key in self.__dict__:
                del self.__dict__[key]
            elif hasattr(type(self), key):
                raise AttributeError(
                    f"{type(self).__name__!r} object cannot hold a parameter or module named {key!r}: "
                    "its class has an attribute of that name."
                )
        self[key] = val

    def __delattr__(self, name: str) -> None:
        if name in self:
            del self[name]
        else:
            super().__delattr__(name)

    # ---- files

    def load_weights(
        self, file_or_weights: str | os.PathLike | list[tuple[str, mx.array]], strict: bool = True
    ) -> Self:
        """Set parameters from a file or from pairs of name and array.

        Args:
            file_or_weights: path of an ``.npz`` or ``.safetensors`` file, or pairs (dotted name, array).
            strict: require exactly the parameters of this module, with their shapes.

        Returns:
            The module.

        Raises:
            ValueError: strict, and a name is missing or unknown, a value is no array, or a shape differs.
        """
        weights = read_weights(file_or_weights)
        if strict:
            check_weights(dict(weights), tree_flatten(self.parameters(), destination={}))
        if weights:
            self.update(tree_unflatten(weights), strict=False)
        return self

    def save_weights(self, file: str | os.PathLike) -> None:
        """Save the parameters under their dotted names.

        Args:
            file: path that ends in ``.npz`` or ``.safetensors``, which chooses the format.

        Raises:
            ValueError: the path ends in anything else.
        """
        write_weights(os.fspath(file), tree_flatten(self.parameters(), destination={}))

    # ---- selecting

    @staticmethod
    def is_module(value: Any) -> bool:
        """Whether ``value`` is a module."""
        return isinstance(value, Module)

    @staticmethod
    def valid_child_filter(module: Module, key: str, value: Any) -> bool:
        """Keeps what may be or contain a child module."""
        return isinstance(value, (dict, list))

    @staticmethod
    def valid_parameter_filter(module: Module, key: str, value: Any) -> bool:
        """Keeps what may be or contain a parameter."""
        return isinstance(value, _PARAMETERS) and not key.startswith("_")

    @staticmethod
    def trainable_parameter_filter(module: Module, key: str, value: Any) -> bool:
        """Keeps what may be or contain a parameter that is not frozen."""
        return isinstance(value, _PARAMETERS) and not key.startswith("_") and key not in module._no_grad

    def filter_and_map(
        self,
        filter_fn: Callable[[Module, str, Any], bool],
        map_fn: Callable | None = None,
        is_leaf_fn: Callable[[Module, str, Any], bool] | None = None,
    ) -> dict:
        """Select from the module and all it contains, and map what is selected.

        Every function is called with the module that holds the value, the key below that module (dotted, for
        what stands in lists and dictionaries) and the value.

        Args:
            filter_fn: says what to keep; asked for containers before what they contain.
            map_fn: maps each leaf that was kept; None keeps it as it is.
            is_leaf_fn: says what is a leaf; None: all but modules, dictionaries and lists.

        Returns:
            A dictionary that mirrors the module. What was not kept is left out of modules; in lists and
            dictionaries ``{}`` keeps its place.

        Raises:
            RuntimeError: ``is_leaf_fn`` denies a value that is no container.
        """
        return {
            key: select(self, key, value, filter_fn, map_fn, is_leaf_fn)
            for key, value in self.items()
            if filter_fn(self, key, value)
        }

    def parameters(self) -> dict:
        """All parameters, as nested dictionaries and lists that mirror the module."""
        return self.filter_and_map(self.valid_parameter_filter)

    def trainable_parameters(self) -> dict:
        """The parameters that are not frozen, as nested dictionaries and lists that mirror the module."""
        return self.filter_and_map(self.trainable_parameter_filter)

    def children(self) -> dict:
        """The direct child modules, in their lists and dictionaries."""
        return self.filter_and_map(
            self.valid_child_filter, is_leaf_fn=lambda module, key, value: isinstance(value, Module)
        )

    def leaf_modules(self) -> dict:
        """The modules at any depth that have no child modules."""

        def is_leaf(module: Module, key: str, value: Any) -> bool:
            return isinstance(value, Module) and not tree_flatten(value.children(), is_leaf=self.is_module)

        return self.filter_and_map(self.valid_child_filter, is_leaf_fn=is_leaf)

    # ---- changing

    def update(self, parameters: dict, strict: bool = True) -> Self:
        """Replace parameters.

        Args:
            parameters: nested dictionaries and lists of arrays that mirror the module, wholly or in part.
                Shapes and dtypes may differ from those of the present parameters.
            strict: refuse what does not match a parameter; otherwise it is passed over.

        Returns:
            The module.

        Raises:
            ValueError: a name is unknown, a list too long, or an array stands where a container should be or
                the reverse.
        """
        replace_arrays(self, parameters, strict)
        return self

    def apply(
        self,
        map_fn: Callable[[mx.array], mx.array],
        filter_fn: Callable[[Module, str, Any], bool] | None = None,
    ) -> Self:
        """Replace each parameter by ``map_fn`` of it.

        Args:
            map_fn: maps an array to an array.
            filter_fn: says which parameters (see ``filter_and_map``); None: all.

        Returns:
            The module.
        """
        self.update(self.filter_and_map(filter_fn or self.valid_parameter_filter, map_fn))
        return self

    def update_modules(self, modules: dict, strict: bool = True) -> Self:
        """Replace child modules.

        Args:
            modules: nested dictionaries and lists of modules that mirror the module, wholly or in part;
                ``{}`` keeps what stands in its place.
            strict: refuse what does not match a child module; otherwise it is passed over.

        Returns:
            The module.

        Raises:
            ValueError: a name is unknown, a list too long, or something else stands where a module should.
        """
        replace_modules(self, modules, strict)
        return self

    def apply_to_modules(self, apply_fn: Callable[[str, Module], Any]) -> Self:
        """Call ``apply_fn`` with the path and each module of ``named_modules``.

        Returns:
            The module.
        """
        for path, module in self.named_modules():
            apply_fn(path, module)
        return self

    def modules(self) -> list[Module]:
        """This module and all modules below it."""
        return [module for _, module in self.named_modules()]

    def named_modules(self) -> list[tuple[str, Module]]:
        """This module and all below it, with their dotted paths; a parent comes before its children."""
        found = []
        waiting = [("", self)]
        while waiting:
            path, module = waiting.pop()
            found.append((path, module))
            tree_flatten(module.children(), "." + path if path else "", self.is_module, waiting)
        return found

    # ---- freezing

    def _validate_keys(self, keys: Iterable[str], strict: bool) -> list[str]:
        """The keys as a list; with ``strict`` each must be an item of this module."""
        keys = [keys] if isinstance(keys, str) else list(keys)
        for key in keys:
            if strict and key not in self:
                raise KeyError(f"Module doesn't contain member {key}.")
        return keys

    def _validate_keys_recursive(self, keys: Iterable[str]) -> None:
        """Each key must be an item of this module or of one below it."""
        for key in [keys] if isinstance(keys, str) else keys:
            if not any(key in module for module in self.modules()):
                raise KeyError(f"Module doesn't contain member {key}.")

    def _freeze_here(self, keys: Iterable[str] | None, strict: bool) -> None:
        if keys is None:
            own = self.filter_and_map(
                lambda module, key, value: (
                    not isinstance(value, Module) and self.valid_parameter_filter(module, key, value)
                )
            )
            keys = [path for path, _ in tree_flatten(own)]
            strict = False
        self._no_grad.update(self._validate_keys(keys, strict))

    def _unfreeze_here(self, keys: Iterable[str] | None, strict: bool) -> None:
        if keys is None:
            self._no_grad.clear()
        else:
            self._no_grad.difference_update(self._validate_keys(keys, strict))

    def _for_modules(self, change: Callable, recurse: bool, keys: Iterable[str] | None, strict: bool) -> Self:
        """Call ``change(module, keys, strict)`` for this module or, with ``recurse``, for all of them."""
        if not recurse:
            change(self, keys, strict)
            return self
        if strict and keys is not None:
            self._validate_keys_recursive(keys)
        for module in self.modules():
            change(module, keys, False)
        return self

    def freeze(
        self, *, recurse: bool = True, keys: str | list[str] | None = None, strict: bool = False
    ) -> Self:
        """Exclude parameters from ``trainable_parameters``, hence from gradients.

        Args:
            recurse: freeze in the modules below, too.
            keys: names to freeze in each module, for example ``"bias"``; None freezes all parameters.
            strict: require that each key exists (anywhere, when ``recurse`` is set).

        Returns:
            The module.

        Raises:
            KeyError: strict, and a key does not exist.
        """
        return self._for_modules(Module._freeze_here, recurse, keys, strict)

    def unfreeze(
        self, *, recurse: bool = True, keys: str | list[str] | None = None, strict: bool = False
    ) -> Self:
        """Undo ``freeze``.

        Args:
            recurse: unfreeze in the modules below, too.
            keys: names to unfreeze in each module; None unfreezes all.
            strict: require that each key exists (anywhere, when ``recurse`` is set).

        Returns:
            The module.

        Raises:
            KeyError: strict, and a key does not exist.
        """
        return self._for_modules(Module._unfreeze_here, recurse, keys, strict)

    # ---- modes and dtypes

    def _set_training_mode(self, mode: bool) -> None:
        """What ``train`` calls for each module; layers that look different in the two modes extend it."""
        self._training = mode

    def train(self, mode: bool = True) -> Self:
        """Put the module and all below it in training mode (dropout drops, statistics are taken) or not.

        Returns:
            The module.
        """
        for module in self.modules():
            module._set_training_mode(bool(mode))
        return self

    def eval(self) -> Self:
        """Put the module and all below it in evaluation mode.

        Returns:
            The module.
        """
        return self.train(False)

    def set_dtype(self, dtype: mx.Dtype, predicate: Callable[[mx.Dtype], bool] | None = _is_floating) -> None:
        """Cast parameters.

        Args:
            dtype: the new dtype.
            predicate: says which dtypes to cast; None: all. By default the floating ones.
        """
        self.apply(lambda p: p.astype(dtype) if predicate is None or predicate(p.dtype) else p)
