"""mica.core: arrays, operations, transformations, streams and memory."""

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, TypeAlias, TypeVar, overload

from mica import _distributed

scalar: TypeAlias = bool | int | float | complex
R = TypeVar("R")

class Dtype:
    """An element type."""

    @property
    def size(self) -> int: ...

class DtypeCategory(Enum):
    complexfloating = 0
    floating = 1
    inexact = 2
    signedinteger = 3
    unsignedinteger = 4
    integer = 5
    number = 6
    generic = 7

class DeviceType(Enum):
    cpu = 0
    gpu = 1

class Device:
    def __init__(self, type: DeviceType, index: int = 0) -> None: ...
    @property
    def type(self) -> DeviceType: ...

class Stream:
    @property
    def device(self) -> Device: ...

class ThreadLocalStream:
    @property
    def device(self) -> Device: ...

StreamOrDevice: TypeAlias = None | Stream | ThreadLocalStream | Device | DeviceType

class StreamContext:
    def __init__(self, s: StreamOrDevice) -> None: ...
    def __enter__(self) -> None: ...
    def __exit__(self, *error: object) -> None: ...

class finfo:
    """Limits of a floating type."""

    def __init__(self, dtype: Dtype) -> None: ...
    bits: int
    dtype: Dtype
    eps: float
    max: float
    min: float
    smallest_normal: float

class iinfo:
    """Limits of an integer type."""

    def __init__(self, dtype: Dtype) -> None: ...
    bits: int
    dtype: Dtype
    max: int
    min: int

class PrintOptions:
    """How arrays are printed."""

    def __init__(self, precision: int = -1) -> None: ...
    precision: int

class array:
    """A lazy n-dimensional array."""

    def __init__(self, val: Any, dtype: Dtype | None = None) -> None: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def ndim(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def itemsize(self) -> int: ...
    @property
    def nbytes(self) -> int: ...
    @property
    def dtype(self) -> Dtype: ...
    @property
    def T(self) -> array: ...
    @property
    def at(self) -> ArrayAt: ...
    @property
    def mT(self) -> array: ...
    @property
    def real(self) -> array: ...
    @property
    def imag(self) -> array: ...
    # bool, int, float or complex, by the element type.
    def item(self) -> Any: ...
    def tolist(self) -> Any: ...
    def astype(self, dtype: Dtype, stream: StreamOrDevice = None) -> array: ...
    def abs(self, *, stream: StreamOrDevice = None) -> array: ...
    def conj(self, *, stream: StreamOrDevice = None) -> array: ...
    def cos(self, *, stream: StreamOrDevice = None) -> array: ...
    def exp(self, *, stream: StreamOrDevice = None) -> array: ...
    def log(self, *, stream: StreamOrDevice = None) -> array: ...
    def log10(self, *, stream: StreamOrDevice = None) -> array: ...
    def log1p(self, *, stream: StreamOrDevice = None) -> array: ...
    def log2(self, *, stream: StreamOrDevice = None) -> array: ...
    def reciprocal(self, *, stream: StreamOrDevice = None) -> array: ...
    def rsqrt(self, *, stream: StreamOrDevice = None) -> array: ...
    def sin(self, *, stream: StreamOrDevice = None) -> array: ...
    def sqrt(self, *, stream: StreamOrDevice = None) -> array: ...
    def square(self, *, stream: StreamOrDevice = None) -> array: ...
    def all(self, axis: int | Sequence[int] | None = None, keepdims: bool = False, *, stream: StreamOrDevice = None) -> array: ...
    def any(self, axis: int | Sequence[int] | None = None, keepdims: bool = False, *, stream: StreamOrDevice = None) -> array: ...
    def logsumexp(self, axis: int | Sequence[int] | None = None, keepdims: bool = False, *, stream: StreamOrDevice = None) -> array: ...
    def max(self, axis: int | Sequence[int] | None = None, keepdims: bool = False, *, stream: StreamOrDevice = None) -> array: ...
    def mean(self, axis: int | Sequence[int] | None = None, keepdims: bool = False, *, stream: StreamOrDevice = None) -> array: ...
    def min(self, axis: int | Sequence[int] | None = None, keepdims: bool = False, *, stream: StreamOrDevice = None) -> array: ...
    def prod(self, axis: int | Sequence[int] | None = None, keepdims: bool = False, *, stream: StreamOrDevice = None) -> array: ...
    def sum(self, axis: int | Sequence[int] | None = None, keepdims: bool = False, *, stream: StreamOrDevice = None) -> array: ...
    def std(
        self, axis: int | Sequence[int] | None = None, keepdims: bool = False, ddof: float = 0, *, correction: float | None = None, stream: StreamOrDevice = None
    ) -> array: ...
    def var(
        self, axis: int | Sequence[int] | None = None, keepdims: bool = False, ddof: float = 0, *, correction: float | None = None, stream: StreamOrDevice = None
    ) -> array: ...
    def argmax(self, axis: int | None = None, keepdims: bool = False, *, stream: StreamOrDevice = None) -> array: ...
    def argmin(self, axis: int | None = None, keepdims: bool = False, *, stream: StreamOrDevice = None) -> array: ...
    def cummax(
        self, axis: int | None = None, *, reverse: bool = False, inclusive: bool = True, stream: StreamOrDevice = None
    ) -> array: ...
    def cummin(
        self, axis: int | None = None, *, reverse: bool = False, inclusive: bool = True, stream: StreamOrDevice = None
    ) -> array: ...
    def cumprod(
        self, axis: int | None = None, *, reverse: bool = False, inclusive: bool = True, stream: StreamOrDevice = None
    ) -> array: ...
    def cumsum(
        self, axis: int | None = None, *, reverse: bool = False, inclusive: bool = True, stream: StreamOrDevice = None
    ) -> array: ...
    def logcumsumexp(
        self, axis: int | None = None, *, reverse: bool = False, inclusive: bool = True, stream: StreamOrDevice = None
    ) -> array: ...
    def diag(self, k: int = 0, *, stream: StreamOrDevice = None) -> array: ...
    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1, *, stream: StreamOrDevice = None) -> array: ...
    def flatten(self, start_axis: int = 0, end_axis: int = -1, *, stream: StreamOrDevice = None) -> array: ...
    def moveaxis(self, source: int, destination: int, *, stream: StreamOrDevice = None) -> array: ...
    def reshape(self, *shape: int | Sequence[int], stream: StreamOrDevice = None) -> array: ...
    def round(self, decimals: int = 0, *, stream: StreamOrDevice = None) -> array: ...
    def split(self, indices_or_sections: int | Sequence[int], axis: int = 0, *, stream: StreamOrDevice = None) -> list[array]: ...
    def squeeze(self, axis: int | Sequence[int] | None = None, *, stream: StreamOrDevice = None) -> array: ...
    def swapaxes(self, axis1: int, axis2: int, *, stream: StreamOrDevice = None) -> array: ...
    def transpose(self, *axes: int | Sequence[int], stream: StreamOrDevice = None) -> array: ...
    def view(self, dtype: Dtype, *, stream: StreamOrDevice = None) -> array: ...
    def __getitem__(self, key: Any) -> array: ...
    def __setitem__(self, key: Any, value: Any) -> None: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Any: ...
    def __bool__(self) -> bool: ...
    def __int__(self) -> int: ...
    def __float__(self) -> float: ...
    def __complex__(self) -> complex: ...
    def __hash__(self) -> int: ...
    def __abs__(self) -> array: ...
    def __neg__(self) -> array: ...
    def __invert__(self) -> array: ...
    def __add__(self, other: Any) -> array: ...
    def __radd__(self, other: Any) -> array: ...
    def __sub__(self, other: Any) -> array: ...
    def __rsub__(self, other: Any) -> array: ...
    def __mul__(self, other: Any) -> array: ...
    def __rmul__(self, other: Any) -> array: ...
    def __truediv__(self, other: Any) -> array: ...
    def __rtruediv__(self, other: Any) -> array: ...
    def __floordiv__(self, other: Any) -> array: ...
    def __rfloordiv__(self, other: Any) -> array: ...
    def __mod__(self, other: Any) -> array: ...
    def __rmod__(self, other: Any) -> array: ...
    def __pow__(self, other: Any) -> array: ...
    def __rpow__(self, other: Any) -> array: ...
    def __matmul__(self, other: Any) -> array: ...
    def __and__(self, other: Any) -> array: ...
    def __or__(self, other: Any) -> array: ...
    def __xor__(self, other: Any) -> array: ...
    def __lshift__(self, other: Any) -> array: ...
    def __rshift__(self, other: Any) -> array: ...
    def __lt__(self, other: Any) -> array: ...
    def __le__(self, other: Any) -> array: ...
    def __gt__(self, other: Any) -> array: ...
    def __ge__(self, other: Any) -> array: ...
    def __eq__(self, other: object) -> array: ...  # type: ignore[override]
    def __ne__(self, other: object) -> array: ...  # type: ignore[override]
    def __pos__(self) -> array: ...
    def __rmatmul__(self, other: Any) -> array: ...
    def __rand__(self, other: Any) -> array: ...
    def __ror__(self, other: Any) -> array: ...
    def __rxor__(self, other: Any) -> array: ...
    def __rlshift__(self, other: Any) -> array: ...
    def __rrshift__(self, other: Any) -> array: ...
    def __divmod__(self, other: Any) -> tuple[array, array]: ...
    def __rdivmod__(self, other: Any) -> tuple[array, array]: ...
    def __index__(self) -> int: ...
    def __round__(self, ndigits: int | None = None) -> array: ...
    def __reversed__(self) -> Any: ...
    def __copy__(self) -> array: ...
    def __deepcopy__(self, memo: Any) -> array: ...
    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any: ...
    def __dlpack__(self, stream: Any = None, **kwargs: Any) -> Any: ...
    def __dlpack_device__(self) -> tuple[int, int]: ...
    def __array_namespace__(self, api_version: str | None = None) -> Any: ...

class ArrayAt:
    """Indexed updates that return a new array."""

    def __getitem__(self, key: Any) -> ArrayAt: ...
    def add(self, value: Any) -> array: ...
    def subtract(self, value: Any) -> array: ...
    def multiply(self, value: Any) -> array: ...
    def divide(self, value: Any) -> array: ...
    def maximum(self, value: Any) -> array: ...
    def minimum(self, value: Any) -> array: ...

ArrayLike: TypeAlias = Any

bool_: Dtype
uint8: Dtype
uint16: Dtype
uint32: Dtype
uint64: Dtype
int8: Dtype
int16: Dtype
int32: Dtype
int64: Dtype
float16: Dtype
bfloat16: Dtype
float32: Dtype
float64: Dtype
complex64: Dtype
complexfloating: DtypeCategory
floating: DtypeCategory
inexact: DtypeCategory
signedinteger: DtypeCategory
unsignedinteger: DtypeCategory
integer: DtypeCategory
number: DtypeCategory
generic: DtypeCategory
cpu: DeviceType
gpu: DeviceType
pi: float
e: float
euler_gamma: float
inf: float
nan: float
newaxis: None
__version__: str

def eval(*args: Any) -> None: ...
def async_eval(*args: Any) -> None: ...
def synchronize(stream: StreamOrDevice = None) -> None: ...
def default_device() -> Device: ...
def set_default_device(device: Device | DeviceType) -> None: ...
def default_stream(device: Device | DeviceType) -> Stream: ...
def set_default_stream(stream: Stream) -> None: ...
def new_stream(device: Device | DeviceType) -> Stream: ...
def stream(s: StreamOrDevice) -> StreamContext: ...
def new_thread_local_stream(device: Device | DeviceType) -> ThreadLocalStream: ...
def new_thread_unsafe_stream(device: Device | DeviceType) -> Stream: ...
def clear_streams() -> None: ...
def is_available(device: Device | DeviceType) -> bool: ...
def device_count(device_type: DeviceType) -> int: ...
def device_info(d: Device | DeviceType | None = None) -> dict[str, Any]: ...
def asarray(a: Any, dtype: Dtype | None = None, copy: bool | None = None) -> array: ...
def from_dlpack(x: Any, /, *, copy: bool | None = None) -> array: ...
def broadcast_shapes(*shapes: Sequence[int]) -> tuple[int, ...]: ...
def can_cast(from_: Any, to: Dtype) -> bool: ...
def isdtype(dtype: Dtype, kind: Any) -> bool: ...
def issubdtype(arg1: Dtype | DtypeCategory, arg2: Dtype | DtypeCategory) -> bool: ...
def result_type(*arrays_and_dtypes: Any) -> Dtype: ...
def einsum_path(subscripts: str, *operands: array) -> tuple[list[tuple[int, ...]], str]: ...
def depends(inputs: R, dependencies: Any) -> R: ...
def get_printoptions() -> PrintOptions: ...
def set_printoptions(precision: int = -1) -> None: ...
def printoptions(precision: int = -1) -> Any: ...

class custom_function:
    """A function with derivative and batching rules of its own."""

    def __init__(self, f: Callable[..., Any]) -> None: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...
    def vjp(self, f: Callable[..., Any]) -> Callable[..., Any]: ...
    def jvp(self, f: Callable[..., Any]) -> Callable[..., Any]: ...
    def vmap(self, f: Callable[..., Any]) -> Callable[..., Any]: ...

def grad(
    fun: Callable[..., Any], argnums: int | Sequence[int] | None = None, argnames: str | Sequence[str] = []
) -> Callable[..., Any]: ...
def value_and_grad(
    fun: Callable[..., Any], argnums: int | Sequence[int] | None = None, argnames: str | Sequence[str] = []
) -> Callable[..., Any]: ...
def vjp(
    fun: Callable[..., Any], primals: list[array], cotangents: list[array]
) -> tuple[list[array], list[array]]: ...
def jvp(
    fun: Callable[..., Any], primals: list[array], tangents: list[array]
) -> tuple[list[array], list[array]]: ...
def vmap(fun: Callable[..., R], in_axes: object = 0, out_axes: object = 0) -> Callable[..., R]: ...
def checkpoint(fun: Callable[..., R]) -> Callable[..., R]: ...
def compile(
    fun: Callable[..., R], inputs: object = None, outputs: object = None, shapeless: bool = False
) -> Callable[..., R]: ...
def disable_compile() -> None: ...
def enable_compile() -> None: ...

class FunctionExporter:
    def __call__(self, *args: Any, **kwargs: Any) -> None: ...
    def __enter__(self) -> FunctionExporter: ...
    def __exit__(
        self, exc_type: object = None, exc_value: object = None, traceback: object = None
    ) -> None: ...
    def close(self) -> None: ...

def export_function(
    file_or_callback: Any,
    fun: Callable[..., Any],
    *args: Any,
    shapeless: bool = False,
    metadata: str | None = None,
    **kwargs: Any,
) -> None: ...
def exporter(
    file: Any,
    fun: Callable[..., Any],
    *,
    shapeless: bool = False,
    metadata: str | None = None,
    format: str = "mica",
) -> FunctionExporter: ...
def import_function(file: Any, return_metadata: bool = False) -> Any: ...
def export_to_dot(file: Any, *args: Any, **kwargs: Any) -> None: ...
def load(
    file: Any, /, format: str | None = None, return_metadata: bool = False, *, stream: Any = None
) -> Any: ...
def save(file: Any, arr: array) -> None: ...
def savez(file: Any, *args: Any, **kwargs: Any) -> None: ...
def savez_compressed(file: Any, *args: Any, **kwargs: Any) -> None: ...
def save_safetensors(
    file: Any, arrays: dict[str, array], metadata: dict[str, str] | None = None
) -> None: ...
def save_gguf(
    file: Any, arrays: dict[str, array], metadata: dict[str, array | str | list[str]] | None = None
) -> None: ...
def get_active_memory() -> int: ...
def get_peak_memory() -> int: ...
def reset_peak_memory() -> None: ...
def get_cache_memory() -> int: ...
def set_memory_limit(limit: int) -> int: ...
def set_cache_limit(limit: int) -> int: ...
def get_memory_limit() -> int: ...
def clear_cache() -> None: ...
def set_wired_limit(limit: int) -> int: ...
def get_array_buffer_size(*trees: Any) -> int: ...

class _random_head:
    def seed(self, seed: int) -> None: ...
    state: list[array]

class _fast_head:
    def metal_kernel(
        self,
        name: str,
        input_names: Sequence[str],
        output_names: Sequence[str],
        source: str,
        header: str = "",
        ensure_row_contiguous: bool = True,
        atomic_outputs: bool = False,
        compile_options: Any = None,
    ) -> Callable[..., list[array]]: ...
    def cuda_kernel(
        self,
        name: str,
        input_names: Sequence[str],
        output_names: Sequence[str],
        source: str,
        header: str = "",
        ensure_row_contiguous: bool = True,
        shared_memory: int = 0,
    ) -> Callable[..., list[array]]: ...
    def precompiled_cuda_kernel(
        self,
        *,
        name: str,
        compiled_source: bytes,
        inputs: Sequence[Any],
        output_shapes: Sequence[tuple[int, ...]],
        output_dtypes: Sequence[Dtype],
        scalars: Sequence[object],
        grid: tuple[int, int, int],
        threadgroup: tuple[int, int, int],
        shared_memory: int = 0,
        init_value: float | None = None,
        ensure_row_contiguous: bool = False,
        stream: Any = None,
    ) -> list[array]: ...

class _linalg_head: ...
class _fft_head: ...

class _cuda:
    def is_available(self) -> bool: ...

class _metal:
    def is_available(self) -> bool: ...
    def start_capture(self, path: str) -> None: ...
    def stop_capture(self) -> None: ...
    def device_info(self) -> dict[str, Any]: ...
    def get_active_memory(self) -> int: ...
    def get_peak_memory(self) -> int: ...
    def reset_peak_memory(self) -> None: ...
    def get_cache_memory(self) -> int: ...
    def set_cache_limit(self, limit: int) -> int: ...
    def set_memory_limit(self, limit: int) -> int: ...
    def set_wired_limit(self, limit: int) -> int: ...
    def clear_cache(self) -> None: ...

cuda: _cuda
metal: _metal
distributed = _distributed

# Functions that are several rows of the tables, or take what a row cannot say.

@overload
def arange(
    stop: int | float, step: int | float | None = None, dtype: Dtype | None = None, *, stream: StreamOrDevice = None
) -> array: ...
@overload
def arange(
    start: int | float,
    stop: int | float,
    step: int | float | None = None,
    dtype: Dtype | None = None,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """Numbers from start (0) up to, but without, stop, step (1) apart; int32 for integers, else float32."""

def split(
    a: array, indices_or_sections: int | Sequence[int], axis: int = 0, *, stream: StreamOrDevice = None
) -> list[array]:
    """Cuts an axis into so many equal parts, or at indices."""

def pad(
    a: array,
    pad_width: int | Sequence[Any],
    mode: str = "constant",
    constant_values: scalar | array = 0,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """Elements added before and after; pad_width: one number, a pair, or a pair for each axis."""

def tensordot(
    a: array, b: array, /, axes: int | Sequence[Any] = 2, *, stream: StreamOrDevice = None
) -> array:
    """Product summed over axes: the last of a and the first of b, or two lists of axes."""

class _random_overloads:
    def permutation(
        self, x: int | array, axis: int = 0, key: array | None = None, *, stream: StreamOrDevice = None
    ) -> array:
        """An array in a random order along an axis; of a number, the numbers below it."""

# Generated by tools/gen.py from prim.def and func.def: change those.

def abs(a: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise absolute value; the magnitude, in float32, for complex numbers."""

def negative(a: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise negative."""

def sign(a: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise sign: -1, 0 or 1, 0 for NaN; x/|x| for complex numbers."""

def ceil(a: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise ceiling; integers pass."""

def floor(a: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise floor; integers pass."""

def trunc(a: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise truncation towards zero; integers pass."""

def square(a: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise square."""

def sqrt(a: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise square root."""

def rsqrt(a: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise reciprocal of the square root."""

def reciprocal(a: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise reciprocal."""

def exp(a: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise exponential."""

def expm1(a: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise exponential minus 1, exact near 0."""

def log(a: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise natural logarithm."""

def log2(a: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise base-2 logarithm."""

def log10(a: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise base-10 logarithm."""

def log1p(a: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise logarithm of 1 + a, exact near 0."""

def sin(a: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise sine."""

def cos(a: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise cosine."""

def tan(a: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise tangent."""

def sinh(a: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise hyperbolic sine."""

def cosh(a: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise hyperbolic cosine."""

def tanh(a: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise hyperbolic tangent."""

def arcsin(a: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise inverse sine."""

def arccos(a: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise inverse cosine."""

def arctan(a: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise inverse tangent."""

def arcsinh(a: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise inverse hyperbolic sine."""

def arccosh(a: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise inverse hyperbolic cosine."""

def arctanh(a: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise inverse hyperbolic tangent."""

def erf(a: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise error function."""

def erfinv(a: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise inverse of the error function, on (-1, 1); -1 and 1 give -inf and inf, beyond is NaN."""

def sigmoid(a: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise logistic function 1 / (1 + exp(-a))."""

def logical_not(a: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise logical not."""

def bitwise_invert(a: scalar | array, *, stream: StreamOrDevice = None) -> array:
    """Element-wise bitwise not; logical not of bool."""

def conjugate(a: scalar | array, *, stream: StreamOrDevice = None) -> array:
    """Element-wise complex conjugate; real numbers pass."""

def real(a: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise real part."""

def imag(a: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise imaginary part: zeros for real numbers."""

def isnan(a: scalar | array, *, stream: StreamOrDevice = None) -> array:
    """Element-wise test for NaN."""

def isinf(a: scalar | array, *, stream: StreamOrDevice = None) -> array:
    """Element-wise test for positive or negative infinity."""

def isfinite(a: scalar | array, *, stream: StreamOrDevice = None) -> array:
    """Element-wise test for finite numbers."""

def isposinf(a: scalar | array, *, stream: StreamOrDevice = None) -> array:
    """Element-wise test for positive infinity."""

def isneginf(a: scalar | array, *, stream: StreamOrDevice = None) -> array:
    """Element-wise test for negative infinity."""

def add(a: scalar | array, b: scalar | array, *, stream: StreamOrDevice = None) -> array:
    """Element-wise sum."""

def subtract(a: scalar | array, b: scalar | array, *, stream: StreamOrDevice = None) -> array:
    """Element-wise difference."""

def multiply(a: scalar | array, b: scalar | array, *, stream: StreamOrDevice = None) -> array:
    """Element-wise product."""

def divide(a: scalar | array, b: scalar | array, *, stream: StreamOrDevice = None) -> array:
    """Element-wise quotient, in floating point."""

def floor_divide(a: scalar | array, b: scalar | array, *, stream: StreamOrDevice = None) -> array:
    """Element-wise quotient rounded down; integer division by 0 gives 0."""

def remainder(a: scalar | array, b: scalar | array, *, stream: StreamOrDevice = None) -> array:
    """Element-wise remainder with the sign of the divisor; integer remainder by 0 gives the dividend."""

def power(a: scalar | array, b: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise power; a negative integer exponent gives 0."""

def maximum(a: scalar | array, b: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise maximum; NaN wins; complex numbers compare by real, then imaginary part."""

def minimum(a: scalar | array, b: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise minimum; NaN wins; complex numbers compare by real, then imaginary part."""

def logaddexp(a: scalar | array, b: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise log(exp(a) + exp(b)) without overflow."""

def arctan2(a: scalar | array, b: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise angle of the point (b, a), in radians."""

def equal(a: scalar | array, b: scalar | array, *, stream: StreamOrDevice = None) -> array:
    """Element-wise equality."""

def not_equal(a: scalar | array, b: scalar | array, *, stream: StreamOrDevice = None) -> array:
    """Element-wise inequality."""

def less(a: scalar | array, b: scalar | array, *, stream: StreamOrDevice = None) -> array:
    """Element-wise a < b."""

def less_equal(a: scalar | array, b: scalar | array, *, stream: StreamOrDevice = None) -> array:
    """Element-wise a <= b."""

def greater(a: scalar | array, b: scalar | array, *, stream: StreamOrDevice = None) -> array:
    """Element-wise a > b."""

def greater_equal(a: scalar | array, b: scalar | array, *, stream: StreamOrDevice = None) -> array:
    """Element-wise a >= b."""

def logical_and(a: scalar | array, b: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise logical and."""

def logical_or(a: scalar | array, b: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise logical or."""

def bitwise_and(a: scalar | array, b: scalar | array, *, stream: StreamOrDevice = None) -> array:
    """Element-wise bitwise and; logical and of bool."""

def bitwise_or(a: scalar | array, b: scalar | array, *, stream: StreamOrDevice = None) -> array:
    """Element-wise bitwise or; logical or of bool."""

def bitwise_xor(a: scalar | array, b: scalar | array, *, stream: StreamOrDevice = None) -> array:
    """Element-wise bitwise exclusive or."""

def left_shift(a: scalar | array, b: scalar | array, *, stream: StreamOrDevice = None) -> array:
    """Element-wise shift of bits to the left."""

def right_shift(a: scalar | array, b: scalar | array, *, stream: StreamOrDevice = None) -> array:
    """Element-wise shift of bits to the right."""

def where(condition: scalar | array, x: scalar | array, y: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Takes elements of x where condition is true, of y elsewhere."""

def reshape(a: array, /, shape: Sequence[int], *, stream: StreamOrDevice = None) -> array:
    """The same elements in row-major order under another shape; one size may be -1."""

def flatten(a: array, /, start_axis: int = 0, end_axis: int = -1, *, stream: StreamOrDevice = None) -> array:
    """Joins axes start_axis to end_axis into one."""

def unflatten(a: array, /, axis: int, shape: Sequence[int], *, stream: StreamOrDevice = None) -> array:
    """Splits one axis into several; one size may be -1."""

def squeeze(a: array, /, axis: None | int | Sequence[int] = None, *, stream: StreamOrDevice = None) -> array:
    """Removes axes of size 1: all, or those given."""

def expand_dims(a: array, /, axis: None | int | Sequence[int], *, stream: StreamOrDevice = None) -> array:
    """Inserts axes of size 1 at the given places of the result."""

def transpose(a: array, /, axes: None | Sequence[int] = None, *, stream: StreamOrDevice = None) -> array:
    """Permutes axes; reverses them when none are given."""

def permute_dims(a: array, /, axes: None | Sequence[int] = None, *, stream: StreamOrDevice = None) -> array:
    """Permutes axes; reverses them when none are given."""

def swapaxes(a: array, /, axis1: int, axis2: int, *, stream: StreamOrDevice = None) -> array:
    """Exchanges two axes."""

def moveaxis(a: array, /, source: int, destination: int, *, stream: StreamOrDevice = None) -> array:
    """Moves one axis to another place; the others keep their order."""

def broadcast_to(a: scalar | array, /, shape: Sequence[int], *, stream: StreamOrDevice = None) -> array:
    """Repeats axes of size 1, and new leading axes, to reach a shape; nothing is copied."""

def broadcast_arrays(*arrays: array, stream: StreamOrDevice = None) -> list[array]:
    """Broadcasts arrays against each other."""

def atleast_1d(*arys: array, stream: StreamOrDevice = None) -> Any:
    """Each array with at least one axis. One array alone is returned bare in Python."""

def atleast_2d(*arys: array, stream: StreamOrDevice = None) -> Any:
    """Each array with at least two axes. One array alone is returned bare in Python."""

def atleast_3d(*arys: array, stream: StreamOrDevice = None) -> Any:
    """Each array with at least three axes. One array alone is returned bare in Python."""

def flip(a: array, /, axis: None | int | Sequence[int] = None, *, stream: StreamOrDevice = None) -> array:
    """Reverses the order of elements along axes."""

def as_strided(a: array, /, shape: None | Sequence[int] = None, strides: None | Sequence[int] = None, offset: int = 0, *, stream: StreamOrDevice = None) -> array:
    """Any strides (in elements) over the row-major elements of an array."""

def view(a: scalar | array, dtype: Dtype, *, stream: StreamOrDevice = None) -> array:
    """The same bytes as elements of another type."""

def contiguous(a: array, /, allow_col_major: bool = False, *, stream: StreamOrDevice = None) -> array:
    """The same values in row-major memory; column-major is left alone if allowed."""

def stop_gradient(a: array, /, *, stream: StreamOrDevice = None) -> array:
    """The same values, through which no derivative passes."""

def unstack(x: array, /, *, axis: int = 0, stream: StreamOrDevice = None) -> tuple[array, ...]:
    """The slices of an axis, without it."""

def concatenate(arrays: Sequence[array], axis: None | int = 0, *, stream: StreamOrDevice = None) -> array:
    """Joins arrays along an axis; None joins the flattened arrays."""

def stack(arrays: Sequence[array], axis: None | int = 0, *, stream: StreamOrDevice = None) -> array:
    """Joins arrays along a new axis."""

def repeat(array: array, repeats: int, axis: None | int = None, *, stream: StreamOrDevice = None) -> array:
    """Repeats each element along an axis; None repeats those of the flattened array."""

def tile(a: array, reps: int | Sequence[int], /, *, stream: StreamOrDevice = None) -> array:
    """Repeats the whole array along axes."""

def roll(a: array, /, shift: int | Sequence[int], axis: None | int | Sequence[int] = None, *, stream: StreamOrDevice = None) -> array:
    """Shifts elements along axes; those that leave at one end enter at the other. None rolls the flattened array by the sum of the shifts."""

def linspace(start: float, stop: float, num: None | int = 50, endpoint: bool = True, dtype: None | Dtype = float32, *, stream: StreamOrDevice = None) -> array:
    """Numbers evenly spaced from start to stop, which is included if endpoint."""

def zeros(shape: int | Sequence[int], dtype: None | Dtype = float32, *, stream: StreamOrDevice = None) -> array:
    """An array of zeros."""

def ones(shape: int | Sequence[int], dtype: None | Dtype = float32, *, stream: StreamOrDevice = None) -> array:
    """An array of ones."""

def empty(shape: int | Sequence[int], dtype: None | Dtype = float32, *, stream: StreamOrDevice = None) -> array:
    """An array of zeros, as the values must be something."""

def full(shape: int | Sequence[int], vals: scalar | array, dtype: None | Dtype = None, *, stream: StreamOrDevice = None) -> array:
    """Values broadcast to a shape; dtype is what a number becomes, and arrays keep their own."""

def zeros_like(a: array, /, dtype: None | Dtype = None, *, stream: StreamOrDevice = None) -> array:
    """Zeros of the shape, and unless given the type, of an array."""

def ones_like(a: array, /, dtype: None | Dtype = None, *, stream: StreamOrDevice = None) -> array:
    """Ones of the shape, and unless given the type, of an array."""

def empty_like(a: array, /, dtype: None | Dtype = None, *, stream: StreamOrDevice = None) -> array:
    """Zeros of the shape, and unless given the type, of an array."""

def full_like(a: array, vals: scalar | array, dtype: None | Dtype = None, *, stream: StreamOrDevice = None) -> array:
    """Values broadcast to the shape, and unless given the type, of an array."""

def eye(n: int, m: None | int = None, k: int = 0, dtype: None | Dtype = float32, *, stream: StreamOrDevice = None) -> array:
    """Ones on the k-th diagonal of an n x m matrix (m: n), zeros elsewhere."""

def identity(n: int, dtype: None | Dtype = float32, *, stream: StreamOrDevice = None) -> array:
    """Ones on the diagonal of an n x n matrix, zeros elsewhere."""

def tri(n: int, m: None | int = None, k: int = 0, dtype: None | Dtype = float32, *, stream: StreamOrDevice = None) -> array:
    """Ones on and below the k-th diagonal of an n x m matrix (m: n), zeros above."""

def tril(x: array, k: int = 0, *, stream: StreamOrDevice = None) -> array:
    """Zeros above the k-th diagonal of the last two axes."""

def triu(x: array, k: int = 0, *, stream: StreamOrDevice = None) -> array:
    """Zeros below the k-th diagonal of the last two axes."""

def diag(a: array, /, k: int = 0, *, stream: StreamOrDevice = None) -> array:
    """The k-th diagonal of a matrix, or the matrix with a 1-D array as its k-th diagonal."""

def diagonal(a: array, offset: int = 0, axis1: int = 0, axis2: int = 1, *, stream: StreamOrDevice = None) -> array:
    """The diagonal of two axes, as the last axis of the result."""

def trace(a: array, /, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: None | Dtype = None, *, stream: StreamOrDevice = None) -> array:
    """The sum along the diagonal of two axes."""

def meshgrid(*arrays: array, sparse: bool = False, indexing: str = 'xy', stream: StreamOrDevice = None) -> tuple[array, ...]:
    """Coordinate grids of flattened arrays; indexing: 'xy' (the second axis goes with the first array) or 'ij'."""

def sum(array: array, axis: None | int | Sequence[int] = None, keepdims: bool = False, *, stream: StreamOrDevice = None) -> array:
    """Sum over axes; small integers add up in 32 bits, halves in float32."""

def prod(a: array, /, axis: None | int | Sequence[int] = None, keepdims: bool = False, *, stream: StreamOrDevice = None) -> array:
    """Product over axes."""

def max(a: array, /, axis: None | int | Sequence[int] = None, keepdims: bool = False, *, stream: StreamOrDevice = None) -> array:
    """Maximum over axes; NaN wins."""

def min(a: array, /, axis: None | int | Sequence[int] = None, keepdims: bool = False, *, stream: StreamOrDevice = None) -> array:
    """Minimum over axes; NaN wins."""

def minmax(a: array, /, axis: None | int | Sequence[int] = None, keepdims: bool = False, *, stream: StreamOrDevice = None) -> tuple[array, ...]:
    """Minimum and maximum over axes."""

def all(a: array, /, axis: None | int | Sequence[int] = None, keepdims: bool = False, *, stream: StreamOrDevice = None) -> array:
    """Whether all elements are true over axes."""

def any(a: array, /, axis: None | int | Sequence[int] = None, keepdims: bool = False, *, stream: StreamOrDevice = None) -> array:
    """Whether any element is true over axes."""

def mean(a: array, /, axis: None | int | Sequence[int] = None, keepdims: bool = False, *, stream: StreamOrDevice = None) -> array:
    """Arithmetic mean over axes, in floating point; integers and halves do not overflow on the way."""

def var(a: array, /, axis: None | int | Sequence[int] = None, keepdims: bool = False, ddof: int = 0, *, correction: None | int = None, stream: StreamOrDevice = None) -> array:
    """Variance over axes: mean squared distance from the mean, divided by n - ddof. correction is another name of ddof."""

def std(a: array, /, axis: None | int | Sequence[int] = None, keepdims: bool = False, ddof: int = 0, *, correction: None | int = None, stream: StreamOrDevice = None) -> array:
    """Standard deviation over axes: the square root of var."""

def median(a: array, /, axis: None | int | Sequence[int] = None, keepdims: bool = False, *, stream: StreamOrDevice = None) -> array:
    """Median over axes: the mean of the two middle elements where their number is even; NaN wins."""

def count_nonzero(a: array, /, axis: None | int | Sequence[int] = None, *, keepdims: bool = False, stream: StreamOrDevice = None) -> array:
    """Number of elements that are not zero, int32."""

def logsumexp(a: array, /, axis: None | int | Sequence[int] = None, keepdims: bool = False, *, stream: StreamOrDevice = None) -> array:
    """log(sum(exp)) over axes, without overflow."""

def softmax(a: array, /, axis: None | int | Sequence[int] = None, *, precise: bool = False, stream: StreamOrDevice = None) -> array:
    """exp normalised to sum 1 over axes; precise computes halves in float32 throughout."""

def argmax(a: array, /, axis: None | int = None, keepdims: bool = False, *, stream: StreamOrDevice = None) -> array:
    """Index of the first maximum along an axis, or in the flattened array; uint32."""

def argmin(a: array, /, axis: None | int = None, keepdims: bool = False, *, stream: StreamOrDevice = None) -> array:
    """Index of the first minimum along an axis, or in the flattened array; uint32."""

def sort(a: array, /, axis: None | int = -1, *, stream: StreamOrDevice = None) -> array:
    """Sorts along an axis, or the flattened array; stable, NaN comes last."""

def argsort(a: array, /, axis: None | int = -1, *, stream: StreamOrDevice = None) -> array:
    """Indices that sort along an axis, or the flattened array; stable; uint32."""

def partition(a: array, /, kth: int, axis: None | int = -1, *, stream: StreamOrDevice = None) -> array:
    """Moves the kth smallest to its sorted place along an axis: none before it is larger, none after it smaller."""

def argpartition(a: array, /, kth: int, axis: None | int = -1, *, stream: StreamOrDevice = None) -> array:
    """Indices that partition along an axis; uint32."""

def topk(a: array, /, k: int, axis: None | int = -1, *, stream: StreamOrDevice = None) -> array:
    """The k largest along an axis, in no particular order."""

def searchsorted(sorted_sequence: array, values: array, /, side: str = 'left', *, stream: StreamOrDevice = None) -> array:
    """Where values would be inserted into a sorted 1-D sequence: before equal ones (left) or after (right); uint32."""

def take(a: array, /, indices: int | array, axis: None | int = None, *, stream: StreamOrDevice = None) -> array:
    """Elements at indices along an axis, or in the flattened array."""

def take_along_axis(a: array, /, indices: array, axis: None | int = -1, *, stream: StreamOrDevice = None) -> array:
    """Elements at one index for each place along an axis; the other axes broadcast."""

def put_along_axis(a: array, /, indices: array, values: array, axis: None | int = None, *, stream: StreamOrDevice = None) -> array:
    """A copy where values are put at one index for each place along an axis; the other axes broadcast."""

def slice(a: array, start_indices: array, axes: Sequence[int], slice_size: Sequence[int], *, stream: StreamOrDevice = None) -> array:
    """A slice of slice_size whose start along axes is given by an array."""

def slice_update(a: array, update: array, start_indices: array, axes: Sequence[int], *, stream: StreamOrDevice = None) -> array:
    """A copy where a slice whose start along axes is given by an array is replaced by update."""

def astype(a: array, /, dtype: Dtype, *, stream: StreamOrDevice = None) -> array:
    """Converts elements to another type, as C does."""

def matmul(a: array, b: array, /, *, stream: StreamOrDevice = None) -> array:
    """Product of matrices: the last two axes, NumPy's rules for 1-D operands, leading axes broadcast."""

def addmm(c: array, a: array, b: array, /, alpha: float = 1.0, beta: float = 1.0, *, stream: StreamOrDevice = None) -> array:
    """alpha * (a @ b) + beta * c, where c broadcasts to the product. What has the factor 0 is not read."""

def round(a: scalar | array, /, decimals: int = 0, *, stream: StreamOrDevice = None) -> array:
    """Rounds half to even, to `decimals` places after the point."""

def degrees(a: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Radians to degrees."""

def radians(a: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Degrees to radians."""

def positive(a: array, /, *, stream: StreamOrDevice = None) -> array:
    """The array itself."""

def logical_xor(a: scalar | array, b: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise exclusive or of truth values."""

def divmod(a: scalar | array, b: scalar | array, *, stream: StreamOrDevice = None) -> list[array]:
    """Floored quotient and remainder."""

def clip(a: array, /, a_min: None | scalar | array, a_max: None | scalar | array, *, stream: StreamOrDevice = None) -> array:
    """Limits elements to a_min .. a_max; either may be None. Where a_min > a_max the result is a_max."""

def isclose(a: array, b: array, /, rtol: float = 1e-05, atol: float = 1e-08, *, equal_nan: bool = False, stream: StreamOrDevice = None) -> array:
    """Element-wise |a - b| <= atol + rtol |b|; equal infinities are close."""

def allclose(a: array, b: array, /, rtol: float = 1e-05, atol: float = 1e-08, *, equal_nan: bool = False, stream: StreamOrDevice = None) -> array:
    """Whether all elements are close (isclose)."""

def array_equal(a: scalar | array, b: scalar | array, equal_nan: bool = False, *, stream: StreamOrDevice = None) -> array:
    """Whether shapes and all elements are equal."""

def nan_to_num(a: scalar | array, nan: float = 0.0, posinf: None | float = None, neginf: None | float = None, *, stream: StreamOrDevice = None) -> array:
    """Replaces NaN and infinities; infinities become the largest finite numbers of the type by default."""

def cumsum(a: array, /, axis: None | int = None, *, reverse: bool = False, inclusive: bool = True, dtype: None | Dtype = None, stream: StreamOrDevice = None) -> array:
    """Running sum along an axis, or of the flattened array; without the element itself unless inclusive; from the end if reverse."""

def cumprod(a: array, /, axis: None | int = None, *, reverse: bool = False, inclusive: bool = True, dtype: None | Dtype = None, stream: StreamOrDevice = None) -> array:
    """Running product."""

def cummax(a: array, /, axis: None | int = None, *, reverse: bool = False, inclusive: bool = True, stream: StreamOrDevice = None) -> array:
    """Running maximum; NaN wins."""

def cummin(a: array, /, axis: None | int = None, *, reverse: bool = False, inclusive: bool = True, stream: StreamOrDevice = None) -> array:
    """Running minimum; NaN wins."""

def logcumsumexp(a: array, /, axis: None | int = None, *, reverse: bool = False, inclusive: bool = True, stream: StreamOrDevice = None) -> array:
    """Running log(sum(exp)), in floating point."""

def matrix_transpose(a: array, /, *, stream: StreamOrDevice = None) -> array:
    """Exchanges the last two axes."""

def conv1d(input: array, weight: array, /, stride: int = 1, padding: int = 0, dilation: int = 1, groups: int = 1, *, stream: StreamOrDevice = None) -> array:
    """Cross-correlation along one axis: input (N, L, C), weight (O, K, C / groups), result (N, (L + 2 padding - dilation (K - 1) - 1) / stride + 1, O)."""

def conv2d(input: array, weight: array, /, stride: int | Sequence[int] = 1, padding: int | Sequence[int] = 0, dilation: int | Sequence[int] = 1, groups: int = 1, *, stream: StreamOrDevice = None) -> array:
    """Cross-correlation over two axes: input (N, H, W, C), weight (O, KH, KW, C / groups); stride, padding and dilation for both axes or one each."""

def conv3d(input: array, weight: array, /, stride: int | Sequence[int] = 1, padding: int | Sequence[int] = 0, dilation: int | Sequence[int] = 1, groups: int = 1, *, stream: StreamOrDevice = None) -> array:
    """Cross-correlation over three axes: input (N, D, H, W, C), weight (O, KD, KH, KW, C / groups); stride, padding and dilation for all axes or one each."""

def conv_transpose1d(input: array, weight: array, /, stride: int = 1, padding: int = 0, dilation: int = 1, output_padding: int = 0, groups: int = 1, *, stream: StreamOrDevice = None) -> array:
    """Transposed convolution along one axis: input (N, L, C), weight (O, K, C / groups), result (N, (L - 1) stride - 2 padding + dilation (K - 1) + output_padding + 1, O)."""

def conv_transpose2d(input: array, weight: array, /, stride: int | Sequence[int] = 1, padding: int | Sequence[int] = 0, dilation: int | Sequence[int] = 1, output_padding: int | Sequence[int] = 0, groups: int = 1, *, stream: StreamOrDevice = None) -> array:
    """Transposed convolution over two axes: input (N, H, W, C), weight (O, KH, KW, C / groups); sizes as for conv_transpose1d."""

def conv_transpose3d(input: array, weight: array, /, stride: int | Sequence[int] = 1, padding: int | Sequence[int] = 0, dilation: int | Sequence[int] = 1, output_padding: int | Sequence[int] = 0, groups: int = 1, *, stream: StreamOrDevice = None) -> array:
    """Transposed convolution over three axes: input (N, D, H, W, C), weight (O, KD, KH, KW, C / groups); sizes as for conv_transpose1d."""

def conv_general(input: array, weight: array, /, stride: int | Sequence[int] = 1, padding: int | Sequence[int] = 0, kernel_dilation: int | Sequence[int] = 1, input_dilation: int | Sequence[int] = 1, groups: int = 1, flip: bool = False, *, padding_high: None | Sequence[int] = None, stream: StreamOrDevice = None) -> array:
    """Cross-correlation over one to three axes: input (N, spatial..., C), weight (O, window..., C / groups). input_dilation puts zeros between the elements, flip turns the window round, which makes it a convolution. padding: zeros before and after each axis, or before it where padding_high says how many after; negative numbers cut. Python also takes both as padding=(before, after)."""

def convolve(a: array, v: array, /, mode: str = 'full', *, stream: StreamOrDevice = None) -> array:
    """Convolution of two sequences, the longer one first: full has all overlaps, n + m - 1 of them, same the middle ones, as many as the longer has elements, valid those without padding."""

def einsum(subscripts: str, *operands: array, stream: StreamOrDevice = None) -> array:
    """Sums of products over labelled axes. subscripts: the labels of each operand's axes, letters, separated by commas, then -> and the labels of the result. Labels that the result lacks are summed over; a label that an operand repeats takes its diagonal; ... stands for any further axes, which broadcast. Without -> the result has the axes of ..., then the labels that occur once, in alphabetical order. Sums of products are matrix products and take inexact types; operands are contracted in the order that einsum_path tells."""

def inner(a: array, b: array, /, *, stream: StreamOrDevice = None) -> array:
    """Sum of products over the last axes of a and b; the product where one of them is 0-d. Inexact types."""

def outer(a: array, b: array, /, *, stream: StreamOrDevice = None) -> array:
    """Products of all elements of a with all of b: a matrix with a row for each element of the flattened a."""

def kron(a: array, b: array, *, stream: StreamOrDevice = None) -> array:
    """Kronecker product: blocks of b, each multiplied by an element of a. The array with fewer axes gets axes of size 1 in front."""

def vecdot(a: array, b: array, /, axis: int = -1, *, stream: StreamOrDevice = None) -> array:
    """Sum of products along an axis, of the complex conjugate of a; other axes broadcast. Small integers add up in 32 bits, halves in float32."""

def diff(a: array, /, n: int = 1, axis: int = -1, *, stream: StreamOrDevice = None) -> array:
    """Differences of neighbours along an axis, taken n times, which shortens the axis by n; of bool: whether they differ."""

def unique(a: array, /, size: int, return_index: bool = False, return_inverse: bool = False, return_counts: bool = False, fill_value: None | scalar | array = None, *, stream: StreamOrDevice = None) -> Any:
    """The sorted distinct elements of the flattened array: `size` of them, cut off or filled up with fill_value (the smallest element by default). On request also, in this order: the index where each occurs first, uint32; for each element of a the index of its value, uint32, in a's shape; how often each occurs, int32, 0 for filled places. Python returns the values alone when nothing else is asked for, a tuple otherwise."""

def quantize(w: array, /, group_size: None | int = None, bits: None | int = None, mode: str = 'affine', global_scale: None | array = None, *, stream: StreamOrDevice = None) -> list[array]:
    """Stores w (at least 2-D, a float type) in few bits: each group_size elements of a row share a scale. Returns codes packed in uint32, low bits first, scales and, in the affine mode, biases. Modes: 'affine' (codes * scale + bias; groups of 32, 64 or 128, 1 to 6 or 8 bits, by default 64 and 4), 'mxfp4' and 'mxfp8' (E2M1 and E4M3 numbers, groups of 32, power-of-two scales), 'nvfp4' (E2M1, groups of 16, E4M3 scales, which a float32 global_scale, the largest magnitude of w, makes finer)."""

def dequantize(w: array, /, scales: array, biases: None | array = None, group_size: None | int = None, bits: None | int = None, mode: str = 'affine', global_scale: None | array = None, dtype: None | Dtype = None, *, stream: StreamOrDevice = None) -> array:
    """The numbers that quantize stored, in the type of scales and biases, or in dtype; modes without biases give bfloat16 by default, float32 with a global scale."""

def quantized_matmul(x: array, w: array, /, scales: array, biases: None | array = None, transpose: bool = True, group_size: None | int = None, bits: None | int = None, mode: str = 'affine', *, stream: StreamOrDevice = None) -> array:
    """x (..., m, k) times the quantized matrix w (n, k), transposed: x @ w.T; or x @ w for w (k, n) when transpose is false. Leading axes broadcast; sums are float32. The result has the type of x, scales and biases together, or of x alone in modes without biases."""

def gather_qmm(x: array, w: array, /, scales: array, biases: None | array = None, lhs_indices: None | array = None, rhs_indices: None | array = None, transpose: bool = True, group_size: None | int = None, bits: None | int = None, mode: str = 'affine', global_scale: None | array = None, *, sorted_indices: bool = False, stream: StreamOrDevice = None) -> array:
    """quantized_matmul of x's matrices lhs_indices with w's matrices rhs_indices: flat indices over the leading axes, which broadcast against each other; None takes each matrix in turn. global_scale: one for each matrix of w ('nvfp4'). Negative indices count from the end; others out of range raise IndexError."""

def gather_mm(a: array, b: array, /, lhs_indices: None | array = None, rhs_indices: None | array = None, *, sorted_indices: bool = False, stream: StreamOrDevice = None) -> array:
    """Products of a's matrices lhs_indices with b's matrices rhs_indices: flat indices over the leading axes, which broadcast against each other; None takes each matrix in turn. Negative indices count from the end; others out of range raise IndexError."""

def segmented_mm(a: array, b: array, /, segments: array, *, stream: StreamOrDevice = None) -> array:
    """a[:, start:stop] @ b[start:stop] for each pair (start, stop) of segments (..., 2): a (m, k), b (k, n), result (..., m, n). Zeros where stop <= start; IndexError for a segment beyond k."""

def block_masked_mm(a: array, b: array, /, block_size: int = 64, mask_out: None | array = None, mask_lhs: None | array = None, mask_rhs: None | array = None, *, stream: StreamOrDevice = None) -> array:
    """a @ b where blocks of block_size x block_size (32 or 64) are left out, or multiplied by a factor: mask_lhs and mask_rhs have one element, truth value or number, for each block of a and b, mask_out for each of the result; their leading axes broadcast."""

def qqmm(x: array, w: array, scales: None | array = None, group_size: None | int = None, bits: None | int = None, mode: str = 'nvfp4', global_scale_x: None | array = None, global_scale_w: None | array = None, *, stream: StreamOrDevice = None) -> array:
    """x (..., k) @ w.T where both are quantized ('nvfp4', 'mxfp8', 'mxfp4'): x on the fly, w (n, k) too unless scales are given. Derivatives pass through the rounding as if it were not there. Global scales, of x and w, come together."""

def gather_qqmm(x: array, w: array, /, scales: None | array = None, lhs_indices: None | array = None, rhs_indices: None | array = None, group_size: None | int = None, bits: None | int = None, mode: str = 'nvfp4', global_scale_x: None | array = None, global_scale_w: None | array = None, *, sorted_indices: bool = False, stream: StreamOrDevice = None) -> array:
    """qqmm of x's matrices lhs_indices with w's matrices rhs_indices, as in gather_qmm."""

def to_fp8(x: array, *, stream: StreamOrDevice = None) -> array:
    """E4M3 codes, uint8, of float numbers: to nearest, ties to even; beyond 448, infinite and NaN give 448 with its sign."""

def from_fp8(x: array, dtype: Dtype = bfloat16, *, stream: StreamOrDevice = None) -> array:
    """The numbers that E4M3 codes (uint8) stand for, in a float type."""

def bartlett(M: int, *, stream: StreamOrDevice = None) -> array:
    """Bartlett window: 1 - |2 n / (M - 1) - 1|, n = 0 ... M - 1; float32, [1] for M = 1, empty for M < 1."""

def blackman(M: int, *, stream: StreamOrDevice = None) -> array:
    """Blackman window: 0.42 - 0.5 cos(2 pi n / (M - 1)) + 0.08 cos(4 pi n / (M - 1)), n = 0 ... M - 1; float32, [1] for M = 1, empty for M < 1."""

def hamming(M: int, *, stream: StreamOrDevice = None) -> array:
    """Hamming window: 0.54 - 0.46 cos(2 pi n / (M - 1)), n = 0 ... M - 1; float32, [1] for M = 1, empty for M < 1."""

def hanning(M: int, *, stream: StreamOrDevice = None) -> array:
    """Hann window: 0.5 - 0.5 cos(2 pi n / (M - 1)), n = 0 ... M - 1; float32, [1] for M = 1, empty for M < 1."""

def hadamard_transform(a: array, scale: None | float = None, *, stream: StreamOrDevice = None) -> array:
    """Product of the Hadamard matrix with the last axis, of size m * 2^k with m = 1, 12, 20 or 28, times scale (1 / sqrt(size), which makes it orthogonal). Floating types keep their type, others become float32; halves add up in float32."""

acos = arccos
acosh = arccosh
asin = arcsin
asinh = arcsinh
atan = arctan
atan2 = arctan2
atanh = arctanh
bitwise_left_shift = left_shift
bitwise_right_shift = right_shift
concat = concatenate
conj = conjugate
cumulative_prod = cumprod
cumulative_sum = cumsum
empty = zeros
empty_like = zeros_like
matrix_norm = linalg_norm
pow = power

class _random(_random_overloads, _random_head):
    def key(self, seed: int, *, stream: StreamOrDevice = None) -> array:
        """The key of a seed: [seed >> 32, seed & 0xffffffff] as uint32."""

    def split(self, key: array, num: int = 2, *, stream: StreamOrDevice = None) -> array:
        """Independent keys made of one: shape (num, 2)."""

    def bits(self, shape: Sequence[int] = (), width: int = 4, key: None | array = None, *, stream: StreamOrDevice = None) -> array:
        """Random unsigned integers of `width` bytes (1, 2, 4 or 8); one block of them for each key of shape (..., 2)."""

    def uniform(self, low: scalar | array = 0, high: scalar | array = 1, shape: Sequence[int] = (), dtype: None | Dtype = float32, key: None | array = None, *, stream: StreamOrDevice = None) -> array:
        """Numbers evenly distributed in [low, high)."""

    def normal(self, shape: Sequence[int] = (), dtype: None | Dtype = float32, loc: None | scalar | array = None, scale: None | scalar | array = None, key: None | array = None, *, stream: StreamOrDevice = None) -> array:
        """Normally distributed numbers with mean loc and standard deviation scale."""

    def randint(self, low: scalar | array, high: scalar | array, shape: Sequence[int] = (), dtype: None | Dtype = int32, key: None | array = None, *, stream: StreamOrDevice = None) -> array:
        """Integers evenly distributed in [low, high)."""

    def bernoulli(self, p: scalar | array = 0.5, shape: None | Sequence[int] = None, key: None | array = None, *, stream: StreamOrDevice = None) -> array:
        """True with probability p; of p's shape unless given."""

    def truncated_normal(self, lower: scalar | array, upper: scalar | array, shape: None | Sequence[int] = None, dtype: None | Dtype = float32, key: None | array = None, *, stream: StreamOrDevice = None) -> array:
        """Normally distributed numbers, limited to [lower, upper]; of the bounds' shape unless given."""

    def gumbel(self, shape: Sequence[int] = (), dtype: None | Dtype = float32, key: None | array = None, *, stream: StreamOrDevice = None) -> array:
        """Numbers from the standard Gumbel distribution."""

    def laplace(self, shape: Sequence[int] = (), dtype: None | Dtype = float32, loc: float = 0.0, scale: float = 1.0, key: None | array = None, *, stream: StreamOrDevice = None) -> array:
        """Numbers from the Laplace distribution."""

    def categorical(self, logits: array, axis: int = -1, shape: None | Sequence[int] = None, num_samples: None | int = None, key: None | array = None, *, stream: StreamOrDevice = None) -> array:
        """Indices drawn with the probabilities softmax(logits) along an axis, uint32; shape or num_samples says how many."""

    def multivariate_normal(self, mean: array, cov: array, shape: Sequence[int] = (), dtype: None | Dtype = float32, key: None | array = None, *, stream: StreamOrDevice = None) -> array:
        """Numbers from normal distributions with means (..., n) and covariances (..., n, n), positive semidefinite: shape (shape, n), by default that of mean and covariance together. float32 alone."""

random: _random

class _fast(_fast_head):
    def rms_norm(self, x: array, weight: None | array, eps: float, *, stream: StreamOrDevice = None) -> array:
        """x / sqrt(mean(x^2) + eps) over the last axis, in float32 for halves, then times weight, of that axis' size."""

    def layer_norm(self, x: array, weight: None | array, bias: None | array, eps: float, *, stream: StreamOrDevice = None) -> array:
        """(x - mean) / sqrt(variance + eps) over the last axis, in float32 for halves, then times weight, then plus bias, each of that axis' size."""

    def rope(self, a: array, dims: int, *, traditional: bool, base: None | float, scale: float, offset: scalar | array, freqs: None | array = None, stream: StreamOrDevice = None) -> array:
        """Rotary position embedding of a (batch, ..., time, features): turns pairs of the first dims features by (time + offset) * scale * base^(-2 i / dims), or divided by freqs (dims / 2). Pairs are neighbours if traditional, else halves. offset: an integer, or one for each batch."""

    def scaled_dot_product_attention(self, q: array, k: array, v: array, *, scale: float, mask: None | str | array = None, sinks: None | array = None, force_fused: bool = False, stream: StreamOrDevice = None) -> array:
        """softmax(q k^T * scale, masked) v in float32 or better, without the matrix of scores. q: (batch, heads, length, features); k, v: heads and lengths of their own, heads dividing those of q; v: any size of features. mask: 'causal' (aligned to the last key), bool (true: seen) or added, of a shape that broadcasts to (batch, heads, length of q, length of k). sinks: for each head of q one more score, without value. force_fused has nothing to force: this is fused for all types and shapes."""

    def cross_entropy(self, logits: array, targets: array, *, stream: StreamOrDevice = None) -> array:
        """Cross entropy of class indices: log(sum(exp(logits))) - logits[target] over the last axis, in one pass, in float32 for halves. logits: floating point, (..., classes). targets: integers (...), in [-classes, classes), checked at evaluation. The loss is float32, in the targets' shape."""

    def gated_delta_update(self, q: array, k: array, v: array, gamma: array, beta: array, initial_state: None | array = None, mask: None | array = None, *, stream: StreamOrDevice = None) -> list[array]:
        """The gated delta rule over time: for each head a state S (values, keys) becomes gamma S + beta (v - gamma S k) k^T, and the result is S q. q, k: (batch, time, heads, keys); v: (batch, time, heads of v, values), the latter a multiple of q's heads, each of which serves as many neighbours. gamma, beta: (batch, time, heads of v); gamma also (batch, time, heads of v, keys): a decay for each key. initial_state: (batch, heads of v, values, keys), zeros by default. mask: (batch, time); where it is false the state stays and the result is 0. Returns the result, in the type of q and k, and the last state, in float32 or float64."""

fast: _fast

class _linalg(_linalg_head):
    def cholesky(self, a: array, upper: bool = False, *, stream: StreamOrDevice = None) -> array:
        """The Cholesky factor of symmetric or Hermitian positive definite matrices (..., n, n): L of a = L L^H, or U of a = U^H U if upper. Reads that triangle of a alone, and of its diagonal the real parts. RuntimeError at evaluation when a matrix is not positive definite. Takes float32, float64 and complex64."""

    def cholesky_inv(self, a: array, upper: bool = False, *, stream: StreamOrDevice = None) -> array:
        """The inverse of the matrices whose Cholesky factors are given: of a a^H for lower triangles a, of a^H a for upper ones. Takes float32, float64 and complex64."""

    def cross(self, a: array, b: array, axis: int = -1, *, stream: StreamOrDevice = None) -> array:
        """The cross product along an axis of size 2 or 3; of 2 numbers the third is 0. Leading axes broadcast; any type."""

    def det(self, a: array, *, stream: StreamOrDevice = None) -> array:
        """Determinants of square matrices (..., n, n), in float32 unless they are float64 or complex64; halves are computed in float32 and rounded."""

    def eig(self, a: array, *, stream: StreamOrDevice = None) -> tuple[array, ...]:
        """Eigenvalues (..., n) and normalized right eigenvectors (..., n, n), as columns, of square matrices; complex64 also for real matrices. Derivatives through the vectors need values that differ. Takes float32, float64 and complex64."""

    def eigvals(self, a: array, *, stream: StreamOrDevice = None) -> array:
        """Eigenvalues (..., n) of square matrices, in no order; complex64 also for real matrices. Takes float32, float64 and complex64."""

    def eigh(self, a: array, UPLO: str = 'L', *, stream: StreamOrDevice = None) -> tuple[array, ...]:
        """Eigenvalues (..., n), ascending, and orthonormal eigenvectors (..., n, n), as columns, of symmetric or Hermitian matrices, of which the triangle UPLO ('L' or 'U') is read. Derivatives through the vectors need values that differ. Takes float32, float64 and complex64."""

    def eigvalsh(self, a: array, UPLO: str = 'L', *, stream: StreamOrDevice = None) -> array:
        """Eigenvalues (..., n), ascending, of symmetric or Hermitian matrices, of which the triangle UPLO ('L' or 'U') is read. Takes float32, float64 and complex64."""

    def inv(self, a: array, *, stream: StreamOrDevice = None) -> array:
        """Inverses of square matrices. RuntimeError at evaluation when one is singular. Takes float32, float64 and complex64."""

    def lu(self, a: array, *, stream: StreamOrDevice = None) -> tuple[array, ...]:
        """LU factorization of matrices (..., m, n) with exchanged rows: p (..., m), L (..., m, k) with ones on the diagonal, U (..., k, n), k = min(m, n), such that a = L[p] @ U; p is uint32. Takes float32, float64 and complex64."""

    def lu_factor(self, a: array, *, stream: StreamOrDevice = None) -> tuple[array, ...]:
        """LU factorization in one matrix: U on and above the diagonal, L below it, and the row (from 0) that each step exchanged with its own, uint32. Takes float32, float64 and complex64."""

    def norm(self, a: array, /, ord: None | int | float | str = None, axis: None | int | Sequence[int] = None, keepdims: bool = False, *, stream: StreamOrDevice = None) -> array:
        """Norms of vectors (one axis) or matrices (two axes, or a itself). ord for vectors: a number p, sum(|x|^p)^(1/p); inf, -inf; 0 counts what is not 0. For matrices: 'fro' (default), 'nuc' (sum of singular values), 1, -1 (largest, smallest sum of a column), inf, -inf (of a row), 2, -2 (largest, smallest singular value). Without ord, the 2-norm over all the axes given, or of the flattened array. Complex numbers count by magnitude."""

    def pinv(self, a: array, *, stream: StreamOrDevice = None) -> array:
        """The Moore-Penrose pseudo-inverse (..., n, m) of matrices (..., m, n). Singular values up to 10 max(m, n) epsilon of the largest count as 0. Takes float32, float64 and complex64."""

    def qr(self, a: array, *, stream: StreamOrDevice = None) -> tuple[array, ...]:
        """QR factorization of matrices (..., m, n): orthonormal columns (..., m, k) and upper triangles (..., k, n), k = min(m, n), with a real diagonal. Takes float32, float64 and complex64."""

    def slogdet(self, a: array, *, stream: StreamOrDevice = None) -> tuple[array, ...]:
        """Sign (-1, 0, 1; for complex64 a complex number of magnitude 1, or 0) and logarithm of the magnitude of determinants; 0 and -inf for singular matrices. In float32 unless the matrices are float64, or the sign's complex64; halves are computed in float32 and rounded."""

    def solve(self, a: array, b: array, *, stream: StreamOrDevice = None) -> array:
        """X of a X = b for square matrices a (..., n, n): b is one vector (n,), or (..., n, columns); leading axes broadcast. RuntimeError at evaluation when a matrix is singular. Takes what promotes to float32, float64 or complex64."""

    def solve_triangular(self, a: array, b: array, *, upper: bool = False, stream: StreamOrDevice = None) -> array:
        """X of a X = b, where only the lower, or the upper, triangle of a is read; shapes as in solve. RuntimeError at evaluation when the diagonal has a 0. Takes what promotes to float32, float64 or complex64."""

    def svd(self, a: array, compute_uv: bool = True, *, stream: StreamOrDevice = None) -> Any:
        """Singular value decomposition of matrices (..., m, n): U (..., m, m), values (..., k), descending, k = min(m, n), and the conjugate transpose of V (..., n, n); the values alone unless compute_uv. Derivatives through U and V need values that differ. Takes float32, float64 and complex64."""

    def tri_inv(self, a: array, upper: bool = False, *, stream: StreamOrDevice = None) -> array:
        """Inverses of triangles: the lower one of each matrix, or the upper one. The other is not read. Takes float32, float64 and complex64."""

linalg: _linalg

class _fft(_fft_head):
    def fft(self, a: array, n: None | int = None, axis: int = -1, norm: str = 'backward', *, stream: StreamOrDevice = None) -> array:
        """Discrete Fourier transform along an axis, cut or padded with zeros to n elements; complex64. norm: 'backward' divides the inverse by its length, 'forward' the other, 'ortho' both by its root."""

    def ifft(self, a: array, n: None | int = None, axis: int = -1, norm: str = 'backward', *, stream: StreamOrDevice = None) -> array:
        """Inverse discrete Fourier transform along an axis, cut or padded with zeros to n elements; complex64. norm: as for fft."""

    def rfft(self, a: array, n: None | int = None, axis: int = -1, norm: str = 'backward', *, stream: StreamOrDevice = None) -> array:
        """Discrete Fourier transform of real numbers (imaginary parts are dropped) along an axis, cut or padded with zeros to n elements: the first n / 2 + 1 elements, complex64; the others are their conjugates. norm: as for fft."""

    def irfft(self, a: array, n: None | int = None, axis: int = -1, norm: str = 'backward', *, stream: StreamOrDevice = None) -> array:
        """Inverse of rfft along an axis: n real numbers, float32, from n / 2 + 1 elements, to which the axis is cut or padded with zeros; n: 2 (size - 1). norm: as for fft."""

    def fft2(self, a: array, s: None | Sequence[int] = None, axes: None | Sequence[int] = (-2, -1), norm: str = 'backward', *, stream: StreamOrDevice = None) -> array:
        """Discrete Fourier transform over axes, each cut or padded with zeros to its size in s; complex64. norm: as for fft."""

    def ifft2(self, a: array, s: None | Sequence[int] = None, axes: None | Sequence[int] = (-2, -1), norm: str = 'backward', *, stream: StreamOrDevice = None) -> array:
        """Inverse discrete Fourier transform over axes, each cut or padded with zeros to its size in s; complex64. norm: as for fft."""

    def rfft2(self, a: array, s: None | Sequence[int] = None, axes: None | Sequence[int] = (-2, -1), norm: str = 'backward', *, stream: StreamOrDevice = None) -> array:
        """Discrete Fourier transform of real numbers over axes, sizes s: rfft along the last of them, fft along the others; complex64. norm: as for fft."""

    def irfft2(self, a: array, s: None | Sequence[int] = None, axes: None | Sequence[int] = (-2, -1), norm: str = 'backward', *, stream: StreamOrDevice = None) -> array:
        """Inverse of rfft2: ifft along all but the last of the axes, irfft along the last; sizes s of the result; float32. norm: as for fft."""

    def fftn(self, a: array, s: None | Sequence[int] = None, axes: None | Sequence[int] = None, norm: str = 'backward', *, stream: StreamOrDevice = None) -> array:
        """Discrete Fourier transform over axes (all unless given), each cut or padded with zeros to its size in s, which needs axes; complex64. norm: as for fft."""

    def ifftn(self, a: array, s: None | Sequence[int] = None, axes: None | Sequence[int] = None, norm: str = 'backward', *, stream: StreamOrDevice = None) -> array:
        """Inverse discrete Fourier transform over axes (all unless given), each cut or padded with zeros to its size in s, which needs axes; complex64. norm: as for fft."""

    def rfftn(self, a: array, s: None | Sequence[int] = None, axes: None | Sequence[int] = None, norm: str = 'backward', *, stream: StreamOrDevice = None) -> array:
        """Discrete Fourier transform of real numbers over axes (all unless given), sizes s, which need axes: rfft along the last, fft along the others; complex64. norm: as for fft."""

    def irfftn(self, a: array, s: None | Sequence[int] = None, axes: None | Sequence[int] = None, norm: str = 'backward', *, stream: StreamOrDevice = None) -> array:
        """Inverse of rfftn: ifft along all but the last of the axes (all unless given), irfft along the last; sizes s of the result, which need axes; float32. norm: as for fft."""

    def fftshift(self, a: array, axes: None | int | Sequence[int] = None, *, stream: StreamOrDevice = None) -> array:
        """Moves frequency 0 to the middle of axes (all unless given)."""

    def ifftshift(self, a: array, axes: None | int | Sequence[int] = None, *, stream: StreamOrDevice = None) -> array:
        """Undoes fftshift: moves the middle of axes (all unless given) to the front."""

    def fftfreq(self, n: int, d: float = 1.0, *, stream: StreamOrDevice = None) -> array:
        """Frequencies of the elements of fft, in cycles per unit of the sample spacing d: k / (n d), k = 0 ... (n - 1) / 2, then -(n / 2) ... -1; float32."""

    def rfftfreq(self, n: int, d: float = 1.0, *, stream: StreamOrDevice = None) -> array:
        """Frequencies of the elements of rfft, in cycles per unit of the sample spacing d: k / (n d), k = 0 ... n / 2; float32."""

    def stft(self, x: array, n_fft: int = 2048, hop_length: None | int = None, win_length: None | int = None, window: None | array = None, center: bool = True, pad_mode: str = 'reflect', norm: str = 'backward', onesided: None | int = None, *, stream: StreamOrDevice = None) -> array:
        """Short-time Fourier transform of the last axis: frames of n_fft elements, hop_length (n_fft / 4) apart, times window (1-D, zeros around it; else win_length ones), each transformed; (..., frequencies, frames), complex64. center pads n_fft / 2 elements at both ends as pad_mode says (reflect, constant, edge, symmetric). onesided: n_fft / 2 + 1 frequencies, the default for real numbers."""

    def istft(self, stft_matrix: array, n_fft: None | int = None, hop_length: None | int = None, win_length: None | int = None, window: None | array = None, center: bool = True, norm: str = 'backward', onesided: None | int = None, length: None | int = None, *, stream: StreamOrDevice = None) -> array:
        """Signal, float32, from its short-time Fourier transform (..., frequencies, frames): inverse transforms times window, added where they overlap, divided by the sum of squared windows. Arguments as for stft; n_fft unless given: 2 (frequencies - 1), or their number if onesided is False (the default is True). length: cut or padded with zeros to that many elements."""

fft: _fft
