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

