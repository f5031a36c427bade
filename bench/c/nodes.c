/* Builds and evaluates small operations, for counting instructions: bench/instructions.py.

   nodes chain ROUNDS   chains of 1000 nodes, evaluated at their end
   nodes each COUNT     so many arrays of one scope, evaluated one by one */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mica/mica.h"

static int chain(int rounds)
{
    for (int r = 0; r < rounds; r++) {
        mica_scope *s = mica_scope_open(NULL);
        mica_array *x = mica_zeros(s, MICA_SHAPE(4), MICA_FLOAT32), *one = mica_number(s, 1);
        for (int i = 0; i < 1000; i++) x = mica_add(s, x, one);
        double last = mica_item(s, mica_sum(s, x, MICA_ALL_AXES, false));
        if (mica_scope_close(s) != MICA_OK || last != 4000) return 1;
    }
    return 0;
}

static int each(int count)
{
    mica_scope *s = mica_scope_open(NULL);
    mica_array *x = mica_ones(s, MICA_SHAPE(4), MICA_FLOAT32);
    mica_array **arrays = malloc((size_t)count * sizeof *arrays);
    if (!arrays) return 1;
    for (int i = 0; i < count; i++) arrays[i] = mica_add(s, x, x);
    for (int i = 0; i < count; i++) mica_eval(s, &arrays[i], 1);
    free(arrays);
    return mica_scope_close(s) != MICA_OK;
}

int main(int argc, char **argv)
{
    if (argc != 3) return 2;
    return strcmp(argv[1], "each") ? chain(atoi(argv[2])) : each(atoi(argv[2]));
}
