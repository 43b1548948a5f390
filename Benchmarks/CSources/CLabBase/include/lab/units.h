/**
 * @file  Numbers with units, as tc(8) writes them. Suffixes ignore case; a number may have a fraction.
 *
 * Each function returns NULL and writes the value, or returns a sentence that says what would have been right and
 * writes nothing.
 */
#ifndef LAB_UNITS_H
#define LAB_UNITS_H

#include <stdint.h>

/** "20ms", "500us", "1.5s", "250ns". */
const char *lab_parse_duration(const char *text, uint64_t *nanoseconds);

/** Bits a second: "20mbit", "1gbit", "64kbit", "500bit"; bytes a second: "2.5mbps" as in tc. Not zero. */
const char *lab_parse_rate(const char *text, uint64_t *bits_per_second);

/** "1500b" or "1500", "64kB" (1 kB = 1024 B, as in tc), "1mb". */
const char *lab_parse_size(const char *text, uint64_t *bytes);

/** "1%" or "0.01": a probability from 0 to 1. */
const char *lab_parse_probability(const char *text, double *probability);

#endif
