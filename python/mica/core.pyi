"""mica.core: arrays, operations, transformations, streams and memory."""

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, TypeAlias, TypeVar

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

StreamOrDevice: TypeAlias = None | Stream | Device | DeviceType

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
    def at(self) -> Any: ...
    def item(self) -> scalar: ...
    def tolist(self) -> Any: ...
    def astype(self, dtype: Dtype, stream: StreamOrDevice = None) -> array: ...
    # Methods that stand for functions of this module, and operators.
    def __getattr__(self, name: str) -> Callable[..., Any]: ...
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
def stream(s: StreamOrDevice) -> Any: ...
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
def load(file: Any, /, format: str | None = None, return_metadata: bool = False) -> Any: ...
def save(file: Any, arr: array) -> None: ...
def save_safetensors(
    file: Any, arrays: dict[str, array], metadata: dict[str, str] | None = None
) -> None: ...
def get_active_memory() -> int: ...
def get_peak_memory() -> int: ...
def reset_peak_memory() -> None: ...
def get_cache_memory() -> int: ...
def set_memory_limit(limit: int) -> int: ...
def set_cache_limit(limit: int) -> int: ...
def get_memory_limit() -> int: ...
def clear_cache() -> None: ...

class _random_head:
    def seed(self, seed: int) -> None: ...
    state: list[array]

class _fast_head: ...
class _linalg_head: ...
class _fft_head: ...

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

def bitwise_invert(a: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise bitwise not; logical not of bool."""

def conjugate(a: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise complex conjugate; real numbers pass."""

def real(a: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise real part."""

def imag(a: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise imaginary part: zeros for real numbers."""

def isnan(a: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise test for NaN."""

def isinf(a: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise test for positive or negative infinity."""

def isfinite(a: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise test for finite numbers."""

def isposinf(a: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise test for positive infinity."""

def isneginf(a: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise test for negative infinity."""

def add(a: scalar | array, b: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise sum."""

def subtract(a: scalar | array, b: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise difference."""

def multiply(a: scalar | array, b: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise product."""

def divide(a: scalar | array, b: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise quotient, in floating point."""

def floor_divide(a: scalar | array, b: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise quotient rounded down; integer division by 0 gives 0."""

def remainder(a: scalar | array, b: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
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

def equal(a: scalar | array, b: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise equality."""

def not_equal(a: scalar | array, b: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise inequality."""

def less(a: scalar | array, b: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise a < b."""

def less_equal(a: scalar | array, b: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise a <= b."""

def greater(a: scalar | array, b: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise a > b."""

def greater_equal(a: scalar | array, b: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise a >= b."""

def logical_and(a: scalar | array, b: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise logical and."""

def logical_or(a: scalar | array, b: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise logical or."""

def bitwise_and(a: scalar | array, b: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise bitwise and; logical and of bool."""

def bitwise_or(a: scalar | array, b: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise bitwise or; logical or of bool."""

def bitwise_xor(a: scalar | array, b: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise bitwise exclusive or."""

def left_shift(a: scalar | array, b: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise shift of bits to the left."""

def right_shift(a: scalar | array, b: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Element-wise shift of bits to the right."""

def where(condition: scalar | array, x: scalar | array, y: scalar | array, /, *, stream: StreamOrDevice = None) -> array:
    """Takes elements of x where condition is true, of y elsewhere."""

acos = arccos
acosh = arccosh
asin = arcsin
asinh = arcsinh
atan = arctan
atan2 = arctan2
atanh = arctanh
bitwise_left_shift = left_shift
bitwise_right_shift = right_shift
conj = conjugate
pow = power
