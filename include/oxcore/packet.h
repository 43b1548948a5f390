/**
 * @file  Packet buffers, the parser of IP packets, and the Internet checksum.
 *
 * There is one parser and one checksum in the project, and they are here. The parser is total: every byte string has
 * a verdict, and no read leaves the given bytes.
 *
 * Threads: a pool and its buffers belong to one thread. Everything else here is a pure function.
 */
#ifndef OXCORE_PACKET_H
#define OXCORE_PACKET_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    OX_BUF_BYTES = 2048,     /**< storage of one buffer, headroom and tailroom included */
    OX_BUF_HEADROOM = 128,   /**< free bytes in front of what is read into a fresh buffer */
    OX_BUF_TAILROOM = 32,    /**< free bytes kept behind it: the AEAD tag and a spare 16 */
    OX_BUF_CONTENT_MAX = OX_BUF_BYTES - OX_BUF_HEADROOM - OX_BUF_TAILROOM,
    OX_POOL_BUFFERS_MAX = 1 << 20,
    OX_INNER_MTU = 1500,          /**< the largest inner packet a tunnel carries */
    OX_PACKET_EXTENSIONS_MAX = 8, /**< extension headers of one IPv6 packet */
};

/** One packet or datagram in one buffer. Stages move `data` and `len`; nobody copies. */
typedef struct ox_buf {
    struct ox_buf *next; /**< link of the list that the buffer is on */
    uint8_t *data;       /**< first byte of the content */
    uint32_t len;        /**< bytes of content */
    uint8_t ecn;         /**< ECN codepoint of the outer header: to send, or as received */
    uint8_t handshake;   /**< 1 for a handshake datagram */
    uint8_t cut;         /**< 1 when the datagram was longer than the buffer: what is here is not all of it */
    uint8_t reserved;
    uint32_t peer;       /**< the peer it goes to or came from, where known */
    uint64_t number;     /**< packet number, where known */
    ox_address address;  /**< outer address: where to, or where from */
    uint8_t local[16];   /**< our own outer address: where it came in, or where to leave from; zero for any */
    uint8_t *storage;    /**< OX_BUF_BYTES bytes, aligned to 64 */
} ox_buf;

static inline uint32_t ox_buf_headroom(const ox_buf *buf) { return (uint32_t)(buf->data - buf->storage); }
static inline uint32_t ox_buf_tailroom(const ox_buf *buf) {
    return (uint32_t)OX_BUF_BYTES - ox_buf_headroom(buf) - buf->len;
}

/** A list of buffers in order, linked through `next`. All zero is the empty list. */
typedef struct ox_list {
    ox_buf *head;
    ox_buf *tail;
    uint32_t count;
} ox_list;

void ox_list_append(ox_list *list, ox_buf *buf);
/** The first buffer, taken off the list, or NULL. */
ox_buf *ox_list_take(ox_list *list);
/** Moves all of `from` behind `to`; `from` is empty afterwards. */
void ox_list_concat(ox_list *to, ox_list *from);

/** A fixed number of buffers behind a LIFO free list. Allocates when it is made and never again. */
typedef struct ox_pool ox_pool;

typedef struct ox_pool_report {
    uint32_t buffers;    /**< in all */
    uint32_t free;       /**< now */
    uint32_t free_least; /**< the smallest `free` there has been */
    uint64_t exhausted;  /**< ox_pool_get() calls that returned NULL */
} ox_pool_report;

/** Memory for `buffers` buffers (1 to OX_POOL_BUFFERS_MAX), mapped lazily, or NULL when there is none. */
ox_pool *ox_pool_create(uint32_t buffers);
/** Returns the memory. Every buffer must be back. NULL is allowed. */
void ox_pool_destroy(ox_pool *pool);
/** A buffer with `data` at OX_BUF_HEADROOM, `len` 0 and all else zero, or NULL (counted) when none is free. */
ox_buf *ox_pool_get(ox_pool *pool);
void ox_pool_put(ox_pool *pool, ox_buf *buf);
/** Puts every buffer of the list back; the list is empty afterwards. */
void ox_pool_put_list(ox_pool *pool, ox_list *list);
ox_pool_report ox_pool_status(const ox_pool *pool);

/** IP protocol numbers that the code speaks of. */
enum { OX_PROTO_ICMP = 1, OX_PROTO_TCP = 6, OX_PROTO_UDP = 17, OX_PROTO_ICMPV6 = 58 };

/** What the headers of one inner packet say. Offsets are from its first byte. */
typedef struct ox_headers {
    uint8_t version;       /**< 4 or 6 */
    uint8_t protocol;      /**< of the transport: IPv4 protocol, or last IPv6 next header */
    uint8_t traffic_class; /**< DSCP and ECN */
    uint8_t ttl;           /**< TTL or hop limit */
    bool fragment;         /**< part of a fragmented packet */
    bool first_fragment;   /**< at offset zero: a whole packet is one too */
    bool dont_fragment;    /**< IPv4 DF; always true for IPv6 */
    bool has_transport;    /**< `transport_bytes` is a whole, plausible TCP, UDP or ICMP header */
    bool rtp;              /**< the UDP payload looks like RTP (RFC 3550 section 5.1, appendix A.1) */
    uint8_t tcp_flags;
    uint8_t icmp_type;
    uint8_t icmp_code;
    uint16_t source_port;      /**< 0 when there is none */
    uint16_t destination_port; /**< 0 when there is none */
    uint16_t transport_offset; /**< first byte behind the IP headers and extension headers */
    uint16_t transport_bytes;  /**< of the transport header; 0 when !has_transport */
    uint32_t total_bytes;      /**< of the whole packet, as the IP header says */
    uint32_t rtp_ssrc;         /**< when `rtp` */
    uint16_t rtp_sequence;     /**< when `rtp` */
} ox_headers;

/**
 * Reads the headers of the IP packet in `bytes[0..<len]`.
 *
 * IPv4 (RFC 791), IPv6 (RFC 8200) with hop-by-hop, routing, destination, fragment and authentication headers, then
 * UDP, TCP, ICMP, ICMPv6 and RTP. `len` must equal the length that the IP header states. A transport header that is
 * cut off, in a fragment, or implausible is not an error: `has_transport` is false. The IPv4 header checksum is not
 * verified here. An IPv6 atomic fragment (RFC 6946) is a whole packet. Jumbograms are refused.
 *
 * `rtp` judges one packet alone, SRTP included, by version, payload type (RFC 5761), lengths, and ports of 1024 and
 * above. About one in ten UDP payloads of random bytes looks like that: confirm it by the SSRC and the sequence of
 * further packets.
 *
 * @return ::OX_PASS, or the ::ox_verdict that names what is wrong; `headers` is then unspecified.
 */
OX_MUST_USE ox_verdict ox_parse(const uint8_t *bytes, size_t len, ox_headers *headers);

/** The Internet checksum (RFC 1071) folded but not complemented, of `len` bytes of any alignment, from `start`. */
uint32_t ox_checksum_add(const uint8_t *bytes, size_t len, uint32_t start);
/** Folds to 16 bits and complements: the value to store. */
uint16_t ox_checksum_finish(uint32_t sum);
/**
 * ox_checksum_add() from the pseudo-header (RFC 768, RFC 8200 section 8.1) of the packet in `bytes`, with the
 * destination of the IP header: not the final one while an IPv6 routing header has segments left.
 */
uint32_t ox_checksum_pseudo(const uint8_t *bytes, const ox_headers *headers, uint32_t transport_len);

/** The ECN codepoint of an IPv4 or IPv6 packet that ox_parse() passed. */
uint8_t ox_ecn_get(const uint8_t *packet);
/** Writes an ECN codepoint; the IPv4 header checksum is updated (RFC 1624). */
void ox_ecn_set(uint8_t *packet, uint8_t ecn);
/**
 * Decapsulates ECN by RFC 6040 section 4.2, figure 4: `outer` arrived around `packet`. Writes the inner field.
 *
 * @return ::OX_PASS, or ::OX_DROP_ECN_NOT_CAPABLE for CE around Not-ECT.
 */
OX_MUST_USE ox_verdict ox_ecn_decapsulate(uint8_t *packet, uint8_t outer);

/**
 * Writes the ICMP error that says "too big, the MTU is `mtu`" about `packet` (RFC 792/1191 for IPv4 with DF, RFC 4443
 * section 3.2 for IPv6), addressed to its source and sent from its destination, so that no address of our own is
 * needed. It quotes as much of the packet as fits.
 *
 * @param len  as ox_parse() passed it.
 * @param mtu  at most 65,535.
 * @param out  at least 1280 bytes, apart from `packet`.
 * @return bytes written, at most 576 for IPv4 and 1280 for IPv6, or 0 when no error may be sent: an ICMP error
 *         itself, a fragment other than the first, a source or destination that is not one host (multicast,
 *         broadcast, loopback or unspecified: RFC 1812 section 4.3.2.7), or IPv4 without DF.
 */
uint32_t ox_icmp_too_big(const uint8_t *packet, size_t len, const ox_headers *headers, uint32_t mtu, uint8_t *out);

#ifdef __cplusplus
}
#endif

#endif
