/**
 * @file  Where packets come from and go to: TUN devices, UDP sockets, and memory, behind one seam. The only room that
 *        makes system calls.
 *
 * Threads: a port belongs to one thread, but for ox_memory_*(), which belong to the thread that turns the worker, and
 *          ox_port_status(), which any thread may call. An ox_wake may be signalled from any thread.
 */
#ifndef OXCORE_IO_H
#define OXCORE_IO_H

#include "base.h"
#include "packet.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    OX_DEVICE_NAME_MAX = 15,
    OX_HANDSHAKE_SOCKETS = 32,     /**< initiators are spread over them by address; a bit each in ox_port */
    OX_PORT_HANDSHAKE_MIN = 64,    /**< bytes of the shortest handshake datagram: others are not taken in */
    OX_PORT_HANDSHAKE_MAX = 328,   /**< of the longest */
    OX_PORT_DESCRIPTORS_MAX = 2,
    OX_PORT_BATCH = 64,            /**< packets that one receive moves at most, but for those in one datagram buffer */
    OX_PORT_BATCH_BYTES = 192 << 10, /**< a receive stops after these many bytes, so that a batch stays in the cache */
    OX_UDP_WORKERS_MAX = 64,
    OX_HANDSHAKES_PER_RECEIVE = 32, /**< handshake datagrams that one receive hands out at most */
};

typedef struct ox_port ox_port;

typedef struct ox_port_report {
    uint64_t received, sent;       /**< datagrams or packets, each segment of a super-packet being one */
    uint64_t send_failed;          /**< datagrams or packets that the kernel refused */
    int32_t send_errno;            /**< of the last refusal */
    uint64_t calls_received, calls_sent; /**< system calls that moved them */
    uint64_t super_received, super_sent; /**< buffers that held several datagrams, or a super-packet */
    uint64_t offload_fallbacks;    /**< times that the kernel refused an offload that it had offered (EIO, EINVAL) */
    uint64_t offload;              /**< 1 while offload is in use */
    uint64_t kernel_drops;         /**< datagrams lost because the data socket's buffer was full */
    uint64_t kernel_drops_handshake; /**< likewise the handshake sockets', and what cannot be a handshake by its length */
} ox_port_report;

/** The seam. An implementation embeds ox_port as its first member. */
typedef struct ox_port_operations {
    /**
     * Appends about `max` buffers to `out`, large ones of `pool`. Never blocks. Stops early after ::OX_PORT_BATCH_BYTES.
     * UDP adds up to OX_HANDSHAKES_PER_RECEIVE handshake datagrams to them.
     * @return whether there may be more: it stopped for a limit, and not because there was nothing left.
     */
    bool (*receive)(ox_port *port, ox_pool *pool, ox_list *out, uint32_t max);
    /**
     * Sends all of `packets` and returns the buffers to `pool`. Returns how many packets or datagrams failed. Never
     * blocks. What the kernel does not cut or sum itself is cut and summed here.
     */
    uint32_t (*send)(ox_port *port, ox_pool *pool, ox_list *packets);
    /** Descriptors that become readable when receive() has work; returns how many, at most OX_PORT_DESCRIPTORS_MAX. */
    uint32_t (*descriptors)(ox_port *port, int out[OX_PORT_DESCRIPTORS_MAX]);
    void (*status)(const ox_port *port, ox_port_report *report);
    void (*close)(ox_port *port);
} ox_port_operations;

struct ox_port {
    const ox_port_operations *operations;
    bool lost; /**< what the port stood on is gone for good, such as a deleted TUN device; set by receive() */
    uint32_t flooded; /**< bit i: handshake socket i may hold more than the last receive() took; set by receive() */
    uint32_t held;   /**< bit i: handshake socket i is neither read nor waited for; set by the owner */
};

static inline bool ox_port_receive(ox_port *port, ox_pool *pool, ox_list *out, uint32_t max) {
    return port->operations->receive(port, pool, out, max);
}
static inline uint32_t ox_port_send(ox_port *port, ox_pool *pool, ox_list *packets) {
    return port->operations->send(port, pool, packets);
}
void ox_port_status(const ox_port *port, ox_port_report *report);
/** Closes and frees. NULL is allowed. */
void ox_port_close(ox_port *port);

/**
 * Opens one queue of a TUN device, made when it does not exist; needs CAP_NET_ADMIN. The device carries a vnet_hdr and
 * is multi-queue, so that opening the same name again adds a queue. It vanishes with its last queue.
 *
 * With `offload` it hands out and takes TCP and UDP super-packets and partial checksums, as far as the kernel can: what
 * of that it lacks (USO before Linux 6.2) is left out. `transport` and `protocol` of what it hands out are what the
 * vnet_hdr says, and not yet checked against the packet.
 *
 * @param name  in: the wish, or "" for any; out: the device's name. OX_DEVICE_NAME_MAX + 1 bytes.
 * @return ::OX_OK, ::OX_E_SYSTEM with errno, or ::OX_E_MEMORY.
 */
OX_MUST_USE ox_status ox_tun_open(char name[OX_DEVICE_NAME_MAX + 1], bool offload, ox_port **port);

typedef struct ox_udp_parameters {
    uint16_t port;  /**< 0 for any */
    uint32_t mark;  /**< SO_MARK, 0 for none; needs CAP_NET_ADMIN */
    uint32_t receive_buffer; /**< SO_RCVBUF bytes, 0 for 8 MiB */
    uint32_t busy_poll_us; /**< SO_BUSY_POLL, 0 for off; needs CAP_NET_ADMIN */
    uint32_t workers; /**< ports to open, at most ::OX_UDP_WORKERS_MAX; 0 is 1 */
    bool offload;   /**< UDP_GRO in, UDP_SEGMENT out; given up for good, counted, when the kernel refuses it (EIO, EINVAL) */
} ox_udp_parameters;

/**
 * Opens a UDP port for IPv4 and IPv6, or for IPv4 alone where the kernel has no IPv6. Handshake datagrams have sockets,
 * and so buffers, of their own (SO_REUSEPORT with a steering program): a flood of them displaces no data, and a flood
 * from one address no handshake from most others.
 * Datagrams go out unfragmented, whatever the kernel believes the path's MTU to be (RFC 8899 section 4.1).
 *
 * Several workers share the number: each has an ox_port of its own, to which the kernel brings the data of the sessions
 * that ox_udp_worker() gives it. Handshake datagrams go to the first. What is too short to have a session goes there too.
 *
 * @param bound  the port in use; may be NULL.
 * @param ports  `workers` of them. They may be closed in any order, but only when all have stopped receiving.
 */
OX_MUST_USE ox_status ox_udp_open(const ox_udp_parameters *parameters, uint16_t *bound, ox_port **ports);

/** Which of `workers` owns a session, by the low byte of its id: the id must have a byte at least. */
static inline uint32_t ox_udp_worker(uint32_t session, uint32_t workers) { return (session & 0xff) % workers; }

/** A port whose two ends are in memory, each way a queue of at most `capacity` packets. NULL without memory. */
ox_port *ox_memory_open(uint32_t capacity);
/** Puts a packet where receive() finds it. False, and nothing done, when the queue is full or the packet too long. */
OX_MUST_USE bool ox_memory_push(ox_port *port, const uint8_t *bytes, size_t len, const ox_address *from, uint8_t ecn);
/**
 * Likewise a TCP or UDP super-packet with a partial checksum, as a device hands it out: `like` has its `segment`,
 * `transport` and `protocol`. Or, from the network, datagrams of `like->segment` bytes each; `address` and `ecn` count then.
 */
OX_MUST_USE bool ox_memory_push_super(ox_port *port, const uint8_t *bytes, size_t len, const ox_buf *like);
/**
 * Takes a packet that send() put there, super-packets cut and checksums complete. False when there is none. `bytes` has
 * OX_BUF_BYTES; `to`, `ecn` may be NULL.
 */
OX_MUST_USE bool ox_memory_pop(ox_port *port, uint8_t *bytes, size_t *len, ox_address *to, uint8_t *ecn);

/** A flag that one thread waits for and others raise (eventfd). */
typedef struct ox_wake ox_wake;
ox_wake *ox_wake_create(void);
void ox_wake_destroy(ox_wake *wake);
void ox_wake_signal(ox_wake *wake);
/** Lowers the flag. */
void ox_wake_clear(ox_wake *wake);
/** Readable while the flag is up. */
int ox_wake_descriptor(const ox_wake *wake);

/** Waits until a port or the flag is readable, or `timeout_ns` has passed (UINT64_MAX: for ever). `ports` may hold NULL. */
void ox_wait(ox_port *const *ports, uint32_t count, const ox_wake *wake, uint64_t timeout_ns);

/**
 * How long a wait looks again and again before it sleeps: what comes meanwhile pays for no wake-up. As long as nothing does,
 * each wait looks half as long as the one before, and in the end sleeps at once; what comes soon brings it back.
 */
typedef struct ox_spin {
    uint64_t most_ns; /**< 0 for never */
    uint64_t now_ns;  /**< of the next wait */
} ox_spin;

/** As ox_wait(). */
void ox_wait_spinning(ox_port *const *ports, uint32_t count, const ox_wake *wake, uint64_t timeout_ns, ox_spin *spin);

#ifdef __cplusplus
}
#endif

#endif
