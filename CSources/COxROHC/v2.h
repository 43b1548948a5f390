/**
 * @file  Version 2 of the profiles RTP, UDP, ESP and IP (RFC 5225): what the compressor and the decompressor share.
 *
 * A *chain* is the headers of a packet one behind the other, an *item* one of them. Items have a static, a dynamic and an irregular
 * form (section 6.5); what CO packets of every size say lies in their base header (section 6.8.2.4).
 */
#ifndef OX_ROHC_V2_H
#define OX_ROHC_V2_H

#include "state.h"

enum {
    V2_CHAIN_BYTES = 320, /* of all headers of a packet */
    V2_ITEMS = 12,
    V2_AUTHENTICATIONS = 2, /* AH headers in a chain */
    V2_SOURCES = 15,        /* CSRCs of a packet */
    V2_TABLE = 16,          /* section 6.6.13.4 */
    V2_NONE = 0xFF,
    V2_STRIDE = 160,        /* TS_STRIDE_DEFAULT */
    V2_REFERENCES = 16,     /* packets that may be lost in a row before a decompressor that knows it believes no CRC-3 any more */
};

enum { V2_PROFILE_RTP = 0x0101, V2_PROFILE_UDP = 0x0102, V2_PROFILE_ESP = 0x0103, V2_PROFILE_IP = 0x0104 };

/* First octets and discriminators. */
enum { V2_CO_COMMON = 0xFA, V2_CO_REPAIR = 0xFB, V2_IR = 0xFD };

/* IP-ID behaviors (section 6.3.3). */
enum { V2_ID_SEQUENTIAL = 0, V2_ID_SWAPPED = 1, V2_ID_RANDOM = 2, V2_ID_ZERO = 3 };

typedef enum v2_kind {
    V2_KIND_IPV4,
    V2_KIND_IPV6,
    V2_KIND_OPTIONS, /* hop-by-hop and destination options, that differ in nothing here */
    V2_KIND_ROUTING,
    V2_KIND_AH,
    V2_KIND_UDP,
    V2_KIND_RTP,     /* with its CSRCs */
    V2_KIND_ESP,
} v2_kind;

typedef struct v2_item {
    uint8_t kind;
    uint8_t reserved;
    uint16_t offset, bytes;
} v2_item;

/** Where the headers of a chain are. */
typedef struct v2_layout {
    v2_item items[V2_ITEMS];
    uint16_t bytes;          /* of all of them */
    uint8_t count;
    uint8_t outer, inner;    /* the items that are IP headers; outer is V2_NONE when there is one only */
    uint8_t transport;       /* UDP or ESP, or V2_NONE */
    uint8_t rtp;             /* or V2_NONE */
    uint8_t authentications;
} v2_layout;

/** An IP header's own. */
typedef struct v2_ip {
    uint8_t tos, ttl;
    uint8_t behavior : 7; /* V2_ID_*; random for IPv6 */
    uint8_t df : 1;
} v2_ip;

/** What changes from packet to packet, or may. */
typedef struct v2_dynamic {
    uint32_t sn;          /* master sequence number; ESP has 32 bits of it, the others 16 */
    uint32_t ts, ts_stride, time_stride;
    uint32_t authentication[V2_AUTHENTICATIONS]; /* sequence numbers */
    v2_ip outer, inner;
    uint16_t id;          /* of the innermost header, as it is there */
    uint8_t ratio;        /* reorder_ratio */
    uint8_t payload_type;
    bool checksum_used, padding, extension;
    uint8_t generation;   /* of the fixed part that goes with it */
    uint8_t received;     /* decompressor: packets of the context so far, at most V2_REFERENCES */
    uint8_t reserved;
} v2_dynamic;

static inline bool v2_sequential(uint8_t behavior) { return behavior <= V2_ID_SWAPPED; }

/** An IP-ID in the order in which it counts. */
static inline uint16_t v2_id_counted(uint8_t behavior, uint16_t id) {
    return behavior == V2_ID_SWAPPED ? rohc_swap16(id) : id;
}

static inline uint32_t v2_sn_width(uint16_t profile) { return profile == V2_PROFILE_ESP ? 32 : 16; }

/** Offset p of lsb(k, p) as most fields have it. */
static inline int64_t v2_quarter(uint32_t k) { return (((int64_t)1 << k) >> 2) - 1; }

//= RFC 5225 section 6.8.2.4
//# msn_lsb: the offset follows the reorder ratio
static inline int64_t v2_reorder(uint8_t ratio, uint32_t k) {
    return ratio == 0 ? 1 : ((((int64_t)1 << k) * ratio) >> 2) - 1;
}

/* ---- v2_layout.c ---------------------------------------------------------------------------------------------- */

/** Adds an item behind those that are there; false when there is no room for it. */
bool v2_layout_add(v2_layout *layout, v2_kind kind, uint32_t bytes);
/** An empty one. */
void v2_layout_clear(v2_layout *layout);
/** Whether two have the same items in the same places. */
bool v2_layout_equal(const v2_layout *a, const v2_layout *b);

/** Whether a header of this protocol behind an IP header is an item of its own, whatever the profile. */
bool v2_is_extension(uint8_t protocol, bool ipv6);

//= RFC 5225 section 6.6.11
//# control_crc3_encoding; erratum 2703: no behavior of IPv6 headers
uint8_t v2_control_crc(const v2_dynamic *dynamic, const v2_layout *layout, uint16_t profile);

#define V2_OCTETS(layout, octets, index) ((octets) + (layout)->items[index].offset)

/* ---- v2_compress*.c ------------------------------------------------------------------------------------------- */

/* What has to be said until the decompressor has it, W-LSB fields apart. */
typedef enum v2_news {
    V2_NEWS_IR,      /* static parts, or all of a context that is lost */
    V2_NEWS_REPAIR,  /* what the dynamic chain alone can say */
    V2_NEWS_FLAGS,   /* innermost DF and IP-ID behavior, reorder ratio */
    V2_NEWS_TOS,
    V2_NEWS_TTL,
    V2_NEWS_OUTER,   /* TOS or TTL of the outer header */
    V2_NEWS_TYPE,    /* RTP: payload type */
    V2_NEWS_BITS,    /* RTP: padding and extension */
    V2_NEWS_STRIDE,
    V2_NEWS_LIST,
    V2_NEWS_COUNT,
} v2_news;

/** What the decompressor may have for its reference. */
typedef struct v2_reference {
    uint32_t sn, ts;
    uint32_t authentication[V2_AUTHENTICATIONS];
    uint16_t id;
    uint16_t reserved;
} v2_reference;

/** The state of a flow. What is said is repeated `width` times where a checksum tells who missed it, else until it is acknowledged. */
typedef struct v2_flow {
    uint8_t octets[V2_CHAIN_BYTES]; /* the headers of the last packet */
    v2_layout layout;
    v2_dynamic last;
    v2_reference references[V2_REFERENCES]; /* a ring */
    uint32_t since[V2_NEWS_COUNT];  /* sequence number that said it first */
    uint8_t left[V2_NEWS_COUNT];    /* packets that have to say it still */
    uint8_t width;                  /* how many packets say what is new */
    uint8_t behind;                 /* packets in a row that were not above `highest` */
    uint32_t highest;               /* sequence number */
    uint32_t table[V2_TABLE];       /* CSRCs */
    uint8_t table_said[V2_TABLE];   /* how often; 0 is an empty place */
    uint16_t since_ir, refresh;     /* packets since the last IR, and after how many there is the next */
    uint32_t stride;                /* that the last packets would have */
    uint8_t strides;                /* how many of them */
    uint8_t reference_next, references_count;
    uint8_t sent;                   /* packets so far, at most V2_REFERENCES */
    uint8_t regular;                /* packets in a row that went on as the decompressor expects */
    uint8_t misses, run, run_behavior; /* of the IP-ID: away from its behavior, and packets in a row of another */
    uint8_t first_irs;              /* that are sent more often than others; 0: they are not */
    bool started, answered;
    bool behaved;                   /* the behavior was seen, and is no guess */
} v2_flow;
_Static_assert(sizeof(v2_flow) <= ROHC_FLOW_STATE_BYTES, "the state of a flow has its place in a context");

/** A packet that is being compressed, and how far it is from the references. */
typedef struct v2_sending {
    rohc_compression *work;
    v2_flow *flow;
    const uint8_t *octets;  /* the packet */
    v2_layout layout;
    v2_dynamic now;
    uint16_t profile;
    bool same_layout;       /* as that of the flow */
    bool marker;
    rohc_spread sn, id_offset, ts, ts_scaled;
    bool id_inferred, ts_inferred, ts_scalable;
    bool strong;            /* it needs a CRC-7 */
    bool regular;           /* it goes on from the last one as the decompressor expects */
    bool news;
} v2_sending;

/* v2_compress_chain.c */
void v2_write_static(const v2_sending *sending);
void v2_write_dynamic(v2_sending *sending);
void v2_write_irregular(const v2_sending *sending, bool outer_said);
/** Section 6.6.13.3; `all`: each item is there. */
void v2_write_list(v2_sending *sending, bool all);
/** The SDVL of version 2: `bits` of 7, 14, 21, 28 or 32, of which the last says `width` bits. */
void v2_write_sdvl(rohc_writer *writer, uint32_t value, uint32_t bits, uint32_t width);
uint32_t v2_sdvl_bits_of(uint32_t value);

/* v2_compress_base.c */
/** Chooses the smallest CO packet but co_repair that says all of it, and writes it. */
void v2_write_base(v2_sending *sending);

/* v2_behavior.c */
/** The IP-ID behavior that a flow has which this packet opens. */
uint8_t v2_first_behavior(const rohc_packet *packet);
/** The IP-ID behavior and the stride that the flow has with this packet. */
void v2_follow_id(v2_flow *flow, v2_dynamic *now);
void v2_follow_stride(v2_flow *flow, v2_dynamic *now);
/** Whether the packet goes on from the last one as the decompressor expects. */
bool v2_is_regular(const v2_sending *sending);
/** Fills in how far the packet is from the references. */
void v2_measure(v2_sending *sending);

/* v2_compress.c */
bool v2_layout_of(v2_layout *layout, const rohc_packet *packet, uint16_t profile);
bool v2_matches(const v2_flow *flow, const rohc_packet *packet, uint16_t profile);
void v2_open(v2_flow *flow, const rohc_packet *packet, uint16_t profile);
bool v2_compress(rohc_compression *work, uint16_t profile);
void v2_feedback(v2_flow *flow, const rohc_feedback *said);

/* ---- v2_decompress*.c ----------------------------------------------------------------------------------------- */

/** The static part of a context: what the headers have in common, with zeros where the dynamic part has the value. */
typedef struct v2_fixed {
    v2_layout layout;
    uint8_t generation;
    uint8_t reserved;
    uint16_t table_known;     /* a bit an index */
    uint32_t table[V2_TABLE]; /* CSRCs */
    uint8_t octets[V2_CHAIN_BYTES + 4]; /* last, so that no more of it is copied than there is */
} v2_fixed;
_Static_assert(sizeof(v2_fixed) % 8 == 0 && sizeof(v2_dynamic) % 8 == 0, "parts of a context are in units of 8");
_Static_assert(sizeof(v2_fixed) + 4 * sizeof(v2_dynamic) <= ROHC_CONTEXT_STATE_BYTES, "three saved states");

/** A packet that is being decompressed. */
typedef struct v2_received {
    rohc_decompression *work;
    v2_fixed *fixed;
    v2_dynamic now;        /* what the packet has */
    const v2_dynamic *old;
    uint16_t profile;
    bool outer_said;       /* the irregular chain has TOS and TTL of the outer header */
    bool fixed_changed;
    bool marker;
    uint16_t outer_id;
    uint16_t checksum;     /* of UDP */
    uint8_t sn_bits, id_bits, ts_bits; /* how many there were; 16 and 32 are whole values, 0 is inferred */
    uint32_t sn, id, ts;
    bool ts_scaled;
    uint8_t crc_bits, crc;
    bool other, has_other; /* the MSN can be another one, which a second look takes */
    uint8_t icvs;
    const uint8_t *icv[V2_AUTHENTICATIONS];
} v2_received;

/* v2_decompress_chain.c: false is malformed. */
bool v2_read_static(v2_received *received);
bool v2_read_dynamic(v2_received *received);
bool v2_read_irregular(v2_received *received);
bool v2_read_list(v2_received *received, bool all);
/** The SDVL of version 2; the bits that it had, 0 for none that is valid. */
uint32_t v2_read_sdvl(rohc_reader *reader, uint32_t *value, uint32_t width);

/* v2_decompress_base.c */
/** Reads the base header of a CO packet other than co_repair, with MSN, IP-ID and timestamp as far as they are there. */
ox_rohc_verdict v2_read_base(v2_received *received);

ox_rohc_verdict v2_decompress(rohc_decompression *work, uint16_t profile);
/** Octets of a v2_fixed that there are. */
uint32_t v2_fixed_extent(const void *fixed);

#endif
