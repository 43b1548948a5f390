/**
 * @file  The repair layer: what a sender remembers so that it can send it again, and how a receiver rebuilds what is missing.
 *
 * A *symbol* is the plaintext of one datagram of a session, without the frames that repair something or speak of the session
 * (Wire.md section 6.12). It is named by its packet number. Datagrams that carry symbols are no different from others: what
 * repairs them travels in COPY and REPAIR frames.
 *
 * Three tools. *Copies*: earlier symbols of a sparse flow ride in later datagrams of it. *Window*: linear combinations over
 * GF(2^8) of the last symbols of a class, in datagrams of their own. *Resending*: a symbol taken for lost leaves once more.
 *
 * Authenticity is the caller's affair: a wrong symbol that is kept makes wrong symbols. Memory is the caller's, and can be such
 * that is not there until it is touched (ox_reserve()): nothing is written before the first symbol or repair frame.
 *
 * Threads: all of it belongs to the worker. Nothing here allocates, reads a clock, or decides.
 */
#ifndef OXCORE_REPAIR_H
#define OXCORE_REPAIR_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    OX_REPAIR_COPIES_MAX = 3,      /**< earlier symbols of its flow that ride in a datagram */
    OX_REPAIR_OFFSET_MAX = 16,     /**< how far back one of them can lie, in datagrams of the flow */
    OX_REPAIR_WINDOW_MAX = 64,     /**< symbols that one REPAIR frame covers */
    OX_REPAIR_SPAN_MAX = 192,      /**< packet numbers from the first to the last of them */
    OX_REPAIR_INTERLEAVE_MAX = 8,
    OX_REPAIR_PERMILLE_MAX = 2000, /**< REPAIR datagrams for 1,000 symbols */
    OX_REPAIR_CONTENT_MAX = 1500,  /**< bytes of plaintext of a symbol; longer ones are not repaired */
    OX_REPAIR_HEAD_BYTES = 3,      /**< in front of the content where symbols are combined: LE16 length, place in a train */
    OX_REPAIR_SYMBOL_MAX = OX_REPAIR_HEAD_BYTES + OX_REPAIR_CONTENT_MAX,
    OX_REPAIR_NO_CAR = 0xff,       /**< place in a train of a datagram that is no car */
    OX_REPAIR_FLOWS_MAX = 4,       /**< flows of one datagram that are told apart */
    OX_REPAIR_SPARSE_NS = 5000000, /**< a flow with longer times between its datagrams is sparse */
};

/* ---- orders, down; counts, up ------------------------------------------------------------------------------- */

/** What is done for a class on a path. All zero: nothing. All fields are 64 bits, so that ox_snapshot() can copy it. */
typedef struct ox_repair_order {
    uint64_t copies;      /**< of sparse flows: how many of `offsets` hold, 0 for none */
    uint64_t offsets[OX_REPAIR_COPIES_MAX]; /**< ascending, 1 to ::OX_REPAIR_OFFSET_MAX, in datagrams of the same flow */
    uint64_t permille;    /**< of flows that are not, and of sparse ones where `copies` is 0: REPAIR datagrams for 1,000 symbols */
    uint64_t window;      /**< symbols that each covers, 1 to ::OX_REPAIR_WINDOW_MAX */
    uint64_t interleave;  /**< 1, or 2 to ::OX_REPAIR_INTERLEAVE_MAX: each covers every so-manieth symbol */
    uint64_t resend;      /**< 1: what is lost is sent again where it can be there in time */
    uint64_t deadline_ns; /**< after it was sent first a symbol is of no use any more */
} ox_repair_order;

/** What a path's repair did; cumulative. All fields are 64 bits. */
typedef struct ox_repair_report {
    uint64_t copies, copy_bytes;     /**< sent in datagrams of their flow: frames, and the bytes of these */
    uint64_t windows, window_bytes;  /**< REPAIR datagrams, UDP payload bytes */
    uint64_t resent, resent_bytes;   /**< COPY datagrams on request, UDP payload bytes */
    uint64_t crowded;                /**< copies that found no room in their datagram, or are larger than the path takes */
    /** What became of it at the other side, as it says: datagrams recovered by each tool, */
    uint64_t peer_by_copy, peer_by_window, peer_by_resend;
    uint64_t peer_late;              /**< repairs that came when nobody could tell any more whether they were needed, */
    uint64_t peer_given_up;          /**< and datagrams that a window covered and could not recover */
    /** Likewise here, of what the other side sent. */
    uint64_t by_copy, by_window, by_resend;
    uint64_t late;
    uint64_t given_up;
    uint64_t unneeded;               /**< copies and windows of which all had arrived */
} ox_repair_report;

/* ---- the sender --------------------------------------------------------------------------------------------- */

/** A symbol, its content in memory that belongs to whoever gave it. */
typedef struct ox_repair_symbol {
    uint64_t number;
    uint64_t sent_ns;       /**< senders only */
    const uint8_t *content; /**< the plaintext */
    uint16_t len;
    uint8_t car;            /**< the byte that a car's header ends with, or ::OX_REPAIR_NO_CAR */
    uint8_t class_;         /**< senders only: an ::ox_class */
    uint8_t flow_count;     /**< senders only: of `flows`, at most ::OX_REPAIR_FLOWS_MAX */
    bool lone;              /**< senders only: it is one raw IP packet, and its headers can be sent as a difference */
    bool windowed;          /**< senders only: REPAIR frames cover it */
    uint32_t flows[OX_REPAIR_FLOWS_MAX]; /**< ox_flow_hash() of the packets in it */
} ox_repair_symbol;

/** The symbols that one session sent of late. */
typedef struct ox_repair_history ox_repair_history;

/** Virtual memory that a history may grow into. */
size_t ox_repair_history_bytes(void);
/** Makes an empty history in `memory`: ox_repair_history_bytes() long, zero, aligned to 64. Touches nothing. */
ox_repair_history *ox_repair_history_init(void *memory);
/**
 * Notes a symbol with a larger number than all before, and copies its content. What was sent `keep_ns` ago or longer may be
 * forgotten; younger symbols make the history grow, up to 1,024 of them. Longer content than ::OX_REPAIR_CONTENT_MAX is not noted.
 */
void ox_repair_history_note(ox_repair_history *history, const ox_repair_symbol *symbol, uint64_t keep_ns);
/** Takes back the newest symbol, which did not leave. */
void ox_repair_history_retract(ox_repair_history *history, uint64_t number);
/** The symbol of this number, or false. */
OX_MUST_USE bool ox_repair_history_find(const ox_repair_history *history, uint64_t number, ox_repair_symbol *symbol);
/**
 * The symbols that lie `offsets` datagrams of their flow before the next one, for each of `flows`; each once, oldest first.
 * Returns how many.
 */
uint32_t ox_repair_history_earlier(const ox_repair_history *history, const uint32_t *flows, uint32_t flow_count,
                                   const uint64_t *offsets, uint32_t offset_count,
                                   ox_repair_symbol found[OX_REPAIR_COPIES_MAX * OX_REPAIR_FLOWS_MAX]);

/** A REPAIR frame: `parity` is the sum over the covered symbols of coefficient times symbol. */
typedef struct ox_repair_window {
    uint64_t first;        /**< number of the first covered symbol */
    uint64_t map[OX_REPAIR_SPAN_MAX / 64]; /**< bit i: symbol first + i is covered; bit 0 is set */
    uint8_t seed;
    const uint8_t *parity;
    uint32_t len;          /**< of it: that of the longest covered symbol, its head included */
} ox_repair_window;

//= Wire.md section 6.14
//# the inverse of (192 + seed mod 64) XOR (number mod 192)
/** The coefficient of a symbol in the combination with this seed. Never 0. */
uint8_t ox_repair_coefficient(uint8_t seed, uint64_t number);

/**
 * Combines the last `order->window` windowed symbols of a class that are at most ::OX_REPAIR_SPAN_MAX numbers old, and at the
 * newest symbol not older than `order->deadline_ns` (0 for any age), `lane` of `order->interleave`, as far as their combination
 * is at most `room` bytes long, into `parity` (::OX_REPAIR_SYMBOL_MAX bytes). False when there is none.
 */
OX_MUST_USE bool ox_repair_history_combine(const ox_repair_history *history, uint8_t class_, const ox_repair_order *order,
                                           uint32_t lane, uint64_t next_number, uint32_t room, uint8_t seed,
                                           uint8_t parity[OX_REPAIR_SYMBOL_MAX], ox_repair_window *window);

/* ---- flows of the sender ------------------------------------------------------------------------------------ */

/** How fast the flows of a session are. All zero is the empty table. */
typedef struct ox_repair_pace ox_repair_pace;
size_t ox_repair_pace_bytes(void);
/** Notes a datagram of a flow; true when the flow is sparse. A flow is taken for sparse until it has shown otherwise. */
bool ox_repair_pace_note(ox_repair_pace *pace, uint32_t flow, uint8_t class_, uint64_t now_ns);
/**
 * The longest of the usual times between datagrams of the sparse flows of a class seen in the last 2 s; 0 for none. Flows with
 * more than 100 ms between them are left out: no copy of theirs is in time.
 */
uint64_t ox_repair_pace_gap(const ox_repair_pace *pace, uint8_t class_, uint64_t now_ns);

/* ---- the receiver ------------------------------------------------------------------------------------------- */

/** The symbols that came in one session of late, and the combinations that are not solved yet. */
typedef struct ox_repair_store ox_repair_store;

/** Virtual memory that a store needs: about 1 MB, most of it touched only as symbols are kept. */
size_t ox_repair_store_bytes(void);
/** Makes an empty store in `memory`: ox_repair_store_bytes() long, zero, aligned to 64. */
ox_repair_store *ox_repair_store_init(void *memory);
/** Keeps a symbol that arrived, or was recovered by other means: combinations that miss it become simpler. */
void ox_repair_store_keep(ox_repair_store *store, uint64_t number, uint8_t car, const uint8_t *content, size_t len);

typedef enum OX_CLOSED_ENUM ox_repair_outcome {
    OX_REPAIR_TAKEN,     /**< it says something new of what is missing */
    OX_REPAIR_UNNEEDED,  /**< nothing that it covers is missing, or what is follows from others already */
    OX_REPAIR_TOO_LATE,  /**< it covers what is kept no more, or was given up */
    OX_REPAIR_WRONG,     /**< it is shorter than a symbol that it covers */
} ox_repair_outcome;

/**
 * Takes a combination in.
 *
 * @param arrived  bit i: the datagram first + i has arrived or been recovered, whether the store kept it or not. What it did
 *                 not keep it misses as well, and gives out like all else that follows.
 * @param next     largest number that arrived, plus one: what lies too far below is given up.
 */
ox_repair_outcome ox_repair_store_take(ox_repair_store *store, const ox_repair_window *window, const uint64_t *arrived,
                                       uint64_t next);
/**
 * Takes out a symbol that follows from what is known by now, smallest number first; false when there is none. It is kept, where
 * no newer one has its place; `content` holds until the next call.
 */
OX_MUST_USE bool ox_repair_store_solved(ox_repair_store *store, ox_repair_symbol *symbol);
/** Symbols that combinations covered, that had not arrived, and that were given up. */
uint64_t ox_repair_store_given_up(const ox_repair_store *store);

/* ---- copies ------------------------------------------------------------------------------------------------- */

enum { OX_REPAIR_DIFFERENCE_MAX = 64 /**< header bytes of packets that are sent as a difference */ };

/**
 * Writes `packet` as its difference from `base` in the first `header` bytes of both (a bit for each that differs, then these),
 * and its rest as it is. `header` is 1 to ::OX_REPAIR_DIFFERENCE_MAX, and no longer than either. Returns the bytes, 0 when
 * they are more than `room`.
 */
uint32_t ox_repair_difference(const uint8_t *base, uint32_t header, const uint8_t *packet, uint32_t len, uint8_t *out,
                              size_t room);
/** The packet, from its difference. Returns its bytes, 0 when the difference is malformed or the packet above `room`. */
uint32_t ox_repair_undo_difference(const uint8_t *base, uint32_t header, const uint8_t *difference, size_t len, uint8_t *out,
                                   size_t room);

#ifdef __cplusplus
}
#endif

#endif
