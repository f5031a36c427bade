"""Where mica is meant to differ from the wheel, each with the reason and what mica does instead.

All the rest must agree with the wheel in results, dtypes and exception classes. Two tables stand beside this
one, and the matrix asks all three through this module:

- ``refusals.py``: calls that one of the two refuses and the other takes, or refuses with another class of
  exception. Drawn and mistaken calls are judged by it.
- ``roughness.py``: how far the wheel is off from NumPy in a function and type, which of its derivatives and
  batches are wrong or missing: there NumPy alone judges, or nobody where it cannot.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.ops.refusals import is_meant
from tests.ops.roughness import (
    rough,
    rough_gradient,
    special,
    wheel_errs,
    wheel_fails,
    wheel_lacks,
)

__all__ = [
    "DIFFERENCES",
    "Difference",
    "is_meant",
    "rough",
    "rough_gradient",
    "special",
    "wheel_errs",
    "wheel_fails",
    "wheel_lacks",
]


@dataclass(frozen=True)
class Difference:
    """One meant difference."""

    name: str
    reason: str
    instead: str
    example: str = ""  # a call of which the two give different outcomes, run by test_differences.py
    proven: str = ""  # why there is no example, and where the difference is tested


DIFFERENCES = (
    Difference(
        "index out of range",
        "the wheel reads and writes outside memory",
        "IndexError at the call, or at the evaluation for index arrays",
        example="mx.ones((3,))[5]",
    ),
    Difference(
        "x[...] = v, x[None] = v",
        "the wheel replaces the array by the value, and its dtype by the value's; any other key keeps it",
        "the array keeps its dtype, whatever the key, as in NumPy",
        example="(lambda x: (x.__setitem__(..., 2.5), x)[1])(mx.zeros((2,), dtype=mx.int32))",
    ),
    Difference(
        "gather_mm of other types than float32",
        "the wheel refuses them on a CPU",
        "computed, halves with float32 sums",
        example="mx.gather_mm(*[mx.ones((1, 2, 2), dtype=mx.float16)] * 2, *[mx.array([0])] * 2)",
    ),
    Difference(
        "addmm of NaN and infinities with a factor of 0",
        "the wheel leaves operands unread as BLAS does, but not the product of halves, of complex numbers "
        "anything, nor an addend where there is nothing to sum",
        "what has the factor 0 is not read, whatever the type and the shape",
        example=(
            "mx.addmm(mx.ones((2, 2), dtype=mx.float16), mx.full((2, 2), float('nan'), dtype=mx.float16), "
            "mx.ones((2, 2), dtype=mx.float16), 0.0, 1.0)"
        ),
    ),
    Difference(
        "block_masked_mm of halves with masks",
        "the wheel's CPU takes float32 alone",
        "computed, with float32 sums",
        example="mx.block_masked_mm(*[mx.ones((32, 32), dtype=mx.float16)] * 2, 32, mx.array([[True]]))",
    ),
    Difference(
        "x[mask], x[..., True]",
        "the wheel refuses boolean masks in reads, and truth values but as the whole key of a write",
        "NumPy's result",
        example="mx.arange(3)[mx.array([True, False, True])]",
    ),
    Difference(
        "float64 exp sin cos erf erfinv sigmoid",
        "the wheel uses float32 polynomials",
        "within 2 ulp of float64",
        example="mx.exp(mx.array([0.3, 1.7], dtype=mx.float64))",
    ),
    Difference(
        "float32 transcendental functions",
        "the wheel is off by up to 4e-7",
        "within the tolerance of the case",
        example="mx.erf(mx.array([1e-3]))",
    ),
    Difference(
        "float16 NaN and infinities as uint32",
        "the wheel gives 0, other than from bfloat16 and long float32 arrays",
        "what float32 gives",
        example="mx.array([float('nan'), float('inf')], dtype=mx.float16).astype(mx.uint32)",
    ),
    Difference(
        "mean",
        "the wheel sums in the result dtype, which overflows",
        "sums wide, rounds once",
        example="mx.mean(mx.array([2**30] * 4))",
    ),
    Difference(
        "var, std, cumsum of halves",
        "the wheel sums in halves",
        "sums in float32, rounds once",
        example="mx.cumsum(mx.full((5000,), 1.0, dtype=mx.float16))[-1]",
    ),
    Difference(
        "reflected & | ^ << >> @, +x, round(x), divmod(x, 2), x // of arrays on the right",
        "the wheel has no such operators",
        "they work",
        example="5 & mx.array([3])",
    ),
    Difference(
        "array(2**63, uint64)", "the wheel raises", "the value", example="mx.array(2**63, dtype=mx.uint64)"
    ),
    Difference(
        "compile with a pending captured array",
        "the wheel refuses it",
        "an input whose history runs once",
        proven="the wheel refuses only some: test_core_compile.py",
    ),
    Difference(
        "compile with a new Python float",
        "the wheel traces again",
        "one trace",
        proven="needs a count of traces: test_core_compile.py",
    ),
    Difference(
        "an Ellipsis for no axis between index arrays",
        "the wheel takes the arrays for adjacent",
        "as NumPy: the common axes come first",
        example=(
            "mx.arange(24).reshape(2, 3, 4)[mx.array([0, 1]), ..., mx.array([0, 1]), mx.array([0, "
            "1])].shape, mx.arange(24).reshape(2, 3, 4)[:, mx.array([0, 1]), ..., mx.array([0, 1])]"
        ),
    ),
    Difference(
        "conv1d of input with more spatial axes",
        "the wheel convolves over them",
        "ValueError",
        example="mx.conv1d(mx.ones((1, 5, 5, 1)), mx.ones((1, 2, 2, 1)))",
    ),
    Difference(
        "convolutions with negative padding and input dilation (transposed ones whose padding exceeds "
        "the window)",
        "the wheel cuts the input before it puts zeros between its elements: wrong sizes",
        "cuts afterwards: what the documented size of the result says",
        example="mx.conv_transpose1d(mx.ones((1, 4, 1)), mx.ones((1, 2, 1)), 3, 3)",
    ),
    Difference(
        "conv with groups=0",
        "the wheel dies",
        "ValueError",
        example="mx.conv1d(mx.ones((1, 5, 1)), mx.ones((1, 2, 1)), groups=0)",
    ),
    Difference(
        "vmap of bitwise, shift, divmod, not_equal, logical_xor, slice updates, .at, addmm, argmax, "
        "conv; jvp of addmm; vjp of minmax, conv_general",
        "the wheel gives wrong shapes or values",
        "what a loop, or the difference quotient, gives",
        example="mx.vmap(mx.bitwise_and, in_axes=(0, None))(mx.array([[1, 2], [3, 4]]), mx.array([1, 3]))",
    ),
    Difference(
        "reductions over nothing",
        "the wheel reads garbage or never returns for some layouts",
        "the neutral element",
        proven="what the wheel reads differs from run to run",
    ),
    Difference(
        "logsumexp of integers",
        "the wheel gives inf or garbage",
        "float32 values",
        example="mx.logsumexp(mx.array([[1, 2], [3, 4]], dtype=mx.uint64), 0)",
    ),
    Difference(
        "round(x, decimals) of float64",
        "the wheel multiplies in float32",
        "float64 throughout",
        example="mx.round(mx.array([1.23456789012], dtype=mx.float64), 9)",
    ),
    Difference(
        "nan_to_num of float64 and complex64, median(axis=()), random.uniform(float64)",
        "the wheel refuses",
        "works",
        example="mx.nan_to_num(mx.ones((2,), dtype=mx.float64))",
    ),
    Difference(
        "floor_divide and divmod of halves",
        "the wheel floors the rounded quotient",
        "the floor of the exact quotient",
        example="mx.floor_divide(mx.array([36.3], dtype=mx.float16), mx.array([0.2488], dtype=mx.float16))",
    ),
    Difference(
        "isclose, allclose of unsigned integers",
        "the wheel's difference wraps",
        "compares values",
        example="mx.isclose(mx.array([1], dtype=mx.uint32), mx.array([2], dtype=mx.uint32), atol=2)",
    ),
    Difference(
        "as_strided of views",
        "the wheel fails at eval",
        "strides over the row-major elements",
        example="mx.as_strided(mx.arange(6)[::2], (2,), (1,), 0)",
    ),
    Difference(
        "linalg of matrices without rows",
        "the wheel dies",
        "empty results",
        example="mx.linalg.inv(mx.zeros((0, 0)))",
    ),
    Difference(
        "NaN and infinities in linalg.eig, eigvals; infinities in svd and pinv",
        "the wheel dies, or gives some numbers that look right beside NaN",
        "RuntimeError at evaluation, as for NaN in svd",
        example="mx.linalg.svd(mx.array([[float('inf'), 1.0], [0.0, 1.0]]))",
    ),
    Difference(
        "NaN and infinities in linalg.cholesky, lu, lu_factor, qr",
        "the wheel gives factors of which some elements are finite",
        "NaN wherever a factor has elements",
        example="mx.linalg.cholesky(mx.array([[float('nan'), 1.0], [1.0, 1.0]]))",
    ),
    Difference(
        "linalg.cholesky of a matrix that is not positive definite",
        "the wheel gives an unfinished factor",
        "RuntimeError at evaluation",
        example="mx.linalg.cholesky(mx.array([[1.0, 2.0], [2.0, 1.0]]))",
    ),
    Difference(
        "linalg.eigh, eigvalsh of NaN and infinities",
        "the wheel gives values or vectors that are none",
        "NaN",
        example="mx.linalg.eigh(mx.array([[float('nan'), 0.0], [0.0, 1.0]]))[0]",
    ),
    Difference(
        "linalg.eigh, eigvalsh with UPLO other than 'L' and 'U'",
        "the wheel reads the upper triangle",
        "ValueError",
        example="mx.linalg.eigvalsh(mx.eye(2), UPLO='x')",
    ),
    Difference(
        "linalg.solve",
        "the wheel does not broadcast leading axes",
        "as in solve_triangular",
        example="mx.linalg.solve(mx.stack([mx.eye(2)] * 3), mx.ones((2, 1)))",
    ),
    Difference(
        "linalg.det, slogdet of halves beyond 3 x 3",
        "the wheel refuses",
        "computed in float32, rounded once",
        example="mx.linalg.det(mx.eye(4, dtype=mx.float16))",
    ),
    Difference(
        "complex64 in linalg.inv, tri_inv, pinv, cholesky, cholesky_inv, lu, lu_factor, qr, solve, "
        "solve_triangular, det, slogdet",
        "the wheel refuses",
        "computed by LAPACK's routines for complex numbers",
        example="mx.linalg.inv(mx.eye(2).astype(mx.complex64))",
    ),
    Difference(
        "gradient of linalg.slogdet at a singular matrix",
        "the wheel gives NaN for small matrices and has no derivative of large ones",
        "RuntimeError at evaluation, as from inv, of which the gradient is made",
        example="mx.grad(lambda a: mx.linalg.slogdet(a)[1])(mx.ones((2, 2)))",
    ),
    Difference(
        "derivatives of linalg",
        "the wheel has none",
        "standard formulas",
        example="mx.grad(lambda x: mx.linalg.inv(x).sum())(mx.eye(2))",
    ),
    Difference(
        "evaluation in another thread",
        "the wheel refuses it",
        "works unless a stream was asked for",
        proven="needs threads: test_core_eval.py",
    ),
    Difference(
        "allocation that cannot be satisfied",
        "the wheel dies",
        "MemoryError",
        proven="the machine would have to be full: tests/c/test_robust_memory.c",
    ),
    Difference(
        "hadamard_transform(float64)",
        "the wheel refuses it",
        "a float64 result",
        example="mx.hadamard_transform(mx.ones((4,), dtype=mx.float64))",
    ),
    Difference(
        "hadamard_transform of 36 elements",
        "the wheel gives garbage",
        "ValueError, as for all sizes but m * 2^k",
        example="mx.hadamard_transform(mx.ones((36,)))",
    ),
    Difference(
        "istft with a complex window",
        "the wheel's result is some 1e8 too large",
        "the window's real part",
        example=(
            "mx.fft.istft(mx.fft.stft(mx.arange(16).astype(mx.float32), 8, 4), 8, 4, "
            "window=mx.ones((8,)).astype(mx.complex64) * (1 + 1j))"
        ),
    ),
    Difference(
        "to_fp8, from_fp8, quantize and dequantize of E4M3 codes in float64",
        "the wheel gives garbage",
        "as in float32",
        example="mx.to_fp8(mx.array([1.0, 2.0], dtype=mx.float64))",
    ),
    Difference(
        "quantize of groups below 2^-126 in mxfp4 and mxfp8",
        "the wheel's exponent of the scale wraps: numbers near 1e37 come back",
        "the smallest scale",
        example="mx.dequantize(*mx.quantize(mx.full((1, 32), 1e-39), mode='mxfp4'), mode='mxfp4')",
    ),
    Difference(
        "the bits of NaN in affine scales of float16 groups with infinities",
        "the wheel's division of halves gives NaN with another payload",
        "the NaN of the division in float32, rounded",
        example="mx.quantize(mx.full((1, 64), float('inf'), dtype=mx.float16))[1].view(mx.uint16)",
    ),
    Difference(
        "quantize in nvfp4 of what is 2^27 times its scale or more: an infinity, float32 from 448 * 2^27 on, "
        "all numbers beside a tiny global scale or one of 0",
        "the wheel stores 0",
        "the largest code: 6 of the largest scale",
        example="mx.quantize(mx.array([[1.0] * 31 + [1e12]]), mode='nvfp4')",
    ),
    Difference(
        "quantize in nvfp4 with a negative global scale, and of zeros with one of 0",
        "the wheel puts the sign, of a number or of NaN, into the scale",
        "scales are positive, the sign is the code's",
        example="mx.quantize(mx.ones((1, 32)), mode='nvfp4', global_scale=mx.array(-1.0))",
    ),
    Difference(
        "derivative of sign of complex numbers, and second derivatives of abs",
        "the wheel takes z/|z| for constant",
        "i s Im(conj(s) dz)/|z| for s = z/|z|",
        example="mx.grad(lambda z: mx.real(mx.sign(z)).sum())(mx.array([0.6 - 0.4j]))",
    ),
    Difference(
        "gradient of power of complex numbers",
        "the wheel leaves out a conjugate: its gradient is the mirror image of the one that its other "
        "functions have",
        "the gradient by the convention of all others: real and imaginary part are the derivatives by both",
        example="mx.grad(lambda x: mx.real(mx.power(x, 2 + 1j)))(mx.array(1 + 1j))",
    ),
    Difference(
        "gradient of cumprod of complex numbers",
        "as for power: a conjugate is left out",
        "as for power",
        example="mx.grad(lambda x: mx.real(mx.cumprod(x)[-1]))(mx.array([1 + 1j, 2 - 1j]))",
    ),
    Difference(
        "derivatives of arcsin, arccos, arcsinh and arccosh on their branch cuts",
        "the wheel's sums lose the sign of a zero, and with it the side of the cut",
        "the derivative on the side that the sign of zero names",
        example="mx.jvp(mx.arcsin, [mx.array([2 + 0j])], [mx.array([1 + 0j])])[1][0]",
    ),
    Difference(
        "derivatives of quantize's scales and biases for a group of zeros",
        "the wheel gives NaN",
        "0",
        example="mx.grad(lambda w: mx.quantize(w, group_size=32)[1].sum())(mx.zeros((1, 32)))",
    ),
    Difference(
        "derivative of a quantized product by its codes (nn.QQLinear trained in eval mode)",
        "RuntimeError of the wheel, which names no way out",
        "ValueError that says to call train()",
        proven="test_nn_quantized.py",
    ),
    Difference(
        "qqmm and gather_qqmm",
        "the wheel's CPU has some cases alone",
        "all shapes, modes and types",
        example="mx.qqmm(mx.ones((4, 64)), *mx.quantize(mx.ones((8, 64)), mode='nvfp4'), mode='nvfp4')",
    ),
    Difference(
        "dimensions over 2^31 - 1",
        "the wheel has 32-bit shapes",
        "64-bit shapes",
        example="mx.zeros((2**31, 0)).shape",
    ),
    Difference(
        "linalg.norm of float16",
        "the wheel sums squares in float16, which overflows",
        "sums in float32, rounds once",
        example="mx.linalg.norm(mx.array([300.0, 400.0], dtype=mx.float16))",
    ),
    Difference(
        "linalg.solve, solve_triangular of integers beside floating matrices",
        "the wheel refuses integers on one side of the two",
        "both are converted to the type they promote to",
        example="mx.linalg.solve(mx.array([[2, 0], [0, 2]]), mx.ones((2,)))",
    ),
    Difference(
        "quantized_matmul of one matrix with a batch of codes",
        "the wheel reads the first matrix of the batch alone",
        "the leading axes broadcast",
        example="mx.quantized_matmul(mx.ones((1, 64)), *mx.quantize(mx.ones((2, 8, 64))))",
    ),
    Difference(
        "dequantize with a global scale and dtype",
        "the wheel gives float32 whatever dtype says",
        "the dtype that is asked for",
        example=(
            "mx.dequantize(*mx.quantize(mx.ones((2, 32)), mode='nvfp4'), mode='nvfp4', "
            "global_scale=mx.array(1.0), dtype=mx.float16)"
        ),
    ),
    Difference(
        "qqmm with global scales",
        "the wheel's CPU leaves them out",
        "the product of both divided by 2688 squared, as quantize and dequantize have it",
        example=(
            "mx.qqmm(mx.ones((1, 64)), *mx.quantize(mx.ones((8, 64)), mode='nvfp4'), mode='nvfp4', "
            "global_scale_x=mx.array(1.0), global_scale_w=mx.array(1.0))"
        ),
    ),
    Difference(
        "qqmm with mode='affine'",
        "the wheel gives zeros",
        "ValueError: affine codes store weights alone",
        example="mx.qqmm(mx.ones((1, 64)), *mx.quantize(mx.ones((8, 64)))[:2], mode='affine')",
    ),
    Difference(
        "x.at[...].minimum and maximum with NaN",
        "the wheel drops a NaN of the array, but only for index arrays",
        "NaN is passed on, as by minimum and maximum",
        example="mx.array([float('nan'), 2.0]).at[mx.array([0])].minimum(1.0)",
    ),
    Difference(
        "x.at[...].subtract of a bool array",
        "the wheel negates the bool",
        "the value is converted to the array's type first",
        example="mx.array([1, 2, 3]).at[0].subtract(mx.array(True))",
    ),
    Difference(
        "x.at[...].subtract of a number from bools",
        "the wheel adds the truth of the negated number",
        "ValueError, as there for bools: they have no negative",
        example="mx.array([True, False]).at[0].subtract(1)",
    ),
    Difference(
        "fast.cross_entropy of halves",
        "the wheel rounds the logarithm of the sum to a half, and then gives float32",
        "sums in float32, rounds once",
        example="mx.fast.cross_entropy(mx.arange(4).astype(mx.bfloat16)[None], mx.array([0]))",
    ),
    Difference(
        "targets that are no class (-100), in fast.cross_entropy and nn.losses.cross_entropy",
        "the wheel reads a number beyond the row, which a mask may drop later",
        "IndexError that tells how to leave targets out",
        example="mx.fast.cross_entropy(mx.zeros((1, 4)), mx.array([-100]))",
    ),
    Difference(
        "gather_qmm with global_scale",
        "the wheel's CPU has none",
        "the product times the scale of its matrix; one scale for all is taken, too",
        example=(
            "mx.gather_qmm(mx.ones((1, 1, 64)), *mx.quantize(mx.ones((2, 8, 64)), mode='nvfp4'), "
            "mode='nvfp4', rhs_indices=mx.array([1]), group_size=16, bits=4, global_scale=mx.ones((2,)))"
        ),
    ),
    Difference(
        "jvp with tangents of another dtype than the primals'",
        "the wheel passes it on, so that a result and its tangent differ in type",
        "converted to the primal's dtype",
        example=("mx.jvp(lambda x: x * x, [mx.ones((2,), dtype=mx.float16)], [mx.ones((2,))])[1][0]"),
    ),
    Difference(
        "the axes that a custom rule of vmap gets for what was computed before",
        "the wheel passes on wherever its own rules have left the batch",
        "the batch is in front; arguments of the mapped function itself come as they were given, with their "
        "axes, if all of the rule's inputs are such",
        proven="axes are no results: test_core_custom.py, test_axes_of_vmap_rules",
    ),
    Difference(
        "a custom rule of vjp that returns another number of gradients than there are arguments",
        "the wheel takes the cotangent for those that are missing, and leaves out what is too much",
        "one bare array stands for all, None for zeros; other numbers are refused",
        proven="a rule is no call: test_core_custom.py, test_one_array_for_all_arguments, "
        "test_wrong_rules_are_refused",
    ),
    Difference(
        "a custom rule whose gradient has another dtype",
        "the wheel passes it on, so that x and its gradient differ in type",
        "converted to the argument's dtype",
        proven="test_core_transforms.py",
    ),
    Difference(
        "roll along one axis by several shifts",
        "the wheel drops all but the first when the axis stands in a tuple",
        "their sum, as in NumPy and as for a bare axis",
        example="mx.roll(mx.arange(6), (1, 2), (0,))",
    ),
    Difference(
        "convolve of a real array with a complex one",
        "the wheel drops the imaginary parts",
        "ValueError, as for two complex ones",
        example="mx.convolve(mx.array([1.0, 2.0]), mx.array([1j, 1.0]))",
    ),
    Difference(
        "x.at[mask], x[..., mask] = v",
        "SystemError of the wheel",
        "as in reads",
        example="mx.array([1, 2, 3]).at[mx.array([True, False, True])].add(1)",
    ),
    Difference(
        "operators with objects of other types",
        "the wheel refuses them before their own operator is asked",
        "NotImplemented, so TypeError when nobody knows the pair",
        example="mx.ones((2,)) + object()",
    ),
    # ---- files ----
    Difference(
        "Q4_K blocks of gguf files",
        "the wheel gets every second group of 32 wrong, as the gguf package shows",
        "what the gguf package gives",
        proven="test_core_files.py, test_gguf_numbers",
    ),
    Difference(
        "float64 values in gguf files",
        "the wheel ends the process",
        "float64 arrays; lists of lists raise ValueError",
        proven="test_core_files.py",
    ),
    Difference(
        "gguf files from file objects and streams",
        "the wheel takes paths alone",
        "loaded and saved",
        proven="test_core_files.py, test_streams_without_names",
    ),
    Difference(
        "the format of exported functions",
        "the wheel's cannot hold all primitives, nor be mapped",
        "a format of its own; mx.exporter(..., format='mlx') writes the wheel's, import_function reads both",
        proven="test_core_export_mlx.py",
    ),
    Difference(
        "sizes that a shapeless export cannot follow",
        "the wheel replays some with the sizes of the trace",
        "ValueError that names the primitive, or the sizes for which the traces of the export agree",
        proven="test_core_export.py, test_shapeless_refusals; test_exported_sizes.py",
    ),
)
