/* A flow in which everything changes that a TCP header can change, most of it seldom. */
#ifndef TESTS_COXROHC_TCP_WILD_H
#define TESTS_COXROHC_TCP_WILD_H

#include "tcp_flows.h"

typedef struct wild {
    uint32_t calm_per_mille; /* packets in which nothing but sequence and acknowledgement numbers changes */
    uint8_t options[40];
    uint32_t option_bytes;   /* of those that do not change */
    bool generic;            /* an option of an unknown kind, */
    bool generic_changes;    /* whose content is another in each packet */
    uint8_t generic_bytes;
} wild;

static inline uint32_t add_generic(tcp_end *end, wild *w, uint8_t *to) {
    to[0] = (uint8_t)(w->generic_changes ? 30 : 253);
    to[1] = w->generic_bytes;
    for (uint32_t i = 2; i < w->generic_bytes; i++) to[i] = w->generic_changes ? (uint8_t)draw(end) : (uint8_t)(i * 7);
    return w->generic_bytes;
}

/* Well-formed options of all sorts, or garbage; a multiple of 4 octets. */
static inline uint32_t wild_options(tcp_end *end, wild *w, uint8_t *to) {
    uint32_t at = put_options(end, ACK, to);
    if (chance(end, 20)) at = 0;
    if (w->generic && at + w->generic_bytes <= 40) at += add_generic(end, w, to + at);
    if (chance(end, 30) && at + 4 <= 40) {
        memcpy(to + at, (uint8_t[]){2, 4, (uint8_t)draw(end), 1}, 4);
        at += 4;
    }
    if (chance(end, 30) && at + 3 <= 40) {
        memcpy(to + at, (uint8_t[]){3, 3, (uint8_t)draw_below(end, 15)}, 3);
        at += 3;
    }
    if (chance(end, 10)) {
        at = draw_below(end, 11) * 4;
        for (uint32_t i = 0; i < at; i++) to[i] = chance(end, 300) ? (uint8_t)draw(end) : (uint8_t)draw_below(end, 9);
    }
    const uint8_t filler = chance(end, 500) ? 1 : 0;
    while (at % 4 != 0) to[at++] = filler;
    if (chance(end, 10))
        while (at < 40) to[at++] = filler;
    return at;
}

static inline void wild_change(tcp_end *end, wild *w) {
    switch (draw_below(end, 24)) {
    case 0: end->ids = (id_kind)draw_below(end, ID_KINDS); break;
    case 1: end->ttl = (uint8_t)(end->ttl + draw_below(end, 9) - 4); break;
    case 2: end->ttl = (uint8_t)draw(end); break;
    case 3: end->tos = (uint8_t)(end->tos ^ 4u << draw_below(end, 6)); break;
    case 4: end->tos = (uint8_t)((end->tos & 0xFC) | draw_below(end, 4)); break;
    case 5: end->reserved = (uint8_t)draw_below(end, 16); break;
    case 6: end->reserved = 0; break;
    case 7: end->window = (uint16_t)(end->window + draw_below(end, 9)); break;
    case 8: end->window = (uint16_t)draw(end); break;
    case 9: end->urgent = (uint16_t)draw(end); break;
    case 10: end->urgent = 0; break;
    case 11: end->timestamps = !end->timestamps; break;
    case 12: end->sack_blocks = (uint8_t)draw_below(end, end->timestamps ? 3 : 5); break;
    case 13: for (uint32_t i = 0; i < 8; i++) end->sack[i] = end->ack + draw_below(end, 100000) * (i + 1); break;
    case 14: end->sack[draw_below(end, 8)] = (uint32_t)draw(end); break;
    case 15: end->seq = (uint32_t)draw(end); break;
    case 16: end->ack = (uint32_t)draw(end); break;
    case 17: end->seq = 0u - draw_below(end, 20000); break; /* about to wrap */
    case 18: end->ack = 0u - draw_below(end, 20000); break;
    case 19: end->ts_start = 0u - (uint32_t)(end->clock_us / 1000) - draw_below(end, 2000); break;
    case 20: end->echo_start = (uint32_t)draw(end); break;
    case 21:
        w->generic = !w->generic;
        w->generic_changes = chance(end, 500);
        w->generic_bytes = (uint8_t)(2 + draw_below(end, 17));
        break;
    case 22: end->clock_us += (uint64_t)draw_below(end, 4000) * 1000000; break;
    default: end->clock_us -= end->clock_us > 1000000 ? draw_below(end, 900000) : 0; break;
    }
}

/* Sequence and acknowledgement number go on as in a transfer of one side, of both, or of none; or back. */
static inline uint32_t wild_move(tcp_end *end) {
    static const uint16_t sizes[] = {0, 0, 36, 100, SEGMENT, SEGMENT, SEGMENT};
    const uint32_t kind = end->clock_us / 400000 % 4, payload = kind == 0 ? 0 : sizes[draw_below(end, 7)];
    end->clock_us += draw_below(end, 20000);
    if (!chance(end, 100)) end->echo_us = end->clock_us;
    if (kind == 0 && !chance(end, 100)) end->ack += 2 * SEGMENT;
    else if (kind == 3) end->ack += draw_below(end, 200);
    if (chance(end, 10)) end->seq -= draw_below(end, 6) * SEGMENT;
    if (chance(end, 10)) end->seq += draw_below(end, 90000);
    if (chance(end, 10)) end->ack += draw_below(end, 90000);
    return kind == 1 ? SEGMENT : payload;
}

static inline void wild_next(tcp_end *end, wild *w) {
    uint8_t options[64];
    if (!chance(end, w->calm_per_mille)) wild_change(end, w);
    const uint32_t payload = wild_move(end);
    uint8_t flags = ACK;
    if (chance(end, 200)) flags |= PSH;
    if (chance(end, 5)) flags = (uint8_t)draw(end);
    if (chance(end, 5)) flags ^= 1u << draw_below(end, 8);
    uint32_t bytes;
    if (chance(end, w->calm_per_mille)) {
        bytes = put_options(end, flags & (uint8_t)~SYN, options);
        if (w->generic && bytes + w->generic_bytes <= 40) bytes += add_generic(end, w, options + bytes);
        while (bytes % 4 != 0) options[bytes++] = 1;
    } else {
        bytes = wild_options(end, w, options);
    }
    end_send_with(end, flags, payload, options, bytes);
    if (chance(end, 10)) end->packet[end->version == 4 ? 20 + 17 : 40 + 17] ^= 0x55; /* a checksum that is wrong */
}

#endif
