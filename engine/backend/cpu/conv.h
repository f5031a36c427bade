/* How a convolution is cut. Places of the result are sorted into phases: with an input dilation d
   and a stride s, the places first + step * q, step = d / gcd(s, d), meet the same taps of the
   window, each at a fixed distance of the input; so no zero between the elements is ever
   multiplied. A phase is cut into blocks; a task copies what its block needs of the input, with the
   zeros around, in the type of the arithmetic, or reads the input itself where no zeros are. */
#ifndef MICA_ENGINE_CONV_H
#define MICA_ENGINE_CONV_H

#include "backend/cpu/gemm/plan.h"
#include "backend/cpu/kernel.h"

enum { MICA_CONV_AXES = 3 }; /* missing ones stand in front with size 1 */

typedef struct mica__conv_axis {
    int64_t size;               /* of the input */
    int64_t first, step, count; /* places of the phase */
    int64_t stride;             /* of the input from place to place */
    int64_t taps, *tap;         /* which taps of the window, in the order of the input */
    int64_t *offset;            /* where each is for q = 0; ascending, may lie outside */
    int64_t block, blocks;      /* places that a task does, tasks */
} mica__conv_axis;

typedef struct mica__conv {
    mica_dtype dtype;
    const mica__gemm_isa *isa;
    mica__gemm_tile *const *tile;
    mica__gemm_store store;
    size_t item, unit; /* bytes of a stored element, of one of the arithmetic */
    bool rounds;       /* a half type: sums wait in float32 */
    bool widens;       /* ... and what is read becomes float32 first */
    bool flip;
    int64_t batch, groups, inputs, outputs; /* the last two of one group */
    int64_t in[MICA_CONV_AXES], out[MICA_CONV_AXES], window[MICA_CONV_AXES];
    int64_t stride[MICA_CONV_AXES], low[MICA_CONV_AXES], kernel_dilation[MICA_CONV_AXES],
        input_dilation[MICA_CONV_AXES];
    const char *x;
    mica__conv_axis axis[MICA_CONV_AXES]; /* the current phase */
    int64_t rows, width;                  /* of a tile, at most */
    int64_t grain;                        /* the steps of a piece are a multiple of this */
    int64_t taps, steps;                  /* of the phase: taps, and taps times inputs */
    int64_t blocks;                       /* of one example */
    int64_t source_size;                  /* elements that a block may need, at most */
    int64_t most_pieces;
    _Atomic int status;
} mica__conv;

/* Steps of the sums that lie side by side in the source of every place: `at` elements behind it. */
typedef struct mica__conv_piece {
    int64_t at, steps;
} mica__conv_piece;

/* What a block sees of the input. */
typedef struct mica__conv_source {
    const char *data;
    int64_t first[MICA_CONV_AXES], count[MICA_CONV_AXES]; /* the block's places */
    int64_t place[MICA_CONV_AXES];                        /* elements from place to place */
    int64_t stride[MICA_CONV_AXES];                       /* elements from position to position */
    bool apart[MICA_CONV_AXES]; /* a copy for each tap, where they do not overlap */
} mica__conv_source;

/* Geometry of a launch of conv or conv_weight, given the arrays in their roles. */
int mica__conv_begin(mica__conv *c, mica__launch *l, const mica_array *x, const mica_array *w,
                     const mica_array *y);
/* Reads bfloat16 in pairs of inputs where the processor multiplies those. From
   then on two inputs are one, of 32 bits. */
void mica__conv_use_pairs(mica__conv *c);
/* Calls `run` for each phase that has places; with taps == 0 where only zeros are met. */
int mica__conv_phases(mica__conv *c, int (*run)(mica__conv *c, void *context), void *context);
/* Cuts the phase into blocks of about `places`, `channels` of the input at a time. */
int mica__conv_cut(mica__conv *c, int64_t places, int64_t channels);

/* Block `index` of example `n`, `channels` of them from the given one; room: source_size units. */
void mica__conv_look(const mica__conv *c, int64_t n, int64_t index, int64_t channel,
                     int64_t channels, char *room, mica__conv_source *source);
/* Where tap t of an axis is, in elements from a place's own. */
int64_t mica__conv_tap(const mica__conv *c, const mica__conv_source *source, int axis, int64_t t);
/* Pieces of at most `most` steps, in the order of the taps; the steps of all are c->steps. */
int64_t mica__conv_pieces(const mica__conv *c, const mica__conv_source *source, int64_t channels,
                          int64_t most, mica__conv_piece *pieces);
/* The place of the result: elements from its start to (n, first place of row (z, y), channel 0). */
int64_t mica__conv_row(const mica__conv *c, const mica__conv_source *source, int64_t n, int64_t z,
                       int64_t y);

/* One input and one output in each group: no matrix product. */
int mica__conv_depthwise(mica__conv *c, const char *w, char *y);
int mica__conv_depthwise_weight(mica__conv *c, const char *cotangent, char *w);

/* Few inputs and outputs in each group, in float32 or halves: no matrix product either. */
bool mica__conv_is_grouped(const mica__conv *c);
int mica__conv_grouped(mica__conv *c, const char *w, char *y);

/* Elements at `data` as lines and steps that the packing reads; `depth` steps. */
static inline mica__gemm_operand mica__conv_operand(const mica__conv *c, const char *data,
                                                    ptrdiff_t line, ptrdiff_t step, size_t depth)
{
    mica__gemm_form form = c->unit == 8 ? MICA_FORM_F64 : MICA_FORM_F32;
    return (mica__gemm_operand){ .form = c->widens ? MICA_FORM_HALF : form,
                                 .element = (size_t)c->item,
                                 .data = data,
                                 .line = line,
                                 .step = step,
                                 .depth = depth,
                                 .widen = c->isa->widen[c->store] };
}

#endif
