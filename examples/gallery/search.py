"""Search in a text by meaning of words, with embeddings in few bits: what is lost, and what is saved.

The passages are Python's own help texts. Words that occur near each other get similar vectors (the singular
vectors of a matrix of counts, as in latent semantic analysis); a passage is the mean of its words.
"""

import re
from collections import Counter
from pydoc_data import topics

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from common import Options, options, panels, save

DIMS = 128


def passages(short: bool) -> list[list[str]]:
    """Paragraphs of the help texts, as lists of words."""
    texts = list(topics.topics.values())[:: 4 if short else 1]
    found = [re.findall(r"[a-z_]{3,}", p.lower()) for text in texts for p in text.split("\n\n")]
    return [words for words in found if len(words) >= 12]


def embed(texts: list[list[str]]) -> mx.array:
    """A unit vector for each passage: (passages, DIMS)."""
    documents = Counter(word for words in texts for word in set(words))
    vocabulary = {word: i for i, (word, n) in enumerate(documents.items()) if 3 <= n <= len(texts) / 4}
    index = {word: i for i, word in enumerate(vocabulary)}
    counts = np.zeros((len(texts), len(index)), np.float32)
    for row, words in enumerate(texts):
        for word in words:
            if word in index:
                counts[row, index[word]] += np.log(len(texts) / documents[word])
    matrix = mx.log1p(mx.array(counts))
    # The leading right singular vectors: those of the small matrix of products.
    _, vectors = mx.linalg.eigh(matrix.T @ matrix)
    points = matrix @ vectors[:, -DIMS:]
    return points / (mx.linalg.norm(points, axis=1, keepdims=True) + 1e-9)


def main(chosen: Options) -> None:
    """Embed, store in several formats, search, compare with the exact answer."""
    texts = passages(chosen.short)
    points = embed(texts)
    queries = points[::20] + 0.02 * mx.random.normal(points[::20].shape)
    best = np.array(mx.argsort(-(queries @ points.T), axis=1)[:, :10])
    whole = nn.Embedding(len(texts), DIMS)
    whole.weight = points
    formats = {"8 bits": (64, 8), "6 bits": (64, 6), "4 bits": (64, 4), "3 bits": (64, 3), "2 bits": (64, 2)}
    rows = [("float32", points.nbytes, 1.0)]
    for name, (group, bits) in formats.items():
        table = whole.to_quantized(group_size=group, bits=bits)
        size = table.weight.nbytes + table.scales.nbytes + table.biases.nbytes
        found = np.array(mx.argsort(-table.as_linear(queries), axis=1)[:, :10])
        kept = float(np.mean([len(set(f) & set(b)) / 10 for f, b in zip(found, best, strict=True)]))
        rows.append((name, size, kept))
    for name, size, kept in rows:
        print(f"{name:8} {size / 1024:7.0f} KiB, {100 * kept:5.1f} % of the ten best")

    figure, (axis,) = panels(1, 5, 2.6)
    axis.plot([size / 1024 for _, size, _ in rows], [100 * kept for *_, kept in rows], "o-")
    for name, size, kept in rows:
        axis.annotate(name, (size / 1024, 100 * kept - 2), fontsize=7, va="top")
    axis.set(
        title=f"search in {len(texts)} passages",
        xlabel="size, KiB",
        ylabel="ten best found, %",
        ylim=(50, 103),
    )
    save(figure, chosen, "search")


if __name__ == "__main__":
    main(options(__doc__))
