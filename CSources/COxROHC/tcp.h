/**
 * @file  What the files of profile 0x0006 share (RFC 6846): base header formats, the item table of the TCP options, contexts.
 *
 * Both sides keep a *chain*: the octets of the IP headers and their extension headers as in a packet, with zeros in fields that
 * change. Sections without a number of a standard are of RFC 6846.
 */
#ifndef OX_ROHC_TCP_H
#define OX_ROHC_TCP_H

#include "state.h"

enum {
    TCP_CHAIN_MAX = 274,   /* octets of IP and extension headers */
    TCP_OPTIONS_MAX = 40,
    TCP_LIST_MAX = 15,     /* options of a packet: what the field m of a list can say (section 6.3.3) */
    TCP_POOL_MAX = 192,    /* octets of generic options that an item table keeps */
    TCP_SACK_BLOCKS = 4,
    TCP_MSN_BITS = 4,      /* of the MSN in CO packets, with offset 4: 11 lost packets are bridged */
    TCP_MSN_OFFSET = 4,
};

/* TCP's octet of flags. */
enum { FLAG_FIN = 1, FLAG_SYN = 2, FLAG_RST = 4, FLAG_PSH = 8, FLAG_ACK = 16, FLAG_URG = 32, FLAGS_RSF = 7, FLAGS_ECN = 0xC0 };

/* Behaviour of an IP-ID (section 6.1.2). */
enum { ID_SEQUENTIAL = 0, ID_SWAPPED = 1, ID_RANDOM = 2, ID_ZERO = 3 };

/* Kinds of TCP options. */
enum { KIND_EOL = 0, KIND_NOP = 1, KIND_MSS = 2, KIND_SCALE = 3, KIND_SACK_PERMITTED = 4, KIND_SACK = 5, KIND_TIMESTAMPS = 8 };

/* Indexes of the item table (section 6.3.4). */
enum {
    ITEM_NOP, ITEM_EOL, ITEM_MSS, ITEM_SCALE, ITEM_TIMESTAMPS, ITEM_SACK_PERMITTED, ITEM_SACK, ITEM_GENERIC,
    TCP_ITEMS = 16,
    TCP_GENERICS = TCP_ITEMS - ITEM_GENERIC,
};

/* ---- tcp_formats.c: base headers of CO packets (section 8.2) --------------------------------------------------- */

typedef enum tcp_field {
    FIELD_SEQ, FIELD_SCALED, FIELD_ACK, FIELD_ACK_SCALED, FIELD_WINDOW, FIELD_ID, FIELD_TTL, FIELD_MSN, FIELD_PSH, FIELD_RSF,
    FIELD_LIST, FIELD_ECN, FIELD_CRC,
    FIELDS,
} tcp_field;

/** A base header with fixed length: rnd_1 to rnd_8, seq_1 to seq_8. */
typedef struct tcp_format {
    ox_rohc_type type;
    uint8_t octets;
    uint8_t mark_bits, mark;  /* the discriminator */
    uint8_t bits[FIELDS];     /* 0: not there */
    uint8_t shift[FIELDS];    /* of the field's lowest bit from the format's end */
    int32_t offset[FIELDS];   /* p of LSB encoding */
} tcp_format;

enum { TCP_FORMATS = 8 };
/** By size, the smallest first. [0]: rnd, of IP-IDs that are random or zero; [1]: seq. */
extern const tcp_format tcp_formats[2][TCP_FORMATS];

static inline bool tcp_has(const tcp_format *format, tcp_field field) { return format->bits[field] != 0; }
/** The format that begins with this octet, or NULL: then it is co_common or nothing. */
const tcp_format *tcp_format_of(uint8_t first, bool sequential);

static inline uint32_t tcp_get(const tcp_format *format, uint64_t octets, tcp_field field) {
    return (uint32_t)(octets >> format->shift[field]) & ((1u << format->bits[field]) - 1);
}
static inline uint64_t tcp_put(const tcp_format *format, uint64_t octets, tcp_field field, uint32_t value) {
    return octets | (uint64_t)(value & ((1u << format->bits[field]) - 1)) << format->shift[field];
}
static inline uint32_t tcp_decode(const tcp_format *format, uint64_t octets, tcp_field field, uint32_t reference) {
    return rohc_lsb_decode(reference, tcp_get(format, octets, field), format->bits[field], format->offset[field]);
}

enum {
    CO_COMMON = 0xFA,        /* in the 7 highest bits of the first octet */
    CO_COMMON_OCTETS = 5,
};
/** Flags RST, SYN and FIN of rsf_index_enc; 4 for a combination that has no index. */
uint8_t tcp_rsf_index(uint8_t flags);
uint8_t tcp_rsf_flags(uint32_t index);

/* ---- tcp_items.c: generic options ----------------------------------------------------------------------------- */

typedef struct tcp_generic {
    uint8_t kind;
    uint8_t bytes; /* of the content, without kind and length */
    uint8_t at;    /* where in the pool */
} tcp_generic;

/** Items 7 to 15. */
typedef struct tcp_pool {
    uint16_t known;  /* bit i: item i has a content */
    uint16_t stable; /* bit i: option_static of item i is set */
    uint8_t used;
    tcp_generic item[TCP_GENERICS];
    uint8_t octets[TCP_POOL_MAX];
} tcp_pool;

static inline bool tcp_known(const tcp_pool *pool, uint32_t index) { return (pool->known >> index & 1) != 0; }
/**
 * Makes `content` item `index`. Without room all generic items go that are not in `keep`, a set of indexes. False: there is no room
 * even then; item `index` is unknown afterwards.
 */
bool tcp_pool_put(tcp_pool *pool, uint32_t index, uint8_t kind, bool stable, const uint8_t *content, uint8_t bytes, uint16_t keep);
/** The content. */
static inline const uint8_t *tcp_pool_get(const tcp_pool *pool, uint32_t index) {
    return pool->octets + pool->item[index - ITEM_GENERIC].at;
}

/** Which items make the options of a packet, in order. */
typedef struct tcp_list {
    uint8_t count;
    uint8_t index[TCP_LIST_MAX];
} tcp_list;

/** Contents of items that have an index of their own. */
typedef struct tcp_values {
    uint32_t ts, echo;
    uint32_t edge[2 * TCP_SACK_BLOCKS];
    uint16_t mss;
    uint8_t scale;
    uint8_t padding; /* octets behind EOL */
    uint8_t blocks;
    uint8_t known;   /* bit i: item i has a content */
} tcp_values;

/* ---- the decompressor's context -------------------------------------------------------------------------------- */

/** What seldom changes: IR packets write it, and lists of options with generic ones. */
typedef struct tcp_fixed {
    uint16_t ports[2];
    uint8_t ips;
    bool has_pool;         /* else there is nothing in it, and what is behind the chain means nothing */
    uint16_t chain_bytes;
    uint16_t ip_offset[ROHC_IPS + 1]; /* in the chain; behind the last one where it ends */
    uint8_t chain[TCP_CHAIN_MAX];
    tcp_pool pool;
} tcp_fixed;

typedef struct tcp_dynamic {
    _Alignas(8) uint32_t seq;
    uint32_t ack;
    uint32_t scaled;         /* sequence number / payload of the last packet that had one */
    tcp_values values;
    uint16_t residue;        /* and the remainder */
    uint16_t msn, window, urgent, stride;
    uint16_t id_offset;      /* innermost IP-ID - MSN */
    uint8_t tos[ROHC_IPS], ttl[ROHC_IPS];
    uint8_t behaviour[ROHC_IPS];
    uint8_t dont_fragment;   /* bit i: of header i */
    uint8_t flags, reserved; /* as in the header */
    uint8_t ecn_used;
    bool has_scaled;
    tcp_list list;
} tcp_dynamic;

OX_STATIC_ASSERT(sizeof(tcp_fixed) % 8 == 0 && sizeof(tcp_dynamic) % 8 == 0, "the core aligns to 8");
OX_STATIC_ASSERT(sizeof(tcp_fixed) + 4 * sizeof(tcp_dynamic) <= ROHC_CONTEXT_STATE_BYTES, "three earlier states");

/** A packet that is being rebuilt. */
typedef struct tcp_rebuild {
    rohc_decompression *work;
    tcp_fixed *fixed;          /* written in place */
    tcp_dynamic *now;          /* likewise */
    tcp_dynamic before;        /* as it was: references of LSB encoding */
    bool touched;              /* `fixed` was written */
    bool irregular_ttl;        /* of outer headers */
    uint8_t steps;             /* a repair: scaled numbers are so many intervals further, */
    bool own_scale;            /* or the last sequence number says what is left of scaling them */
    uint8_t *header;           /* the rebuilt one */
    uint32_t header_bytes;
    uint16_t ip_id[ROHC_IPS];
    uint16_t checksum;
    uint16_t present;          /* bit i: option i came with the list */
    uint8_t option_bytes[TCP_LIST_MAX];
    uint8_t option[TCP_LIST_MAX][TCP_OPTIONS_MAX];
} tcp_rebuild;

static inline bool tcp_inner_is_v4(const tcp_fixed *fixed) { return fixed->chain[fixed->ip_offset[fixed->ips - 1]] >> 4 == 4; }
/** Which of the two sets of formats is in use. */
static inline bool tcp_sequential(const tcp_fixed *fixed, const tcp_dynamic *dynamic) {
    return tcp_inner_is_v4(fixed) && dynamic->behaviour[fixed->ips - 1] <= ID_SWAPPED;
}
/** IP-ID from offset and MSN (section 6.4, ip_id_lsb). */
static inline uint16_t tcp_id_of(uint16_t offset, uint16_t msn, uint8_t behaviour) {
    const uint16_t id = (uint16_t)(offset + msn);
    return behaviour == ID_SWAPPED ? rohc_swap16(id) : id;
}
static inline uint16_t tcp_id_offset(uint16_t id, uint16_t msn, uint8_t behaviour) {
    return (uint16_t)((behaviour == ID_SWAPPED ? rohc_swap16(id) : id) - msn);
}

/* tcp_chain_decode.c */
bool tcp_read_static_chain(tcp_rebuild *rebuild);
bool tcp_read_dynamic_chain(tcp_rebuild *rebuild);
bool tcp_read_replicate_chain(tcp_rebuild *rebuild);
bool tcp_read_irregular_chain(tcp_rebuild *rebuild);

/* tcp_options_decode.c */
/** `all`: every item has to be there, as in a dynamic chain. */
bool tcp_read_list(tcp_rebuild *rebuild, bool all);
/** The irregular chain's items; or, of a replicated context, the items that it has. */
bool tcp_read_options(tcp_rebuild *rebuild, bool replicated);

/* tcp_rebuild.c */
/** Makes the header of all that was read, lengths and checksums of the IP headers included. */
bool tcp_write_header(tcp_rebuild *rebuild);
/** Scaled sequence number and remainder, of a packet whose sequence number is known (section 6.4.8.1). */
void tcp_learn_scaled(tcp_dynamic *now, uint32_t payload);
/** Whether the TCP checksum of what was rebuilt is right. False also when nobody can tell. */
bool tcp_checksum_right(const tcp_rebuild *rebuild);

/* tcp_decompress.c */
ox_rohc_verdict tcp_decompress(rohc_decompression *work);
/** Octets of a tcp_fixed that mean something. */
uint32_t tcp_fixed_extent(const void *fixed);

#endif
