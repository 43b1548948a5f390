/* What the generators of the flows share. */
#ifndef LAB_ROHC_FLOWS_H
#define LAB_ROHC_FLOWS_H

#include "lab/random.h"
#include "lab/rohc.h"
#include "oxcore/base.h"
#include "oxcore/rohc.h"

enum { STREAMS_MAX = 24 };

/* How the IP-ID of a sender goes on. */
typedef enum id_kind { ID_SEQUENTIAL, ID_SHARED, ID_SWAPPED, ID_RANDOM, ID_ZERO, ID_RESTLESS } id_kind;

/** One sender of packets; what of it a kind needs. */
typedef struct stream {
    void (*next)(struct stream *stream);
    uint64_t seed, drawn;   /* draws so far */
    uint64_t now_ns;        /* when its next packet is sent */
    uint32_t addresses[2];
    uint16_t source, destination;
    id_kind id_kind;
    uint16_t id;
    bool ipv6, nested;
    uint8_t tos, ttl, df, protocol;
    uint32_t flow_label;
    /* the packet in the making */
    uint8_t *packet;
    uint32_t header_bytes, bytes;
    /* RTP and ESP */
    uint32_t spurt_left, ts, stride, ssrc, sources[15];
    uint32_t sequence;
    uint8_t payload_type, sources_count;
    bool marker, checksum_off, padding;
    /* TCP */
    uint32_t sent, acknowledged, clock, echo;
    uint16_t window, urgent;
    uint8_t flags, step;
    uint32_t kind;
    uint32_t holes[6];
    uint8_t holes_count;
} stream;

struct lab_rohc_flow {
    uint32_t count;
    stream streams[STREAMS_MAX];
};

/* Draws of a stream: each is another one. */
static inline uint64_t draw(stream *s) { return lab_draw(s->seed, s->drawn++, 0); }
static inline double unit(stream *s) { return lab_draw_unit(s->seed, s->drawn++, 0); }
static inline bool chance(stream *s, double probability) { return unit(s) < probability; }
/* Uniform in least...most. */
static inline uint32_t between(stream *s, uint32_t least, uint32_t most) {
    return least + (uint32_t)(draw(s) % (most - least + 1u));
}
/* Exponential with that mean. */
double exponential(stream *s, double mean);

/* Writes IP headers in front of `transport_bytes`, payload included, and returns where those begin. */
uint8_t *begin_packet(stream *s, uint8_t protocol, uint32_t transport_bytes);
/* Fills the payload behind `header_bytes` of the transport, and finishes the packet: checksums of UDP or TCP. */
void end_packet(stream *s, uint32_t header_bytes);

/* Makes streams of that kind; `index` tells those of one flow apart. */
void start_game(stream *s, id_kind id, bool ipv6);
void start_voice(stream *s, id_kind id);
void start_tcp_data(stream *s, id_kind id);
void start_tcp_ack(stream *s, bool holes);
void start_ssh(stream *s);
void start_web(stream *s);
void start_hard_tcp(stream *s);
void start_hard(stream *s, uint8_t protocol, uint32_t kind);

#endif
