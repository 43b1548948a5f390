#include "lab/trace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/problem.h"

/* A number and nothing else between two line ends, blanks allowed around it. */
static bool parse_line(const char *line, size_t bytes, uint32_t *time_ms) {
    uint64_t value = 0;
    size_t digits = 0;
    while (bytes > 0 && (line[bytes - 1] == '\r' || line[bytes - 1] == ' ' || line[bytes - 1] == '\t')) bytes--;
    for (; digits < bytes && line[digits] >= '0' && line[digits] <= '9'; digits++) {
        value = value * 10 + (uint64_t)(line[digits] - '0');
        if (value > UINT32_MAX) return false;
    }
    *time_ms = (uint32_t)value;
    return digits > 0 && digits == bytes;
}

bool lab_trace_parse(const char *text, size_t bytes, uint32_t *times_ms, uint32_t capacity, uint32_t *count) {
    *count = 0;
    uint32_t previous_ms = 0;
    uint32_t line_number = 0;
    for (size_t at = 0; at < bytes;) {
        const char *line = text + at;
        const char *end = memchr(line, '\n', bytes - at);
        const size_t length = end == NULL ? bytes - at : (size_t)(end - line);
        at += length + 1;
        line_number += 1;
        if (length == 0 || line[0] == '#') continue;

        uint32_t time_ms = 0;
        if (!parse_line(line, length, &time_ms)) {
            return lab_fail("line %u of the trace is not a time in whole milliseconds", line_number);
        }
        if (time_ms < previous_ms) return lab_fail("line %u of the trace goes back in time", line_number);
        if (*count == LAB_TRACE_LINES_MAX) return lab_fail("the trace has more than %d lines", LAB_TRACE_LINES_MAX);
        if (*count < capacity) times_ms[*count] = time_ms;
        *count += 1;
        previous_ms = time_ms;
    }
    return true;
}

static char *read_file(const char *path, size_t *bytes) {
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        lab_fail("cannot open the trace %s: %s", path, strerror(errno));
        return NULL;
    }
    size_t capacity = 1 << 16;
    char *text = malloc(capacity);
    *bytes = 0;
    while (text != NULL) {
        *bytes += fread(text + *bytes, 1, capacity - *bytes, file);
        if (*bytes < capacity) break;
        capacity *= 2;
        char *larger = realloc(text, capacity);
        if (larger == NULL) free(text);
        text = larger;
    }
    const bool failed = ferror(file) != 0;
    fclose(file);
    if (text == NULL || failed) {
        lab_fail("cannot read the trace %s", path);
        free(text);
        return NULL;
    }
    return text;
}

uint32_t *lab_trace_load(const char *path, uint32_t *count) {
    size_t bytes = 0;
    char *text = read_file(path, &bytes);
    if (text == NULL) return NULL;

    uint32_t *times_ms = NULL;
    if (lab_trace_parse(text, bytes, NULL, 0, count)) {
        if (*count == 0) {
            lab_fail("the trace %s is empty", path);
        } else if ((times_ms = calloc(*count, sizeof *times_ms)) == NULL) {
            lab_fail("no memory for the trace %s", path);
        } else if (!lab_trace_parse(text, bytes, times_ms, *count, count)) {
            lab_trace_free(times_ms);
            times_ms = NULL;
        }
    }
    free(text);
    return times_ms;
}

void lab_trace_free(uint32_t *times_ms) { free(times_ms); }
