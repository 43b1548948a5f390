#include "oxcore/base.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void ox_assertion_failed(const char *what, const char *file, int line) {
    fprintf(stderr, "oxcore: assertion failed: %s (%s:%d)\n", what, file, line);
    abort();
}
