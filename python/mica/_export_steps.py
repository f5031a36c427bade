"""An exported function told step by step to a callback, with MLX's names and parameters of primitives."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from mica import core

# typing is left out at run time: its import takes longer than the engine's.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# By the number of the element type.
_TYPES = tuple(
    getattr(core, name)
    for name in (
        "bool_ uint8 uint16 uint32 uint64 int8 int16 int32 int64 float16 float32 float64 bfloat16 complex64"
    ).split()
)
_NPY = ("|b1", "|u1", "<u2", "<u4", "<u8", "|i1", "<i2", "<i4", "<i8", "<f2", "<f4", "<f8", "<V2", "<c8")


class _Reader:
    """The bytes of a function in the format of MLX (engine/io/mlx.h), which the engine wrote."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def get(self, kind: str) -> Any:
        (value,) = struct.unpack_from("<" + kind, self.data, self.at)
        self.at += struct.calcsize("<" + kind)
        return value

    def take(self, count: int) -> bytes:
        self.at += count
        return self.data[self.at - count : self.at]

    def list(self, kind: str) -> list:
        return [self.get(kind) for _ in range(self.get("Q"))]

    def text(self) -> str:
        return self.take(self.get("Q")).decode()

    def number(self) -> int:
        """Of an element type."""
        number = self.get("i")
        self.take(1)
        return number

    def parameter(self, letter: str) -> Iterator[Any]:
        """One, or two for strides with an offset."""
        if letter == "s":
            yield self.text()
        elif letter == "t":
            yield _TYPES[self.number()]
        elif letter == "b":
            yield self.get("?")
        elif letter in "vl":
            yield self.list("i" if letter == "v" else "q")
        elif letter == "z":
            yield tuple(self.list("i"))
        elif letter == "w":
            yield tuple(self.list("q"))
            yield self.get("q")
        else:
            yield self.get(letter)

    def constant(self) -> core.array:
        shape, number = tuple(self.list("i")), self.number()
        size = _TYPES[number].size
        for n in shape:
            size *= n
        text = f"{{'descr': '{_NPY[number]}', 'fortran_order': False, 'shape': {shape}}}".encode()
        head = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text
        return core._load(head + self.take(size), "constant", -1, None, "npy", False)[0]


class _Names:
    """A, B, ... for identities, in the order in which they are met."""

    def __init__(self, letters: Callable[[int], str]) -> None:
        self._letters = letters
        self._known: dict[int, str] = {}

    def __call__(self, identity: int) -> str:
        return self._known.setdefault(identity, self._letters(len(self._known)))


def tell(data: bytes, callback: Callable[[dict], None], letters: Callable[[int], str]) -> None:
    """Call back with inputs, keywords, outputs, constants, then each primitive in order."""
    r, name = _Reader(data), _Names(letters)
    types: dict[int, tuple] = {}
    keywords = [r.text() for _ in range(r.get("Q"))]
    inputs = r.list("Q")
    r.get("Q")
    for identity in inputs:
        types[identity] = (tuple(r.list("i")), _TYPES[r.number()])
    outputs = r.list("Q")
    constants, primitives = [], []
    for _ in range(r.get("Q")):
        identity = r.get("Q")
        if not r.get("?"):
            if r.get("?"):
                constants.append((identity, r.constant()))
                types[identity] = (constants[-1][1].shape, constants[-1][1].dtype)
            continue
        given = r.list("Q")
        r.take(12)
        primitive = r.text()
        values = [v for letter in core._mlx_parameters(primitive.encode()) for v in r.parameter(letter)]
        made = [identity]
        if r.get("Q"):
            made = r.list("Q")
            shapes = [tuple(r.list("i")) for _ in range(r.get("Q"))]
            dtypes = [_TYPES[r.number()] for _ in range(r.get("Q"))]
        else:
            shapes, dtypes = [tuple(r.list("i"))], [_TYPES[r.number()]]
        types.update(zip(made, zip(shapes, dtypes, strict=True), strict=True))
        primitives.append((primitive, given, made, values))

    def described(identities: list[int]) -> list[tuple]:
        return [(name(i), *types[i]) for i in identities]

    callback({"type": "inputs", "inputs": described(inputs)})
    named = inputs[len(inputs) - len(keywords) :]
    callback(
        {"type": "keyword_inputs", "keywords": [(k, name(i)) for k, i in zip(keywords, named, strict=True)]}
    )
    callback({"type": "outputs", "outputs": described(outputs)})
    callback({"type": "constants", "constants": [(name(i), a) for i, a in constants]})
    for primitive, given, made, values in primitives:
        callback(
            {
                "type": "primitive",
                "name": primitive,
                "inputs": described(given),
                "outputs": described(made),
                "arguments": values,
            }
        )
