/** @file  The frames of the repair layer. */
#include "oxcore/wire.h"

enum {
    COPY_DIFFERENCE = 1 << 0,
    COPY_CAR = 1 << 1,
    COPY_RESENT = 1 << 2,
    COPY_FLAGS = COPY_DIFFERENCE | COPY_CAR | COPY_RESENT,
    PARITY_MIN = 3,
};

/** Reads one varint and moves along; false at the end. */
static bool next(const uint8_t **at, const uint8_t *end, uint64_t *value) {
    uint32_t bytes = ox_varint_read(*at, (size_t)(end - *at), value);
    *at += bytes;
    return bytes != 0;
}

//= Wire.md section 6.13
//# varint distance, a byte of flags, of a car its place, then the content
uint32_t ox_copy_write_head(const ox_copy_frame *copy, uint8_t out[OX_COPY_HEAD_MAX]) {
    uint32_t at = ox_varint_write(out, copy->distance);
    out[at++] = (uint8_t)((copy->difference ? COPY_DIFFERENCE : 0) | (copy->is_car ? COPY_CAR : 0) |
                          (copy->resent ? COPY_RESENT : 0));
    if (copy->is_car) out[at++] = copy->car;
    return at;
}

ox_verdict ox_copy_read(const uint8_t *body, size_t len, uint64_t number, ox_copy_frame *copy) {
    const uint8_t *at = body, *end = body + len;
    *copy = (ox_copy_frame){0};
    if (!next(&at, end, &copy->distance) || copy->distance == 0 || copy->distance > number || at == end)
        return OX_DROP_REPAIR_MALFORMED;
    uint8_t flags = *at++;
    copy->difference = (flags & COPY_DIFFERENCE) != 0;
    copy->is_car = (flags & COPY_CAR) != 0;
    copy->resent = (flags & COPY_RESENT) != 0;
    if ((flags & ~COPY_FLAGS) != 0 || (copy->difference && copy->is_car)) return OX_DROP_REPAIR_MALFORMED;
    if (copy->is_car) {
        if (at == end || (*at & ~OX_CAR_LAST) >= OX_TRAIN_CARS_MAX) return OX_DROP_REPAIR_MALFORMED;
        copy->car = *at++;
    }
    if (at == end) return OX_DROP_REPAIR_MALFORMED;
    copy->content = at;
    copy->len = (size_t)(end - at);
    return OX_PASS;
}

//= Wire.md section 6.14
//# varint distance, seed, bytes of the map, the map, then the parity to the end of the body
uint32_t ox_repair_write_head(const ox_repair_frame *repair, uint8_t out[OX_REPAIR_BODY_HEAD_MAX]) {
    uint32_t at = ox_varint_write(out, repair->distance), bytes = 8 * OX_REPAIR_MAP_WORDS;
    while (repair->map[(bytes - 1) / 8] >> 8 * ((bytes - 1) % 8) == 0) bytes--;
    out[at++] = repair->seed;
    out[at++] = (uint8_t)bytes;
    for (uint32_t i = 0; i < bytes; i++) out[at++] = (uint8_t)(repair->map[i / 8] >> 8 * (i % 8));
    return at;
}

ox_verdict ox_repair_read(const uint8_t *body, size_t len, uint64_t number, ox_repair_frame *repair) {
    const uint8_t *at = body, *end = body + len;
    *repair = (ox_repair_frame){0};
    if (!next(&at, end, &repair->distance) || repair->distance > number || end - at < 2) return OX_DROP_REPAIR_MALFORMED;
    repair->seed = *at++;
    uint32_t bytes = *at++, covered = 0;
    if (bytes == 0 || bytes > 8 * OX_REPAIR_MAP_WORDS || (size_t)(end - at) < bytes) return OX_DROP_REPAIR_MALFORMED;
    for (uint32_t i = 0; i < bytes; i++) repair->map[i / 8] |= (uint64_t)at[i] << 8 * (i % 8);
    // The first number is covered, and so is one that the last byte stands for, below the frame's own.
    if ((at[0] & 1) == 0 || at[bytes - 1] == 0) return OX_DROP_REPAIR_MALFORMED;
    uint32_t last = 8 * (bytes - 1) + 31 - (uint32_t)__builtin_clz(at[bytes - 1]);
    for (uint32_t i = 0; i < OX_REPAIR_MAP_WORDS; i++) covered += (uint32_t)__builtin_popcountll(repair->map[i]);
    if (last >= repair->distance || covered > OX_REPAIR_COVERED_MAX) return OX_DROP_REPAIR_MALFORMED;
    repair->parity = at + bytes;
    repair->len = (size_t)(end - repair->parity);
    return repair->len >= PARITY_MIN ? OX_PASS : OX_DROP_REPAIR_MALFORMED;
}

//= Wire.md section 6.15
//# varints: gap, by copy, by window, by resending, late, given up
uint32_t ox_repaired_write(const ox_repaired *repaired, uint8_t out[OX_REPAIRED_BYTES_MAX]) {
    uint32_t at = 1 + OX_FRAME_FIXED_LENGTH_BYTES;
    at += ox_varint_write(out + at, repaired->gap_us);
    at += ox_varint_write(out + at, repaired->by_copy);
    at += ox_varint_write(out + at, repaired->by_window);
    at += ox_varint_write(out + at, repaired->by_resend);
    at += ox_varint_write(out + at, repaired->late);
    at += ox_varint_write(out + at, repaired->given_up);
    ox_frame_write_head(out, OX_FRAME_REPAIRED, at - 1 - OX_FRAME_FIXED_LENGTH_BYTES);
    return at;
}

ox_verdict ox_repaired_read(const uint8_t *body, size_t len, ox_repaired *repaired) {
    const uint8_t *at = body, *end = body + len;
    *repaired = (ox_repaired){0};
    bool whole = next(&at, end, &repaired->gap_us) && next(&at, end, &repaired->by_copy) &&
                 next(&at, end, &repaired->by_window) && next(&at, end, &repaired->by_resend) &&
                 next(&at, end, &repaired->late) && next(&at, end, &repaired->given_up);
    return whole ? OX_PASS : OX_DROP_REPAIR_MALFORMED;
}
