/* A compressor and a decompressor, and a channel between them that loses, delays, doubles; and what came out of it. */
#ifndef TESTS_COXROHC_TCP_CHANNEL_H
#define TESTS_COXROHC_TCP_CHANNEL_H

#include "tcp_flows.h"

#include <stdlib.h>

enum { CHANNEL_DEPTH = 64, CHANNEL_FEEDBACK = 64 };

typedef struct in_flight {
    uint64_t number, due;    /* due: the place in the order of arrival */
    uint32_t len, original_len;
    bool raw;
    uint8_t bytes[FLOW_PACKET_MAX + 64], original[FLOW_PACKET_MAX];
} in_flight;

typedef struct channel {
    ox_rohc_compressor *compressor;
    ox_rohc_decompressor *decompressor;
    /* What it does to packets. */
    uint64_t random;
    uint32_t loss_per_mille, burst;      /* a loss begins, and so many packets are lost */
    uint32_t late_per_mille, late_most;  /* packets that come 1 to so many places late */
    uint32_t double_per_mille;
    uint32_t feedback_delay;             /* packets */
    bool tell_order;                     /* the decompressor knows each packet's number */
    /* What happened. */
    uint64_t sent, lost, exact, wrong, damaged, doubled;
    uint64_t octets_in, octets_out;
    uint64_t number, known_lost, newest;
    uint32_t burst_left;
    in_flight flight[CHANNEL_DEPTH];
    uint32_t flying;
    struct { uint64_t due; uint32_t len; uint8_t bytes[OX_ROHC_FEEDBACK_MAX]; } feedback[CHANNEL_FEEDBACK];
    uint32_t feedback_first, feedback_next;
    ox_rohc_compressed compressed;
    ox_rohc_decompressed decompressed;
} channel;

static inline channel *channel_open(const ox_rohc_parameters *parameters, uint64_t seed) {
    channel *c = calloc(1, sizeof *c);
    if (c == NULL) abort();
    c->random = seed * 0x9E3779B97F4A7C15u + 1;
    c->compressor = ox_rohc_compressor_create(parameters);
    c->decompressor = ox_rohc_decompressor_create(parameters);
    if (c->compressor == NULL || c->decompressor == NULL) abort();
    return c;
}

static inline void channel_close(channel *c) {
    ox_rohc_compressor_destroy(c->compressor);
    ox_rohc_decompressor_destroy(c->decompressor);
    free(c);
}

static inline uint32_t channel_draw(channel *c, uint32_t count) {
    c->random ^= c->random << 13;
    c->random ^= c->random >> 7;
    c->random ^= c->random << 17;
    return (uint32_t)((c->random >> 20) % count);
}

static inline void take_feedback(channel *c) {
    uint8_t bytes[OX_ROHC_FEEDBACK_MAX];
    const uint32_t len = ox_rohc_feedback_take(c->decompressor, bytes, sizeof bytes);
    if (len == 0 || c->feedback_next - c->feedback_first == CHANNEL_FEEDBACK) return;
    const uint32_t place = c->feedback_next++ % CHANNEL_FEEDBACK;
    c->feedback[place].due = c->number + c->feedback_delay;
    c->feedback[place].len = len;
    memcpy(c->feedback[place].bytes, bytes, len);
}

/* Whether it is another copy, which nobody needs. */
static inline void arrive(channel *c, const in_flight *packet, bool copy) {
    if (packet->raw) {
        c->exact += !copy;
        return;
    }
    ox_rohc_arrival arrival = {0};
    if (c->tell_order) {
        // Whatever is missing when a later one comes counts as lost for ever.
        if (packet->number > c->newest) {
            c->known_lost += packet->number - c->newest - 1;
            c->newest = packet->number;
        }
        arrival = (ox_rohc_arrival){.number = packet->number, .lost = c->known_lost};
    }
    const ox_rohc_verdict verdict =
        ox_rohc_decompress(c->decompressor, packet->bytes, packet->len, &arrival, &c->decompressed);
    take_feedback(c);
    if (verdict != OX_ROHC_PASS) {
        if (copy || verdict == OX_ROHC_DUPLICATE) c->doubled++;
        else c->damaged++;
        return;
    }
    const ox_rohc_decompressed *out = &c->decompressed;
    const bool same = out->header_bytes + out->payload_bytes == packet->original_len &&
                      memcmp(out->header, packet->original, out->header_bytes) == 0 &&
                      memcmp(out->payload, packet->original + out->header_bytes, out->payload_bytes) == 0;
    if (!same) c->wrong++;
    else if (copy) c->doubled++;
    else c->exact++;
}

static inline void deliver_due(channel *c, bool all) {
    for (;;) {
        int next = -1;
        for (uint32_t i = 0; i < c->flying; i++)
            if ((all || c->flight[i].due <= c->number) && (next < 0 || c->flight[i].due < c->flight[next].due)) next = (int)i;
        if (next < 0) return;
        const bool twice = c->double_per_mille != 0 && channel_draw(c, 1000) < c->double_per_mille;
        arrive(c, &c->flight[next], false);
        if (twice) arrive(c, &c->flight[next], true);
        c->flight[next] = c->flight[--c->flying];
    }
}

static inline void channel_send(channel *c, const uint8_t *packet, uint32_t len, uint64_t now_ns) {
    while (c->feedback_first != c->feedback_next && c->feedback[c->feedback_first % CHANNEL_FEEDBACK].due <= c->number) {
        const uint32_t place = c->feedback_first++ % CHANNEL_FEEDBACK;
        ox_rohc_feedback(c->compressor, c->feedback[place].bytes, c->feedback[place].len);
    }
    const ox_rohc_outcome outcome = ox_rohc_compress(c->compressor, packet, len, now_ns, &c->compressed);
    const ox_rohc_compressed *out = &c->compressed;
    const uint32_t consumed = outcome == OX_ROHC_RAW ? 0 : out->consumed, head = outcome == OX_ROHC_RAW ? 0 : out->header_bytes;
    c->sent++;
    c->number++;
    c->octets_in += consumed;
    c->octets_out += head;
    if (c->burst_left == 0 && c->loss_per_mille != 0 && channel_draw(c, 1000) < c->loss_per_mille)
        c->burst_left = c->burst == 0 ? 1 : c->burst;
    const bool loses = c->burst_left != 0;
    if (loses) {
        c->burst_left--;
        c->lost++;
    } else {
        if (c->flying == CHANNEL_DEPTH) abort();
        in_flight *flight = &c->flight[c->flying++];
        const bool late = c->late_per_mille != 0 && channel_draw(c, 1000) < c->late_per_mille;
        *flight = (in_flight){.number = c->number, .due = c->number + (late ? 1 + channel_draw(c, c->late_most) : 0),
                              .len = head + len - consumed, .original_len = len, .raw = outcome == OX_ROHC_RAW};
        memcpy(flight->original, packet, len);
        memcpy(flight->bytes, out->header, head);
        memcpy(flight->bytes + head, packet + consumed, len - consumed);
    }
    deliver_due(c, false);
}

#endif
