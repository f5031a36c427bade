/* Short-time Fourier transforms: frames are a strided view of the padded signal, and overlapping
   frames are added as rows of a sheared matrix. */
#include "ops/shape.h"

typedef struct frames {
    const char *name;
    int64_t size, hop;
    mica_array *window; /* `size` elements, or NULL: ones */
} frames;

static bool check(mica_scope *s, frames *f, int64_t n_fft, int64_t hop, int64_t win_length,
                  mica_array *window)
{
    if (n_fft < 1)
        return mica__error(s, MICA_EVALUE, "[%s] n_fft must be positive, not %lld", f->name,
                           (long long)n_fft);
    if (hop == MICA_NO_INTEGER) hop = n_fft / 4;
    if (hop < 1)
        return mica__error(s, MICA_EVALUE,
                           "[%s] hop_length must be positive, not %lld (n_fft / 4 unless given)",
                           f->name, (long long)hop);
    f->size = n_fft;
    f->hop = hop;
    if (window && window->ndim != 1)
        return mica__error(s, MICA_EVALUE, "[%s] window must be a 1-D array, its shape is %s",
                           f->name, mica__shape_text(mica__dims_of(window)));
    int64_t length = window ? window->shape[0] : win_length == MICA_NO_INTEGER ? n_fft : win_length;
    if (length < 0 || length > n_fft)
        return mica__error(s, MICA_EVALUE,
                           "[%s] a window of %lld elements: 0 to n_fft = %lld are accepted",
                           f->name, (long long)length, (long long)n_fft);
    if (!window && length == n_fft) return true;
    if (!window) window = mica__full(s, MICA_SHAPE(length), 1, MICA_FLOAT32);
    int64_t low = (n_fft - length) / 2;
    f->window = mica_pad(s, window, MICA_SHAPE(low), MICA_SHAPE(n_fft - length - low), "constant",
                         mica_integer(s, 0));
    return f->window != NULL;
}

/* Puts `before` and `after` elements around the last axis. */
static mica_array *pad_last(mica_scope *s, mica_array *x, int axis, int64_t before, int64_t after,
                            const char *mode)
{
    int64_t low[MICA_MAX_NDIM] = { 0 }, high[MICA_MAX_NDIM] = { 0 };
    if (!x) return NULL;
    low[axis] = before;
    high[axis] = after;
    return mica_pad(s, x, (mica_dims){ x->ndim, low }, (mica_dims){ x->ndim, high }, mode,
                    mica_integer(s, 0));
}

mica_array *mica_fft_stft(mica_scope *s, mica_array *x, int64_t n_fft, int64_t hop_length,
                          int64_t win_length, mica_array *window, bool center, const char *pad_mode,
                          const char *norm, int64_t onesided)
{
    frames f = { .name = "stft" };
    x = mica__operand(s, x);
    if (!mica__ready(s, x)) return NULL;
    if (x->ndim < 1 || x->ndim >= MICA_MAX_NDIM)
        return mica__error(s, MICA_EVALUE, "[stft] the signal must have 1 to %d axes, not %d",
                           MICA_MAX_NDIM - 1, x->ndim);
    if (!check(s, &f, n_fft, hop_length, win_length, window)) return NULL;
    bool half = onesided == MICA_NO_INTEGER ? x->dtype != MICA_COMPLEX64 : onesided != 0;
    x = mica__cast(s, x, half ? MICA_FLOAT32 : MICA_COMPLEX64);
    if (!x) return NULL;
    int last = x->ndim - 1;
    if (center) x = pad_last(s, x, last, n_fft / 2, n_fft / 2, pad_mode);
    if (!x) return NULL;
    if (x->shape[last] < n_fft)
        return mica__error(s, MICA_EVALUE,
                           "[stft] a signal of %lld elements is too short for n_fft = %lld",
                           (long long)x->shape[last], (long long)n_fft);
    int64_t shape[MICA_MAX_NDIM], strides[MICA_MAX_NDIM], order[MICA_MAX_NDIM];
    mica__row_major(x->ndim, x->shape, strides);
    for (int i = 0; i < last; i++) shape[i] = x->shape[i], order[i] = i;
    shape[last] = (x->shape[last] - n_fft) / f.hop + 1;
    shape[last + 1] = n_fft;
    strides[last] = f.hop;
    strides[last + 1] = 1;
    x = mica_as_strided(s, x, (mica_dims){ last + 2, shape }, (mica_dims){ last + 2, strides }, 0);
    if (f.window && x) x = mica_multiply(s, x, mica__cast(s, f.window, (mica_dtype)x->dtype));
    x = half ? mica_fft_rfft(s, x, MICA_NO_INTEGER, -1, norm)
             : mica_fft_fft(s, x, MICA_NO_INTEGER, -1, norm);
    order[last] = last + 1;
    order[last + 1] = last;
    return x ? mica__permute(s, x, order) : NULL;
}

/* Adds frames (..., count, size), each hop after the one before: (..., size + hop (count - 1)).
   A frame is cut into r pieces of hop elements, (..., r, count, hop); piece i of frame f belongs to
   place f + i. With r zero frames behind, rows of count + r - 1 instead of count + r shift each
   line of pieces by one more place. */
static mica_array *overlap_add(mica_scope *s, mica_array *a, int64_t hop)
{
    if (!a) return NULL;
    int last = a->ndim - 1;
    int64_t count = a->shape[last - 1], size = a->shape[last], r = (size + hop - 1) / hop,
            batch = 1;
    for (int i = 0; i < last - 1; i++) batch *= a->shape[i];
    int64_t total = size + hop * (count - 1), shape[MICA_MAX_NDIM];
    for (int i = 0; i < last - 1; i++) shape[i] = a->shape[i];
    shape[last - 1] = total;
    a = mica__reshape(s, a, 3, (int64_t[]){ batch, count, size });
    a = pad_last(s, a, 2, 0, r * hop - size, "constant");
    a = pad_last(s, a, 1, 0, r, "constant");
    if (a) a = mica__reshape(s, a, 4, (int64_t[]){ batch, count + r, r, hop });
    if (a) a = mica__permute(s, a, (int64_t[]){ 0, 2, 1, 3 });
    if (a) a = mica__reshape(s, a, 3, (int64_t[]){ batch, r * (count + r), hop });
    if (a) a = mica__slice_axis(s, a, 1, 0, r * (count + r - 1));
    if (a) a = mica__reshape(s, a, 4, (int64_t[]){ batch, r, count + r - 1, hop });
    a = mica_sum(s, a, MICA_AXES(1), false);
    if (a) a = mica__reshape(s, a, 2, (int64_t[]){ batch, (count + r - 1) * hop });
    if (a) a = mica__slice_axis(s, a, 1, 0, total);
    return a ? mica__reshape(s, a, last, shape) : NULL;
}

/* What the frames' windows add up to, squared, at each place; kept away from 0. */
static mica_array *envelope(mica_scope *s, const frames *f, int64_t count)
{
    mica_array *w =
        f->window ? mica_square(s, f->window) : mica__full(s, MICA_SHAPE(f->size), 1, MICA_FLOAT32);
    w = w ? mica__broadcast_to(s, w, MICA_SHAPE(count, f->size)) : NULL;
    return mica_maximum(s, overlap_add(s, w, f->hop), mica_number(s, 1e-8));
}

mica_array *mica_fft_istft(mica_scope *s, mica_array *stft_matrix, int64_t n_fft,
                           int64_t hop_length, int64_t win_length, mica_array *window, bool center,
                           const char *norm, int64_t onesided, int64_t length)
{
    frames f = { .name = "istft" };
    mica_array *x = mica__operand(s, stft_matrix);
    if (!mica__ready(s, x)) return NULL;
    if (x->ndim < 2)
        return mica__error(s, MICA_EVALUE,
                           "[istft] axes of frequencies and frames are needed, the shape is %s",
                           mica__shape_text(mica__dims_of(x)));
    bool half = onesided != 0;
    int last = x->ndim - 1;
    int64_t given = x->shape[last - 1], count = x->shape[last];
    if (n_fft == MICA_NO_INTEGER && given <= half)
        return mica__error(s, MICA_EVALUE,
                           "[istft] stft_matrix of shape %s has %lld frequencies, too few to tell "
                           "n_fft by; give n_fft",
                           mica__shape_text(mica__dims_of(x)), (long long)given);
    if (n_fft == MICA_NO_INTEGER) n_fft = half ? 2 * (given - 1) : given;
    if (!check(s, &f, n_fft, hop_length, win_length, window)) return NULL;
    if (count < 1) return mica__error(s, MICA_EVALUE, "[istft] at least one frame is needed");
    x = mica_swapaxes(s, x, -1, -2);
    x = half ? mica_fft_irfft(s, x, n_fft, -1, norm)
             : mica_real(s, mica_fft_ifft(s, x, n_fft, -1, norm));
    if (f.window) x = mica_multiply(s, x, f.window = mica__cast(s, f.window, MICA_FLOAT32));
    x = mica_divide(s, overlap_add(s, x, f.hop), envelope(s, &f, count));
    if (!x) return NULL;
    /* As the reference has it, a length reaches into what center would cut off at the end. */
    int64_t total = x->shape[last - 1], first = center ? n_fft / 2 : 0;
    int64_t kept = total - first - (center && length == MICA_NO_INTEGER ? n_fft / 2 : 0);
    if (kept < 0) kept = 0;
    if (length != MICA_NO_INTEGER && length < kept) kept = length < 0 ? 0 : length;
    x = mica__slice_axis(s, x, last - 1, kept ? first : 0, kept);
    if (length == MICA_NO_INTEGER || length <= kept) return x;
    return pad_last(s, x, last - 1, 0, length - kept, "constant");
}
