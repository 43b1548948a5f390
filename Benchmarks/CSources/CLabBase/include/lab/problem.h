/** @file  The sentence that says why the last call of this thread failed. */
#ifndef LAB_PROBLEM_H
#define LAB_PROBLEM_H

#include <stdbool.h>

/** The sentence. Valid until the next failure in this thread. */
const char *lab_problem(void);

/** Writes the sentence and returns false, so that a failing call can `return lab_fail(...)`. */
bool lab_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
