/**
 * @file  Robust header compression: RFC 3095, 3843 and 4815 (Uncompressed, RTP, UDP, ESP, IP), RFC 6846 (TCP) and RFC 5225
 *        (RTP, UDP, ESP and IP of version 2).
 *
 * An ox_rohc_compressor and the ox_rohc_decompressor at the other end share a channel: a set of profiles, a kind of context
 * ids and the highest of them. Each is of one direction; feedback of the decompressor travels back beside the other direction.
 * Both hand out *headers*: how many octets of the input the header stands for, and what it becomes. What follows is the
 * payload, which nobody moves.
 *
 * Memory:  all contexts, of at most 1 KB each, are taken when an object is made, or lie in memory of the caller's: zeros, of which
 *          pages are touched when their contexts are used. No call allocates afterwards.
 * Time:    an argument, of any monotonic clock.
 * Threads: an object belongs to one thread.
 */
#ifndef OXCORE_ROHC_H
#define OXCORE_ROHC_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    OX_ROHC_SMALL_CID_MAX = 15,
    OX_ROHC_LARGE_CID_MAX = 16383,
    OX_ROHC_HEADER_MAX = 512,    /**< octets of a header, compressed or not; packets with longer ones stay as they are */
    OX_ROHC_FEEDBACK_MAX = 256,  /**< octets of feedback that one packet can bring about */
    OX_ROHC_PACKET_MAX = 65535,  /**< longest packet, either way */
    OX_ROHC_RTP_PORTS_MAX = 16,
};

/** Profiles, as sets. Version 1 and version 2 of the same profile exclude each other (RFC 5225 section 5.1.1). */
enum {
    OX_ROHC_UNCOMPRESSED = 1 << 0, /**< 0x0000; always there in a decompressor */
    OX_ROHC_RTP = 1 << 1,          /**< 0x0001 */
    OX_ROHC_UDP = 1 << 2,          /**< 0x0002 */
    OX_ROHC_ESP = 1 << 3,          /**< 0x0003 */
    OX_ROHC_IP = 1 << 4,           /**< 0x0004 */
    OX_ROHC_TCP = 1 << 5,          /**< 0x0006 */
    OX_ROHC_V2_RTP = 1 << 6,       /**< 0x0101 */
    OX_ROHC_V2_UDP = 1 << 7,       /**< 0x0102 */
    OX_ROHC_V2_ESP = 1 << 8,       /**< 0x0103 */
    OX_ROHC_V2_IP = 1 << 9,        /**< 0x0104 */
    OX_ROHC_PROFILES = 10,
    OX_ROHC_V1 = 0x3F,
    OX_ROHC_V2 = OX_ROHC_UNCOMPRESSED | OX_ROHC_TCP | OX_ROHC_V2_RTP | OX_ROHC_V2_UDP | OX_ROHC_V2_ESP | OX_ROHC_V2_IP,
};

/** What both ends of a channel agree on, and how each of them behaves. */
typedef struct ox_rohc_parameters {
    uint32_t profiles;        /**< OX_ROHC_*, a set */
    uint16_t cid_max;         /**< contexts are 0 to cid_max; at most 15 or 16383 */
    bool large_cids;          /**< context ids of 1 or 2 octets behind the first; else 4 bits before it */
    bool bidirectional;       /**< O mode: there is a way back for feedback; else U mode */
    uint8_t reorder_ratio;    /**< of version 2: 0 none, 1 quarter, 2 half, 3 three quarters (RFC 5225 section 6.6.1) */
    /**
     * How often a new flow is introduced, 1 to 8; 0 for 3. In U mode so often is each change said, and after the loss of as many packets
     * a numbered packet is refused, so both ends need the same; in O mode a change is said until an ACK comes, or 14 to 16 times;
     * of TCP at least 5 times in a row, and then with every fourth packet of the next 20.
     */
    uint8_t repetitions;
    bool raw;                 /**< compressor: a packet may be left as it is (::OX_ROHC_RAW); else it gets profile Uncompressed */
    bool reused;              /**< compressor: the decompressor may have contexts of another one before it */
    bool verify_checksums;    /**< decompressor: packets whose UDP or TCP checksum is wrong are not handed out */
    uint16_t mrru;            /**< decompressor: longest packet put together from segments, FCS included; 0 for none */
    uint8_t rtp_ports;        /**< compressor: of those below; a UDP flow to one of them is taken for RTP at once */
    uint16_t rtp_port[OX_ROHC_RTP_PORTS_MAX];
} ox_rohc_parameters;

/** Kinds of packets, of all profiles: X(symbol, name). */
#define OX_ROHC_TYPES(X)                                                                                             \
    X(OX_ROHC_TYPE_RAW, "raw")                                                                                       \
    X(OX_ROHC_TYPE_NORMAL, "normal")                                                                                 \
    X(OX_ROHC_TYPE_IR, "ir")                                                                                         \
    X(OX_ROHC_TYPE_IR_DYN, "ir-dyn")                                                                                 \
    X(OX_ROHC_TYPE_IR_CR, "ir-cr")                                                                                   \
    X(OX_ROHC_TYPE_UO_0, "uo-0")                                                                                     \
    X(OX_ROHC_TYPE_UO_1, "uo-1")                                                                                     \
    X(OX_ROHC_TYPE_UO_1_RTP, "uo-1-rtp")                                                                             \
    X(OX_ROHC_TYPE_UO_1_ID, "uo-1-id")                                                                               \
    X(OX_ROHC_TYPE_UO_1_ID_EXT_0, "uo-1-id-ext-0")                                                                   \
    X(OX_ROHC_TYPE_UO_1_ID_EXT_1, "uo-1-id-ext-1")                                                                   \
    X(OX_ROHC_TYPE_UO_1_ID_EXT_2, "uo-1-id-ext-2")                                                                   \
    X(OX_ROHC_TYPE_UO_1_ID_EXT_3, "uo-1-id-ext-3")                                                                   \
    X(OX_ROHC_TYPE_UO_1_TS, "uo-1-ts")                                                                               \
    X(OX_ROHC_TYPE_UOR_2, "uor-2")                                                                                   \
    X(OX_ROHC_TYPE_UOR_2_EXT_0, "uor-2-ext-0")                                                                       \
    X(OX_ROHC_TYPE_UOR_2_EXT_1, "uor-2-ext-1")                                                                       \
    X(OX_ROHC_TYPE_UOR_2_EXT_2, "uor-2-ext-2")                                                                       \
    X(OX_ROHC_TYPE_UOR_2_EXT_3, "uor-2-ext-3")                                                                       \
    X(OX_ROHC_TYPE_UOR_2_RTP, "uor-2-rtp")                                                                           \
    X(OX_ROHC_TYPE_UOR_2_RTP_EXT_0, "uor-2-rtp-ext-0")                                                               \
    X(OX_ROHC_TYPE_UOR_2_RTP_EXT_1, "uor-2-rtp-ext-1")                                                               \
    X(OX_ROHC_TYPE_UOR_2_RTP_EXT_2, "uor-2-rtp-ext-2")                                                               \
    X(OX_ROHC_TYPE_UOR_2_RTP_EXT_3, "uor-2-rtp-ext-3")                                                               \
    X(OX_ROHC_TYPE_UOR_2_ID, "uor-2-id")                                                                             \
    X(OX_ROHC_TYPE_UOR_2_ID_EXT_0, "uor-2-id-ext-0")                                                                 \
    X(OX_ROHC_TYPE_UOR_2_ID_EXT_1, "uor-2-id-ext-1")                                                                 \
    X(OX_ROHC_TYPE_UOR_2_ID_EXT_2, "uor-2-id-ext-2")                                                                 \
    X(OX_ROHC_TYPE_UOR_2_ID_EXT_3, "uor-2-id-ext-3")                                                                 \
    X(OX_ROHC_TYPE_UOR_2_TS, "uor-2-ts")                                                                             \
    X(OX_ROHC_TYPE_UOR_2_TS_EXT_0, "uor-2-ts-ext-0")                                                                 \
    X(OX_ROHC_TYPE_UOR_2_TS_EXT_1, "uor-2-ts-ext-1")                                                                 \
    X(OX_ROHC_TYPE_UOR_2_TS_EXT_2, "uor-2-ts-ext-2")                                                                 \
    X(OX_ROHC_TYPE_UOR_2_TS_EXT_3, "uor-2-ts-ext-3")                                                                 \
    X(OX_ROHC_TYPE_TCP_CO_COMMON, "tcp-co-common")                                                                   \
    X(OX_ROHC_TYPE_TCP_RND_1, "tcp-rnd-1")                                                                           \
    X(OX_ROHC_TYPE_TCP_RND_2, "tcp-rnd-2")                                                                           \
    X(OX_ROHC_TYPE_TCP_RND_3, "tcp-rnd-3")                                                                           \
    X(OX_ROHC_TYPE_TCP_RND_4, "tcp-rnd-4")                                                                           \
    X(OX_ROHC_TYPE_TCP_RND_5, "tcp-rnd-5")                                                                           \
    X(OX_ROHC_TYPE_TCP_RND_6, "tcp-rnd-6")                                                                           \
    X(OX_ROHC_TYPE_TCP_RND_7, "tcp-rnd-7")                                                                           \
    X(OX_ROHC_TYPE_TCP_RND_8, "tcp-rnd-8")                                                                           \
    X(OX_ROHC_TYPE_TCP_SEQ_1, "tcp-seq-1")                                                                           \
    X(OX_ROHC_TYPE_TCP_SEQ_2, "tcp-seq-2")                                                                           \
    X(OX_ROHC_TYPE_TCP_SEQ_3, "tcp-seq-3")                                                                           \
    X(OX_ROHC_TYPE_TCP_SEQ_4, "tcp-seq-4")                                                                           \
    X(OX_ROHC_TYPE_TCP_SEQ_5, "tcp-seq-5")                                                                           \
    X(OX_ROHC_TYPE_TCP_SEQ_6, "tcp-seq-6")                                                                           \
    X(OX_ROHC_TYPE_TCP_SEQ_7, "tcp-seq-7")                                                                           \
    X(OX_ROHC_TYPE_TCP_SEQ_8, "tcp-seq-8")                                                                           \
    X(OX_ROHC_TYPE_V2_CO_COMMON, "v2-co-common")                                                                     \
    X(OX_ROHC_TYPE_V2_CO_REPAIR, "v2-co-repair")                                                                     \
    X(OX_ROHC_TYPE_V2_PT_0_CRC3, "v2-pt-0-crc3")                                                                     \
    X(OX_ROHC_TYPE_V2_PT_0_CRC7, "v2-pt-0-crc7")                                                                     \
    X(OX_ROHC_TYPE_V2_PT_1_RND, "v2-pt-1-rnd")                                                                       \
    X(OX_ROHC_TYPE_V2_PT_1_SEQ_ID, "v2-pt-1-seq-id")                                                                 \
    X(OX_ROHC_TYPE_V2_PT_1_SEQ_TS, "v2-pt-1-seq-ts")                                                                 \
    X(OX_ROHC_TYPE_V2_PT_2_RND, "v2-pt-2-rnd")                                                                       \
    X(OX_ROHC_TYPE_V2_PT_2_SEQ_ID, "v2-pt-2-seq-id")                                                                 \
    X(OX_ROHC_TYPE_V2_PT_2_SEQ_TS, "v2-pt-2-seq-ts")                                                                 \
    X(OX_ROHC_TYPE_V2_PT_2_SEQ_BOTH, "v2-pt-2-seq-both")

typedef enum OX_CLOSED_ENUM ox_rohc_type {
#define X(symbol, name) symbol,
    OX_ROHC_TYPES(X)
#undef X
} ox_rohc_type;

enum {
#define X(symbol, name) +1
    OX_ROHC_TYPE_COUNT = 0 OX_ROHC_TYPES(X),
#undef X
};

/** Such as "uor-2-id-ext-3". */
const char *ox_rohc_type_name(ox_rohc_type type);

/* ---- compression ---------------------------------------------------------------------------------------------- */

typedef struct ox_rohc_compressor ox_rohc_compressor;

/** NULL without memory. The parameters are within their limits: a programmer's error otherwise. */
ox_rohc_compressor *ox_rohc_compressor_create(const ox_rohc_parameters *parameters);
/** Makes one in `memory`: ox_rohc_compressor_bytes() of it, zeroed, aligned to 8. It is not to be destroyed. */
ox_rohc_compressor *ox_rohc_compressor_init(void *memory, const ox_rohc_parameters *parameters);
size_t ox_rohc_compressor_bytes(const ox_rohc_parameters *parameters);
/** NULL is allowed. */
void ox_rohc_compressor_destroy(ox_rohc_compressor *compressor);

typedef enum OX_CLOSED_ENUM ox_rohc_outcome {
    OX_ROHC_COMPRESSED, /**< a ROHC packet: `header`, then the input from `consumed` on */
    OX_ROHC_RAW,        /**< send it as it is, outside of ROHC: it pays more, or no context is free. Only where `raw` allows it */
} ox_rohc_outcome;

/** A header that was compressed. */
typedef struct ox_rohc_compressed {
    uint8_t header[OX_ROHC_HEADER_MAX];
    uint32_t header_bytes;
    uint32_t consumed; /**< octets of the packet that the header stands for */
    ox_rohc_type type;
    uint16_t profile;  /**< its number, such as 0x0104 */
    uint16_t cid;
} ox_rohc_compressed;

/** Compresses the IP packet in `packet[0..<len]`, or anything else: what is no IP packet is left raw or Uncompressed. */
OX_MUST_USE ox_rohc_outcome ox_rohc_compress(ox_rohc_compressor *compressor, const uint8_t *packet, uint32_t len,
                                             uint64_t now_ns, ox_rohc_compressed *out);

/**
 * Takes feedback elements (RFC 3095 section 5.2.2), one behind the other: what ox_rohc_feedback_take() of the other end gave,
 * or `feedback` of an ox_rohc_decompressed. What is malformed or about no context is ignored.
 */
void ox_rohc_feedback(ox_rohc_compressor *compressor, const uint8_t *elements, uint32_t len);

/** All fields are 64 bits, so that ox_snapshot() can copy them. */
typedef struct ox_rohc_compressor_report {
    uint64_t packets, octets_in, octets_out; /**< headers alone */
    uint64_t types[OX_ROHC_TYPE_COUNT];
    uint64_t contexts_opened, contexts_evicted;
    uint64_t acks, nacks, static_nacks, feedback_ignored;
} ox_rohc_compressor_report;
void ox_rohc_compressor_status(const ox_rohc_compressor *compressor, ox_rohc_compressor_report *report);

/* ---- decompression -------------------------------------------------------------------------------------------- */

typedef struct ox_rohc_decompressor ox_rohc_decompressor;

/** NULL without memory. The parameters are within their limits: a programmer's error otherwise. */
ox_rohc_decompressor *ox_rohc_decompressor_create(const ox_rohc_parameters *parameters);
/** Makes one in `memory`: ox_rohc_decompressor_bytes() of it, zeroed, aligned to 8. It is not to be destroyed. */
ox_rohc_decompressor *ox_rohc_decompressor_init(void *memory, const ox_rohc_parameters *parameters);
size_t ox_rohc_decompressor_bytes(const ox_rohc_parameters *parameters);
/** NULL is allowed. */
void ox_rohc_decompressor_destroy(ox_rohc_decompressor *decompressor);

/** How the decompression of a packet ended: X(symbol, counter name). */
#define OX_ROHC_VERDICTS(X)                                                                                          \
    X(OX_ROHC_PASS, "pass")               /**< a packet came out */                                                  \
    X(OX_ROHC_NOTHING, "nothing")         /**< feedback, padding, or a segment that is not the last */               \
    X(OX_ROHC_MALFORMED, "malformed")     /**< no format has these octets */                                         \
    X(OX_ROHC_TYPE_UNKNOWN, "type_unknown")                                                                          \
    X(OX_ROHC_PROFILE_UNKNOWN, "profile_unknown")                                                                    \
    X(OX_ROHC_NO_CONTEXT, "no_context")   /**< none with that id, or none that the packet could build on */          \
    X(OX_ROHC_CRC, "crc")                 /**< the CRC says that the result would be wrong */                        \
    X(OX_ROHC_AMBIGUOUS, "ambiguous")     /**< more was lost than is bridged: it could be wrong */                   \
    X(OX_ROHC_LATE, "late")               /**< it is older than all that the context remembers */                    \
    X(OX_ROHC_DUPLICATE, "duplicate")     /**< its number was seen before in this context */                         \
    X(OX_ROHC_CHECKSUM, "checksum")       /**< the UDP or TCP checksum of the result is wrong */                     \
    X(OX_ROHC_SEGMENT, "segment")         /**< segments that do not make a packet */                                 \
    X(OX_ROHC_TOO_LONG, "too_long")

typedef enum OX_CLOSED_ENUM ox_rohc_verdict {
#define X(symbol, name) symbol,
    OX_ROHC_VERDICTS(X)
#undef X
} ox_rohc_verdict;

enum {
#define X(symbol, name) +1
    OX_ROHC_VERDICT_COUNT = 0 OX_ROHC_VERDICTS(X),
#undef X
};

/** The counter name of a verdict, such as "no_context". */
const char *ox_rohc_verdict_name(ox_rohc_verdict verdict);

/** What the channel knows of a ROHC packet besides its octets. All zero knows nothing. */
typedef struct ox_rohc_arrival {
    /**
     * Counts what left the compressor, gaps allowed: 1 and up, 0 for unknown. With it a late packet is decompressed from the
     * state before it, and never becomes the newest; a duplicate is dropped.
     */
    uint64_t number;
    /** The highest number that anything had so far, also what is no ROHC packet of this channel. 0: that of these. */
    uint64_t highest;
    /**
     * Packets of the compressor, of all contexts, that had not arrived when a later one did: the gaps between the highest
     * numbers, added up from the start. It never falls, not even when one of them comes after all; so that the difference of two
     * bounds what a context lost in between, and says behind which states something may come yet. Only with `number`.
     */
    uint64_t lost;
    /**
     * Packets of this context that the compressor has made up to this one, where `counted`: the low 16 bits. A context with few of
     * the packets needs it: else what others lost counts as its own, and more than its headers' few bits bridge is ambiguous.
     */
    uint16_t count;
    bool counted;
} ox_rohc_arrival;

/** A header that was decompressed. */
typedef struct ox_rohc_decompressed {
    uint8_t header[OX_ROHC_HEADER_MAX];
    uint32_t header_bytes;
    /**
     * The payload: the end of the input, but for the last one of several segments, where it lies in memory of the decompressor
     * until the next call.
     */
    const uint8_t *payload;
    uint32_t payload_bytes;
    const uint8_t *feedback; /**< elements for the compressor of this end that stood before the packet; in the input */
    uint32_t feedback_bytes; /**< 0 without; set whatever the verdict */
    ox_rohc_type type;
    uint16_t profile;        /**< its number, such as 0x0104; 0xFFFF when none was found */
    uint16_t cid;
} ox_rohc_decompressed;

/** Decompresses the ROHC packet in `packet[0..<len]`. Without ::OX_ROHC_PASS there is no header and no payload in `out`. */
OX_MUST_USE ox_rohc_verdict ox_rohc_decompress(ox_rohc_decompressor *decompressor, const uint8_t *packet, uint32_t len,
                                               const ox_rohc_arrival *arrival, ox_rohc_decompressed *out);

/**
 * Moves the feedback that is due into `elements`, of at least ::OX_ROHC_FEEDBACK_MAX octets; returns how many it wrote. None in U
 * mode. Feedback that is not fetched before the next packet may be lost.
 */
uint32_t ox_rohc_feedback_take(ox_rohc_decompressor *decompressor, uint8_t *elements, uint32_t capacity);

/** All fields are 64 bits, so that ox_snapshot() can copy them. */
typedef struct ox_rohc_decompressor_report {
    uint64_t verdicts[OX_ROHC_VERDICT_COUNT];
    uint64_t types[OX_ROHC_TYPE_COUNT]; /**< of those that passed */
    uint64_t late_passed;               /**< decompressed from a saved earlier state */
    uint64_t repaired;                  /**< passed after a repair from their CRC */
    uint64_t acks, nacks, static_nacks;
} ox_rohc_decompressor_report;
void ox_rohc_decompressor_status(const ox_rohc_decompressor *decompressor, ox_rohc_decompressor_report *report);

#ifdef __cplusplus
}
#endif

#endif
