#include "lab/units.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct unit {
    const char *suffix;
    double factor;
} unit;

/* strtod alone would also take signs, blanks, hexadecimal, "inf" and "nan". */
static const char *parse_number(const char *text, double *number) {
    const size_t digits = strspn(text, "0123456789.");
    if (digits == 0 || strspn(text, ".") == digits) return NULL;
    char copy[64];
    if (digits >= sizeof copy) return NULL;
    memcpy(copy, text, digits);
    copy[digits] = '\0';
    char *end = NULL;
    *number = strtod(copy, &end);
    return *end == '\0' ? text + digits : NULL;
}

static bool parse_with_units(const char *text, const unit *units, size_t count, double limit, double *value) {
    double number = 0;
    const char *suffix = parse_number(text, &number);
    if (suffix == NULL) return false;
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(suffix, units[i].suffix) != 0) continue;
        const double scaled = number * units[i].factor;
        if (scaled > limit) return false;
        *value = scaled;
        return true;
    }
    return false;
}

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

const char *lab_parse_duration(const char *text, uint64_t *nanoseconds) {
    static const unit units[] = {
        {"ns", 1}, {"us", 1e3}, {"usec", 1e3}, {"ms", 1e6}, {"msec", 1e6}, {"s", 1e9}, {"sec", 1e9}, {"min", 60e9},
    };
    double value = 0;
    if (parse_with_units(text, units, COUNT_OF(units), 0x1p53, &value)) {
        *nanoseconds = (uint64_t)llround(value);
        return NULL;
    }
    /* Only zero means the same in every unit. */
    if (strcmp(text, "0") == 0) {
        *nanoseconds = 0;
        return NULL;
    }
    return "write a time with its unit: ns, us, ms, s or min, for example 20ms.";
}

const char *lab_parse_rate(const char *text, uint64_t *bits_per_second) {
    static const unit units[] = {
        {"bit", 1}, {"kbit", 1e3}, {"mbit", 1e6}, {"gbit", 1e9}, {"bps", 8}, {"kbps", 8e3}, {"mbps", 8e6},
        {"gbps", 8e9},
    };
    double value = 0;
    if (!parse_with_units(text, units, COUNT_OF(units), 1e12, &value) || value < 1) {
        return "write a rate with its unit: bit, kbit, mbit or gbit (bps, kbps, mbps are bytes a second, as in tc), "
               "for example 20mbit.";
    }
    *bits_per_second = (uint64_t)llround(value);
    return NULL;
}

const char *lab_parse_size(const char *text, uint64_t *bytes) {
    static const unit units[] = {
        {"", 1}, {"b", 1}, {"kb", 1024}, {"k", 1024}, {"mb", 1048576}, {"m", 1048576},
    };
    double value = 0;
    if (!parse_with_units(text, units, COUNT_OF(units), 0x1p40, &value)) {
        return "write a size in bytes, or with its unit: b, kb or mb, for example 64kb.";
    }
    *bytes = (uint64_t)llround(value);
    return NULL;
}

const char *lab_parse_probability(const char *text, double *probability) {
    static const unit units[] = {{"%", 0.01}, {"", 1}};
    if (!parse_with_units(text, units, COUNT_OF(units), 1, probability)) {
        return "write a probability from 0% to 100%, or from 0 to 1, for example 1%.";
    }
    return NULL;
}
