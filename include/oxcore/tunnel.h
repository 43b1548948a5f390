/**
 * @file  One end of OxTunnel: peers, sessions, and the way of a packet through the stages. No I/O, no clock, no
 *        allocation: packets come in as lists of buffers and leave as lists of buffers.
 *
 * Threads: a tunnel belongs to its worker. Peers and sessions are made and destroyed by a control thread; in between they
 * belong to the worker (see worker.h for how they change hands). Counters may be read from any thread.
 */
#ifndef OXCORE_TUNNEL_H
#define OXCORE_TUNNEL_H

#include "base.h"
#include "crypto.h"
#include "flow.h"
#include "packet.h"
#include "path.h"
#include "queue.h"
#include "repair.h"
#include "ring.h"
#include "wire.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    OX_PEERS_MAX = 1 << 16,
    OX_WORKERS_MAX = 16,       /**< that share the peers of one end */
    OX_PATHS_MAX = 1,          /**< paths of a peer in use: later versions raise it */
    OX_ROUTES_MAX = 1 << 20,
    OX_STAGED_MAX = 64,        /**< packets of a peer that wait for a session */
    OX_ACTIVITY_INTERVAL_MS = 250, /**< between two activity reports, or address reports, of a session */
    OX_EVENTS_RESERVED = 256,   /**< records of the event ring kept for events that happen once */
    OX_TRAIN_SLOTS = 32,       /**< trains of which cars are missing, in a tunnel */
    OX_SPLIT_SLOTS = 512,      /**< halves of inner packets that wait for the other half, in a tunnel */
    OX_TURN_PACKETS_MAX = 256, /**< packets of one batch */
};

/** Features agreed in the handshake (Wire.md section 4.5). */
enum {
    OX_FEATURE_BATCH = 1 << 0,
    OX_FEATURE_SPLIT = 1 << 1,
    OX_FEATURE_TRAIN = 1 << 2,
    OX_FEATURE_REPAIR = 1 << 3,
    OX_FEATURE_ROHC = 1 << 4,
};

/* ---- cryptokey routing -------------------------------------------------------------------------------------- */

typedef struct ox_route {
    uint8_t ip[16];    /**< IPv4 mapped */
    uint8_t bits;      /**< prefix length in the mapped form: IPv4's plus 96 */
    uint8_t reserved[3];
    uint32_t peer;
} ox_route;

/** An immutable longest-prefix table of allowed-ips. */
typedef struct ox_routes ox_routes;

/** Builds the table; the same prefix twice keeps the last. NULL without memory. Host bits are ignored. */
ox_routes *ox_routes_create(const ox_route *routes, size_t count);
void ox_routes_destroy(ox_routes *routes);
/** The peer of the longest matching prefix, or -1. `family_bytes` is 4 or 16. */
int64_t ox_routes_find(const ox_routes *routes, const uint8_t *ip, uint32_t family_bytes);

/* ---- policy ------------------------------------------------------------------------------------------------- */

/** Orders that hold until the next policy. Immutable once published. */
typedef struct ox_policy {
    uint64_t epoch;                  /**< grows with each policy; the worker echoes it */
    const ox_routes *routes;         /**< not owned; outlives the policy */
    uint64_t reject_after_ns;        /**< age at which a session neither sends nor receives */
    uint64_t feedback_delay_ns;      /**< feedback leaves this long after the first datagram it covers, at the latest */
    uint64_t feedback_least_ns, feedback_most_ns; /**< after `feedback_bytes`, a quarter of the RTT after the last, within these */
    uint32_t feedback_bytes;
    uint32_t handshakes_per_second;  /**< above this many initiations a second, mac2 is asked for */
    uint32_t cookies_per_second;     /**< cookie replies at most */
    uint32_t source_handshakes_per_second; /**< initiations a second from one source address under load */
    uint32_t inner_mtu;              /**< larger inner packets are answered with ICMP too-big */
    uint64_t train_wait_ns;          /**< cars behind a missing one wait for it so long, at most */
    const ox_class_rule *rules;      /**< of `rule_count`; not owned; outlive the policy */
    uint32_t rule_count;
    ox_queue_policy queue;
    uint32_t hold_packets;           /**< so many packets do not wait for company any more (ox_path_limits.hold_ns) */
    bool train;                      /**< super-packets cross as trains where the session agreed to it */
    bool coalesce;                   /**< packets of a flow that arrive together go to the device as one super-packet */
    bool batch;                      /**< pack several inner packets into a datagram where the session agreed to it */
} ox_policy;

/** Sensible values for everything but `routes`. */
void ox_policy_defaults(ox_policy *policy);

/* ---- peers and sessions ------------------------------------------------------------------------------------- */

typedef struct ox_peer ox_peer;
typedef struct ox_session ox_session;

/** NULL without memory. `id` is below OX_PEERS_MAX. */
ox_peer *ox_peer_create(uint32_t id);
void ox_peer_destroy(ox_peer *peer);
uint32_t ox_peer_id(const ox_peer *peer);

/** What the controller allows a path to send. All zero is no limit. */
typedef struct ox_path_limits {
    uint64_t rate;          /**< pacing: bytes/s of UDP payload; 0 for no limit */
    uint64_t restart_rate;  /**< pacing from a restart out of idleness up to the next limits; 0 for `rate` */
    uint64_t window;        /**< bytes in flight at most; 0 for no limit */
    uint64_t quantum;       /**< bytes that leave at once at most; a larger super-packet is cut before it is queued; 0 for no limit */
    uint64_t loss_permille; /**< the share of a flight whose loss is too much */
    uint64_t urgent;        /**< 1: gaming and realtime packets may go ahead of the pacing (ox_pacer_ready_urgent()) */
    uint64_t hold_ns[OX_CLASSES]; /**< how long packets of a class wait for company in their datagram; 0: not at all */
    uint64_t answers_ns;    /**< `now_ns` of the sample that they answer; 0 for none */
} ox_path_limits;

/** What is repaired on a path. It holds for sessions that agreed to ::OX_FEATURE_REPAIR. All zero is nothing. */
typedef struct ox_path_repair {
    uint64_t watch; /**< 1: samples go up although there are no limits, and traffic is counted */
    ox_repair_order classes[OX_CLASSES];
} ox_path_repair;

/** What a path carries, by class, as far as repair can tell; while it is watched. A datagram is of its most urgent class. */
typedef struct ox_repair_traffic {
    uint64_t sparse_symbols[OX_CLASSES], sparse_bytes[OX_CLASSES]; /**< datagrams of sparse flows, UDP payload bytes */
    uint64_t sparse_gap_ns[OX_CLASSES];                            /**< ox_repair_pace_gap() */
    uint64_t dense_symbols[OX_CLASSES], dense_bytes[OX_CLASSES];   /**< all others */
} ox_repair_traffic;

/** What compressing headers did on a path, since the start. */
typedef struct ox_compact_report {
    uint64_t packets, octets_in, octets_out; /**< sent with a compressed header; the headers' bytes, before and after */
    uint64_t raw;                            /**< sent as they were: shorter so, large, or too many of a flow in a datagram */
    uint64_t restored;                       /**< received with a compressed header, and whole again */
    uint64_t refused;                        /**< received, and not restored */
    uint64_t told, heard;                    /**< bytes of feedback on headers sent and received */
} ox_compact_report;

typedef struct ox_peer_report {
    ox_path_stats paths[OX_PATHS_MAX];
    ox_path_limits limits[OX_PATHS_MAX];
    ox_queue_class_report queues[OX_PATHS_MAX][OX_CLASSES];
    ox_path_repair repair_orders[OX_PATHS_MAX];
    ox_repair_report repairs[OX_PATHS_MAX];
    ox_compact_report compact[OX_PATHS_MAX];
    uint64_t packets_sent, packet_bytes_sent;         /**< inner packets */
    uint64_t packets_received, packet_bytes_received;
} ox_peer_report;

/** A snapshot for people. From any thread; each number is whole, but they may be a turn apart. */
void ox_peer_status(const ox_peer *peer, ox_peer_report *report);

typedef struct ox_session_parameters {
    uint32_t peer;
    uint32_t path;
    uint32_t local;         /**< the id that we issued */
    uint32_t remote;        /**< the id that we write */
    uint32_t remote_bytes;  /**< 0 to 4 */
    uint32_t features;      /**< agreed */
    uint32_t replay_window; /**< 0 for the default */
    uint64_t created_ns;
    ox_address trusted;     /**< ::OX_AEAD_NONE only: datagrams are taken from and sent to this address alone */
} ox_session_parameters;

/** Takes the keys over, also when it fails. NULL without memory. */
ox_session *ox_session_create(const ox_session_parameters *parameters, ox_keys *keys);
/** Wipes the keys. */
void ox_session_destroy(ox_session *session);

/* ---- events, up --------------------------------------------------------------------------------------------- */

typedef enum OX_CLOSED_ENUM ox_event_kind {
    OX_EVENT_PACKETS_WAITING,    /**< peer */
    OX_EVENT_HANDSHAKE,          /**< datagram, address: its mac1 is right, and its mac2 where that was asked for */
    OX_EVENT_SESSION_CONFIRMED,  /**< session */
    OX_EVENT_ACTIVITY,           /**< session, activity */
    OX_EVENT_ADDRESS_CHANGED,    /**< session, address */
    OX_EVENT_CHALLENGE_ANSWERED, /**< session, token, address */
    OX_EVENT_MTU_ACKNOWLEDGED,   /**< session, size */
    OX_EVENT_MTU_BLACK_HOLE,     /**< session */
    OX_EVENT_CLOSED,             /**< session, size = reason */
    OX_EVENT_SESSION_RETIRED,    /**< session, object: back in the control thread's hands */
    OX_EVENT_PEER_RETIRED,       /**< peer, object: likewise */
    OX_EVENT_DEVICE_LOST,        /**< the device is gone: nothing is read from it any more */
    OX_EVENT_POLICY_TAKEN,       /**< token = epoch: older policies are unused from here on */
    OX_EVENT_POOL_LOW,           /**< size: the ::ox_buf_class of which few buffers are left */
    OX_EVENT_SLAB_RETIRED,       /**< object: a slab that is not needed any more, to be destroyed */
    OX_EVENT_PATH_SAMPLE,        /**< peer, path, session, sample */
} ox_event_kind;

/** What a session did. Times are 0 for never. */
typedef struct ox_activity {
    uint64_t received_ns;       /**< last authenticated datagram */
    uint64_t received_eliciting_ns; /**< last one that wants an answer: not bare feedback, nor a keepalive */
    uint64_t sent_ns;
    uint64_t sent_eliciting_ns;
    uint64_t numbers;           /**< packet numbers spent */
    /** Of the peer by now: inner packets sent, their bytes, the datagrams that carried them, and the bytes of those. */
    uint64_t carried_packets, carried_packet_bytes, carried_datagrams, carried_bytes;
    ox_repair_traffic traffic;  /**< of the path by now; zero while it is not watched */
    ox_repair_report repair;    /**< likewise */
} ox_activity;

typedef struct ox_event {
    ox_event_kind kind;
    uint32_t peer;
    uint32_t path;
    uint32_t session;
    uint32_t size;
    uint64_t token;
    void *object;
    ox_address address;
    ox_activity activity;
    ox_path_sample sample;
    uint8_t datagram[OX_HANDSHAKE_MAX];
} ox_event;

/* ---- the tunnel --------------------------------------------------------------------------------------------- */

typedef struct ox_tunnel ox_tunnel;

typedef struct ox_tunnel_parameters {
    uint32_t session_id_bytes;     /**< 1 to 3: ids issued here are below 256 to its power */
    const ox_identity *identity;   /**< not owned; outlives the tunnel */
    ox_pool *pool;                 /**< not owned */
    ox_aead_engine *engine;        /**< not owned */
    ox_ring *events;               /**< of ox_event records; not owned */
    ox_cookie_jar *cookies;        /**< not owned */
    uint32_t worker;               /**< which of `workers` this tunnel is of */
    uint32_t workers;              /**< at most ::OX_WORKERS_MAX; 0 is 1 */
} ox_tunnel_parameters;

/** Which of `workers` has a peer. The local ids of its sessions must be such that the kernel brings their data there. */
static inline uint32_t ox_peer_worker(uint32_t peer, uint32_t workers) { return peer % workers; }

/** NULL without memory. */
ox_tunnel *ox_tunnel_create(const ox_tunnel_parameters *parameters);
/** Buffers that are inside go back to the pool. Peers and sessions inside are not destroyed. */
void ox_tunnel_destroy(ox_tunnel *tunnel);

/** Copies the policy; its routes must live on. */
void ox_tunnel_set_policy(ox_tunnel *tunnel, const ox_policy *policy);

/** Takes a peer in. Its slot must be free. */
void ox_tunnel_add_peer(ox_tunnel *tunnel, ox_peer *peer);
/** Lets a peer go, when it has no session left: its packets are dropped and the object returned. NULL if unknown. */
ox_peer *ox_tunnel_remove_peer(ox_tunnel *tunnel, uint32_t peer);
/** Takes a session in: it receives from now on. Returns what must be given back: NULL, or `session` if unacceptable. */
ox_session *ox_tunnel_add_session(ox_tunnel *tunnel, ox_session *session);
/** The session with this local id, let go, or NULL. */
ox_session *ox_tunnel_remove_session(ox_tunnel *tunnel, uint32_t local);
/** Sends by this session from now on; staged packets leave, or with none a keepalive when `confirm`. */
void ox_tunnel_use_session(ox_tunnel *tunnel, uint32_t local, bool confirm, uint64_t now_ns);
void ox_tunnel_move_path(ox_tunnel *tunnel, uint32_t peer, uint32_t path, const ox_address *address);
/** What the path may send from now on. */
void ox_tunnel_set_limits(ox_tunnel *tunnel, uint32_t peer, uint32_t path, const ox_path_limits *limits, uint64_t now_ns);
/** What of the path's traffic is repaired from now on. Values above their limits are taken as these. */
void ox_tunnel_set_repair(ox_tunnel *tunnel, uint32_t peer, uint32_t path, const ox_path_repair *repair);
void ox_tunnel_set_mtu(ox_tunnel *tunnel, uint32_t peer, uint32_t path, uint32_t size);
void ox_tunnel_send_challenge(ox_tunnel *tunnel, uint32_t local, uint64_t token, const ox_address *to, uint64_t now_ns);
void ox_tunnel_send_keepalive(ox_tunnel *tunnel, uint32_t local, uint64_t now_ns);
void ox_tunnel_send_probe(ox_tunnel *tunnel, uint32_t local, uint32_t size, uint64_t now_ns);
void ox_tunnel_send_close(ox_tunnel *tunnel, uint32_t local, uint8_t reason, uint64_t now_ns);
void ox_tunnel_send_handshake(ox_tunnel *tunnel, const uint8_t *bytes, size_t len, const ox_address *to);
void ox_tunnel_drop_staged(ox_tunnel *tunnel, uint32_t peer, ox_verdict why);

/** Inner packets and super-packets from the device, in order: they are queued, and leave as their paths allow. Takes the buffers. */
void ox_tunnel_egress(ox_tunnel *tunnel, ox_list *packets, uint64_t now_ns);
/**
 * Outer datagrams from the network, in order. Takes the buffers.
 *
 * @param more  more datagrams wait to be read: a train whose cars have come in part is held until the next call.
 */
void ox_tunnel_ingress(ox_tunnel *tunnel, ox_list *datagrams, bool more, uint64_t now_ns);
/** Sends packets that their paths allow now, feedback and reports that are due. Returns when to call again, or UINT64_MAX. */
uint64_t ox_tunnel_advance(ox_tunnel *tunnel, uint64_t now_ns);

/** Whether the device had packets whose peers other workers have, and they have not been taken. */
bool ox_tunnel_has_away(const ox_tunnel *tunnel);
/** Those of one of them, to go through egress there: the caller takes the buffers. */
void ox_tunnel_take_away(ox_tunnel *tunnel, uint32_t worker, ox_list *packets);

/** Datagrams to send, and inner packets to deliver, since the last call: the caller takes the buffers. */
void ox_tunnel_take_network(ox_tunnel *tunnel, ox_list *datagrams);
void ox_tunnel_take_device(ox_tunnel *tunnel, ox_list *packets);

/** Counts a packet that ended outside the tunnel, such as a failed write. */
void ox_tunnel_count(ox_tunnel *tunnel, ox_verdict verdict, uint64_t packets);
/** Whether events were pushed onto an empty ring since the last call: the control thread must be woken. */
bool ox_tunnel_take_edge(ox_tunnel *tunnel);
/** Pushes an event up. False when the ring was full: that is counted, and the event is lost. */
bool ox_tunnel_report(ox_tunnel *tunnel, const ox_event *event);
/** Packets by verdict since the start. From any thread. */
void ox_tunnel_drops(const ox_tunnel *tunnel, uint64_t counts[OX_VERDICT_COUNT]);

#ifdef __cplusplus
}
#endif

#endif
