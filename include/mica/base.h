/* Status codes, errors, element types: what every other header of mica needs. */
#ifndef MICA_BASE_H
#define MICA_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define MICA_API                 __attribute__((visibility("default")))
#define MICA_PRINTF(text, first) __attribute__((__format__(__printf__, text, first)))
#else
#define MICA_API
#define MICA_PRINTF(text, first)
#endif

#define MICA_VERSION "0.1.0"

/* The largest number of axes an array can have. */
#define MICA_MAX_NDIM 32

/** Status codes: 0 is success, all others are negative. Pinned: values never change. */
typedef enum mica_status {
    MICA_OK = 0,
    MICA_EVALUE = -1,
    MICA_EINDEX = -2,
    MICA_ETYPE = -3,
    MICA_ERUNTIME = -4,
    MICA_EMEMORY = -5,
    MICA_EIO = -6,
    MICA_EOVERFLOW = -7,
    MICA_EINTERRUPT = -8,
    MICA_EOS = -9
} mica_status;

/** The message of the last error of the calling thread; "" when there was none. Valid until the
 * next error. */
MICA_API const char *mica_last_error(void);

/** A short description of a status code. */
MICA_API const char *mica_status_text(int status);

/** Single-precision complex number: the element of MICA_COMPLEX64. */
typedef struct mica_complex64 {
    float re, im;
} mica_complex64;

/** Element types. float16 and bfloat16 are stored as 16 bits; bool as one byte, 0 or 1. */
typedef enum mica_dtype {
    MICA_BOOL = 0,
    MICA_UINT8 = 1,
    MICA_UINT16 = 2,
    MICA_UINT32 = 3,
    MICA_UINT64 = 4,
    MICA_INT8 = 5,
    MICA_INT16 = 6,
    MICA_INT32 = 7,
    MICA_INT64 = 8,
    MICA_FLOAT16 = 9,
    MICA_FLOAT32 = 10,
    MICA_FLOAT64 = 11,
    MICA_BFLOAT16 = 12,
    MICA_COMPLEX64 = 13,
    MICA_DTYPE_COUNT = 14
} mica_dtype;

/** Bytes of one element. */
MICA_API size_t mica_dtype_size(mica_dtype dtype);

/** Name as in Python: "float32". */
MICA_API const char *mica_dtype_name(mica_dtype dtype);

/** The version of the library, "major.minor.patch". */
MICA_API const char *mica_version(void);

#endif
