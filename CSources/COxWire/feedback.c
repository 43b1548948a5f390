#include "oxcore/wire.h"

//= Wire.md section 6.5
//# largest, arrival, delay, ECT(0), ECT(1), CE, then the first range's length less one, then gap and length pairs
uint32_t ox_feedback_write(const ox_feedback *feedback, uint8_t *out, size_t room) {
    OX_ASSERT(feedback->count >= 1 && feedback->count <= OX_FEEDBACK_RANGES_MAX);
    uint8_t body[OX_FEEDBACK_MAX];
    uint32_t len = 0;
    const ox_range *newest = &feedback->ranges[0];
    len += ox_varint_write(body + len, newest->last);
    len += ox_varint_write(body + len, feedback->arrival_us & UINT32_MAX);
    len += ox_varint_write(body + len, feedback->delay_us & UINT32_MAX);
    len += ox_varint_write(body + len, feedback->ect0);
    len += ox_varint_write(body + len, feedback->ect1);
    len += ox_varint_write(body + len, feedback->ce);
    len += ox_varint_write(body + len, newest->last - newest->first);
    size_t overhead = 1 + OX_FRAME_FIXED_LENGTH_BYTES;
    if (len + overhead > room) return 0;
    for (uint32_t i = 1; i < feedback->count; i++) {
        const ox_range *range = &feedback->ranges[i];
        uint64_t gap = feedback->ranges[i - 1].first - range->last - 2;
        uint64_t length = range->last - range->first;
        if (len + ox_varint_bytes(gap) + ox_varint_bytes(length) + overhead > room) break;
        len += ox_varint_write(body + len, gap);
        len += ox_varint_write(body + len, length);
    }
    uint32_t head = ox_frame_write_head(out, OX_FRAME_FEEDBACK, len);
    memcpy(out + head, body, len);
    return head + len;
}

/** Reads one varint and moves along; false at the end. */
static bool next(const uint8_t **at, const uint8_t *end, uint64_t *value) {
    uint32_t bytes = ox_varint_read(*at, (size_t)(end - *at), value);
    *at += bytes;
    return bytes != 0;
}

ox_verdict ox_feedback_read(const uint8_t *body, size_t len, ox_feedback *feedback) {
    const uint8_t *at = body, *end = body + len;
    memset(feedback, 0, sizeof *feedback);
    uint64_t last = 0, length = 0;
    if (!next(&at, end, &last) || !next(&at, end, &feedback->arrival_us) || !next(&at, end, &feedback->delay_us) ||
        !next(&at, end, &feedback->ect0) || !next(&at, end, &feedback->ect1) || !next(&at, end, &feedback->ce) ||
        !next(&at, end, &length) || length > last)
        return OX_DROP_FRAME_MALFORMED;
    if (feedback->arrival_us > UINT32_MAX || feedback->delay_us > UINT32_MAX) return OX_DROP_FRAME_MALFORMED;
    feedback->ranges[feedback->count++] = (ox_range){last - length, last};
    while (at < end) {
        if (feedback->count == OX_FEEDBACK_RANGES_MAX) return OX_DROP_FRAME_MALFORMED;
        uint64_t before = feedback->ranges[feedback->count - 1].first, gap = 0;
        if (!next(&at, end, &gap) || !next(&at, end, &length)) return OX_DROP_FRAME_MALFORMED;
        if (before < 2 || gap > before - 2 || length > before - 2 - gap) return OX_DROP_FRAME_MALFORMED;
        last = before - 2 - gap;
        feedback->ranges[feedback->count++] = (ox_range){last - length, last};
    }
    return OX_PASS;
}

/** How many consecutive numbers from `number` downwards, at most `most`, have the state `arrived`. */
static uint64_t run(const ox_replay *replay, uint64_t number, uint64_t most, bool arrived) {
    uint64_t length = 0;
    while (length < most) {
        uint64_t slot = (number - length) & (replay->window - 1);
        uint64_t word = replay->bits[slot / 64] & ~replay->recovered[slot / 64];
        if (!arrived) word = ~word;
        // Bits above `slot` go, then the run of ones from the top is counted.
        uint64_t shifted = ~(word << (63 - slot % 64));
        uint64_t ones = shifted == 0 ? 64 : (uint64_t)__builtin_clzll(shifted);
        uint64_t here = slot % 64 + 1;
        if (ones < here) return length + ones < most ? length + ones : most;
        length += here;
    }
    return most;
}

void ox_feedback_from_replay(const ox_replay *replay, uint64_t floor, ox_feedback *feedback) {
    feedback->count = 0;
    if (replay->next == 0) return;
    uint64_t known = replay->next < replay->window ? replay->next : replay->window;
    uint64_t number = replay->next - 1;
    while (feedback->count < OX_FEEDBACK_RANGES_MAX && number >= floor) {
        uint64_t length = run(replay, number, known, true);
        if (length > 0) feedback->ranges[feedback->count++] = (ox_range){number - length + 1, number};
        known -= length;
        if (known == 0) return;
        number -= length;
        uint64_t gap = run(replay, number, known, false);
        known -= gap;
        if (known == 0) return;
        number -= gap;
    }
}
