/** @file  What the stages of the tunnel share. Private to COxTunnel. */
#ifndef COXTUNNEL_STATE_H
#define COXTUNNEL_STATE_H

#include "oxcore/tunnel.h"

#define OX_NEVER UINT64_MAX

enum {
    OX_GATE_AWAITED = 1024, /**< initiations sent whose answers are told from strangers' */
    OX_GATE_CALLED = 256,   /**< senders of handshake datagrams whose way in is remembered */
    OX_GATE_SOURCES = 1024, /**< source addresses whose handshakes are counted under load; a power of two */
    OX_TRAIN_HEADERS_MAX = 128, /**< IP and transport headers of a super-packet that crosses as a train */
    OX_FEEDBACK_REPEATS = 3, /**< feedbacks that say the same, so that two of them may be lost */
    OX_NS_PER_SECOND = 1000000000,
    OX_NS_PER_MS = 1000000,
    OX_URGENT = 1 << OX_CLASS_GAMING | 1 << OX_CLASS_REALTIME, /**< classes that go ahead */
    OX_AGAIN_NS = OX_NS_PER_MS, /**< when to look again whether the path's window has opened */
    OX_COMPACT_CHANNELS = 2, /**< of compressed headers: TCP's, and that of all else */
    OX_COMPACT_TRACKED = 16, /**< packets with compressed headers in one datagram */
    OX_COMPACT_COUNT_BYTES = 3,
    OX_COMPACT_GROWTH = 16, /**< bytes by which a packet may become larger than it was */
};

typedef struct ox_path {
    ox_address address; /**< where datagrams go; none until the first handshake */
    uint8_t local[16];  /**< our address that the peer speaks to, so that it hears the same one speak; zero for any */
    uint32_t mtu;       /**< UDP payload bytes */
    ox_path_stats stats;
    ox_flight flight;
    ox_pacer pacer;
    ox_path_limits limits;
    ox_queue *queue;         /**< packets that the path does not take yet */
    uint64_t hold_until_ns;  /**< till then they wait for company; 0 for not at all */
    uint64_t urgent_bytes;   /**< of gaming and realtime packets sent since the last sample */
    ox_path_repair repair;   /**< orders */
    uint32_t repairing;      /**< classes that any of them is for, as bits */
    uint32_t repair_reserve; /**< bytes that datagrams leave free, so that what repairs them fits into one too */
    ox_repair_report repairs;
    ox_repair_traffic traffic;
    ox_compact_report compact;
    ox_path_sample unsaid;   /**< what samples said that found no room in the event ring */
    bool ahead;              /**< what is being sent now goes ahead of the pacing */
} ox_path;

struct ox_peer {
    uint32_t id;
    uint32_t sessions; /**< in the tunnel's table */
    ox_session *sending[OX_PATHS_MAX];
    ox_path paths[OX_PATHS_MAX];
    bool backlogged;         /**< on the tunnel's list of peers with packets in a queue */
    struct ox_peer *backlog_next;
    ox_list staged;
    uint64_t waiting_due_ns; /**< when the controller may be told again that packets wait */
    uint64_t packets[4]; /**< sent, bytes sent, received, bytes received: as in ox_peer_report */
    uint64_t carried[4]; /**< packets that datagrams carried, those datagrams, the bytes of these, and of the packets */
};

typedef struct ox_train ox_train;
typedef struct ox_session_repair ox_session_repair;
typedef struct ox_session_compact ox_session_compact;

struct ox_session {
    ox_session_parameters is;
    ox_keys *keys;
    ox_aead aead;
    uint32_t tag_bytes;
    ox_peer *peer;
    bool confirmed; /**< the other side has used it */
    bool closed;    /**< the other side has ended it, and the controller knows */

    uint64_t next_number;
    uint64_t next_expected; /**< by the other side: largest acknowledged plus one */
    ox_ledger *ledger;

    ox_replay replay;
    uint32_t unanswered;       /**< eliciting datagrams since the last feedback */
    uint64_t unanswered_bytes;
    uint64_t feedback_due_ns;  /**< OX_NEVER for none */
    uint64_t feedback_ride_ns; /**< from then on it rides on data */
    uint64_t feedback_sent_ns; /**< when the last one left */
    uint64_t feedback_floors[OX_FEEDBACK_REPEATS]; /**< largest numbers plus one of the last ones, newest first */
    uint64_t late_floor;       /**< the smallest number that came since the last one; OX_NEVER for none */
    uint64_t ledger_due_ns;    /**< when the ledger must be looked at; OX_NEVER for none */
    uint64_t newest_arrival_ns; /**< of the largest number */
    uint64_t ect0, ect1, ce;

    uint64_t received_ns, received_eliciting_ns, sent_ns, sent_eliciting_ns;
    uint64_t report_due_ns; /**< of the activity; OX_NEVER for none */
    uint64_t reported_ns;
    uint64_t address_reported_ns;

    ox_session_repair *repair; /**< NULL where it was not agreed */
    uint64_t repair_due_ns;    /**< when something that repairs leaves; OX_NEVER for none */

    ox_session_compact *compact; /**< NULL where it was not agreed */

    ox_train *trains; /**< on their way in, by the number of their first car */

    bool active; /**< on the tunnel's list of sessions with something due */
    ox_session *active_next;
};

/**
 * A super-packet that comes in as cars (Wire.md section 6.10). Its content lies in `buf` as it will be: car 0 ends at
 * OX_TRAIN_BASE, whatever its length, and the others follow.
 */
struct ox_train {
    ox_session *session;   /**< NULL for a free slot */
    ox_train *next;        /**< of its session */
    uint64_t first;        /**< packet number of car 0 */
    uint64_t arrived;      /**< bit i: car i */
    uint64_t given;        /**< bit i: car i went on to the device */
    uint32_t first_bytes;  /**< content of car 0; 0 unknown */
    uint32_t slice;        /**< content of the cars between the first and the last; 0 unknown */
    uint32_t last;         /**< index of the last car; OX_TRAIN_CARS_MAX unknown */
    uint32_t last_bytes;   /**< its content */
    uint32_t payload;      /**< of the super-packet; with the next four 0 until the headers are known */
    uint32_t segment;      /**< payload of each of its segments */
    uint32_t header_bytes;
    ox_headers headers;
    uint8_t header[OX_TRAIN_HEADERS_MAX];
    uint8_t ecn;           /**< CE if a car arrived with it */
    ox_buf *buf;           /**< NULL when all that arrived has gone on */
    uint64_t touched_ns;   /**< when its newest car came */
    uint64_t due_ns;       /**< when cars behind a missing one go on without it; OX_NEVER when there are none */
};

/** Half of an inner packet that waits for the other. */
typedef struct ox_half {
    ox_session *session; /**< NULL for a free slot */
    uint64_t head_number;
    ox_buf *buf;
    bool is_head;
} ox_half;

/** The datagram that is being filled. */
typedef struct ox_open {
    ox_session *session; /**< NULL for none */
    ox_buf *buf;
    bool lone;           /**< the content is one raw packet, not yet a frame */
    uint32_t packets;    /**< in it */
    uint32_t packet_bytes;
    uint32_t batch_at;   /**< offset of the BATCH frame, or 0 and `batch` false */
    bool batch;
    bool urgent;         /**< a gaming or realtime packet is in it: it waits for nothing */
    uint8_t ecn;
    uint8_t class_;      /**< the most urgent of its packets' */
    uint8_t flow_count;  /**< of `flows`; one more than there can be when there are more */
    uint32_t flows[OX_REPAIR_FLOWS_MAX];
    uint32_t compact_count;
    uint32_t compact[OX_COMPACT_TRACKED]; /**< keys of those in it that have compressed headers */
} ox_open;

/** Counts per second. */
typedef struct ox_meter {
    uint64_t second;
    uint32_t now, before;
} ox_meter;

/** An initiation that was sent, by its index. */
typedef struct ox_awaited {
    uint32_t index;
    bool awaited;
} ox_awaited;

typedef struct ox_source {
    uint64_t second;
    uint32_t handshakes; /**< that came with a cookie */
    uint32_t cookies;    /**< asked for */
} ox_source;

/** At which of our addresses a handshake datagram came in: the answer leaves from there. */
typedef struct ox_called {
    ox_address from;
    uint8_t local[16];
} ox_called;

typedef struct ox_gate {
    ox_called called[OX_GATE_CALLED];
    ox_awaited awaited[OX_GATE_AWAITED];
    ox_meter initiations;
    ox_meter cookies;
    ox_meter cookie_replies;
    ox_meter responses;
    uint64_t seed;
    ox_source sources[OX_GATE_SOURCES];
} ox_gate;

struct ox_tunnel {
    ox_tunnel_parameters is;
    ox_flow_key flow_key;
    ox_parsed parsed;   /**< of the packets that are being looked at */
    ox_list arrived;    /**< inner packets out of the seal, on their way to the device */
    ox_coalescer *coalescer;
    ox_train trains[OX_TRAIN_SLOTS];
    uint32_t trains_open;
    uint64_t trains_due_ns; /**< when one of them has to be looked at; OX_NEVER for none */
    ox_policy policy;
    ox_peer **peers;       /**< OX_PEERS_MAX */
    ox_session **sessions; /**< by local id */
    uint32_t session_limit;
    ox_list network;
    ox_list device;
    ox_list away[OX_WORKERS_MAX]; /**< packets for peers that others have, by worker */
    uint32_t away_count;          /**< in all of them */
    ox_open open;
    ox_scheduler *scheduler;
    ox_classifier *classifier;
    ox_peer *backlog;    /**< peers with packets in a queue */
    uint64_t serve_due_ns; /**< when one of them may send; OX_NEVER for none */
    ox_half halves[OX_SPLIT_SLOTS];
    ox_session *active;
    uint64_t next_due_ns;
    ox_gate gate;
    bool events_pushed; /**< onto an empty ring since ox_tunnel_take_edge() */
    uint64_t drops[OX_VERDICT_COUNT];
};

/* tunnel.c */
void ox_tunnel_drop(ox_tunnel *tunnel, ox_buf *buf, ox_verdict why);
uint32_t ox_tunnel_parse(ox_tunnel *tunnel, ox_list *packets, ox_buf *taken[OX_PARSE_BATCH_MAX]);
ox_buf *ox_tunnel_shrink(ox_tunnel *tunnel, ox_buf *buf);
ox_session *ox_tunnel_session(const ox_tunnel *tunnel, uint32_t local);
bool ox_session_expired(const ox_tunnel *tunnel, const ox_session *session, uint64_t now_ns);

/**
 * The codepoint of a datagram around a packet. CE stays inside: outside, the path's own marks must be told from it (RFC 6040
 * section 4.2 keeps it at the other end).
 */
static inline uint8_t ox_seal_ecn(uint8_t inner) { return inner == OX_ECN_CE ? OX_ECN_ECT0 : inner; }

/* seal.c */
uint32_t ox_session_overhead(const ox_session *session, uint64_t number);
uint32_t ox_session_room(const ox_session *session);
uint32_t ox_session_room_whole(const ox_session *session);
uint32_t ox_session_number_bytes(const ox_session *session, uint64_t number);
ox_verdict ox_session_can_send(const ox_tunnel *tunnel, const ox_session *session, const ox_address *to, uint64_t now_ns);
void ox_session_address_datagram(const ox_session *session, ox_buf *buf, const ox_address *to);
void ox_session_note_sent(ox_tunnel *tunnel, ox_session *session, uint64_t number, uint32_t bytes, bool eliciting,
                          uint64_t now_ns);
bool ox_session_seal(ox_tunnel *tunnel, ox_session *session, ox_buf *buf, bool eliciting, const ox_address *to,
                     uint64_t now_ns);
void ox_session_send_frame(ox_tunnel *tunnel, ox_session *session, ox_frame_type type, const uint8_t *body, uint32_t len,
                           const ox_address *to, uint64_t now_ns);
const ox_address *ox_session_address(const ox_session *session);

/* pack.c */
void ox_pack(ox_tunnel *tunnel, ox_session *session, ox_buf *buf, uint64_t now_ns);
void ox_pack_flush(ox_tunnel *tunnel, uint64_t now_ns);
void ox_pack_flush_of(ox_tunnel *tunnel, const ox_session *session, uint64_t now_ns);

/* cars.c */
bool ox_cars_send(ox_tunnel *tunnel, ox_session *session, ox_buf *buf, const ox_headers *headers, uint64_t now_ns);

/* train_open.c */
uint32_t ox_train_take(ox_tunnel *tunnel, ox_buf *buf, uint32_t offset, uint64_t now_ns);
void ox_train_take_recovered(ox_tunnel *tunnel, ox_session *session, const ox_repair_symbol *symbol, uint64_t now_ns);

/* train.c */
void ox_train_settle(ox_tunnel *tunnel, ox_session *session, bool more, uint64_t now_ns);
void ox_train_settle_all(ox_tunnel *tunnel, bool more, uint64_t now_ns);
void ox_train_advance(ox_tunnel *tunnel, uint64_t now_ns);
void ox_train_forget(ox_tunnel *tunnel, ox_session *session);

/* ingress.c */
/** What the header of a data datagram leads to. */
typedef struct ox_opening {
    ox_header header;
    ox_session *session;
    uint64_t number;
    uint32_t len; /**< of the plaintext */
} ox_opening;
ox_verdict ox_ingress_header(const ox_tunnel *tunnel, const ox_buf *buf, const uint8_t *bytes, uint32_t len,
                             uint64_t now_ns, ox_opening *opening);
void ox_ingress_commit(ox_session *session, uint64_t number);
void ox_ingress_note(ox_tunnel *tunnel, ox_session *session, const ox_buf *buf, bool newest, uint32_t datagrams,
                     uint32_t bytes, uint64_t now_ns);
void ox_deliver(ox_tunnel *tunnel, const ox_session *session, ox_buf *buf);
void ox_deliver_flush(ox_tunnel *tunnel);
void ox_ingress_recovered(ox_tunnel *tunnel, ox_session *session, const ox_repair_symbol *symbol, uint64_t now_ns);

/* serve.c */
uint64_t ox_path_quantum(const ox_path_limits *limits, uint64_t rate);
void ox_serve_enqueue(ox_tunnel *tunnel, ox_session *session, ox_buf *buf, const ox_headers *headers, uint32_t hash,
                      uint64_t now_ns);
void ox_serve_peer(ox_tunnel *tunnel, ox_peer *peer, uint64_t now_ns);
void ox_serve_all(ox_tunnel *tunnel, uint64_t now_ns);
void ox_serve_settle(ox_tunnel *tunnel, uint64_t now_ns);
void ox_serve_forget(ox_tunnel *tunnel, ox_peer *peer, ox_verdict why);
bool ox_serve_allows(const ox_tunnel *tunnel, ox_path *path, const ox_session *session, bool urgent, uint64_t now_ns);
void ox_serve_check_limited(const ox_tunnel *tunnel, ox_path *path, uint64_t now_ns);

/* sample.c */
void ox_session_learn(ox_tunnel *tunnel, ox_session *session, const ox_ledger_result *result);

/* egress.c */
void ox_egress_send(ox_tunnel *tunnel, ox_session *session, ox_buf *buf, uint64_t now_ns);
void ox_egress_staged(ox_tunnel *tunnel, ox_peer *peer, uint64_t now_ns);

/* split.c */
ox_buf *ox_split_head(ox_tunnel *tunnel, ox_session *session, uint64_t number, ox_buf *buf);
ox_buf *ox_split_tail(ox_tunnel *tunnel, ox_session *session, uint64_t head_number, const uint8_t *bytes, size_t len,
                      uint8_t ecn);
void ox_split_forget(ox_tunnel *tunnel, const ox_session *session);

/* feedback.c */
void ox_feedback_owe(ox_tunnel *tunnel, ox_session *session, uint64_t number, uint32_t bytes, uint64_t now_ns);
uint32_t ox_feedback_make(ox_session *session, uint8_t *out, size_t room, bool whole, uint64_t now_ns);
void ox_feedback_hasten(ox_tunnel *tunnel, ox_session *session, uint64_t wait_ns, uint64_t now_ns);
void ox_session_activate(ox_tunnel *tunnel, ox_session *session, uint64_t due_ns);
void ox_session_watch(ox_tunnel *tunnel, ox_session *session);
void ox_session_touch(ox_tunnel *tunnel, ox_session *session, uint64_t now_ns);
void ox_session_deactivate(ox_tunnel *tunnel, ox_session *session);

/* repair.c */
ox_session_repair *ox_session_repair_create(void);
void ox_session_repair_destroy(ox_session_repair *repair);
void ox_repair_source(ox_tunnel *tunnel, const ox_open *open, uint64_t now_ns);
void ox_repair_retract(ox_session *session, uint64_t number);
void ox_repair_cars(ox_tunnel *tunnel, ox_session *session, ox_class class_, const ox_aead_job *jobs, uint32_t count,
                    uint64_t now_ns);
uint32_t ox_repair_tell(ox_session *session, uint8_t *out, size_t room, uint64_t now_ns);
uint64_t ox_repair_gap(const ox_session *session, ox_class class_, uint64_t now_ns);

/* repair_send.c */
void ox_repair_owe(ox_tunnel *tunnel, ox_session *session, ox_class class_, uint64_t now_ns);
void ox_repair_lost(ox_tunnel *tunnel, ox_session *session, const ox_ledger_result *result, uint64_t now_ns);
void ox_repair_serve(ox_tunnel *tunnel, ox_session *session, uint64_t now_ns);

/* repair_take.c */
/** Frames of the repair layer in one datagram: so many of each are read and no more. */
typedef struct ox_repair_frames {
    uint32_t copies;     /**< COPY */
    bool combined, told; /**< REPAIR, REPAIRED */
    bool searched;       /**< for the raw packet that copies are a difference from: `base` and `header` hold */
    const uint8_t *base;
    uint32_t header;     /**< bytes of its headers; 0 when there is none */
} ox_repair_frames;
void ox_repair_keep(ox_session *session, uint64_t number, uint8_t car, const uint8_t *plain, uint32_t len, uint64_t now_ns);
void ox_repair_drain(ox_tunnel *tunnel, ox_session *session, uint64_t now_ns);
void ox_repair_take(ox_tunnel *tunnel, ox_session *session, uint64_t number, ox_repair_frames *frames,
                    const ox_frame *frame, const uint8_t *end, uint64_t now_ns);
void ox_repair_overtaken(ox_tunnel *tunnel, ox_session *session, uint64_t now_ns);

/* compact.c */
ox_session_compact *ox_session_compact_create(void);
void ox_session_compact_destroy(ox_session_compact *compact);
uint32_t ox_compact_packet(ox_tunnel *tunnel, ox_session *session, ox_buf *buf, uint64_t now_ns);
ox_buf *ox_compact_restore(ox_tunnel *tunnel, ox_session *session, uint64_t number, ox_buf *from, uint8_t *bytes, size_t len,
                           bool keeps);
void ox_compact_missed(ox_session *session, uint64_t count);
bool ox_compact_fits(const ox_session *session, uint32_t len);
void ox_compact_unsent(ox_session *session);
uint32_t ox_compact_tell(ox_session *session, uint8_t *out, size_t room);
void ox_compact_heard(ox_tunnel *tunnel, ox_session *session, const ox_frame *frame);
void ox_compact_hasten(ox_tunnel *tunnel, ox_session *session, uint64_t now_ns);

/* gate.c */
void ox_gate_answer_from(ox_tunnel *tunnel, ox_buf *buf);
void ox_gate_await(ox_tunnel *tunnel, const uint8_t *bytes, size_t len);
void ox_gate_handshake(ox_tunnel *tunnel, ox_buf *buf, uint64_t now_ns);

#endif
