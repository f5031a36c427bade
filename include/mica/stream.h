/* Streams: queues of work that run side by side. */
#ifndef MICA_STREAM_H
#define MICA_STREAM_H

#include "mica/array.h"

/** Makes a CPU stream with an index of its own, which the caller releases. Returns 0 or a negative
 * status; *out is untouched on failure. */
MICA_API int mica_stream_new(mica_stream **out);
/** Takes a further reference; returns the stream. NULL is fine. */
MICA_API mica_stream *mica_stream_retain(mica_stream *stream);
/** Lets go of a reference. Work that was given to the stream still runs, and arrays that were built
 * on it can be evaluated; what it holds serves a later stream. NULL is fine. */
MICA_API void mica_stream_release(mica_stream *stream);
/** The calling thread's own stream for a number: made at the first call, kept until the thread
 * ends; borrowed. Returns 0 or a negative status; *out is untouched on failure. */
MICA_API int mica_thread_stream(uint64_t key, mica_stream **out);
/** The stream that the calling thread's scopes use unless told otherwise. Never NULL. */
MICA_API mica_stream *mica_default_stream(void);
/** Sets it for the calling thread, which keeps a reference; NULL goes back to the process's
 * default.
 */
MICA_API void mica_set_default_stream(mica_stream *stream);
/** The number that tells streams apart; 0 is the process's default stream. */
MICA_API int mica_stream_index(const mica_stream *stream);
/** Waits until the stream has no work. Returns the status of a fault that no evaluation has
 * reported yet, or 0. NULL: the default stream. */
MICA_API int mica_synchronize(mica_stream *stream);

#endif
