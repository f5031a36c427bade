/* The gguf format (versions 2 and 3): headers to lists of tensors and values, and back. Bytes only,
   no arrays. */
#ifndef MICA_ENGINE_GGUF_H
#define MICA_ENGINE_GGUF_H

#include "base/base.h"
#include "base/text.h"

/* How elements are stored: numbers of the format. Types from Q4_0 on come in blocks. */
typedef enum mica__gguf_type {
    MICA_GGUF_F32 = 0,
    MICA_GGUF_F16 = 1,
    MICA_GGUF_Q4_0 = 2,
    MICA_GGUF_Q4_1 = 3,
    MICA_GGUF_Q5_0 = 6,
    MICA_GGUF_Q5_1 = 7,
    MICA_GGUF_Q8_0 = 8,
    MICA_GGUF_Q2_K = 10,
    MICA_GGUF_Q3_K = 11,
    MICA_GGUF_Q4_K = 12,
    MICA_GGUF_Q5_K = 13,
    MICA_GGUF_Q6_K = 14,
    MICA_GGUF_IQ4_NL = 20,
    MICA_GGUF_I8 = 24,
    MICA_GGUF_I16 = 25,
    MICA_GGUF_I32 = 26,
    MICA_GGUF_I64 = 27,
    MICA_GGUF_F64 = 28,
    MICA_GGUF_BF16 = 30
} mica__gguf_type;

enum { MICA__GGUF_ALIGNMENT = 32 /* of data, where no value tells another */, MICA__GGUF_AXES = 8 };

/* Whether numbers become codes, scales and biases: Q4_0, Q4_1, Q8_0. */
bool mica__gguf_is_triple(uint32_t type);
/* Elements and bytes of a block; both 1 and the size for plain numbers. False: an unknown type. */
bool mica__gguf_block(uint32_t type, uint32_t *elements, uint32_t *bytes);

typedef struct mica__gguf_tensor {
    const char *name;  /* UTF-8, without NUL; read: it lies in the file, with no NUL behind it */
    size_t name_bytes; /* the reader's */
    uint32_t type;
    int ndim;
    const int64_t *shape; /* slowest axis first */
    uint64_t offset;      /* from the start of the file */
    uint64_t bytes;       /* the file has them */
    void *user;           /* the writer's */
} mica__gguf_tensor;

/* Kinds of values: numbers of the format. */
enum {
    MICA_GGUF_VALUE_UINT8,
    MICA_GGUF_VALUE_INT8,
    MICA_GGUF_VALUE_UINT16,
    MICA_GGUF_VALUE_INT16,
    MICA_GGUF_VALUE_UINT32,
    MICA_GGUF_VALUE_INT32,
    MICA_GGUF_VALUE_FLOAT32,
    MICA_GGUF_VALUE_BOOL,
    MICA_GGUF_VALUE_STRING,
    MICA_GGUF_VALUE_ARRAY,
    MICA_GGUF_VALUE_UINT64,
    MICA_GGUF_VALUE_INT64,
    MICA_GGUF_VALUE_FLOAT64,
    MICA_GGUF_VALUE_COUNT
};

/* Of one number of each kind. */
extern const uint8_t mica__gguf_number_bytes[MICA_GGUF_VALUE_COUNT];

typedef struct mica__gguf_value {
    const char *key; /* as the name of a tensor */
    size_t key_bytes;
    uint32_t type; /* of the value, or of the elements of a list */
    bool list;
    uint64_t count;        /* of elements; 1 for what is no list */
    uint64_t offset;       /* read: where they lie in the file, perhaps unaligned */
    const char **texts;    /* strings that are written, */
    const size_t *lengths; /* and their bytes, which may hold NUL too */
} mica__gguf_value;

/* A file that is gone through, entry by entry: values, then tensors. Takes no memory between calls.
   The counts are those of the whole file. */
typedef struct mica__gguf {
    const unsigned char *file;
    uint64_t at, bytes;             /* where reading goes on, and the end */
    uint64_t values, tensors, data; /* where each of the three begins */
    size_t nvalues, ntensors;
    size_t ntriples; /* tensors of Q4_0, Q4_1 and Q8_0 */
    uint64_t alignment;
    uint64_t wanted;  /* where the bytes ended too early: at least so many were needed */
    const char *name; /* for messages; lent */
    int64_t shape[MICA__GGUF_AXES]; /* of the last tensor */
} mica__gguf;

/* Goes once through the header of a file of which all `bytes` are at hand (mapped): no name occurs
   twice, sizes are whole blocks. MICA_EIO: no gguf file, or an incomplete one; MICA_EVALUE: what
   mica does not read; MICA_EMEMORY. */
int mica__gguf_open(mica__gguf *g, const void *file, uint64_t bytes, const char *name);
/* The values from the first on, and then the tensors, as often as there are. Checked again, since a
   mapped file may change. A tensor lies in the file. */
int mica__gguf_next_value(mica__gguf *g, mica__gguf_value *v);
int mica__gguf_next_tensor(mica__gguf *g, mica__gguf_tensor *t);
/* Leaves out the rest of the values. */
void mica__gguf_skip_values(mica__gguf *g);
/* The text that begins at *at, which moves behind it; false when it does not lie in the file. */
bool mica__gguf_text(const mica__gguf *g, uint64_t *at, const char **text, size_t *bytes);
/* How many bytes of a stream that begins so have to be read: those of the file (known), more to
   learn more, or `bytes` where the beginning is wrong. */
uint64_t mica__gguf_needed(const void *start, uint64_t bytes, bool *known);

/* Appends the header of a file with these tensors and values, of which `numbers[i]` points to the
   elements of value i, and sets the tensors' offset (from the start of the file) and bytes: each at
   a multiple of 32, in the order given. MICA_EVALUE: a name twice or not UTF-8; MICA_EOVERFLOW. */
int mica__gguf_header(mica__text *header, mica__gguf_tensor *tensors, size_t ntensors,
                      const mica__gguf_value *values, const void *const numbers[], size_t nvalues);

#endif
