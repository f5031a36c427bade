"""A line chart as PNG, drawn here: a plot should not depend on what happens to be installed.

Coordinates are pixels, (0, 0) is the top left corner. Lines are drawn by the distance of each pixel to the
line, which makes them smooth; letters are 5 x 7 dots, drawn at twice that size.
"""

import math
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

Color = tuple[int, int, int]
INK: Color = (60, 60, 67)
GRID: Color = (228, 228, 232)
PALETTE: list[Color] = [
    (154, 190, 226), (20, 92, 170), (214, 96, 20), (44, 138, 70), (134, 74, 168), (190, 40, 60)
]  # fmt: skip
LETTER_SCALE = 2

# Rows of a letter from top to bottom, five dots each, as two hexadecimal digits; rows 8 and 9 hang below.
LETTERS = {
    letter: bytes.fromhex(rows)
    for letter, rows in (
        entry.split()
        for entry in """
        0 0e11131519110e  1 040c040404040e  2 0e11010204081f  3 0e11010601110e  4 02060a121f0202
        5 1f101e0101110e  6 0608101e11110e  7 1f010204080808  8 0e11110e11110e  9 0e11110f01020c
        a 00000e010f110f  b 10101e1111111e  c 00000e1110110e  d 01010f1111110f  e 00000e111f100e
        f 06081e08080808  g 00000f1111110f010e  h 10101e11111111  i 04000c0404040e  j 02000602020202120c
        k 10101214181412  l 0c04040404040e  m 00001a15151515  n 00001e11111111  o 00000e1111110e
        p 00001e1111111e1010  q 00000f1111110f0101  r 00001619101010  s 00000f100e011e
        t 08081e08080906  u 0000111111130d  v 00001111110a04  w 0000111115150a  x 0000110a040a11
        y 0000111111110f010e  z 00001f0204081f  - 0000001f000000  . 00000000000c0c  , 00000000000c0c0408
        """.replace("\n", "  ").split("  ")
        if entry
    )
}


@dataclass
class Series:
    """One line of the chart."""

    name: str
    xs: Sequence[float]
    ys: Sequence[float]


@dataclass
class Rule:
    """A horizontal line across the chart."""

    name: str
    y: float


class Canvas:
    """An RGB picture."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.pixels = bytearray(b"\xff" * (3 * width * height))

    def blend(self, x: int, y: int, color: Color, alpha: float) -> None:
        """Mix a color into a pixel; outside the picture nothing happens."""
        if 0 <= x < self.width and 0 <= y < self.height:
            at = 3 * (y * self.width + x)
            for i in range(3):
                old = self.pixels[at + i]
                self.pixels[at + i] = round(old + (color[i] - old) * alpha)

    def line(self, x0: float, y0: float, x1: float, y1: float, color: Color, width: float = 1.0) -> None:
        """A straight line with round ends."""
        dx, dy = x1 - x0, y1 - y0
        squared = dx * dx + dy * dy
        reach = width / 2 + 1
        for y in range(math.floor(min(y0, y1) - reach), math.ceil(max(y0, y1) + reach) + 1):
            for x in range(math.floor(min(x0, x1) - reach), math.ceil(max(x0, x1) + reach) + 1):
                t = ((x - x0) * dx + (y - y0) * dy) / squared if squared else 0.0
                t = min(max(t, 0.0), 1.0)
                cover = width / 2 + 0.5 - math.hypot(x - x0 - t * dx, y - y0 - t * dy)
                if cover > 0:
                    self.blend(x, y, color, min(cover, 1.0))

    def text(self, x: int, y: int, text: str, color: Color = INK) -> None:
        """Small letters, digits, point, comma and dash; anything else leaves a gap."""
        for i, letter in enumerate(text.lower()):
            for row, bits in enumerate(LETTERS.get(letter, b"")):
                for column in range(5):
                    if bits & (16 >> column):
                        self._dot(x + (6 * i + column) * LETTER_SCALE, y + row * LETTER_SCALE, color)

    def _dot(self, x: int, y: int, color: Color) -> None:
        for j in range(LETTER_SCALE):
            for i in range(LETTER_SCALE):
                self.blend(x + i, y + j, color, 1.0)

    def png(self) -> bytes:
        """The picture as the bytes of a PNG file."""

        def chunk(kind: bytes, data: bytes) -> bytes:
            return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

        stride = 3 * self.width
        rows = b"".join(b"\0" + self.pixels[y * stride : (y + 1) * stride] for y in range(self.height))
        header = struct.pack(">IIBBBBB", self.width, self.height, 8, 2, 0, 0, 0)
        return b"".join(
            (
                b"\x89PNG\r\n\x1a\n",
                chunk(b"IHDR", header),
                chunk(b"IDAT", zlib.compress(rows, 9)),
                chunk(b"IEND", b""),
            )
        )


def text_width(text: str) -> int:
    """Pixels that `Canvas.text` needs."""
    return 6 * LETTER_SCALE * len(text)


def ticks(low: float, high: float, about: int) -> list[float]:
    """Round numbers within a range, 1, 2 or 5 times a power of ten apart."""
    span = max(high - low, 1e-9)
    power = 10 ** math.floor(math.log10(span / about))
    step = next(m * power for m in (1, 2, 5, 10) if span / (m * power) <= about)
    return [i * step for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


@dataclass
class Axes:
    """Where numbers lie in the picture."""

    left: int
    right: int
    top: int
    bottom: int
    x_range: tuple[float, float]
    y_range: tuple[float, float]

    def x(self, value: float) -> float:
        """The pixel column of a number."""
        low, high = self.x_range
        return self.left + (value - low) / (high - low) * (self.right - self.left)

    def y(self, value: float) -> float:
        """The pixel row of a number; what is beyond the axis lies on its end."""
        low, high = self.y_range
        return self.bottom - (min(max(value, low), high) - low) / (high - low) * (self.bottom - self.top)


def line_chart(
    series: Sequence[Series], rules: Sequence[Rule], x_label: str, y_label: str, y_limit: float = math.inf
) -> bytes:
    """Draw series and rules over common axes.

    Args:
        series: the first is drawn thin (measurements with noise), the others thick.
        rules: what the series are held against.
        x_label: what x is; letters, digits, '-', '.' and ','.
        y_label: what y is.
        y_limit: values above it are drawn at the upper edge.

    Returns:
        The bytes of a PNG file.
    """
    canvas = Canvas(960, 560)
    xs = [x for s in series for x in s.xs] or [0.0]
    ys = [y for s in series for y in s.ys if math.isfinite(y)] + [rule.y for rule in rules] or [0.0]
    low = math.floor(min(ys) * 2) / 2
    axes = Axes(
        left=76, right=790, top=48, bottom=500,
        x_range=(min(xs), max(max(xs), min(xs) + 1)), y_range=(low, max(min(max(ys), y_limit), low + 0.5)),
    )  # fmt: skip
    _draw_axes(canvas, axes, x_label, y_label)
    lines = [(s.name, [(axes.x(x), axes.y(y)) for x, y in zip(s.xs, s.ys, strict=True) if math.isfinite(y)])
             for s in series]  # fmt: skip
    lines += [(rule.name, [(axes.left, axes.y(rule.y)), (axes.right, axes.y(rule.y))]) for rule in rules]
    labels: list[float] = []
    for i, (name, points) in enumerate(lines):
        color = PALETTE[i % len(PALETTE)]
        thick = 0 < i < len(series)
        for (x0, y0), (x1, y1) in pairwise(points):
            canvas.line(x0, y0, x1, y1, color, 2.6 if thick else 1.2)
        for x, y in points if thick and len(points) <= 40 else ():
            canvas.line(x, y, x, y, color, 7)
        if points:
            canvas.text(axes.right + 12, _free(points[-1][1] - 7, labels), name, color)
    return canvas.png()


def _draw_axes(canvas: Canvas, axes: Axes, x_label: str, y_label: str) -> None:
    for value in ticks(*axes.y_range, 8):
        row, label = round(axes.y(value)), f"{value:.3g}"
        canvas.line(axes.left, row, axes.right, row, GRID)
        canvas.text(axes.left - 10 - text_width(label), row - 7, label)
    for value in ticks(*axes.x_range, 8):
        column, label = round(axes.x(value)), f"{value:.6g}"
        canvas.line(column, axes.bottom, column, axes.bottom + 5, INK)
        canvas.text(column - text_width(label) // 2, axes.bottom + 12, label)
    canvas.line(axes.left, axes.bottom, axes.right, axes.bottom, INK)
    canvas.text(axes.left, 16, y_label)
    canvas.text(axes.right - text_width(x_label), axes.bottom + 36, x_label)


def _free(y: float, taken: list[float], height: int = 20) -> int:
    """The place nearest to `y` where a label overlaps no other; remembers it."""
    for distance in range(400):
        for candidate in (y + distance, y - distance):
            if all(abs(candidate - other) >= height for other in taken):
                taken.append(candidate)
                return round(candidate)
    return round(y)
