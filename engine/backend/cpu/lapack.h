/* LAPACK, from a library that is opened at its first use: OpenBLAS of the Python package
   scipy-openblas32, the file that the setting `lapack` names, or the system's. It runs each call on
   one thread; batches are spread over the pool. */
#ifndef MICA_ENGINE_LAPACK_H
#define MICA_ENGINE_LAPACK_H

#include "base/base.h"

/* Fortran passes all by reference, matrices are column-major; lengths of texts follow the last
 * argument. */
typedef int mica__lapack_int;
typedef mica__lapack_int li;

/* The routines of one element type. Real types have no rwork, which `mica__lapack_*` of linalg.h
 * hides. `x` is the element. */
typedef struct mica__lapack {
    void (*potrf)(const char *uplo, const li *n, void *a, const li *lda, li *info, size_t);
    void (*trtri)(const char *uplo, const char *diag, const li *n, void *a, const li *lda, li *info,
                  size_t, size_t);
    void (*trtrs)(const char *uplo, const char *trans, const char *diag, const li *n,
                  const li *nrhs, const void *a, const li *lda, void *b, const li *ldb, li *info,
                  size_t, size_t, size_t);
    void (*getrf)(const li *m, const li *n, void *a, const li *lda, li *pivots, li *info);
    void (*getri)(const li *n, void *a, const li *lda, const li *pivots, void *work,
                  const li *lwork, li *info);
    void (*getrs)(const char *trans, const li *n, const li *nrhs, const void *a, const li *lda,
                  const li *pivots, void *b, const li *ldb, li *info, size_t);
    void (*gemm)(const char *ta, const char *tb, const li *m, const li *n, const li *k,
                 const void *alpha, const void *a, const li *lda, const void *b, const li *ldb,
                 const void *beta, void *c, const li *ldc, size_t, size_t);
    /* Orthogonal factors: or* for real, un* for complex numbers. */
    void (*geqrf)(const li *m, const li *n, void *a, const li *lda, void *tau, void *work,
                  const li *lwork, li *info);
    void (*orgqr)(const li *m, const li *n, const li *k, void *a, const li *lda, const void *tau,
                  void *work, const li *lwork, li *info);
    /* Of these the complex forms take more arguments: only one of each pair is set. */
    void (*gesdd)(const char *job, const li *m, const li *n, void *a, const li *lda, void *s,
                  void *u, const li *ldu, void *vt, const li *ldvt, void *work, const li *lwork,
                  li *iwork, li *info, size_t);
    void (*gesdd_complex)(const char *job, const li *m, const li *n, void *a, const li *lda,
                          void *s, void *u, const li *ldu, void *vt, const li *ldvt, void *work,
                          const li *lwork, void *rwork, li *iwork, li *info, size_t);
    void (*syevd)(const char *job, const char *uplo, const li *n, void *a, const li *lda, void *w,
                  void *work, const li *lwork, li *iwork, const li *liwork, li *info, size_t,
                  size_t);
    void (*heevd)(const char *job, const char *uplo, const li *n, void *a, const li *lda, void *w,
                  void *work, const li *lwork, void *rwork, const li *lrwork, li *iwork,
                  const li *liwork, li *info, size_t, size_t);
    void (*geev)(const char *jobvl, const char *jobvr, const li *n, void *a, const li *lda,
                 void *wr, void *wi, void *vl, const li *ldvl, void *vr, const li *ldvr, void *work,
                 const li *lwork, li *info, size_t, size_t);
    void (*geev_complex)(const char *jobvl, const char *jobvr, const li *n, void *a, const li *lda,
                         void *w, void *vl, const li *ldvl, void *vr, const li *ldvr, void *work,
                         const li *lwork, void *rwork, li *info, size_t, size_t);
} mica__lapack;

/* The routines for float32, float64 or complex64, opening the library when it is not.
   MICA_ERUNTIME, with what to install, when there is none. */
int mica__lapack_get(const mica__lapack **routines, const char *operation, unsigned dtype);

#endif
