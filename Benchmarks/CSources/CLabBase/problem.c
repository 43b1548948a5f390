#include "lab/problem.h"

#include <stdarg.h>
#include <stdio.h>

static _Thread_local char sentence[512];

const char *lab_problem(void) { return sentence; }

bool lab_fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    return false;
}
