"""Weights of modules in files: reading, checking against a module, writing."""

from __future__ import annotations

import os
from typing import Any

import mica.core as mx


def read_weights(source: str | os.PathLike | list[tuple[str, mx.array]]) -> list[tuple[str, Any]]:
    """Pairs (name, array) of a file, or those given."""
    weights: Any = mx.load(os.fspath(source)) if isinstance(source, (str, os.PathLike)) else source
    return list(weights.items() if isinstance(weights, dict) else weights)


def check_weights(given: dict[str, Any], wanted: dict[str, mx.array]) -> None:
    """Raise ValueError unless both have the same names, and arrays of the same shapes."""
    for names, what in (
        (given.keys() - wanted.keys(), "Received {} parameters not in model: \n{}."),
        (wanted.keys() - given.keys(), "Missing {} parameters: \n{}."),
    ):
        if names:
            raise ValueError(what.format(len(names), ",\n".join(sorted(names))))
    for name, parameter in wanted.items():
        value = given[name]
        if not isinstance(value, mx.array):
            raise ValueError(f"Expected mx.array but received {type(value)} for parameter {name}")
        if value.shape != parameter.shape:
            raise ValueError(
                f"Expected shape {parameter.shape} but received shape {value.shape} for parameter {name}"
            )


def write_weights(file: str, weights: dict[str, mx.array]) -> None:
    """Write a file of the format that its name ends in; ValueError for any other ending."""
    if file.endswith(".npz"):
        mx.savez(file, **weights)
    elif file.endswith(".safetensors"):
        mx.save_safetensors(file, weights)
    else:
        raise ValueError(f"Unsupported file extension for {file}. Use '.npz' or '.safetensors'.")
