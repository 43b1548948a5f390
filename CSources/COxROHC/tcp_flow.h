/**
 * @file  The compressor's context of profile 0x0006.
 *
 * Each thing that the decompressor has to learn is a *lesson*: it is told with so many packets in a row (the optimistic approach,
 * section 5.2.1.1), or until an acknowledgement says that it arrived. A lesson that was told often enough is *settled*, and only
 * then left out; and told again a few times until it is acknowledged, for a loss of them all. For fields that change all the time, a
 * history holds the references that the decompressor may have.
 */
#ifndef OX_ROHC_TCP_FLOW_H
#define OX_ROHC_TCP_FLOW_H

#include "tcp.h"

enum {
    TCP_FLOW_CHAIN_MAX = 128, /* octets of IP and extension headers of a flow that has this profile */
    TCP_TOLD = UINT8_MAX,     /* acknowledged */
    TCP_MARKS = 2,
    TCP_MARK_EACH = 8,
    TCP_AGAIN = 20,           /* packets in which a lesson that is not acknowledged is told again, */
    TCP_AGAIN_EACH = 4,       /* by each fourth, which tells all of them; by each second */
    TCP_YOUNG = 24,           /* of a flow's first packets */
    TCP_REFRESH_FIRST = 32,   /* packets after which the context is refreshed where there is no feedback (section 5.2.1.2), */
    TCP_REFRESHES = 3,        /* twice as many so often after that, and then no more */
};

typedef struct tcp_lesson {
    uint16_t msn; /* of the first packet that told it */
    uint8_t told; /* packets that did, in a row; 0: it is new */
} tcp_lesson;

enum {
    LESSON_STATIC,    /* told by IR and IR-CR */
    LESSON_DYNAMIC,   /* by IR-DYN, too: after a NACK */
    LESSON_OUTER,     /* TTL, DF and IP-ID behaviour of an outer header, likewise */
    LESSON_BEHAVIOUR, /* of the innermost IP-ID */
    LESSON_TTL, LESSON_DSCP, LESSON_DF, /* of the innermost header */
    LESSON_FLAGS,     /* ACK and URG */
    LESSON_URGENT, LESSON_WINDOW, LESSON_STRIDE,
    LESSON_ECN,       /* whether ECN is used */
    LESSON_ECN_BITS,  /* ECN fields, TCP's reserved flags, traffic classes of outer headers */
    LESSON_SCALE,     /* payload size, and sequence number modulo it */
    LESSON_SACK,      /* the blocks */
    LESSON_LIST,      /* which options in which order */
    LESSON_SEQ, LESSON_ACK, /* the numbers, where they stay as they are */
    LESSON_JUMP,      /* all of them, after one went on by more than 16 bits bridge */
    LESSONS,
};

/** What the last packets said, tcp_depth() of them. */
typedef struct tcp_history {
    uint16_t msn[ROHC_WINDOW];
    uint32_t seq[ROHC_WINDOW], ack[ROHC_WINDOW];
    uint16_t window[ROHC_WINDOW], id_offset[ROHC_WINDOW];
    uint16_t items[ROHC_WINDOW]; /* that it told; and in the bits of two that have no content the lessons that not every packet can tell: */
    uint8_t next, count;
} tcp_history;
enum { TOLD_SCALE = 1 << ITEM_NOP, TOLD_SACK = 1 << ITEM_SACK_PERMITTED };

/** The last packets with timestamps, `width` of them. */
typedef struct tcp_times {
    uint16_t msn[ROHC_WINDOW];
    uint32_t ts[ROHC_WINDOW], echo[ROHC_WINDOW];
    uint8_t next, count;
} tcp_times;

/** The last packets with a payload, tcp_depth() of them. */
typedef struct tcp_scales {
    uint16_t msn[ROHC_WINDOW];
    uint32_t scaled[ROHC_WINDOW];
    uint8_t next, count;
} tcp_scales;

/** Every eighth packet: with the two last of them numbers are said in bits that bridge a long loss, too. */
typedef struct tcp_marks {
    uint32_t seq[TCP_MARKS], ack[TCP_MARKS], ts[TCP_MARKS], echo[TCP_MARKS];
    uint16_t msn[TCP_MARKS];
    /* Of the IP-ID's offsets the least and the largest between the marks, and since the last one: the TCP checksum does not cover it. */
    uint16_t id_least[TCP_MARKS + 1], id_most[TCP_MARKS + 1];
    uint8_t count;
} tcp_marks;

typedef struct tcp_flow {
    tcp_lesson lesson[LESSONS];
    tcp_lesson item[TCP_ITEMS];
    tcp_history history;
    tcp_times times;
    tcp_scales scales;
    tcp_marks marks;
    tcp_values values;      /* of the last packet that had each */
    tcp_pool pool;
    tcp_list list;
    uint32_t seq, ack;
    uint16_t msn, window, urgent;
    uint16_t stride;        /* of the acknowledgement number */
    uint16_t step;          /* a stride that may be, and */
    uint8_t step_seen;      /* how often in a row */
    uint8_t id_misfits;     /* IP-IDs in a row that do not behave as they should, */
    uint8_t id_fits;        /* or as they need not; */
    uint8_t id_candidate;   /* namely so */
    uint16_t id;            /* innermost */
    uint16_t payload, residue;
    uint8_t ecn_quiet;      /* packets in a row in which no ECN field changed */
    uint8_t ecn_used, flags, reserved;
    uint8_t tos[ROHC_IPS], ttl[ROHC_IPS], behaviour[ROHC_IPS];
    uint8_t dont_fragment;
    uint8_t content_told[TCP_GENERICS]; /* packets in a row that told a generic option's content */
    uint8_t ips;
    uint8_t width;          /* repetitions */
    uint8_t age;            /* packets, at most 255 */
    uint8_t refreshes;      /* of a flow without feedback, at most TCP_REFRESHES */
    uint16_t since_ir;      /* packets */
    bool no_replication;    /* the decompressor could not use an IR-CR */
    bool bidirectional;
    bool foreign;           /* the decompressor may take it for a flow of another profile, until it has an IR */
    uint16_t chain_bytes;
    uint16_t ports[2];
    uint8_t chain[TCP_FLOW_CHAIN_MAX]; /* as in the last packet */
} tcp_flow;
OX_STATIC_ASSERT(sizeof(tcp_flow) <= ROHC_FLOW_STATE_BYTES, "it is the profile's part of a context");

/** One packet, what it has to tell, and how. */
typedef struct tcp_facts {
    const rohc_packet *packet;
    tcp_flow *flow;
    uint8_t width;
    const uint8_t *tcp;
    uint32_t header_bytes;   /* of the whole header */
    uint32_t payload;
    uint32_t seq, ack;
    uint32_t scaled;         /* sequence number / payload */
    uint16_t msn, window, urgent, checksum, stride, residue;
    uint8_t flags, reserved, ecn_used;
    uint16_t id[ROHC_IPS];
    uint8_t tos[ROHC_IPS], ttl[ROHC_IPS], behaviour[ROHC_IPS];
    uint8_t dont_fragment;
    uint16_t id_offset;
    tcp_list list;
    uint8_t option_at[TCP_LIST_MAX]; /* from TCP's first octet */
    uint8_t option_bytes[TCP_LIST_MAX];
    uint16_t items;          /* bit i: item i is in the list */
    uint16_t listed;         /* bit i: and is told by it */
    tcp_values values;       /* those that the packet has */
    uint8_t ts_octets, echo_octets;
    bool ts_whole;           /* they are too far from a reference */
    bool sack_same;          /* the decompressor has the same blocks */
    bool list_needed;
    uint32_t new_lessons;    /* bit i: lesson i is new with this packet */
    uint16_t new_items;
    uint16_t new_contents;   /* bit i: of a generic item that is known */
    uint32_t tells;          /* bit i: the packet tells lesson i */
} tcp_facts;

static inline bool tcp_settled(const tcp_lesson *lesson, uint8_t width) { return lesson->told >= width; }
/** Whether it is told with this packet. What a burst of losses swallowed is so told again before a round trip is over. */
static inline bool tcp_due(const tcp_flow *flow, const tcp_lesson *lesson, uint8_t enough) {
    if (lesson->told < enough) return true;
    const uint16_t msn = (uint16_t)(flow->msn + 1);
    const uint32_t each = flow->age < TCP_YOUNG ? TCP_AGAIN_EACH / 2 : TCP_AGAIN_EACH;
    return flow->bidirectional && lesson->told != TCP_TOLD && msn % each == 0 && (uint16_t)(msn - lesson->msn) < TCP_AGAIN;
}
/** Packets of a row of which one surely arrives: more than are repeated, for what is cheap to repeat. */
static inline uint8_t tcp_depth(uint8_t width) { return width + 2 < ROHC_WINDOW ? width + 2 : ROHC_WINDOW; }
/** How often it has to be told. What the TCP checksum does not cover is told as often as the MSN counts losses. */
static inline uint8_t tcp_enough(const tcp_facts *facts, uint32_t lesson) {
    const uint32_t longer = 1u << LESSON_TTL | 1u << LESSON_DSCP | 1u << LESSON_DF | 1u << LESSON_OUTER | 1u << LESSON_BEHAVIOUR |
                            1u << LESSON_ECN;
    if ((longer >> lesson & 1) != 0) return 1 << TCP_MSN_BITS;
    if (lesson == LESSON_STATIC && facts->flow->foreign) return 1 << TCP_MSN_BITS;
    if (lesson == LESSON_STATIC && facts->flow->bidirectional) return ROHC_WINDOW;
    if (lesson == LESSON_JUMP) return 1;
    return tcp_depth(facts->width);
}
/** Whether the lesson need not be told with this packet. */
static inline bool tcp_knows(const tcp_facts *facts, uint32_t lesson) {
    return (facts->new_lessons >> lesson & 1) == 0 && !tcp_due(facts->flow, &facts->flow->lesson[lesson], tcp_enough(facts, lesson));
}
static inline bool tcp_knows_item(const tcp_facts *facts, uint32_t item) {
    return (facts->new_items >> item & 1) == 0 && !tcp_due(facts->flow, &facts->flow->item[item], tcp_depth(facts->width));
}

/** The newest entries of a ring: `next` is where the next one goes. */
typedef struct tcp_ring {
    uint8_t next, count, depth;
} tcp_ring;
static inline tcp_ring tcp_newest(uint8_t next, uint8_t count, uint8_t most, uint8_t depth) {
    return (tcp_ring){.next = next, .count = count < most ? count : most, .depth = depth};
}
/** The place of the entry before. */
static inline uint32_t tcp_before(tcp_ring ring, uint32_t place) { return (place == 0 ? ring.depth : place) - 1u; }
static inline void tcp_widen(rohc_spread *spread, int32_t distance) {
    if (distance < spread->least) spread->least = distance;
    if (distance > spread->most) spread->most = distance;
}
/** How far the value is from all entries of the ring, modulo 2^32 or 2^16. */
#define TCP_SPREAD(name, type, difference)                                                                           \
    static inline rohc_spread name(const type *values, tcp_ring ring, type value) {                                  \
        rohc_spread spread = {.least = INT32_MAX, .most = INT32_MIN};                                                \
        for (uint32_t i = 0, at = ring.next; i < ring.count; i++) {                                                  \
            at = tcp_before(ring, at);                                                                               \
            tcp_widen(&spread, (difference)(value - values[at]));                                                    \
        }                                                                                                            \
        return spread;                                                                                               \
    }
TCP_SPREAD(tcp_spread32, uint32_t, int32_t)
TCP_SPREAD(tcp_spread16, uint16_t, int16_t)
#undef TCP_SPREAD

/** Whether the irregular chain may say that a generic option is as it was. */
static inline bool tcp_knows_content(const tcp_facts *facts, uint32_t item) {
    return (facts->new_contents >> item & 1) == 0 && facts->flow->content_told[item - ITEM_GENERIC] >= facts->width;
}

/* tcp_look.c */
bool tcp_recognise(const rohc_packet *packet);
/** Reads the packet, and compares it with the flow, which stays as it is. False: the profile cannot have it. */
bool tcp_look(tcp_facts *facts);

/* tcp_options_look.c */
/** False: they cannot be a list. */
bool tcp_look_at_options(tcp_facts *facts, const uint8_t *options, uint32_t bytes);

/* tcp_options_encode.c */
/** The items of the set `listed` are told with their content. */
void tcp_write_list(const tcp_facts *facts, uint16_t listed, rohc_writer *body);
void tcp_write_irregular_options(const tcp_facts *facts, uint16_t listed, rohc_writer *body);

/* tcp_chain_encode.c */
void tcp_write_ir(tcp_facts *facts, rohc_compression *work);
void tcp_write_ir_dyn(tcp_facts *facts, rohc_compression *work);
/** False: there is no context to replicate. */
bool tcp_write_ir_cr(tcp_facts *facts, rohc_compression *work);
void tcp_write_irregular_chain(const tcp_facts *facts, uint16_t listed, rohc_writer *body);

/* tcp_co_encode.c */
/** False: no CO packet can say it. */
bool tcp_write_co(tcp_facts *facts, rohc_compression *work);

/* tcp_history.c */
/** The packet was sent: what it said is a reference, and what it told was told once more. */
void tcp_remember(const tcp_facts *facts);
void tcp_feedback(void *state, const rohc_feedback *feedback);

#endif
