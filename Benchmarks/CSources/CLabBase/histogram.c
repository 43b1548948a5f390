#include "lab/histogram.h"

static uint32_t bucket_of(uint64_t value) {
    if (value < LAB_HISTOGRAM_SUB) return (uint32_t)value;
    const uint32_t shift = 63u - (uint32_t)__builtin_clzll(value) - LAB_HISTOGRAM_SUB_BITS;
    return shift * LAB_HISTOGRAM_SUB + (uint32_t)(value >> shift);
}

/* The middle of what falls into a bucket. */
static uint64_t value_of(uint32_t bucket) {
    if (bucket < 2 * LAB_HISTOGRAM_SUB) return bucket;
    const uint32_t shift = bucket / LAB_HISTOGRAM_SUB - 1;
    const uint64_t low = ((uint64_t)(bucket % LAB_HISTOGRAM_SUB) + LAB_HISTOGRAM_SUB) << shift;
    return low + ((UINT64_C(1) << shift) >> 1);
}

void lab_histogram_record(lab_histogram *histogram, uint64_t value) {
    histogram->counts[bucket_of(value)] += 1;
    if (histogram->total == 0 || value < histogram->min) histogram->min = value;
    if (value > histogram->max) histogram->max = value;
    histogram->total += 1;
}

uint64_t lab_histogram_quantile(const lab_histogram *histogram, double fraction) {
    if (histogram->total == 0) return 0;
    const double wanted = fraction * (double)histogram->total;
    uint64_t seen = 0;
    for (uint32_t bucket = 0; bucket < LAB_HISTOGRAM_BUCKETS; bucket++) {
        seen += histogram->counts[bucket];
        if (seen == 0 || (double)seen < wanted) continue;
        const uint64_t value = value_of(bucket);
        if (value < histogram->min) return histogram->min;
        return value > histogram->max ? histogram->max : value;
    }
    return histogram->max;
}
