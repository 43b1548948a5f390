/*
 * TCP flows as they are seen in one direction, made by a seed: a download's data, its acknowledgements, typing over SSH, short web
 * connections; and a flow in which everything changes that a TCP header can change. A flow is asked for one packet after the other.
 */
#ifndef TESTS_COXROHC_TCP_FLOWS_H
#define TESTS_COXROHC_TCP_FLOWS_H

#include "oxcore/packet.h"
#include "oxcore/rohc.h"

#include <string.h>

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16, URG = 32, ECE = 64, CWR = 128 };
enum { SEGMENT = 1448, FLOW_PACKET_MAX = 2048 };

typedef enum id_kind { ID_KIND_SEQUENTIAL, ID_KIND_ZERO, ID_KIND_RANDOM, ID_KIND_SWAPPED, ID_KIND_JUMPING, ID_KINDS } id_kind;

/* What a host does in a connection, and where it stands in it. */
typedef struct tcp_end {
    uint64_t random;
    uint8_t version;        /* 4 or 6 */
    id_kind ids;
    bool timestamps;
    uint16_t ports[2];
    uint8_t host;           /* last octet of its address */
    uint8_t tos, ttl, flow_label;
    uint16_t id, window, urgent;
    uint32_t seq, ack;
    uint64_t clock_us;      /* of both hosts' timestamps, of 1 ms */
    uint32_t ts_start, echo_start;
    uint64_t echo_us;       /* when what is echoed was sent */
    uint8_t reserved;       /* TCP's reserved flags */
    uint8_t sack_blocks;
    uint32_t sack[8];
    uint8_t *packet;        /* the last one */
    uint32_t len;
} tcp_end;

static inline uint64_t draw(tcp_end *end) {
    end->random ^= end->random << 13;
    end->random ^= end->random >> 7;
    end->random ^= end->random << 17;
    return end->random;
}

/* One of `count` numbers from 0 on. */
static inline uint32_t draw_below(tcp_end *end, uint32_t count) { return (uint32_t)((draw(end) >> 20) % count); }

/* True so many times in 1000. */
static inline bool chance(tcp_end *end, uint32_t per_mille) { return draw_below(end, 1000) < per_mille; }

static inline void end_open(tcp_end *end, uint64_t seed, id_kind ids, uint8_t *packet) {
    memset(end, 0, sizeof *end);
    end->random = seed * 0x9E3779B97F4A7C15u + 1;
    draw(end);
    end->version = 4;
    end->ids = ids;
    end->timestamps = true;
    end->ports[0] = (uint16_t)(32768 + draw_below(end, 20000));
    end->ports[1] = 443;
    end->host = 2;
    end->ttl = 64;
    end->id = (uint16_t)draw(end);
    end->window = 502;
    end->seq = (uint32_t)draw(end);
    end->ack = (uint32_t)draw(end);
    end->ts_start = (uint32_t)draw(end);
    end->echo_start = (uint32_t)draw(end);
    end->packet = packet;
}

static inline uint16_t next_id(tcp_end *end) {
    switch (end->ids) {
    case ID_KIND_ZERO: return 0;
    case ID_KIND_RANDOM: return (uint16_t)draw(end);
    case ID_KIND_SWAPPED: end->id++; return (uint16_t)(end->id << 8 | end->id >> 8);
    case ID_KIND_JUMPING: return end->id = (uint16_t)(end->id + (chance(end, 50) ? draw_below(end, 3000) : 1 + draw_below(end, 3)));
    default: return ++end->id;
    }
}

static inline uint32_t put_options(tcp_end *end, uint8_t flags, uint8_t *to) {
    uint8_t *at = to;
    if ((flags & SYN) != 0) {
        memcpy(at, (uint8_t[]){2, 4, SEGMENT >> 8, SEGMENT & 0xFF, 4, 2}, 6);
        at += 6;
    } else if (end->timestamps) {
        memcpy(at, (uint8_t[]){1, 1}, 2);
        at += 2;
    }
    if (end->timestamps) {
        memcpy(at, (uint8_t[]){8, 10}, 2);
        ox_store_be32(at + 2, end->ts_start + (uint32_t)(end->clock_us / 1000));
        ox_store_be32(at + 6, (flags & ACK) == 0 ? 0 : end->echo_start + (uint32_t)(end->echo_us / 1000));
        at += 10;
    }
    if ((flags & SYN) != 0) {
        memcpy(at, (uint8_t[]){1, 3, 3, 7}, 4);
        at += 4;
        if (!end->timestamps) {
            memcpy(at, (uint8_t[]){1, 1}, 2);
            at += 2;
        }
    }
    if (end->sack_blocks != 0) {
        memcpy(at, (uint8_t[]){1, 1, 5, (uint8_t)(2 + 8 * end->sack_blocks)}, 4);
        for (uint32_t i = 0; i < 2u * end->sack_blocks; i++) ox_store_be32(at + 4 + 4 * i, end->sack[i]);
        at += 4 + 8 * end->sack_blocks;
    }
    return (uint32_t)(at - to);
}

static inline uint32_t put_ip(tcp_end *end, uint32_t bytes) {
    uint8_t *ip = end->packet;
    if (end->version == 4) {
        memset(ip, 0, 20);
        ip[0] = 0x45;
        ip[1] = end->tos;
        ox_store_be16(ip + 2, (uint16_t)(20 + bytes));
        ox_store_be16(ip + 4, next_id(end));
        ip[6] = 0x40;
        ip[8] = end->ttl;
        ip[9] = 6;
        memcpy(ip + 12, (uint8_t[]){192, 0, 2, end->host, 198, 51, 100, 7}, 8);
        ox_store_be16(ip + 10, ox_checksum_finish(ox_checksum_add(ip, 20, 0)));
        return 20;
    }
    memset(ip, 0, 40);
    ip[0] = (uint8_t)(0x60 | end->tos >> 4);
    ip[1] = (uint8_t)(end->tos << 4);
    ip[3] = end->flow_label;
    ox_store_be16(ip + 4, (uint16_t)bytes);
    ip[6] = 6;
    ip[7] = end->ttl;
    memcpy(ip + 8, (uint8_t[]){0x20, 1, 0x0D, 0xB8}, 4);
    memcpy(ip + 24, (uint8_t[]){0x20, 1, 0x0D, 0xB8}, 4);
    ip[23] = end->host;
    ip[39] = 7;
    return 40;
}

/* Writes the checksum of a packet that was changed, or of a new one. */
static inline void put_checksum(tcp_end *end) {
    const uint32_t at = end->version == 4 ? 20 : 40, bytes = end->len - at;
    ox_store_be16(end->packet + at + 16, 0);
    uint32_t sum = ox_checksum_add(end->packet + (at == 20 ? 12 : 8), at == 20 ? 8 : 32, 6 + bytes);
    sum = ox_checksum_add(end->packet + at, bytes, sum);
    ox_store_be16(end->packet + at + 16, ox_checksum_finish(sum));
}

/* The packet with these flags and so much payload; the sequence number moves on. */
static inline void end_send_with(tcp_end *end, uint8_t flags, uint32_t payload, const uint8_t *options, uint32_t option_bytes) {
    const uint32_t bytes = 20 + option_bytes + payload;
    const uint32_t at = put_ip(end, bytes);
    uint8_t *tcp = end->packet + at;
    end->len = at + bytes;
    ox_store_be16(tcp, end->ports[0]);
    ox_store_be16(tcp + 2, end->ports[1]);
    ox_store_be32(tcp + 4, end->seq);
    ox_store_be32(tcp + 8, (flags & ACK) != 0 ? end->ack : 0);
    tcp[12] = (uint8_t)((20 + option_bytes) / 4 << 4 | end->reserved);
    tcp[13] = flags;
    ox_store_be16(tcp + 14, end->window);
    ox_store_be16(tcp + 18, end->urgent);
    memmove(tcp + 20, options, option_bytes);
    memset(tcp + 20 + option_bytes, (int)(end->seq & 0xFF), payload);
    put_checksum(end);
    end->seq += payload + ((flags & (SYN | FIN)) != 0);
}

static inline void end_send(tcp_end *end, uint8_t flags, uint32_t payload) {
    uint8_t options[40];
    const uint32_t bytes = put_options(end, flags, options);
    end_send_with(end, flags, payload, options, bytes);
}

/* ---- a download: its data --------------------------------------------------------------------------------------- */

typedef struct download_shape {
    uint32_t spacing_us;     /* of packets, on average; between half and one and a half of it */
    uint32_t round_trip_us;
    uint32_t acked_every;    /* packets for which one acknowledgement comes, whose timestamp is echoed */
    uint32_t push_per_mille; /* packets with PSH */
    uint32_t loss_per_mille; /* packets that are sent once more a round trip later */
    uint32_t window_per_mille;
} download_shape;
static const download_shape usual_download = {
    .spacing_us = 4800, .round_trip_us = 40000, .acked_every = 1, .push_per_mille = 60, .loss_per_mille = 2, .window_per_mille = 2,
};

static inline void download_next(tcp_end *end, const download_shape *shape, uint32_t number) {
    if (number == 0) {
        end->echo_us = end->clock_us;
        end_send(end, SYN | ACK, 0);
        end->clock_us += shape->round_trip_us;
        end->echo_us = end->clock_us - 1000;
        return;
    }
    end->clock_us += shape->spacing_us / 2 + draw_below(end, shape->spacing_us);
    if (number % shape->acked_every == 0) end->echo_us = end->clock_us - 1000 - draw_below(end, 300);
    if (number == 1) end->ack += 400; /* the request */
    if (chance(end, shape->window_per_mille)) end->window++;
    const uint32_t seq = end->seq;
    const bool again = number > 40 && chance(end, shape->loss_per_mille);
    if (again) end->seq -= SEGMENT * (shape->round_trip_us / shape->spacing_us);
    end_send(end, (uint8_t)(ACK | (chance(end, shape->push_per_mille) ? PSH : 0)), SEGMENT);
    if (again) end->seq = seq;
}

/* ---- and its acknowledgements ------------------------------------------------------------------------------------ */

typedef struct acks_shape {
    uint32_t spacing_us;       /* as of the data */
    uint32_t window_per_mille; /* acknowledgements with another window */
    uint32_t loss_per_mille;   /* acknowledgements after which a packet is missing, */
    uint32_t loss_lasts;       /* and for how many more it is */
} acks_shape;
static const acks_shape clean_acks = {.spacing_us = 2400};
static const acks_shape lossy_acks = {.spacing_us = 2400, .window_per_mille = 10, .loss_per_mille = 10, .loss_lasts = 17};

typedef struct acks {
    uint32_t missing; /* acknowledgements until the lost packet comes */
} acks;

static inline void acks_next(tcp_end *end, const acks_shape *shape, acks *state, uint32_t number) {
    end->clock_us += shape->spacing_us / 2 + draw_below(end, shape->spacing_us);
    end->echo_us = end->clock_us - 1000;
    if (number == 0) {
        end_send(end, SYN, 0);
        return;
    }
    if (number == 1) {
        end_send(end, ACK, 0);
        return;
    }
    if (number == 2) {
        end_send(end, ACK | PSH, 400);
        return;
    }
    if (state->missing != 0) {
        if (--state->missing == 0) {
            end->ack = end->sack[1];
            end->sack_blocks = 0;
        } else {
            end->sack[1] += SEGMENT;
        }
    } else if (chance(end, shape->loss_per_mille)) {
        state->missing = shape->loss_lasts;
        end->sack_blocks = 1;
        end->sack[0] = end->ack + SEGMENT;
        end->sack[1] = end->sack[0] + SEGMENT;
    } else {
        end->ack += 2 * SEGMENT;
    }
    if (chance(end, shape->window_per_mille)) end->window = (uint16_t)(end->window + 8 + draw_below(end, 64));
    end_send(end, ACK, 0);
}

/* ---- typing over SSH: what the client sends ------------------------------------------------------------------------ */

typedef struct typing_shape {
    uint32_t key_us;             /* between keys, on average */
    uint32_t output_per_mille;   /* keys that bring about output, of several packets, each of which is acknowledged */
} typing_shape;
static const typing_shape usual_typing = {.key_us = 140000, .output_per_mille = 80};

typedef struct typing {
    bool acknowledge;            /* next is an acknowledgement alone */
    uint32_t output;             /* packets of output that are still to be acknowledged */
} typing;

static inline void typing_next(tcp_end *end, const typing_shape *shape, typing *state, uint32_t number) {
    if (number < 2) {
        end->echo_us = end->clock_us;
        end_send(end, number == 0 ? SYN : ACK, 0);
        end->clock_us += 20000;
        return;
    }
    if (state->output != 0) {
        state->output--;
        end->clock_us += 3000 + draw_below(end, 4000);
        end->echo_us = end->clock_us - 400;
        end->ack += 36 + 4 * draw_below(end, 100);
        end_send(end, ACK, 0);
    } else if (state->acknowledge) {
        state->acknowledge = false;
        end->clock_us += 8000 + draw_below(end, 12000);
        end->echo_us = end->clock_us - 400;
        end->ack += 36;
        end_send(end, ACK, 0);
        if (chance(end, shape->output_per_mille)) state->output = 2 + draw_below(end, 8);
    } else {
        end->clock_us += shape->key_us / 2 + draw_below(end, shape->key_us);
        end_send(end, ACK | PSH, 36);
        state->acknowledge = true;
    }
}

/* ---- short web connections: what the client sends ------------------------------------------------------------------ */

typedef struct web_shape {
    uint32_t acks_most; /* acknowledgements of the answer: between a third of it and all */
    uint32_t round_trip_us;
    uint32_t hosts;     /* that are asked in turn */
} web_shape;
static const web_shape usual_web = {.acks_most = 9, .round_trip_us = 30000, .hosts = 1};

typedef struct web {
    uint32_t step, acks;
    uint16_t port;
} web;

static inline void web_next(tcp_end *end, const web_shape *shape, web *state) {
    if (state->step == 0) {
        state->port = state->port == 0 ? end->ports[0] : (uint16_t)(state->port + 1 + draw_below(end, 4));
        end->ports[0] = state->port;
        end->host = (uint8_t)(2 + draw_below(end, shape->hosts));
        end->seq = (uint32_t)draw(end);
        end->window = 64240;
        end->ts_start += 17;
        end_send(end, SYN, 0);
        end->ack = (uint32_t)draw(end);
        end->echo_start = (uint32_t)draw(end);
        end->clock_us += shape->round_trip_us;
        end->echo_us = end->clock_us - 500;
        end->window = 502;
        state->acks = shape->acks_most / 3 + draw_below(end, shape->acks_most - shape->acks_most / 3 + 1);
        state->step = 1;
    } else if (state->step == 1) {
        end_send(end, ACK, 0);
        state->step = 2;
    } else if (state->step == 2) {
        end->clock_us += 1000;
        end_send(end, ACK | PSH, 300 + draw_below(end, 400));
        end->clock_us += shape->round_trip_us;
        state->step = 3;
    } else if (state->acks != 0) {
        state->acks--;
        end->clock_us += 1000 + draw_below(end, 3000);
        end->echo_us = end->clock_us - 1000;
        end->ack += state->acks == 0 ? 1 + draw_below(end, SEGMENT) : 2 * SEGMENT;
        end_send(end, ACK, 0);
    } else if (state->step == 3) {
        end->clock_us += 5000;
        end_send(end, FIN | ACK, 0);
        state->step = 4;
    } else {
        end->clock_us += shape->round_trip_us;
        end->echo_us = end->clock_us - 1000;
        end->ack++;
        end_send(end, ACK, 0);
        end->clock_us += 50000;
        state->step = 0;
    }
}

#endif
