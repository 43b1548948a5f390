/**
 * @file  What the files of the room share: the packet as the profiles see it, contexts, and what a profile provides.
 *
 * A context of a compressor is a *flow*: a core part, and `state` that is the profile's. One of a decompressor has a `static`
 * part, that only IR packets write, and a `dynamic` one, of which a few earlier values are kept, each with the number of the
 * packet that came after it. A profile decompresses into copies; the core commits them when the packet passed, and did not come
 * late. So a packet that fails leaves no trace in its context, and a late one neither.
 */
#ifndef OX_ROHC_STATE_H
#define OX_ROHC_STATE_H

#include "oxcore/packet.h"
#include "oxcore/rohc.h"

enum {
    ROHC_CONTEXT_BYTES = 1024,
    ROHC_FLOW_STATE_BYTES = 944,    /* of a compressor's context, for the profile */
    ROHC_CONTEXT_STATE_BYTES = 928, /* of a decompressor's: static, dynamic and the saved dynamics together */
    ROHC_IPS = 2,                   /* IP headers in a chain; a third one is payload */
    ROHC_REPETITIONS = 3,           /* where the parameters do not say */
    ROHC_BRIDGE = 14,               /* losses of a flow in a row, one more than leave nothing unsaid in O mode */
    ROHC_EXTENSIONS = 8,            /* extension headers behind one IPv6 header */
};

/* IP protocol numbers, and IPv6 next headers. */
enum {
    PROTO_HOP_BY_HOP = 0,
    PROTO_IPV4 = 4,
    PROTO_TCP = 6,
    PROTO_UDP = 17,
    PROTO_IPV6 = 41,
    PROTO_ROUTING = 43,
    PROTO_GRE = 47,
    PROTO_ESP = 50,
    PROTO_AH = 51,
    PROTO_DESTINATION = 60,
    PROTO_MINE = 55,
};

enum { IPV4_BYTES = 20, IPV6_BYTES = 40, UDP_BYTES = 8, TCP_BYTES = 20, RTP_BYTES = 12, ESP_BYTES = 8 };

/* ---- ip.c: the packet to compress ----------------------------------------------------------------------------- */

/** One extension header, in the packet. Hop-by-hop, routing, destination options, AH. */
typedef struct rohc_extension {
    uint8_t type;    /* its own protocol number */
    uint16_t offset; /* from the first octet of the packet */
    uint16_t bytes;
} rohc_extension;

/** One IP header in the packet, with its extension headers. */
typedef struct rohc_ip {
    const uint8_t *bytes;
    uint8_t version;        /* 4 or 6 */
    uint8_t protocol;       /* of what follows this header and its extension headers */
    uint8_t extensions;     /* 0 for IPv4 */
    uint16_t header_bytes;  /* 20 or 40, and the extension headers */
    rohc_extension extension[ROHC_EXTENSIONS];
} rohc_ip;

/**
 * A packet whose IP headers can be compressed: right lengths, no IPv4 options, IPv4 header checksums that are right, no IPv4
 * fragments, reserved flag clear. Lengths are consistent over all headers: an IP header's length reaches to the end.
 */
typedef struct rohc_packet {
    const uint8_t *bytes;
    uint32_t len;
    rohc_ip ip[ROHC_IPS];       /* outermost first */
    uint8_t ips;
    uint8_t protocol;           /* behind the last of them */
    const uint8_t *transport;   /* first octet behind the IP headers */
    uint32_t transport_offset;
    uint32_t transport_bytes;   /* from there to the end of the packet */
    uint32_t hash;              /* of addresses, protocols, and ports or SPI */
    uint64_t now_ns;
    bool known_ids;             /* `before_ids` are known: */
    uint16_t before_ids[ROHC_IPS]; /* identifications of the packet before it, when it opens a flow */
    bool reused;                /* the flow that it opens has a context id that another had, */
    bool foreign;               /* with another profile, as far as is known */
    uint32_t rtp_stride;        /* of an RTP flow that is opened with it: by how much TS grew since the packet before; 0: unknown */
} rohc_packet;

/** False: no profile but Uncompressed can have it. */
bool rohc_packet_read(rohc_packet *packet, const uint8_t *bytes, uint32_t len);

/** Innermost IP header. */
static inline const rohc_ip *rohc_inner(const rohc_packet *packet) { return &packet->ip[packet->ips - 1]; }

static inline uint16_t rohc_swap16(uint16_t v) { return (uint16_t)(v << 8 | v >> 8); }

/** The header checksum of an IPv4 header without options, of which the field itself counts as zero. */
static inline uint16_t rohc_ipv4_checksum(const uint8_t *header) {
    /* Words as the machine reads them: their sum has its octets in the same order as they (RFC 1071 section 2). */
    uint32_t words[IPV4_BYTES / 4];
    memcpy(words, header, sizeof words);
    memset((uint8_t *)words + 10, 0, 2);
    uint64_t sum = (uint64_t)words[0] + words[1] + words[2] + words[3] + words[4];
    sum = (sum & UINT16_MAX) + (sum >> 16);
    sum = (sum & UINT16_MAX) + (sum >> 16);
    const uint16_t folded = (uint16_t)(sum + (sum >> 16));
    uint8_t octets[2];
    memcpy(octets, &folded, 2);
    return (uint16_t)~ox_load_be16(octets);
}

/* ---- reading and writing octets ------------------------------------------------------------------------------- */

/** Octets that were received. Reading beyond the end gives zeros and sets `short_`, which is looked at once, at the end. */
typedef struct rohc_reader {
    const uint8_t *at, *end;
    bool short_;
} rohc_reader;

static inline uint32_t rohc_left(const rohc_reader *reader) { return (uint32_t)(reader->end - reader->at); }
/** `count` octets, or NULL, and then `short_` is set. */
static inline const uint8_t *rohc_read(rohc_reader *reader, uint32_t count) {
    if (rohc_left(reader) < count) {
        reader->short_ = true;
        reader->at = reader->end;
        return NULL;
    }
    const uint8_t *octets = reader->at;
    reader->at += count;
    return octets;
}
static inline uint8_t rohc_read8(rohc_reader *reader) {
    const uint8_t *octets = rohc_read(reader, 1);
    return octets == NULL ? 0 : *octets;
}
static inline uint16_t rohc_read16(rohc_reader *reader) {
    const uint8_t *octets = rohc_read(reader, 2);
    return octets == NULL ? 0 : ox_load_be16(octets);
}
static inline uint32_t rohc_read32(rohc_reader *reader) {
    const uint8_t *octets = rohc_read(reader, 4);
    return octets == NULL ? 0 : ox_load_be32(octets);
}

/** Octets to send, or a header that is rebuilt. Writing beyond the end writes nothing and sets `full`. */
typedef struct rohc_writer {
    uint8_t *at, *end;
    bool full;
} rohc_writer;

/** Room for `count` octets, or NULL, and then `full` is set. */
static inline uint8_t *rohc_room(rohc_writer *writer, uint32_t count) {
    if ((uint32_t)(writer->end - writer->at) < count) {
        writer->full = true;
        return NULL;
    }
    uint8_t *octets = writer->at;
    writer->at += count;
    return octets;
}
static inline void rohc_write(rohc_writer *writer, const void *octets, uint32_t count) {
    uint8_t *to = rohc_room(writer, count);
    if (to != NULL && count != 0) memcpy(to, octets, count);
}
static inline void rohc_write8(rohc_writer *writer, uint32_t value) {
    uint8_t *to = rohc_room(writer, 1);
    if (to != NULL) *to = (uint8_t)value;
}
static inline void rohc_write16(rohc_writer *writer, uint32_t value) {
    uint8_t *to = rohc_room(writer, 2);
    if (to != NULL) ox_store_be16(to, (uint16_t)value);
}
static inline void rohc_write32(rohc_writer *writer, uint32_t value) {
    uint8_t *to = rohc_room(writer, 4);
    if (to != NULL) ox_store_be32(to, value);
}

/* ---- sdvl.c: self-describing variable-length values (RFC 3095 section 4.5.6) ---------------------------------- */

enum { SDVL_BITS_MAX = 29 };

/** Octets that a value of so many bits takes: 1 for 7, 2 for 14, 3 for 21, 4 for 29; 0 above. */
uint32_t rohc_sdvl_bytes(uint32_t bits);
/** Octets that the value takes, 0 if it has more than 29 bits. */
uint32_t rohc_sdvl_bytes_of(uint32_t value);
/** Writes the value in the form for `bits` bits, of which it has no more; `bits` is at most ::SDVL_BITS_MAX. */
void rohc_sdvl_write(rohc_writer *writer, uint32_t value, uint32_t bits);
/** `bits`, when not NULL: how many the form carried. */
uint32_t rohc_sdvl_read(rohc_reader *reader, uint32_t *bits);

/* ---- crc.c (RFC 3095 section 5.9, RFC 4815 section 2) ---------------------------------------------------------- */

enum { CRC3_START = 0x7, CRC7_START = 0x7F, CRC8_START = 0xFF };

/** The CRC goes on from `crc`, so that fields may be added one behind the other. Also version 2's CRCs. */
uint8_t rohc_crc3(const uint8_t *octets, uint32_t count, uint8_t crc);
uint8_t rohc_crc7(const uint8_t *octets, uint32_t count, uint8_t crc);
uint8_t rohc_crc8(const uint8_t *octets, uint32_t count, uint8_t crc);
/** Of a reassembled packet (RFC 3095 section 5.2.5.2), complete: the value as it is sent, lowest octet first. */
uint32_t rohc_fcs32(const uint8_t *octets, uint32_t count);

/* ---- wlsb.c: window-based least significant bits (RFC 3095 section 4.5.2) -------------------------------------- */

enum {
    ROHC_WINDOW = 8,      /* repetitions, at most */
    ROHC_REFERENCES = 16, /* values in a window, at most */
};

/** The values that the decompressor may have for its reference: the last `width` that were sent. All zero is empty. */
typedef struct rohc_window {
    uint32_t values[ROHC_REFERENCES];
    uint8_t next, count;
} rohc_window;

/** How far the new value is from all references: `least` <= value - reference <= `most`. */
typedef struct rohc_spread {
    int32_t least, most;
} rohc_spread;

static inline void rohc_window_add(rohc_window *window, uint32_t value, uint8_t width) {
    OX_ASSERT(width >= 1 && width <= ROHC_REFERENCES);
    if (window->next >= width || window->count == 0) window->next = 0;
    window->values[window->next++] = value;
    if (window->count < width) window->count++;
}
/** `field_bits`: 8, 16 or 32, the width of the field, in which differences wrap. With an empty window nothing fits. */
rohc_spread rohc_window_spread(const rohc_window *window, uint32_t value, uint32_t field_bits);
/** Whether k bits with offset p say the value, whichever the reference is: interval [reference - p, reference + 2^k - 1 - p]. */
static inline bool rohc_fits(rohc_spread spread, uint32_t k, int64_t p) {
    return spread.least >= -p && spread.most <= ((int64_t)1 << k) - 1 - p;
}
/** The value in the interval of `reference` whose k lowest bits are `bits`. `k` up to 32; the caller masks to the field. */
static inline uint32_t rohc_lsb_decode(uint32_t reference, uint32_t bits, uint32_t k, int64_t p) {
    const uint32_t mask = k >= 32 ? UINT32_MAX : (1u << k) - 1;
    const uint32_t low = reference - (uint32_t)p;
    return low + ((bits - low) & mask);
}

/* ---- feedback.c (RFC 3095 sections 5.2.2 and 5.7.6, RFC 6846 section 8.3, RFC 5225 section 6.9) ----------------- */

typedef enum rohc_ack { ROHC_ACK = 0, ROHC_NACK = 1, ROHC_STATIC_NACK = 2 } rohc_ack;
enum { ROHC_MODE_NONE = 0, ROHC_MODE_U = 1, ROHC_MODE_O = 2, ROHC_MODE_R = 3 };

/** What a feedback element says. FEEDBACK-1 is an ACK. */
typedef struct rohc_feedback {
    rohc_ack ack;
    uint8_t mode;     /* ROHC_MODE_*, profiles 1 to 4 alone */
    uint32_t sn;      /* the low `sn_bits` bits of the sequence number, or MSN */
    uint8_t sn_bits;
    bool sn_valid;    /* no SN-NOT-VALID, or ACKNUMBER-NOT-VALID, option */
    bool protected_;  /* has a CRC, and it was right */
    bool reject;      /* option REJECT */
    bool two;         /* FEEDBACK-2 */
} rohc_feedback;

/** A FEEDBACK element to be sent. */
typedef struct rohc_feedback_out {
    rohc_ack ack;
    uint8_t mode;     /* profiles 1 to 4 */
    uint32_t sn;      /* its low `sn_bits` bits are sent, in as few octets as they take */
    uint8_t sn_bits;  /* at most 14 for TCP and version 2, 32 otherwise; 0 when it is not known */
} rohc_feedback_out;

/** Whether `profile` has RFC 6846's and RFC 5225's form of FEEDBACK-2: acknowledgement type, 14 bits of MSN, CRC. */
static inline bool rohc_feedback_is_msn(uint16_t profile) { return profile == 0x0006 || profile >= 0x0100; }

/** Skips one element, header and all; `data` and `count` become what is inside it. False: it is malformed. */
bool rohc_feedback_next(rohc_reader *reader, const uint8_t **data, uint32_t *count);
/** Takes the CID off. False: it is malformed. */
bool rohc_feedback_cid(const uint8_t **data, uint32_t *count, bool large_cids, uint16_t *cid);
/** Reads what is behind the CID. `element`, of `element_bytes` from the CID on, is what the CRC covers. */
bool rohc_feedback_read(const uint8_t *element, uint32_t element_bytes, const uint8_t *data, uint32_t count, uint16_t profile,
                        rohc_feedback *feedback);
/** Writes a whole element, with header and CID. */
void rohc_feedback_write(rohc_writer *writer, const rohc_feedback_out *feedback, uint16_t profile, uint16_t cid, bool large_cids);

/* ---- what a profile works on ---------------------------------------------------------------------------------- */

/** One packet on its way through a profile of the compressor. */
typedef struct rohc_compression {
    const rohc_packet *packet;
    const ox_rohc_parameters *parameters;
    void *state;            /* the flow's */
    struct ox_rohc_compressor *compressor;
    uint16_t cid;
    uint8_t width;          /* repetitions: how often a change is sent, and how many references a window holds */
    uint8_t *first;         /* the packet's first octet: the profile writes it */
    rohc_writer body;       /* behind first octet and large CID */
    uint32_t consumed;      /* set by the profile: octets of the packet that the header stands for */
    ox_rohc_type type;      /* set by the profile */
} rohc_compression;

/** One packet on its way through a profile of the decompressor. */
typedef struct rohc_decompression {
    const ox_rohc_parameters *parameters;
    struct ox_rohc_decompressor *decompressor;
    void *fixed;            /* copy of the context's static part: an IR writes it; a context that is new has zeros there */
    void *dynamic;          /* copy of its dynamic part, likewise */
    bool fresh;             /* the context has no state of this profile: only an IR can be decompressed */
    bool fixed_written;     /* set by the profile when it wrote the static part */
    uint8_t first;          /* the packet's first octet */
    rohc_reader body;       /* behind first octet and CID; of IR, IR-DYN and IR-CR behind profile and CRC-8, which the core has
                               checked for place, and checks for value when the profile returns */
    uint16_t cid;
    uint64_t lost_most;     /* packets of this flow that may be missing since `dynamic` was the newest; UINT64_MAX: unknown */
    bool known_order;       /* `lost_most` is known, and `dynamic` is the state before this packet, late as it may be */
    rohc_writer header;     /* the header to be rebuilt; the payload is what the profile leaves in `body` */
    ox_rohc_type type;      /* set by the profile */
    uint32_t sn;            /* set by the profile: sequence number or MSN, for feedback */
    uint8_t sn_bits;        /* its width */
    bool repaired;          /* set by the profile: it passed after a repair */
    bool verified;          /* set by the profile: it was proved by a CRC of 7 or 8 bits */
    bool news;              /* set by the profile: it told something that is told until it is acknowledged */
} rohc_decompression;

/** What a profile provides. Everything is called by the core alone. */
typedef struct rohc_profile {
    uint16_t number;                                /* such as 0x0104 */
    uint16_t fixed_bytes, dynamic_bytes;            /* of a decompressor's context: multiples of 8 */

    /* The compressor's half: state is ROHC_FLOW_STATE_BYTES, aligned to 8. */

    /** Whether the profile can compress this packet at all. The core asks the profiles from RTP to IP. */
    bool (*recognise)(const rohc_packet *packet);
    /** Whether the packet belongs to this flow; the core has compared the hash. What may change by an IR need not be equal. */
    bool (*matches)(const void *state, const rohc_packet *packet);
    /** Makes a new flow of it; the state is all zero. */
    void (*open)(void *state, const rohc_packet *packet, const ox_rohc_parameters *parameters);
    /** Writes the packet's header. False: it cannot, and the state is as it was; then the packet goes out raw. */
    bool (*compress)(rohc_compression *work);
    /** The decompressor said something. */
    void (*feedback)(void *state, const rohc_feedback *feedback);

    /* The decompressor's half. */

    /** How many octets of this static part mean something, at most `fixed_bytes`; NULL: all. */
    uint32_t (*fixed_extent)(const void *fixed);

    /** Rebuilds the header. Everything that is not OX_ROHC_PASS leaves the context as it was. */
    ox_rohc_verdict (*decompress)(rohc_decompression *work);
} rohc_profile;

extern const rohc_profile rohc_profile_uncompressed, rohc_profile_rtp, rohc_profile_udp, rohc_profile_esp, rohc_profile_ip;
extern const rohc_profile rohc_profile_tcp;
extern const rohc_profile rohc_profile_v2_rtp, rohc_profile_v2_udp, rohc_profile_v2_esp, rohc_profile_v2_ip;

/** profiles.c: in the order of the bits of OX_ROHC_*. */
extern const rohc_profile *const rohc_profiles[OX_ROHC_PROFILES];
/** The profile with these low 8 bits that is in the set, or NULL. */
const rohc_profile *rohc_profile_of_octet(uint8_t octet, uint32_t set);

/* Packet types that are equal in all profiles (RFC 3095 section 5.2, RFC 6846 section 6.1). */
enum {
    TYPE_PADDING = 0xE0,
    TYPE_ADD_CID = 0xE0,   /* and the CID, not 0, in the low 4 bits */
    TYPE_FEEDBACK = 0xF0,  /* and its size in the low 3 bits */
    TYPE_IR_DYN = 0xF8,
    TYPE_IR = 0xFC,        /* and D in the lowest bit: IR-CR of TCP and version 2 without it */
    TYPE_SEGMENT = 0xFE,   /* and F in the lowest bit */
};

/** IR, IR-DYN and IR-CR: writes first octet, profile, and room for the CRC-8, which the core fills in. */
static inline void rohc_begin_ir(rohc_compression *work, uint8_t type, uint16_t profile) {
    *work->first = type;
    rohc_write8(&work->body, profile & 0xFF);
    rohc_write8(&work->body, 0);
}

/** A programmer's error when they are out of their limits. */
void rohc_parameters_check(const ox_rohc_parameters *parameters);

/* ---- flows.c: what TCP's context replication needs -------------------------------------------------------- */

/**
 * A flow of `profile` for which `similar` is true, the most recent first, of those that were used last; NULL without. `cid`
 * becomes its context id, which never is `work->cid`.
 */
const void *rohc_flow_find(const rohc_compression *work, const rohc_profile *profile,
                           bool (*similar)(const void *state, const rohc_packet *packet), uint16_t *cid);

/* ---- decompressor.c: likewise ---------------------------------------------------------------------------------- */

/** The context with that id, if it has this profile: its newest static and dynamic part. False without. */
bool rohc_context_find(const rohc_decompression *work, const rohc_profile *profile, uint16_t cid, const void **fixed,
                       const void **dynamic);

#endif
