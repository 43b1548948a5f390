/** @file  The parts of a UDP port. Private to COxIO. */
#ifndef COXIO_UDP_H
#define COXIO_UDP_H

#include "oxcore/io.h"

#include <sys/socket.h>

/**
 * One port has sockets for data and for handshakes: bulk must not suffer from a flood of handshakes, nor the other way
 * round. Of several workers the first alone has handshake sockets.
 */
enum { OX_UDP_DATA = 0, OX_UDP_HANDSHAKE = 1, OX_UDP_SOCKETS = OX_UDP_HANDSHAKE + OX_HANDSHAKE_SOCKETS };
enum {
    OX_UDP_CONTROL_BYTES = 192, /**< both families' addresses and ECN, and the size of segments: never cut off */
    OX_UDP_VECTORS = 512,       /**< pieces of memory that one batch of messages gathers */
};

/** Datagrams of equal size, but for a shorter last one, to one address: one message. */
typedef struct ox_udp_run {
    ox_buf *first;      /**< holds what is the same for all: addresses and ECN */
    uint32_t vector;    /**< index of the first piece of memory */
    uint32_t vectors;
    uint32_t unit;      /**< bytes of each datagram */
    uint32_t datagrams;
    uint32_t bytes;
} ox_udp_run;

typedef struct ox_udp {
    ox_port port;
    int fds[OX_UDP_SOCKETS]; /**< -1 for those that it does not have */
    int epoll;     /**< of the handshake sockets: which of so many have something costs one call; -1 without them */
    uint32_t held; /**< as the epoll knows it */
    int family; /**< AF_INET6 for both families, or AF_INET alone */
    uint32_t usual; /**< bytes of the data socket's messages of late */
    uint32_t handshakes_left; /**< that this receive may hand out */
    uint64_t offload; /**< 1 while messages may carry several datagrams */
    uint64_t received, sent, failed, failed_errno;
    uint64_t calls_received, calls_sent, super_received, super_sent, fallbacks;
    uint64_t misfits; /**< datagrams to the handshake sockets that were none, and those for which there was no room */
    uint32_t vectors_used;
    struct mmsghdr messages[OX_PORT_BATCH];
    struct iovec vectors[OX_UDP_VECTORS];
    struct sockaddr_storage names[OX_PORT_BATCH];
    _Alignas(struct cmsghdr) uint8_t controls[OX_PORT_BATCH][OX_UDP_CONTROL_BYTES];
    ox_udp_run runs[OX_PORT_BATCH];
    ox_buf *buffers[OX_PORT_BATCH];
} ox_udp;

/* udp_address.c: a port speaks to the kernel in the addresses of its family. */
bool ox_udp_is_mapped(const ox_address *address);
bool ox_udp_is_zero(const uint8_t ip[16]);
socklen_t ox_udp_to_name(const ox_udp *u, const ox_address *address, struct sockaddr_storage *name);
void ox_udp_from_name(const struct sockaddr_storage *name, ox_address *address);

/** Handshake datagrams have the two high bits of their first byte clear (Wire.md section 4). */
static inline bool ox_udp_is_handshake(uint8_t first) { return first < 0x40; }

/* udp_receive.c */
bool ox_udp_receive(ox_port *port, ox_pool *pool, ox_list *out, uint32_t max);
bool ox_udp_watch(ox_udp *u, int operation, uint32_t socket, bool wanted);
/** Tells the epoll which handshake sockets the owner holds back now. */
void ox_udp_apply_held(ox_udp *u);

/* udp_send.c */
uint32_t ox_udp_send(ox_port *port, ox_pool *pool, ox_list *packets);

/* udp.c */
extern const ox_port_operations ox_udp_operations;
void ox_udp_close_sockets(ox_udp *u);

#endif
