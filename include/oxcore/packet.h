/**
 * @file  Packet buffers, the parser of IP packets, and the Internet checksum.
 *
 * There is one parser and one checksum in the project, and they are here. The parser is total: every byte string has
 * a verdict, and no read leaves the given bytes.
 *
 * Threads: a pool belongs to one thread, and a buffer to the thread that it was handed to: any thread may put it into its
 *          own pool, from where it finds its way home. Everything else here is a pure function.
 */
#ifndef OXCORE_PACKET_H
#define OXCORE_PACKET_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    OX_BUF_BYTES = 2048,     /**< storage of a small buffer, headroom and tailroom included */
    OX_BUF_LARGE_BYTES = 65536 + 2560, /**< of a large one: the largest IP packet fits, and a datagram before it */
    OX_BUF_HEADROOM = 128,   /**< free bytes in front of what is read into a fresh buffer */
    OX_BUF_TAILROOM = 32,    /**< free bytes kept behind it: the AEAD tag and a spare 16 */
    OX_BUF_CONTENT_MAX = OX_BUF_BYTES - OX_BUF_HEADROOM - OX_BUF_TAILROOM,
    OX_BUF_LARGE_CONTENT_MAX = OX_BUF_LARGE_BYTES - OX_BUF_HEADROOM - OX_BUF_TAILROOM,
    OX_POOL_BUFFERS_MAX = 1 << 20,
    OX_INNER_MTU = 1500,          /**< the largest inner packet a tunnel carries, super-packets apart */
    OX_PACKET_EXTENSIONS_MAX = 8, /**< extension headers of one IPv6 packet */
    OX_SEGMENTS_MAX = 64,         /**< datagrams of equal size that one buffer holds for the network */
    OX_SEGMENTED_BYTES_MAX = 65000, /**< bytes of them together: UDP_SEGMENT takes no more in one call */
};

/** What is known of the transport checksum of an inner packet. */
enum {
    OX_CHECKSUM_UNKNOWN = 0, /**< nobody has looked at it, or it is none that the project knows */
    OX_CHECKSUM_VALID = 1,   /**< it is right */
    OX_CHECKSUM_PARTIAL = 2, /**< the field holds the sum of the pseudo-header: the rest is to be added */
};

/**
 * What one read brought or one write takes: a packet, a super-packet, a datagram, or datagrams of equal size one behind
 * the other. Stages move `data` and `len`; nobody copies.
 */
typedef struct ox_buf {
    struct ox_buf *next; /**< link of the list that the buffer is on */
    uint8_t *data;       /**< first byte of the content */
    uint32_t len;        /**< bytes of content */
    uint32_t capacity;   /**< bytes of storage */
    /**
     * 0 for one packet or datagram. Else, of an inner packet: payload bytes of each segment of this TCP or UDP
     * super-packet (the gso_size); of the network's: bytes of each datagram in `data`, the last one may be shorter.
     */
    uint16_t segment;
    uint16_t transport;  /**< inner packets: offset of the TCP or UDP header, where `segment` or `checksum` is not 0 */
    uint8_t protocol;    /**< inner packets: its protocol number, likewise */
    uint8_t checksum;    /**< inner packets: OX_CHECKSUM_* */
    uint8_t ecn;         /**< ECN codepoint of the outer header: to send, or as received */
    uint8_t handshake;   /**< 1 for a handshake datagram */
    uint8_t cut;         /**< 1 when the datagram was longer than the buffer: what is here is not all of it */
    uint8_t slab;        /**< the pool's: which slab of it the buffer lies in */
    uint8_t out;         /**< the pool's: 1 while the buffer is handed out, 2 on its way home */
    uint8_t class_;      /**< inner packets: the ::ox_class it was queued under */
    uint32_t peer;       /**< the peer it goes to or came from, where known */
    union {
        uint64_t number;    /**< what its holder numbers it by, where one does */
        uint64_t queued_ns; /**< inner packets: when it was queued */
    };
    ox_address address;  /**< outer address: where to, or where from */
    uint8_t local[16];   /**< our own outer address: where it came in, or where to leave from; zero for any */
    uint8_t *storage;    /**< `capacity` bytes, aligned to 64 */
    struct ox_pool *home; /**< the pool's: where it belongs */
    uint32_t flow;       /**< inner packets: the ox_flow_hash() it was queued under; not cleared */
} ox_buf;

static inline uint32_t ox_buf_headroom(const ox_buf *buf) { return (uint32_t)(buf->data - buf->storage); }
static inline uint32_t ox_buf_tailroom(const ox_buf *buf) { return buf->capacity - ox_buf_headroom(buf) - buf->len; }

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

/* ---- the pool ------------------------------------------------------------------------------------------------ */

typedef enum OX_CLOSED_ENUM ox_buf_class { OX_BUF_SMALL = 0, OX_BUF_LARGE = 1 } ox_buf_class;
enum { OX_BUF_CLASSES = 2, OX_SLABS_MAX = 256, OX_POOL_HOT = 64 };

/**
 * Buffers of one size class in one mapping. Made and destroyed by a control thread, off the data path; in between it
 * belongs to a pool.
 */
typedef struct ox_slab ox_slab;

typedef struct ox_slab_parameters {
    ox_buf_class class_;
    uint32_t buffers;   /**< 1 to ::OX_POOL_BUFFERS_MAX */
    int32_t node;       /**< NUMA node to bind to, or -1 for none */
    bool huge;          /**< ask for huge pages: MAP_HUGETLB, else transparent ones by madvise, else ordinary ones.
                             Below 2 MB in all the slab has ordinary ones */
} ox_slab_parameters;

typedef enum OX_CLOSED_ENUM ox_pages { OX_PAGES_SMALL, OX_PAGES_TRANSPARENT, OX_PAGES_HUGE } ox_pages;

/**
 * NULL without memory. Huge pages of the kernel's reserve are taken at once (they do not count as resident); all others
 * lazily, from the front: 4 KB or, when transparent huge pages are to be had, 2 MB with the first touch in it.
 */
ox_slab *ox_slab_create(const ox_slab_parameters *parameters);
/** Returns the memory. The slab is in no pool. NULL is allowed. */
void ox_slab_destroy(ox_slab *slab);
ox_buf_class ox_slab_class(const ox_slab *slab);
uint32_t ox_slab_buffers(const ox_slab *slab);
/** What the kernel gave. */
ox_pages ox_slab_pages(const ox_slab *slab);

/** Zero memory that is not there until it is touched, however much of it. NULL without address space. */
void *ox_reserve(size_t bytes);
/** Gives back what ox_reserve() gave. NULL is allowed. */
void ox_release(void *memory, size_t bytes);

/** Buffers of both classes, a hot LIFO stack in front of a cold reserve each. */
typedef struct ox_pool ox_pool;

/** All numbers are 64 bits, so that ox_snapshot() can copy them. */
typedef struct ox_pool_class_report {
    uint64_t buffers;    /**< in all */
    uint64_t free;       /**< now */
    uint64_t free_least; /**< the smallest `free` since the last ox_pool_rest() */
    uint64_t hot;        /**< requests that the hot stack served */
    uint64_t cold;       /**< that had to fill it from the cold reserve first */
    uint64_t exhausted;  /**< requests that found none */
    uint64_t slabs;      /**< now */
    uint64_t grown, shrunk; /**< slabs that came after the first, and that went */
    uint64_t returned;   /**< buffers that came home after they had been put into another pool */
} ox_pool_class_report;

typedef struct ox_pool_report {
    ox_pool_class_report classes[OX_BUF_CLASSES];
} ox_pool_report;

/** An empty pool; NULL without memory. */
ox_pool *ox_pool_create(void);
/** Destroys the pool with its slabs. Every buffer must be back, or on its way. NULL is allowed. */
void ox_pool_destroy(ox_pool *pool);
/** Takes a slab in, which the pool then owns. False, and nothing done, when there are ::OX_SLABS_MAX. */
OX_MUST_USE bool ox_pool_add(ox_pool *pool, ox_slab *slab);
/**
 * A slab that the load since the last call did not need, with a quarter of the remaining buffers to spare, taken out of
 * the pool to be destroyed (or added again), or NULL. Never the first of its class. Call it now and then (seconds), not
 * in each turn.
 */
ox_slab *ox_pool_rest(ox_pool *pool);
/** A buffer with `data` at OX_BUF_HEADROOM, `len` 0 and all else zero, or NULL (counted) when none is free. */
ox_buf *ox_pool_get(ox_pool *pool, ox_buf_class class_);
/**
 * Gives a buffer back, of whatever class, to the pool that it came from: `pool`, which the calling thread owns, or another
 * that still exists. That one counts it as free only when it has collected it.
 */
void ox_pool_put(ox_pool *pool, ox_buf *buf);
/** Takes in what was put into other pools: once a turn. A request that finds the hot stack empty does so too. */
void ox_pool_collect(ox_pool *pool);
/** Puts every buffer of the list back; the list is empty afterwards. */
void ox_pool_put_list(ox_pool *pool, ox_list *list);
/** Buffers of a class in all, and those that are free now. */
uint32_t ox_pool_buffers(const ox_pool *pool, ox_buf_class class_);
uint32_t ox_pool_free(const ox_pool *pool, ox_buf_class class_);
/** From any thread; each number is whole. */
void ox_pool_status(const ox_pool *pool, ox_pool_report *report);

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
    uint16_t reserved;         /**< zero */
} ox_headers;
OX_STATIC_ASSERT(sizeof(ox_headers) == 32, "half a cache line, which variants of the batch parser write at once");

/**
 * Reads the headers of the IP packet in `bytes[0..<len]`.
 *
 * IPv4 (RFC 791), IPv6 (RFC 8200) with hop-by-hop, routing, destination, fragment and authentication headers, then
 * UDP, TCP, ICMP, ICMPv6 and RTP. `len` must equal the length that the IP header states. A transport header that is
 * cut off, in a fragment, implausible, or behind a routing header with segments left (whose final destination its checksum
 * is over) is not an error: `has_transport` is false. The IPv4 header checksum is not verified here. An IPv6 atomic fragment (RFC 6946) is a whole packet. Jumbograms are refused.
 *
 * `rtp` judges one packet alone, SRTP included, by version, payload type (RFC 5761), lengths, and ports of 1024 and
 * above. About one in ten UDP payloads of random bytes looks like that: confirm it by the SSRC and the sequence of
 * further packets.
 *
 * @return ::OX_PASS, or the ::ox_verdict that names what is wrong; `headers` is then unspecified.
 */
OX_MUST_USE ox_verdict ox_parse(const uint8_t *bytes, size_t len, ox_headers *headers);

enum { OX_PARSE_BATCH_MAX = 256 };

/** The key of the flow hash. Secret, so that nobody can choose flows that collide. */
typedef struct ox_flow_key {
    uint32_t words[10]; /**< for each word that is hashed */
    uint64_t v4;        /**< what the words of an address that IPv4 leaves empty add */
} ox_flow_key;

/** Expands a random seed to a key. */
void ox_flow_key_init(ox_flow_key *key, uint64_t seed);

/**
 * A hash of addresses, ports and protocol of a packet that ox_parse() passed: all packets of a flow have the same, and
 * so have all fragments of a packet, for ports count as zero where ox_parse() has none. The two directions differ.
 *
 * NH (RFC 4418 section 5.2.2) with 32-bit words w and key words k: the sum over even i of the 64-bit products
 * (w[i] + k[i]) (w[i+1] + k[i+1]), the factors modulo 2^32, the sum modulo 2^64. w[0..<8] are the addresses, source
 * first, as the machine reads 4 octets; of IPv4 w[1] is the source, w[2] the destination, and the others are zero. w[8]
 * is the source port plus 65,536 times the destination port, w[9] the protocol. The halves of the sum are XORed, and
 * mixed by the last step of MurmurHash3, so that any bits of it may be taken. Two given flows collide with a
 * probability of about 2^-32 over the keys.
 */
uint32_t ox_flow_hash(const ox_flow_key *key, const uint8_t *packet, const ox_headers *headers);

/** What ox_parse_batch() found, packet by packet. */
typedef struct ox_parsed {
    ox_headers headers[OX_PARSE_BATCH_MAX];
    uint32_t hashes[OX_PARSE_BATCH_MAX];  /**< ox_flow_hash(); 0 without ::OX_PASS */
    uint8_t verdicts[OX_PARSE_BATCH_MAX]; /**< an ::ox_verdict each */
} ox_parsed;

/**
 * ox_parse() and ox_flow_hash() of up to ::OX_PARSE_BATCH_MAX packets at once, with equal results. TCP and UDP directly
 * behind an IPv4 header without options or an IPv6 header are read several packets at a time.
 *
 * @param lengths  of the packets; nothing outside of them is read.
 */
void ox_parse_batch(const ox_flow_key *key, const uint8_t *const packets[], const uint32_t lengths[], uint32_t count,
                    ox_parsed *parsed);

/** One way to do it. ox_parse_batch() takes the last one that the machine has. */
typedef struct ox_parse_variant {
    const char *name;
    uint32_t cpu; /**< OX_CPU_* that it needs */
    void (*parse)(const ox_flow_key *key, const uint8_t *const packets[], const uint32_t lengths[], uint32_t count,
                  ox_parsed *parsed);
} ox_parse_variant;
/** Those of this build, the scalar one first: for tests and benchmarks. */
const ox_parse_variant *ox_parse_variants(uint32_t *count);

/**
 * The Internet checksum (RFC 1071) folded but not complemented, of `len` bytes of any alignment, from `start`. The
 * result is zero only when all bytes and `start` are.
 */
uint32_t ox_checksum_add(const uint8_t *bytes, size_t len, uint32_t start);
/** Folds to 16 bits and complements: the value to store. */
uint16_t ox_checksum_finish(uint32_t sum);
/**
 * ox_checksum_add() from the pseudo-header (RFC 768, RFC 8200 section 8.1) of the packet in `bytes`, with the
 * destination of the IP header: the final one where ox_parse() has a transport header.
 */
uint32_t ox_checksum_pseudo(const uint8_t *bytes, const ox_headers *headers, uint32_t transport_len);

/**
 * Completes a partial transport checksum (::OX_CHECKSUM_PARTIAL) of a whole packet that has a TCP or UDP header. A UDP
 * checksum that comes out as zero is stored as 0xFFFF (RFC 768).
 */
void ox_checksum_complete(uint8_t *packet, const ox_headers *headers);
/**
 * Whether the checksum of a whole packet that has a TCP or UDP header is right. A UDP checksum of zero is over IPv4
 * (none was computed) and is not over IPv6. UDP is summed over the length that its header states, which leaves out
 * the options of RFC 9868.
 */
bool ox_checksum_verify(const uint8_t *packet, const ox_headers *headers);

/** One way to compute ox_checksum_add(), which takes the last one that the machine has. All give equal results. */
typedef struct ox_checksum_variant {
    const char *name;
    uint32_t cpu; /**< OX_CPU_* that it needs */
    uint32_t (*add)(const uint8_t *bytes, size_t len, uint32_t start);
} ox_checksum_variant;
/** Those of this build, the scalar one first: for tests and benchmarks. */
const ox_checksum_variant *ox_checksum_variants(uint32_t *count);

/* ---- super-packets: what TSO and USO hand out, and GRO puts together ---------------------------------------- */

/** Bytes of IP and transport headers of a packet that has a transport header. */
static inline uint32_t ox_headers_bytes(const ox_headers *headers) {
    return (uint32_t)headers->transport_offset + headers->transport_bytes;
}

/**
 * Makes the headers of one piece of a TCP or UDP super-packet: `header` holds a copy of the super-packet's headers, and
 * becomes those of the piece with `len` bytes of payload from offset `from` of `payload` in all; `index` segments lie
 * before it. TCP: sequence number; FIN and PSH on the last piece alone, CWR on the first alone. IP: lengths,
 * identification plus `index`, header checksum. The transport checksum becomes partial.
 */
void ox_piece_headers(uint8_t *header, const ox_headers *headers, uint32_t index, uint32_t from, uint32_t len,
                      uint32_t payload);
/**
 * Cuts a super-packet into packets with complete checksums, in small buffers of `pool`, and appends them to `out`. `super`
 * stays the caller's. A segment that makes a packet above ::OX_BUF_CONTENT_MAX is not cut at all.
 * @return packets that are missing for want of buffers.
 */
uint32_t ox_segment(ox_pool *pool, const ox_buf *super, const ox_headers *headers, ox_list *out);
/** Packets that a super-packet stands for; 1 for a packet. */
uint32_t ox_segments(const ox_buf *buf, const ox_headers *headers);

/**
 * Puts packets of one flow that follow each other together into super-packets: TCP with continuous sequence numbers and
 * equal headers, UDP with equal ports and sizes, nothing else; so that segmentation gives the same packets back, but for
 * the identification of UDP datagrams with DF, which means nothing (RFC 6864 section 4.1). Order within a flow is kept.
 * Only packets whose checksum is valid or partial are put together, at most ::OX_SEGMENTS_MAX and 65,535 bytes. A packet
 * that stays alone goes out as it came. It holds packets, in up to 16 large buffers of the pool, only until the flush.
 */
typedef struct ox_coalescer ox_coalescer;
/** NULL without memory. The pool is not owned. */
ox_coalescer *ox_coalescer_create(ox_pool *pool);
/** What is inside goes back to the pool. NULL is allowed. */
void ox_coalescer_destroy(ox_coalescer *coalescer);
/**
 * Takes a packet or super-packet in that ox_parse() passed; whatever has to go on before it is appended to `out`. `hash` is
 * its ox_flow_hash(), of one key always.
 */
void ox_coalescer_add(ox_coalescer *coalescer, ox_buf *buf, const ox_headers *headers, uint32_t hash, ox_list *out);
/** Appends all that is inside to `out`. */
void ox_coalescer_flush(ox_coalescer *coalescer, ox_list *out);

/* ---- ECN and ICMP ------------------------------------------------------------------------------------------- */

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
