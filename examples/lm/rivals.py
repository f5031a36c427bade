"""Three honest rivals that predict the held-out text from the same training text, with no learning rate.

All are measured in bits per byte of the held-out text. For the compressors that is the marginal cost: how
many bytes the compressed file grows when the held-out text is appended to the training text.
"""

import gzip
import lzma
import math
from collections import defaultdict
from collections.abc import Callable

RIVALS = {
    "5-gram": "interpolated Witten-Bell; counts contexts of up to 4 bytes in the training text",
    "gzip -9": "growth of the compressed file; looks back 32 kB",
    "xz -9": "growth of the compressed file; looks back on all of the text and copies long repeats",
}


def compute(train: bytes, held_out: bytes) -> dict[str, float]:
    """Bits per byte of the held-out text for every rival."""
    return {
        "5-gram": ngram(train, held_out, 5),
        "gzip -9": marginal(lambda data: gzip.compress(data, 9), train, held_out),
        "xz -9": marginal(lambda data: lzma.compress(data, preset=9), train, held_out),
    }


def marginal(compress: Callable[[bytes], bytes], train: bytes, held_out: bytes) -> float:
    """Bits that appending the held-out text costs, for each of its bytes."""
    return 8 * (len(compress(train + held_out)) - len(compress(train))) / len(held_out)


def ngram(train: bytes, held_out: bytes, order: int) -> float:
    """An interpolated n-gram model with Witten-Bell smoothing (Bell, Cleary and Witten, 1990).

    With n occurrences of a context, followed by t different bytes, of which the next byte c times:
    p = (c + t * p_shorter) / (n + t), where p_shorter is the same for a context one byte shorter; below the
    empty context every byte has 1/256.
    """
    counts: list[defaultdict[bytes, defaultdict[int, int]]]
    counts = [defaultdict(lambda: defaultdict(int)) for _ in range(order)]
    for i, byte in enumerate(train):
        for length in range(min(order, i + 1)):
            counts[length][train[i - length : i]][byte] += 1
    totals = [{context: sum(next_.values()) for context, next_ in table.items()} for table in counts]

    text = train[-(order - 1) :] + held_out
    bits = 0.0
    for i in range(len(text) - len(held_out), len(text)):
        p = 1 / 256
        for length in range(order):
            context = text[i - length : i]
            n = totals[length].get(context)
            if n is None:
                break
            followers = counts[length][context]
            p = (followers.get(text[i], 0) + len(followers) * p) / (n + len(followers))
        bits -= math.log2(p)
    return bits / len(held_out)
