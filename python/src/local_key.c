/* Keys of ThreadLocalStreams: a stack of those that are free. */
#include "local_key.h"

#include "mica_python.h"

static struct {
    int *free; /* with room for all keys, so that giving one back cannot fail */
    int nfree, n, capacity;
} keys;

static int grow(void)
{
    int capacity = keys.capacity > INT_MAX / 2 ? INT_MAX : keys.capacity ? 2 * keys.capacity : 8;
    int *more =
        keys.capacity == INT_MAX ? NULL : PyMem_Realloc(keys.free, (size_t)capacity * sizeof *more);
    if (!more) {
        PyErr_NoMemory();
        return -1;
    }
    keys.free = more;
    keys.capacity = capacity;
    return 0;
}

int mica_py_take_key(void)
{
    if (keys.nfree) return keys.free[--keys.nfree];
    if (keys.n == keys.capacity && grow() < 0) return -1;
    return keys.n++;
}

void mica_py_give_key(int key)
{
    if (key >= 0) keys.free[keys.nfree++] = key;
}
