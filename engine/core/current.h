/* The calling thread's default stream; NULL stands for the process's default CPU stream. */
#ifndef MICA_ENGINE_CURRENT_H
#define MICA_ENGINE_CURRENT_H

#include "core/node.h"

extern _Thread_local mica_stream *mica__current_stream;

#endif
