/* What the engine holds: snapshots of the counters of live objects, for tests that look for leaks.
 */
#ifndef MICA_TEST_LIVE_H
#define MICA_TEST_LIVE_H

#include "base/base.h"
#include "check.h"
#include "mica/memory.h"

typedef struct live {
    long long nodes, buffers, scopes, host, bytes;
} live;

static inline live live_now(void)
{
    return (live){ mica__live(MICA_LIVE_NODE), mica__live(MICA_LIVE_BUFFER),
                   mica__live(MICA_LIVE_SCOPE), mica__live(MICA_LIVE_HOST),
                   (long long)mica_memory_active() };
}

/* Nodes, buffers, scopes and array memory are as before. Host memory is not looked at: free lists
 * grow with use. */
static inline bool live_same(live a, live b)
{
    if (a.nodes == b.nodes && a.buffers == b.buffers && a.scopes == b.scopes && a.bytes == b.bytes)
        return true;
    fprintf(stderr,
            "nodes %lld -> %lld, buffers %lld -> %lld, scopes %lld -> %lld, bytes %lld -> %lld\n",
            a.nodes, b.nodes, a.buffers, b.buffers, a.scopes, b.scopes, a.bytes, b.bytes);
    return false;
}

/* Host memory too: for work that has been done before, whose free lists are full. */
static inline bool live_same_host(live a, live b)
{
    if (!live_same(a, b)) return false;
    if (a.host == b.host) return true;
    fprintf(stderr, "host blocks %lld -> %lld\n", a.host, b.host);
    return false;
}

#endif
