/**
 * @file  What every room shares: status codes, verdicts, addresses, byte order, assertions.
 *
 * Three kinds of wrong are kept apart. A programmer's error ends the process (::OX_ASSERT). The world's error
 * (memory, system calls, keys) is an ::ox_status. A bad packet is an ::ox_verdict: it has a name, it is counted,
 * and it is never an error.
 */
#ifndef OXCORE_BASE_H
#define OXCORE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__has_attribute)
#if __has_attribute(enum_extensibility)
#define OX_CLOSED_ENUM __attribute__((enum_extensibility(closed)))
#endif
#endif
#ifndef OX_CLOSED_ENUM
#define OX_CLOSED_ENUM
#endif

#define OX_MUST_USE __attribute__((warn_unused_result))
#define OX_NO_RETURN __attribute__((noreturn))

/* The headers are read by C and by C++. */
#ifdef __cplusplus
#define OX_STATIC_ASSERT static_assert
#else
#define OX_STATIC_ASSERT _Static_assert
#endif

/** What a call that can fail says. OX_OK is zero. */
typedef enum OX_CLOSED_ENUM ox_status {
    OX_OK = 0,
    OX_E_AGAIN,       /**< nothing to do now; try again when there is */
    OX_E_SHORT,       /**< the buffer or input is too short */
    OX_E_LIMIT,       /**< a documented OX_*_MAX was exceeded */
    OX_E_FORMAT,      /**< foreign bytes that do not follow the format */
    OX_E_AUTH,        /**< authentication failed: wrong key, or tampered bytes */
    OX_E_MEMORY,      /**< no memory */
    OX_E_SYSTEM,      /**< a system call failed; errno says which way */
    OX_E_UNSUPPORTED, /**< this machine or build cannot do it */
} ox_status;

/** A name such as "OX_E_SHORT", for logs. */
const char *ox_status_name(ox_status status);

/**
 * Every way in which a packet can end. OX_PASS is the only good one; each other one is a drop with a counter.
 * X(symbol, counter name). Counter names are public: `oxidize show` and the metrics print them.
 */
#define OX_VERDICTS(X)                                                                                               \
    X(OX_PASS, "pass")                                                                                               \
    /* the inner packet, as read or as received */                                                                   \
    X(OX_DROP_PACKET_TRUNCATED, "packet_truncated")                                                                  \
    X(OX_DROP_PACKET_VERSION, "packet_version")                                                                      \
    X(OX_DROP_PACKET_HEADER, "packet_header")                                                                        \
    X(OX_DROP_PACKET_LENGTH, "packet_length")                                                                        \
    X(OX_DROP_PACKET_EXTENSIONS, "packet_extensions")                                                                \
    X(OX_DROP_PACKET_TOO_BIG, "packet_too_big")                                                                      \
    X(OX_DROP_CHECKSUM_WRONG, "checksum_wrong")                                                                      \
    /* egress */                                                                                                     \
    X(OX_DROP_NO_ROUTE, "no_route")                                                                                  \
    X(OX_DROP_NO_SESSION, "no_session")                                                                              \
    X(OX_DROP_NO_ADDRESS, "no_address")                                                                              \
    X(OX_DROP_STAGE_FULL, "stage_full")                                                                              \
    X(OX_DROP_POOL_EMPTY, "pool_empty")                                                                              \
    X(OX_DROP_NUMBERS_SPENT, "numbers_spent")                                                                        \
    X(OX_DROP_SEND_FAILED, "send_failed")                                                                            \
    X(OX_DROP_HANDOFF_FULL, "handoff_full")                                                                          \
    X(OX_DROP_QUEUE_FULL, "queue_full")                                                                              \
    X(OX_DROP_QUEUE_DELAY, "queue_delay")                                                                            \
    /* ingress: the datagram */                                                                                      \
    X(OX_DROP_DATAGRAM_SHORT, "datagram_short")                                                                      \
    X(OX_DROP_DATAGRAM_LONG, "datagram_long")                                                                        \
    X(OX_DROP_DATAGRAM_TYPE, "datagram_type")                                                                        \
    X(OX_DROP_SESSION_UNKNOWN, "session_unknown")                                                                    \
    X(OX_DROP_REPLAYED, "replayed")                                                                                  \
    X(OX_DROP_TOO_OLD, "too_old")                                                                                    \
    X(OX_DROP_UNAUTHENTICATED, "unauthenticated")                                                                    \
    X(OX_DROP_KEY_EXPIRED, "key_expired")                                                                            \
    X(OX_DROP_ADDRESS_UNTRUSTED, "address_untrusted")                                                                \
    /* ingress: what was inside the seal */                                                                          \
    X(OX_DROP_FRAME_MALFORMED, "frame_malformed")                                                                    \
    X(OX_DROP_FRAME_UNKNOWN, "frame_unknown")                                                                        \
    X(OX_DROP_SPLIT_MALFORMED, "split_malformed")                                                                    \
    X(OX_DROP_SPLIT_UNFINISHED, "split_unfinished")                                                                  \
    X(OX_DROP_TRAIN_MALFORMED, "train_malformed")                                                                    \
    X(OX_DROP_TRAIN_UNFINISHED, "train_unfinished")                                                                  \
    X(OX_DROP_REPAIR_MALFORMED, "repair_malformed")                                                                  \
    X(OX_DROP_REPAIR_LATE, "repair_late")                                                                            \
    X(OX_DROP_HEADER_MALFORMED, "header_malformed")                                                                  \
    X(OX_DROP_HEADER_CONTEXT, "header_context")                                                                      \
    X(OX_DROP_HEADER_LATE, "header_late")                                                                            \
    X(OX_DROP_HEADER_CHECKSUM, "header_checksum")                                                                    \
    X(OX_DROP_SOURCE_NOT_ALLOWED, "source_not_allowed")                                                              \
    X(OX_DROP_ECN_NOT_CAPABLE, "ecn_not_capable")                                                                    \
    X(OX_DROP_DEVICE_WRITE, "device_write")                                                                          \
    /* handshake datagrams */                                                                                        \
    X(OX_DROP_HANDSHAKE_LENGTH, "handshake_length")                                                                  \
    X(OX_DROP_HANDSHAKE_VERSION, "handshake_version")                                                                \
    X(OX_DROP_HANDSHAKE_MAC1, "handshake_mac1")                                                                      \
    X(OX_DROP_HANDSHAKE_COOKIE_SENT, "handshake_cookie_sent")                                                        \
    X(OX_DROP_HANDSHAKE_COOKIE_LIMIT, "handshake_cookie_limit")                                                      \
    X(OX_DROP_HANDSHAKE_RATE, "handshake_rate")                                                                      \
    X(OX_DROP_HANDSHAKE_STRANGER, "handshake_stranger")                                                              \
    X(OX_DROP_HANDSHAKE_REPLAYED, "handshake_replayed")                                                              \
    X(OX_DROP_HANDSHAKE_UNEXPECTED, "handshake_unexpected")                                                          \
    X(OX_DROP_HANDSHAKE_REFUSED, "handshake_refused")                                                                \
    /* telemetry */                                                                                                  \
    X(OX_DROP_EVENT_RING_FULL, "event_ring_full")

typedef enum OX_CLOSED_ENUM ox_verdict {
#define X(symbol, name) symbol,
    OX_VERDICTS(X)
#undef X
} ox_verdict;

enum {
#define X(symbol, name) +1
    OX_VERDICT_COUNT = 0 OX_VERDICTS(X), /**< verdicts, OX_PASS included */
#undef X
};

/** The counter name of a verdict, such as "replayed". */
const char *ox_verdict_name(ox_verdict verdict);

/** An outer UDP address. IPv4 is held as IPv4-mapped IPv6 (RFC 4291 section 2.5.5.2). All zero means none. */
typedef struct ox_address {
    uint8_t ip[16];    /**< network byte order */
    uint32_t scope;    /**< IPv6 zone index, 0 where it means nothing */
    uint16_t port;     /**< host byte order */
    uint16_t reserved; /**< zero */
} ox_address;

static inline bool ox_address_equal(const ox_address *a, const ox_address *b) {
    return memcmp(a->ip, b->ip, sizeof a->ip) == 0 && a->port == b->port && a->scope == b->scope;
}

static inline bool ox_address_is_none(const ox_address *a) { return a->port == 0; }

/** ECN codepoints (RFC 3168 section 5). */
enum { OX_ECN_NOT_ECT = 0, OX_ECN_ECT1 = 1, OX_ECN_ECT0 = 2, OX_ECN_CE = 3 };

/** Ends the process with a message. Assertions stay in release builds. */
OX_NO_RETURN void ox_assertion_failed(const char *what, const char *file, int line);

#define OX_ASSERT(condition)                                                                                         \
    do {                                                                                                             \
        if (__builtin_expect(!(condition), 0)) ox_assertion_failed(#condition, __FILE__, __LINE__);                  \
    } while (0)

/* Numbers that one thread writes and others may read: whole, but in no order with anything else. */

static inline void ox_publish(uint64_t *number, uint64_t value) { __atomic_store_n(number, value, __ATOMIC_RELAXED); }
static inline void ox_count(uint64_t *number, uint64_t more) {
    ox_publish(number, __atomic_load_n(number, __ATOMIC_RELAXED) + more);
}
/** Copies `bytes` (a multiple of 8) of such numbers. */
static inline void ox_snapshot(void *to, const void *from, size_t bytes) {
    for (size_t i = 0; i < bytes / 8; i++)
        ((uint64_t *)to)[i] = __atomic_load_n((const uint64_t *)from + i, __ATOMIC_RELAXED);
}

static inline uint16_t ox_load_be16(const uint8_t *p) { return (uint16_t)((uint16_t)p[0] << 8 | p[1]); }
static inline uint32_t ox_load_be32(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static inline uint64_t ox_load_be64(const uint8_t *p) {
    return (uint64_t)ox_load_be32(p) << 32 | ox_load_be32(p + 4);
}
static inline void ox_store_be16(uint8_t *p, uint16_t v) {
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}
static inline void ox_store_be32(uint8_t *p, uint32_t v) {
    ox_store_be16(p, (uint16_t)(v >> 16));
    ox_store_be16(p + 2, (uint16_t)v);
}
static inline void ox_store_be64(uint8_t *p, uint64_t v) {
    ox_store_be32(p, (uint32_t)(v >> 32));
    ox_store_be32(p + 4, (uint32_t)v);
}

#ifdef __cplusplus
}
#endif

#endif
