/* Tells the address sanitizer which bytes of a block nobody may touch. */
#ifndef MICA_ENGINE_POISON_H
#define MICA_ENGINE_POISON_H

#if defined(__SANITIZE_ADDRESS__)
#define MEMORY_POISON 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MEMORY_POISON 1
#endif
#endif
#ifdef MEMORY_POISON
#include <sanitizer/asan_interface.h>
#define POISON(memory, bytes)   ASAN_POISON_MEMORY_REGION(memory, bytes)
#define UNPOISON(memory, bytes) ASAN_UNPOISON_MEMORY_REGION(memory, bytes)
#else
#define POISON(memory, bytes)   ((void)(memory), (void)(bytes))
#define UNPOISON(memory, bytes) ((void)(memory), (void)(bytes))
#endif

#endif
