/**
 * @file  Traces in the format of mahimahi(1): one line for each opportunity to deliver 1,500 bytes, holding its time
 *        in whole milliseconds since the start, ascending. After the last line the trace starts again.
 */
#ifndef LAB_TRACE_H
#define LAB_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LAB_TRACE_LINES_MAX = 1 << 22 };

/**
 * Reads the text of a trace into `times_ms`. Empty lines and lines that begin with # are skipped.
 *
 * @param times_ms  `capacity` of them; may be NULL with capacity 0, to count.
 * @param count     opportunities in the text, also when they did not fit.
 * @return false when a line is not a number, goes back in time, or there are too many; lab_problem() says which.
 */
bool lab_trace_parse(const char *text, size_t bytes, uint32_t *times_ms, uint32_t capacity, uint32_t *count);

/** Loads a file. NULL on failure; lab_problem() says why. The caller frees it with lab_trace_free(). */
uint32_t *lab_trace_load(const char *path, uint32_t *count);

void lab_trace_free(uint32_t *times_ms);

#endif
