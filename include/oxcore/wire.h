/**
 * @file  The bytes of OxTunnel: datagram header, frames, feedback, handshake payload, replay window.
 *
 * Section numbers are those of the specification, Wire.md. Nothing here allocates, seals or opens; every reader is total: any
 * byte string either has a meaning or is refused, and no read leaves it.
 *
 * Threads: pure functions; an ox_replay belongs to one thread.
 */
#ifndef OXCORE_WIRE_H
#define OXCORE_WIRE_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- data header (Wire.md section 5) ------------------------------------------------------------------------ */

enum {
    OX_HEADER_MAX = 10,        /**< type byte, 4 of session id, 4 of packet number, 1 of a car */
    OX_SESSION_ID_BYTES_MAX = 4,
    OX_TYPE_DATA = 0x40,       /**< bits 7 and 6 of a data datagram's first byte are 01 */
    OX_TYPE_MASK = 0xc0,
    OX_TYPE_RESERVED = 0x38,   /**< bits that are zero in version 1 */
    OX_TYPE_CAR = 0x04,        /**< the datagram is a car of a train (section 6.10) */
    OX_TYPE_NUMBER_BYTES = 0x03, /**< bytes of packet number less one */
    OX_TRAIN_CARS_MAX = 64,
    OX_TRAIN_SEGMENTS_MAX = 1024, /**< segments of a super-packet that crosses as a train */
    OX_CAR_LAST = 0x80,        /**< of the byte that a car's header ends with; the others are its place in the train */
    OX_TRAIN_META_BYTES = 4,   /**< in front of a train's content: bytes of a segment, bytes of a car */
};

/** A data datagram's header, its packet number still truncated. */
typedef struct ox_header {
    uint32_t session;     /**< as the receiver issued it */
    uint32_t truncated;   /**< the low bits of the packet number */
    uint8_t number_bytes; /**< 1 to 4 */
    uint8_t header_bytes; /**< all of the header: the AAD */
    bool car;
    bool car_last;
    uint8_t car_index;    /**< below ::OX_TRAIN_CARS_MAX */
} ox_header;

/** Bytes of packet number to send, so that a receiver whose largest is at least `acknowledged` rebuilds it (section 5.2). */
uint32_t ox_number_bytes(uint64_t number, uint64_t next_expected);

/** Writes the header; returns its bytes. `session_bytes` is 0 to 4 and `number_bytes` 1 to 4. */
uint32_t ox_header_write(uint8_t *out, uint32_t session, uint32_t session_bytes, uint64_t number, uint32_t number_bytes);
/** Likewise that of a car, a byte longer. */
uint32_t ox_header_write_car(uint8_t *out, uint32_t session, uint32_t session_bytes, uint64_t number,
                             uint32_t number_bytes, uint32_t index, bool last);

/**
 * Reads a header whose session id has `session_bytes` bytes.
 * @return ::OX_PASS, ::OX_DROP_DATAGRAM_SHORT or ::OX_DROP_DATAGRAM_TYPE (not data, or reserved bits set).
 */
OX_MUST_USE ox_verdict ox_header_read(const uint8_t *bytes, size_t len, uint32_t session_bytes, ox_header *header);

/** The packet number nearest to `next_expected` whose low bits are `truncated` (RFC 9000 appendix A.3). */
uint64_t ox_number_rebuild(uint64_t next_expected, uint32_t truncated, uint32_t number_bytes);

/* ---- replay window (Wire.md section 5.3) -------------------------------------------------------------------- */

enum {
    OX_REPLAY_WINDOW_MIN = 128,
    OX_REPLAY_WINDOW_DEFAULT = 8192,
    OX_REPLAY_WINDOW_MAX = 8192,
};

/**
 * The packet numbers received of late, as a ring of bits (RFC 6479). Checked before a datagram is opened and
 * committed after: a forged datagram changes nothing.
 */
typedef struct ox_replay {
    uint64_t next;                            /**< largest committed number plus one; 0 when there is none */
    uint32_t window;                          /**< numbers that are told apart, a power of two */
    uint64_t bits[OX_REPLAY_WINDOW_MAX / 64]; /**< bit n % window: whether n arrived, or was recovered */
    uint64_t recovered_until;                 /**< no recovered number is within the window once `next` is above this */
    uint64_t recovered[OX_REPLAY_WINDOW_MAX / 64]; /**< bit n % window: whether n was recovered, and has not arrived itself */
} ox_replay;

/** An empty window of `window` numbers: a power of two from ::OX_REPLAY_WINDOW_MIN to ::OX_REPLAY_WINDOW_MAX. */
void ox_replay_init(ox_replay *replay, uint32_t window);
/** ::OX_PASS, ::OX_DROP_REPLAYED or ::OX_DROP_TOO_OLD. Changes nothing. */
OX_MUST_USE ox_verdict ox_replay_check(const ox_replay *replay, uint64_t number);
/** Marks a number that ox_replay_check() passed as received. */
void ox_replay_commit(ox_replay *replay, uint64_t number);
/** Whether `number` arrived or was recovered, as far as the window reaches. */
bool ox_replay_has(const ox_replay *replay, uint64_t number);
/** Likewise commits a number below `next` that was recovered and did not arrive: feedback does not speak of it. */
void ox_replay_recover(ox_replay *replay, uint64_t number);
/** Whether `number` was recovered, and has not arrived itself. */
bool ox_replay_recovered(const ox_replay *replay, uint64_t number);
/** A number that was recovered and has arrived itself after all: false, and nothing changed, when `number` is none. */
bool ox_replay_arrive(ox_replay *replay, uint64_t number);

/* ---- variable-length integers ------------------------------------------------------------------------------- */

enum { OX_VARINT_MAX = 8 };
#define OX_VARINT_LIMIT ((uint64_t)1 << 62)

/** Bytes that ox_varint_write() takes for `value`, which is below ::OX_VARINT_LIMIT (RFC 9000 section 16). */
uint32_t ox_varint_bytes(uint64_t value);
uint32_t ox_varint_write(uint8_t *out, uint64_t value);
/** Bytes read, or 0 when `len` bytes do not hold the integer. */
uint32_t ox_varint_read(const uint8_t *bytes, size_t len, uint64_t *value);

/* ---- frames (Wire.md section 6) ----------------------------------------------------------------------------- */

typedef enum ox_frame_type {
    OX_FRAME_PADDING = 0x00,   /**< one byte, no length */
    OX_FRAME_BATCH = 0x01,     /**< inner packets, a varint length each */
    OX_FRAME_HEAD = 0x02,      /**< the first bytes of an inner packet; always the last frame of its datagram */
    OX_FRAME_TAIL = 0x03,      /**< its last bytes: varint distance to the HEAD's packet number, then bytes */
    OX_FRAME_FEEDBACK = 0x04,  /**< what arrived */
    OX_FRAME_CHALLENGE = 0x05, /**< 8 bytes to be sent back */
    OX_FRAME_ANSWER = 0x06,    /**< the 8 bytes */
    OX_FRAME_CLOSE = 0x07,     /**< one byte of reason */
    OX_FRAME_COPY = 0x08,      /**< the symbol of another datagram (section 6.13) */
    OX_FRAME_REPAIR = 0x09,    /**< a combination of symbols (section 6.14) */
    OX_FRAME_REPAIRED = 0x0a,  /**< what was recovered, and what is wanted (section 6.15) */
    OX_FRAME_HEADERS = 0x0b,   /**< feedback on compressed headers (section 6.17) */
    OX_FRAME_COMPRESSED = 0x80, /**< and all above: a packet with a compressed header, up to the end (section 6.16) */
    OX_FRAME_PACKET = 0x100,   /**< not a number of the wire: a raw inner packet up to the end (section 6.1) */
} ox_frame_type;

enum { OX_FRAME_FIXED_LENGTH_BYTES = 2, OX_CHALLENGE_BYTES = 8 };

/** One frame, its body in place. */
typedef struct ox_frame {
    uint32_t type; /**< an ::ox_frame_type, or a number that this version does not know */
    const uint8_t *body; /**< of a compressed packet: the frame's first byte, which says its context */
    size_t len;
} ox_frame;

/**
 * Reads the frame at `bytes[*offset]` and moves `*offset` behind it. Runs of padding are one frame.
 * @return ::OX_PASS, or ::OX_DROP_FRAME_MALFORMED and nothing more can be read.
 */
OX_MUST_USE ox_verdict ox_frame_read(const uint8_t *bytes, size_t len, size_t *offset, ox_frame *frame);

/** Writes type and length of a frame whose body of `body_len` bytes (below 16,384) follows: always 3 bytes. */
uint32_t ox_frame_write_head(uint8_t *out, ox_frame_type type, size_t body_len);

/* ---- repair (Wire.md sections 6.13 to 6.15) ----------------------------------------------------------------- */

enum {
    OX_COPIES_MAX = 16,            /**< COPY frames that are read of one datagram; and one REPAIR frame */
    OX_COPY_HEAD_MAX = OX_VARINT_MAX + 2, /**< bytes of a COPY frame's body in front of the content */
    OX_REPAIR_MAP_WORDS = 3,       /**< numbers that a REPAIR frame can cover lie in so many words of bits */
    OX_REPAIR_COVERED_MAX = 64,    /**< numbers that it covers */
    OX_REPAIR_BODY_HEAD_MAX = OX_VARINT_MAX + 2 + 8 * OX_REPAIR_MAP_WORDS, /**< bytes of its body in front of the parity */
    OX_REPAIRED_BYTES_MAX = 1 + OX_FRAME_FIXED_LENGTH_BYTES + 6 * OX_VARINT_MAX, /**< of a whole REPAIRED frame */
};

typedef struct ox_copy_frame {
    uint64_t distance;      /**< own packet number less that of the symbol; not 0 */
    bool difference;        /**< the content is a difference from the raw packet that the datagram ends with */
    bool resent;            /**< it was sent again on request */
    bool is_car;
    uint8_t car;            /**< when `is_car`: the byte that the car's header ended with */
    const uint8_t *content;
    size_t len;
} ox_copy_frame;

/** Writes the body of a COPY frame up to the content; returns its bytes. */
uint32_t ox_copy_write_head(const ox_copy_frame *copy, uint8_t out[OX_COPY_HEAD_MAX]);
/** Reads the body of a COPY frame of the datagram `number`. ::OX_PASS or ::OX_DROP_REPAIR_MALFORMED. */
OX_MUST_USE ox_verdict ox_copy_read(const uint8_t *body, size_t len, uint64_t number, ox_copy_frame *copy);

typedef struct ox_repair_frame {
    uint64_t distance;      /**< own packet number less the first one that it covers */
    uint64_t map[OX_REPAIR_MAP_WORDS]; /**< bit i: the i-th number from the first one is covered; bit 0 is set */
    uint8_t seed;
    const uint8_t *parity;
    size_t len;             /**< of it, 3 or more */
} ox_repair_frame;

/** Writes the body of a REPAIR frame up to the parity; returns its bytes. */
uint32_t ox_repair_write_head(const ox_repair_frame *repair, uint8_t out[OX_REPAIR_BODY_HEAD_MAX]);
/** Reads the body of a REPAIR frame of the datagram `number`. ::OX_PASS or ::OX_DROP_REPAIR_MALFORMED. */
OX_MUST_USE ox_verdict ox_repair_read(const uint8_t *body, size_t len, uint64_t number, ox_repair_frame *repair);

typedef struct ox_repaired {
    uint64_t gap_us;        /**< feedback on a gap is wanted after so long; 0: as on all else */
    uint64_t by_copy, by_window, by_resend, late, given_up; /**< since the session began */
} ox_repaired;

/** Writes a whole REPAIRED frame; returns its bytes. */
uint32_t ox_repaired_write(const ox_repaired *repaired, uint8_t out[OX_REPAIRED_BYTES_MAX]);
/** Reads the body of a REPAIRED frame; what a later version adds behind it is skipped. ::OX_PASS or ::OX_DROP_REPAIR_MALFORMED. */
OX_MUST_USE ox_verdict ox_repaired_read(const uint8_t *body, size_t len, ox_repaired *repaired);

/* ---- feedback (Wire.md section 6.5) ------------------------------------------------------------------------- */

enum {
    OX_FEEDBACK_RANGES_MAX = 256,
    OX_FEEDBACK_MAX = 8 * 7 + 16 * OX_FEEDBACK_RANGES_MAX,
    OX_FEEDBACK_RIDE_MAX = 96,    /**< bytes of one that rides on data: it fits a buffer's headroom */
    OX_FEEDBACK_BYTES_MAX = 1100, /**< of one in a datagram of its own */
};

/** Packet numbers first to last, both arrived, all between too. */
typedef struct ox_range {
    uint64_t first;
    uint64_t last;
} ox_range;

typedef struct ox_feedback {
    uint64_t arrival_us;   /**< when ranges[0].last arrived, on the receiver's clock, modulo 2^32 */
    uint64_t delay_us;     /**< from then until this frame was made */
    uint64_t ect0, ect1, ce; /**< datagrams received with each codepoint since the session began */
    uint32_t count;        /**< ranges, newest first, 1 to ::OX_FEEDBACK_RANGES_MAX */
    ox_range ranges[OX_FEEDBACK_RANGES_MAX];
} ox_feedback;

/** Writes a whole FEEDBACK frame of at most `room` bytes; older ranges are left out as needed. 0 if none fits. */
uint32_t ox_feedback_write(const ox_feedback *feedback, uint8_t *out, size_t room);
/** Reads the body of a FEEDBACK frame. ::OX_PASS or ::OX_DROP_FRAME_MALFORMED. */
OX_MUST_USE ox_verdict ox_feedback_read(const uint8_t *body, size_t len, ox_feedback *feedback);
/**
 * The ranges of the window that reach to `floor` or above, newest first, as many as fit in ::OX_FEEDBACK_RANGES_MAX. What was
 * recovered has not arrived.
 */
void ox_feedback_from_replay(const ox_replay *replay, uint64_t floor, ox_feedback *feedback);

/* ---- handshake payload (Wire.md section 4.5) ---------------------------------------------------------------- */

enum {
    OX_OFFER_AEADS_MAX = 8,
    OX_OFFER_PATHS_MAX = 8,
    OX_OFFER_ADDRESSES_MAX = 4,
    OX_OFFER_BYTES_MAX = 187, /**< what both handshake messages can carry */
};

/** The id under which the sender wants to receive on a path. */
typedef struct ox_offer_path {
    uint8_t path;
    uint8_t session_bytes; /**< 0 to 4 */
    uint32_t session;
} ox_offer_path;

typedef struct ox_offer {
    uint8_t timestamp[12];     /**< TAI64N; all zero in a response */
    uint8_t versions[4];       /**< wire versions that the sender speaks, best first; 0 ends the list */
    uint8_t aead_count;
    uint8_t aeads[OX_OFFER_AEADS_MAX]; /**< best first; exactly one in a response. May hold unknown numbers */
    uint8_t path_count;
    uint8_t address_count;
    uint32_t features;
    ox_offer_path paths[OX_OFFER_PATHS_MAX];
    uint8_t addresses[OX_OFFER_ADDRESSES_MAX][16]; /**< inner addresses, IPv4 mapped */
} ox_offer;

/** Writes the payload, padded with zeros to exactly ::OX_OFFER_BYTES_MAX bytes, so that all initiations are one size. */
OX_MUST_USE ox_status ox_offer_write(const ox_offer *offer, uint8_t out[OX_OFFER_BYTES_MAX]);
/** Reads a payload; unknown items are skipped. ::OX_E_FORMAT for anything malformed, repeated or missing. */
OX_MUST_USE ox_status ox_offer_read(const uint8_t *bytes, size_t len, ox_offer *offer);

#ifdef __cplusplus
}
#endif

#endif
