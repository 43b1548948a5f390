#include "steady.h"

/*
 * Voice sends a packet each 10 to 60 ms, a game one each tick of 8 to 66 ms, and either one that fits into a few hundred bytes.
 * What acknowledges a transfer is as small, but follows the bursts of that transfer. So the measure is the mean deviation of the
 * gaps from their mean: of Poisson arrivals it is 0.74 of the mean, of bursts more, of a clock with jitter less than half.
 *
 * A flow becomes steady by strict bounds, and ceases to be by loose ones that are looked at over more packets; each time it
 * does, it takes longer to become so again.
 */
enum {
    BYTES_MOST = 300,
    GAP_LEAST_US = 4000,
    GAP_MOST_US = 110000,
    SPREAD_PERCENT = 45,     /* of the gap */
    PACKETS_LEAST = 12,
    STRETCH_LEAST_MS = 300,
    LAPSES_MOST = 6,         /* doubled with each of them */
    GAPS_MOST = 4,           /* a longer gap counts as so many */
    /* of a steady flow */
    LOOSE_BYTES_MOST = 600,
    LOOSE_GAP_LEAST_US = 2000,
    LOOSE_GAP_MOST_US = 250000,
    LOOSE_SPREAD_PERCENT = 65,
    SILENCE_MS = 2000,
    WEIGHT = 16, LOOSE_WEIGHT = 32,
};
static const uint64_t NS_PER_MS = 1000000;

static uint32_t smoothed(uint32_t mean, uint32_t value, uint32_t weight) {
    const int64_t off = (int64_t)value - mean;
    return (uint32_t)(mean + (off + (off >= 0 ? weight / 2 : -(int64_t)(weight / 2))) / weight);
}

bool ox_pace_over(const ox_pace *pace, uint64_t now_ns) {
    return pace->last_ns == 0 || now_ns - pace->last_ns > SILENCE_MS * NS_PER_MS;
}

static bool looks_steady(const ox_pace *pace) {
    return pace->bytes <= BYTES_MOST && pace->gap_us >= GAP_LEAST_US && pace->gap_us <= GAP_MOST_US &&
           pace->spread_us <= pace->gap_us / 100 * SPREAD_PERCENT;
}

static bool looks_broken(const ox_pace *pace) {
    return pace->bytes > LOOSE_BYTES_MOST || pace->gap_us < LOOSE_GAP_LEAST_US || pace->gap_us > LOOSE_GAP_MOST_US ||
           pace->spread_us > pace->gap_us / 100 * LOOSE_SPREAD_PERCENT;
}

static void begin(ox_pace *pace, uint32_t bytes, uint64_t now_ns) {
    *pace = (ox_pace){.hash = pace->hash, .lapses = pace->lapses, .since_ns = now_ns, .last_ns = now_ns, .packets = 1};
    pace->bytes = (uint16_t)bytes;
}

static void measure(ox_pace *pace, uint32_t bytes, uint64_t now_ns) {
    uint32_t gap = now_ns > pace->last_ns ? (uint32_t)((now_ns - pace->last_ns) / 1000) : 0;
    pace->last_ns = now_ns;
    /* A single pause is no other pace; but after packets that came all at once it is the first gap that tells anything. */
    const uint32_t longest = GAPS_MOST * pace->gap_us > GAP_LEAST_US ? GAPS_MOST * pace->gap_us : GAP_LEAST_US;
    if (pace->packets > 2 && gap > longest) gap = longest;
    /* The first few count in full: a mean, not one that starts from the first gap. */
    const uint32_t most = pace->steady ? LOOSE_WEIGHT : WEIGHT;
    const uint32_t weight = pace->packets < most ? pace->packets : most;
    const uint32_t off = gap > pace->gap_us ? gap - pace->gap_us : pace->gap_us - gap;
    if (pace->packets > 1) pace->spread_us = smoothed(pace->spread_us, off, weight > 2 ? weight - 1 : 1);
    pace->gap_us = smoothed(pace->gap_us, gap, weight);
    pace->bytes = (uint16_t)smoothed(pace->bytes, bytes, weight);
    if (pace->packets < UINT8_MAX) pace->packets++;
}

bool ox_pace_note(ox_pace *pace, uint32_t bytes, uint64_t now_ns) {
    if (bytes > UINT16_MAX) bytes = UINT16_MAX;
    if (ox_pace_over(pace, now_ns)) {
        begin(pace, bytes, now_ns);
        return false;
    }
    measure(pace, bytes, now_ns);
    if (pace->steady) {
        if (!looks_broken(pace)) return true;
        if (pace->lapses < LAPSES_MOST) pace->lapses++;
        begin(pace, bytes, now_ns);
        return false;
    }
    if (pace->packets < PACKETS_LEAST) return false;
    if (!looks_steady(pace)) pace->since_ns = now_ns;
    pace->steady = now_ns - pace->since_ns >= (STRETCH_LEAST_MS * NS_PER_MS << pace->lapses);
    return pace->steady;
}
