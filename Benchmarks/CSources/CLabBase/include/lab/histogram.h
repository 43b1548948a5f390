/**
 * @file  A log-linear histogram of nanoseconds: 2,048 buckets for each power of two, so that a quantile is off by less
 *        than 0.05 % over the whole range of 64 bits. Minimum and maximum are exact.
 *
 * Memory:  a plain struct of some 900 kB, of which only what is used is touched; all zero is empty.
 * Threads: none of its own.
 */
#ifndef LAB_HISTOGRAM_H
#define LAB_HISTOGRAM_H

#include <stdint.h>

enum {
    LAB_HISTOGRAM_SUB_BITS = 11,
    LAB_HISTOGRAM_SUB = 1 << LAB_HISTOGRAM_SUB_BITS,
    LAB_HISTOGRAM_BUCKETS = LAB_HISTOGRAM_SUB * (64 - LAB_HISTOGRAM_SUB_BITS + 1),
};

typedef struct lab_histogram {
    uint64_t counts[LAB_HISTOGRAM_BUCKETS];
    uint64_t total;
    uint64_t min;
    uint64_t max;
} lab_histogram;

void lab_histogram_record(lab_histogram *histogram, uint64_t value);

/** The value below or at which `fraction` (0 to 1) of the recorded values lie; 0 when nothing was recorded. */
uint64_t lab_histogram_quantile(const lab_histogram *histogram, double fraction);

#endif
