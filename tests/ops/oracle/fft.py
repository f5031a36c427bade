"""Fourier transforms, windows and the Hadamard transform."""

from __future__ import annotations

import numpy as np

from tests.ops.cases import X, case, family, ulps, v
from tests.ops.values import FLOATS

family("fft")

# Units of the largest element: an error of log2(n) roundings, of which each is a random half unit.
CLOSE = ulps(4, pair=4)
SAMPLE = ("float32", "complex64", "int32", "bool_", "float16", "bfloat16", "float64", "uint8")
PAIR = ("complex64", "float32")

SHAPES = (((3, 4, 6),), ((7,),), ((1, 5, 1),), ((0, 3, 4),), ((2, 0, 3),))
NORMS = (v(norm="backward"), v(norm="ortho"), v(norm="forward"), v(norm="loud"))
ALONG = (
    v(),
    v(axis=0),
    v(None, 1),
    v(axis=-2),
    v(axis=3),
    v(axis=-4),
    v(4),
    v(9, 0),
    v(1, -1),
    v(0),
    v(-3),
    v(10, axis=1, norm="ortho"),
    *NORMS,
)
PLANES = (
    v(),
    v((4, 7)),
    v((5, 2), (0, 1)),
    v(axes=(0, -1)),
    v(axes=(2, 0)),
    v(axes=(1, 1)),
    v(axes=(1, -2)),
    v(axes=(1,)),
    v(axes=()),
    v(axes=(0, 5)),
    v((4,), (0, 1)),
    v((0, 2), (0, 1)),
    v((4, -2), (0, 1)),
    v((3, 3, 3), (0, 1, 2)),
    v([4, 4], [1, 2], "ortho"),
    *NORMS,
)


# NumPy asks for at least one axis, has no transforms of empty batches along empty axes, and keeps float64.
def _along(name: str):
    function = getattr(np.fft, name)

    def reference(x, n=None, axis=-1, norm="backward"):
        if n is not None and x.shape[axis] == 0:  # NumPy 2.5 returns memory that it has not written
            x = np.zeros((*x.shape[:axis], 1, *x.shape[axis:][1:]), x.dtype)
        return function(x.real if name == "rfft" else x, n, axis, norm)

    return reference


def _axes(name: str):
    function = getattr(np.fft, name)
    every = (-2, -1) if name.endswith("2") else None

    def reference(x, s=None, axes=every, norm="backward"):
        if axes is not None and not len(axes):
            return x
        return function(x.real if name.startswith("rfft") else x, s, axes, norm)

    return reference


for _name in ("fft", "ifft", "rfft", "irfft"):
    case(
        f"fft.{_name}",
        X(),
        shapes=SHAPES,
        variants=ALONG,
        ref=_along(_name),
        ulp=CLOSE,
        scaled=True,
        dtypes=SAMPLE,
    )
    # Every length up to 64; primes, powers, products of small factors, lengths that need a chirp.
    case(
        f"fft.{_name}",
        X(),
        shapes=tuple(((n,),) for n in range(1, 65)),
        variants=(v(),),
        ref=_along(_name),
        ulp=ulps(8, pair=8),
        scaled=True,
        dtypes=PAIR,
        layouts=("contiguous",),
        vmap=False,
        compiled=False,
        diff=(),
        label="short",
    )
    case(
        f"fft.{_name}",
        X(),
        shapes=(
            *(((n,),) for n in (67, 97, 128, 243, 1009, 1536, 4099, 10007, 65536)),
            *(((5, n),) for n in (96, 127, 384, 625, 1009, 2401, 4096)),
            *(((n, 9),) for n in (71, 768, 1009, 5000)),
            ((3, 74, 2),),
            ((2, 12288),),
        ),
        variants=(v(), v(axis=0)),
        ref=_along(_name),
        ulp=ulps(16, pair=16),
        scaled=True,
        dtypes=PAIR,
        layouts=("contiguous", "strided"),
        vmap=False,
        compiled=False,
        diff=(),
        label="long",
    )
    case(
        f"fft.{_name}2",
        X(),
        shapes=SHAPES,
        variants=PLANES,
        ref=_axes(f"{_name}2"),
        ulp=CLOSE,
        scaled=True,
        dtypes=SAMPLE[:3],
    )
    case(
        f"fft.{_name}n",
        X(),
        shapes=SHAPES,
        variants=(*PLANES, v(axes=None), v((4, 4))),
        ref=_axes(f"{_name}n"),
        ulp=CLOSE,
        scaled=True,
        dtypes=SAMPLE[:3],
    )

for _name in ("fft.fftshift", "fft.ifftshift"):
    case(
        _name,
        X(),
        shapes=(((3, 4, 5),), ((6,),), ((),), ((0, 3),)),
        variants=(v(), v(0), v(-1), v((0, -1)), v(()), v(3), v(-4), v((0, 0))),
    )

for _name, _frequencies in (("fft.fftfreq", np.fft.fftfreq), ("fft.rfftfreq", np.fft.rfftfreq)):
    case(
        _name,
        variants=(
            *(v(n) for n in (1, 2, 5, 6, 1001, 0, -1, 2.5)),
            v(8, 0.1),
            v(9, d=-0.5),
            v(7, d=3),
            v(4, 0.0),
            v(4, float("inf")),
        ),
        shapes=((),),
        ref=_frequencies,
        ulp=ulps(0.5),
        dtypes=("float32",),
        vmap=False,
    )


def _window(name: str):
    function = getattr(np, name)
    return lambda m: np.maximum(function(m), 0)


for _name in ("bartlett", "blackman", "hamming", "hanning"):
    # An absolute error: the wheel's windows are rounded at each step, and NumPy's ends are not quite 0.
    case(
        _name,
        variants=tuple(v(m) for m in (-2, 0, 1, 2, 3, 7, 8, 1000, 2.5)),
        shapes=((),),
        ref=_window(_name),
        ulp=ulps(0.5),
        scaled=True,
        dtypes=("float32",),
        vmap=False,
    )

for _sizes, _label in (
    (((1,), (2,), (3, 16), (2, 3, 8), (4, 256)), None),
    (((12,), (2, 20), (28,), (3, 24), (80,), (2, 112)), "m"),
):
    case(
        "hadamard_transform",
        X(),
        shapes=tuple((s,) for s in _sizes) + (((3, 0),), ((5,),), ((),)),
        variants=(v(), v(0.5), v(scale=2)),
        ulp=ulps(4, half=2),
        scaled=True,
        label=_label,
    )
case(
    "hadamard_transform",
    X(),
    shapes=(((2, 4096),), ((98304,),)),
    ulp=ulps(16, half=4),
    scaled=True,
    dtypes=(*FLOATS, "int8"),
    vmap=False,
    compiled=False,
    diff=(),
    label="long",
)


# ---- short-time transforms: a window comes as one more argument ----
def _stft(m, x, w=None, **settings):
    return m.fft.stft(x, window=w, **settings)


def _istft(m, z, w=None, **settings):
    return m.fft.istft(z, window=w, **settings)


SIGNALS = (((40,),), ((2, 3, 33),), ((0, 40),), ((5,),), ((),))
FRAMED = (
    v(n_fft=8),
    v(n_fft=8, hop_length=3),
    v(n_fft=7, center=False, hop_length=7),
    v(n_fft=8, win_length=4, norm="ortho"),
    v(n_fft=8, win_length=9),
    v(n_fft=8, pad_mode="constant"),
    v(n_fft=8, pad_mode="edge"),
    v(n_fft=8, pad_mode="symmetric"),
    v(n_fft=8, pad_mode="wrap"),
    v(n_fft=8, onesided=False),
    v(n_fft=8, onesided=True, norm="forward"),
    v(n_fft=8, norm="loud"),
    v(n_fft=0),
    v(n_fft=3),
    v(n_fft=8, hop_length=0),
    v(n_fft=64, center=False),
)
case("fft.stft", X(), shapes=SIGNALS, variants=FRAMED, call=_stft, ulp=CLOSE, scaled=True, dtypes=SAMPLE)
case(
    "fft.stft",
    X(),
    X(0.5, 1, dtype="float32"),
    shapes=(((40,), (8,)), ((2, 33), (5,)), ((40,), (9,)), ((40,), (2, 4))),
    variants=(v(n_fft=8), v(n_fft=8, hop_length=5, center=False, onesided=False)),
    call=_stft,
    ulp=CLOSE,
    scaled=True,
    dtypes=SAMPLE[:4],
    label="window",
    vmap=False,
)
SPECTRA = (((5, 9),), ((2, 3, 4, 7),), ((5, 1),), ((5,),), ((2, 4),))
REBUILT = (
    v(),
    v(n_fft=8),
    v(n_fft=7, hop_length=3),
    v(n_fft=8, hop_length=2, center=False),
    v(n_fft=8, hop_length=20),
    v(n_fft=8, win_length=6),
    v(n_fft=8, win_length=9),
    v(n_fft=8, hop_length=2, length=10),
    v(n_fft=8, hop_length=2, length=60),
    v(n_fft=8, length=-1),
    v(onesided=False),
    v(norm="ortho"),
    v(norm="loud"),
    v(n_fft=0),
    v(hop_length=0),
)
case(
    "fft.istft",
    X(),
    shapes=SPECTRA,
    variants=REBUILT,
    call=_istft,
    ulp=ulps(8),
    scaled=True,
    dtypes=SAMPLE[:4],
)
case(
    "fft.istft",
    X(),
    X(0.5, 1, dtype="float32"),
    shapes=(((5, 9), (8,)), ((2, 5, 6), (5,)), ((5, 9), (9,)), ((5, 9), (2, 4))),
    variants=(v(n_fft=8), v(n_fft=8, hop_length=3, center=False)),
    call=_istft,
    ulp=ulps(8),
    scaled=True,
    dtypes=SAMPLE[:2],
    label="window",
    vmap=False,
)
