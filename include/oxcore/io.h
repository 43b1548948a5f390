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
    OX_PORT_BATCH = 64,            /**< packets that one system call moves at most */
    OX_HANDSHAKES_PER_RECEIVE = 32, /**< handshake datagrams that one receive hands out at most */
};

typedef struct ox_port ox_port;

typedef struct ox_port_report {
    uint64_t received, sent;
    uint64_t send_failed;          /**< datagrams or packets that the kernel refused */
    int32_t send_errno;            /**< of the last refusal */
    uint64_t kernel_drops;         /**< datagrams lost because the data socket's buffer was full */
    uint64_t kernel_drops_handshake; /**< likewise the handshake sockets' */
} ox_port_report;

/** The seam. An implementation embeds ox_port as its first member. */
typedef struct ox_port_operations {
    /**
     * Appends about `max` packets to `out`, in buffers of `pool`; returns how many. Never blocks. UDP adds up to
     * OX_HANDSHAKES_PER_RECEIVE handshake datagrams to them.
     */
    uint32_t (*receive)(ox_port *port, ox_pool *pool, ox_list *out, uint32_t max);
    /** Sends all of `packets` and returns the buffers to `pool`. Returns how many failed. Never blocks. */
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

static inline uint32_t ox_port_receive(ox_port *port, ox_pool *pool, ox_list *out, uint32_t max) {
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
 * @param name  in: the wish, or "" for any; out: the device's name. OX_DEVICE_NAME_MAX + 1 bytes.
 * @return ::OX_OK, ::OX_E_SYSTEM with errno, or ::OX_E_MEMORY.
 */
OX_MUST_USE ox_status ox_tun_open(char name[OX_DEVICE_NAME_MAX + 1], ox_port **port);

typedef struct ox_udp_parameters {
    uint16_t port;  /**< 0 for any */
    uint32_t mark;  /**< SO_MARK, 0 for none; needs CAP_NET_ADMIN */
    uint32_t receive_buffer; /**< SO_RCVBUF bytes, 0 for 4 MiB */
} ox_udp_parameters;

/**
 * Opens the UDP port for IPv4 and IPv6, or for IPv4 alone where the kernel has no IPv6. Handshake datagrams have
 * sockets, and so buffers, of their own (SO_REUSEPORT with a steering program): a flood of them displaces no data, and
 * a flood from one address no handshake from most others.
 * Datagrams go out unfragmented, whatever the kernel believes the path's MTU to be (RFC 8899 section 4.1).
 *
 * @param bound  the port in use; may be NULL.
 */
OX_MUST_USE ox_status ox_udp_open(const ox_udp_parameters *parameters, uint16_t *bound, ox_port **port);

/** A port whose two ends are in memory, each way a queue of at most `capacity` packets. NULL without memory. */
ox_port *ox_memory_open(uint32_t capacity);
/** Puts a packet where receive() finds it. False, and nothing done, when the queue is full or the packet too long. */
OX_MUST_USE bool ox_memory_push(ox_port *port, const uint8_t *bytes, size_t len, const ox_address *from, uint8_t ecn);
/** Takes a packet that send() put there. False when there is none. `bytes` has OX_BUF_BYTES; `to`, `ecn` may be NULL. */
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

#ifdef __cplusplus
}
#endif

#endif
