/* Streams: queues of work that run side by side. */
#ifndef MICA_STREAM_H
#define MICA_STREAM_H

#include "mica/array.h"

/** Makes a CPU stream with an index of its own. Streams live until the process ends. Returns 0 or a
 * negative status; *out is untouched on failure. */
MICA_API int mica_stream_new(mica_stream **out);
/** The stream that the calling thread's scopes use unless told otherwise. Never NULL. */
MICA_API mica_stream *mica_default_stream(void);
/** Sets it for the calling thread; NULL goes back to the process's default. */
MICA_API void mica_set_default_stream(mica_stream *stream);
/** The number that tells streams apart; 0 is the process's default stream. */
MICA_API int mica_stream_index(const mica_stream *stream);
/** Waits until the stream has no work. Returns the status of a fault that no evaluation has
 * reported yet, or 0. NULL: the default stream. */
MICA_API int mica_synchronize(mica_stream *stream);

#endif
