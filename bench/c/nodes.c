/* Builds and evaluates chains of small operations, for counting instructions: bench/instructions.py. */
#include <stdio.h>
#include <stdlib.h>

#include "mica/mica.h"

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 10;
    double last = 0;
    for (int r = 0; r < rounds; r++) {
        mica_scope *s = mica_scope_open(NULL);
        mica_array *x = mica_zeros(s, MICA_SHAPE(4), MICA_FLOAT32), *one = mica_number(s, 1);
        for (int i = 0; i < 1000; i++) x = mica_add(s, x, one);
        last = mica_item(s, mica_sum(s, x, MICA_ALL_AXES, false));
        if (mica_scope_close(s) != MICA_OK) return 1;
    }
    printf("%g\n", last);
    return 0;
}
