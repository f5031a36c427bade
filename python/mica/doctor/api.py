"""What the checker knows of the array API: which functions give arrays, of which type and shape, and
which evaluate."""

from __future__ import annotations

HALF = frozenset({"float16", "bfloat16"})
FLOATS = HALF | {"float32", "float64"}
# Methods of other frameworks' arrays that move them between devices: MX504.
MOVES = frozenset({"to", "cuda", "cpu", "mps"})
DTYPES = FLOATS | {
    "bool_", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "complex64",
}  # fmt: skip


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Element-wise functions of one operand keep shape, type and history.
UNARY = _words("""abs acos acosh arccos arccosh arcsin arcsinh arctan arctanh asin asinh atan atanh ceil
    conj conjugate
    cos cosh degrees erf erfinv exp expm1 floor log log10 log1p log2 negative nan_to_num positive radians
    reciprocal
    round rsqrt sigmoid sign sin sinh sqrt square stop_gradient tan tanh trunc bitwise_invert""")
BINARY = _words("""add arctan2 atan2 divide floor_divide logaddexp maximum minimum multiply power pow
    remainder subtract
    bitwise_and bitwise_or bitwise_xor left_shift right_shift""")
COMPARISONS = _words("""equal not_equal greater greater_equal less less_equal isclose isfinite isinf
    isnan isneginf
    isposinf logical_and logical_or logical_not logical_xor allclose array_equal all any""")
REDUCTIONS = _words("sum mean max min prod std var median logsumexp topk trace")
INDEXES = _words("argmax argmin argsort argpartition count_nonzero searchsorted")
SHAPES = _words("""reshape transpose permute_dims matrix_transpose swapaxes moveaxis squeeze expand_dims
    flatten
    unflatten broadcast_to flip roll repeat tile pad contiguous diag diagonal tril triu as_strided atleast_1d
    atleast_2d atleast_3d sort partition cumsum cumprod cummax cummin logcumsumexp cumulative_sum
    cumulative_prod
    diff softmax clip take take_along_axis put_along_axis slice slice_update real imag hadamard_transform""")
PRODUCTS = _words("matmul addmm inner outer tensordot einsum kron vecdot convolve block_masked_mm gather_mm")
CREATIONS = _words("zeros ones empty full eye identity tri arange linspace bartlett blackman hamming hanning")
LIKE = _words("zeros_like ones_like full_like empty_like")
OTHER_ARRAYS = _words("""asarray from_dlpack where concatenate concat stack astype view dequantize
    quantized_matmul
    qqmm gather_qmm gather_qqmm segmented_mm to_fp8 from_fp8 conv1d conv2d conv3d conv_general
    conv_transpose1d
    conv_transpose2d conv_transpose3d matrix_norm""")
LISTS = _words("split unstack meshgrid broadcast_arrays divmod quantize")
RANDOM = _words("""bernoulli categorical gumbel laplace multivariate_normal normal permutation randint
    truncated_normal uniform""")
FAST_NORMS = _words("rms_norm layer_norm")
FAST = FAST_NORMS | _words("rope scaled_dot_product_attention")
LINALG_TUPLES = _words("eig eigh lu lu_factor qr slogdet svd")
LINALG = _words(
    """cholesky cholesky_inv cross det eigvals eigvalsh inv norm pinv solve solve_triangular tri_inv"""
)
FFT = _words("""fft fft2 fftfreq fftn fftshift ifft ifft2 ifftn ifftshift irfft irfft2 irfftn rfft rfft2
    rfftfreq
    rfftn""")
OTHER = _words("""eval async_eval synchronize compile grad value_and_grad vmap vjp jvp checkpoint
    custom_function
    load save savez savez_compressed save_safetensors save_gguf stream new_stream default_stream
    default_device
    set_default_device set_default_stream set_cache_limit set_memory_limit clear_cache get_peak_memory
    finfo iinfo
    array random fast linalg fft distributed metal cuda cpu gpu depends Dtype Device Stream inf nan pi e
    newaxis
    export_function import_function broadcast_shapes result_type issubdtype isdtype can_cast""")
CORE = (UNARY | BINARY | COMPARISONS | REDUCTIONS | INDEXES | SHAPES | PRODUCTS | CREATIONS | LIKE |
    OTHER_ARRAYS
        | LISTS | OTHER | DTYPES)  # fmt: skip
CORE_ARRAYS = (UNARY | BINARY | COMPARISONS | REDUCTIONS | INDEXES | SHAPES | PRODUCTS | CREATIONS | LIKE
               | OTHER_ARRAYS)  # fmt: skip
# Functions that refuse Python numbers: an argument of theirs is an array.
NEEDS_ARRAY = (
    REDUCTIONS | INDEXES | SHAPES | {"matmul", "tensordot", "inner", "outer"} | LIKE | {"all", "any"}
)

METHODS = UNARY & _words("""abs conj cos exp log log10 log1p log2 reciprocal round rsqrt sin sqrt
    square""") | _words(
    """all any argmax argmin astype cummax cummin cumprod cumsum diag diagonal flatten logcumsumexp
    logsumexp max mean
    min moveaxis prod reshape split squeeze std sum swapaxes transpose var view""")  # fmt: skip
METADATA = _words("shape dtype ndim size nbytes itemsize")
# A name on which one of these is called with no NumPy or PyTorch around is an array.
ARRAY_EVIDENCE = _words("astype reshape squeeze swapaxes moveaxis logsumexp rsqrt square flatten transpose")

# Methods that an argument of a compiled function has only if it is an array.
TRACED_METHODS = ARRAY_EVIDENCE | _words("item tolist max min sum mean any all argmax argmin abs exp")
EVALUATING_METHODS = _words("item tolist")
NN_FUNCTIONS = _words("""celu elu gelu gelu_approx gelu_fast_approx glu hard_shrink hard_tanh hardswish
    leaky_relu
    log_sigmoid log_softmax mish prelu relu relu2 relu6 selu sigmoid silu softmax softmin softplus
    softshrink softsign
    step tanh""")
LOSSES = _words("""binary_cross_entropy cosine_similarity_loss cross_entropy gaussian_nll_loss hinge_loss
    huber_loss
    kl_div_loss l1_loss log_cosh_loss margin_ranking_loss mse_loss nll_loss smooth_l1_loss triplet_loss""")
NORM_LAYERS = _words("RMSNorm LayerNorm")
RANDOM_LAYERS = _words("Dropout Dropout2d Dropout3d")
# Keeping the shape of their operand.
ELEMENTWISE_NN = NN_FUNCTIONS - {"glu"}
OPTIMIZERS = _words(
    """AdaDelta Adafactor Adagrad Adam AdamW Adamax Lion MultiOptimizer Muon Optimizer RMSprop SGD"""
)

NUMPY_CONVERSIONS = _words("""array asarray asanyarray ascontiguousarray save savez savez_compressed savetxt
    from_dlpack testing copy""")
NUMPY_MODULES = _words("random linalg fft testing")
# NumPy functions that take shapes and numbers, or give no arrays.
NUMPY_HARMLESS = _words("""isscalar ndim shape size dtype issubdtype iinfo finfo result_type printoptions
    set_printoptions zeros ones empty full arange linspace eye identity""")
# Arguments that decide a graph's structure: a Python number there is part of the trace.
STRUCTURAL = _words("""broadcast_to reshape repeat tile pad zeros ones full eye arange linspace split
    roll tri tril triu
    expand_dims squeeze swapaxes moveaxis flatten unflatten topk argpartition partition take unstack""")
LOG_METHODS = _words("debug info warning error critical exception log")


def canonical(name: str) -> str:
    """A module's name, with mica's modules under the names of the reference."""
    return "mlx" + name[4:] if name == "mica" or name.startswith("mica.") else name


def is_api(name: str) -> bool:
    """Whether a module's name is one of the array API."""
    return name == "mlx" or name.startswith("mlx.")
