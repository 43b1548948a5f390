/** @file  The parts of a UDP port. Private to COxIO. */
#ifndef COXIO_UDP_H
#define COXIO_UDP_H

#include "oxcore/io.h"

#include <sys/socket.h>

/** One port has sockets for data and for handshakes: bulk must not suffer from a flood of handshakes, nor the other way round. */
enum { OX_UDP_DATA = 0, OX_UDP_HANDSHAKE = 1, OX_UDP_SOCKETS = OX_UDP_HANDSHAKE + OX_HANDSHAKE_SOCKETS };
enum { OX_UDP_CONTROL_BYTES = 128 };

typedef struct ox_udp {
    ox_port port;
    int fds[OX_UDP_SOCKETS];
    int epoll;     /**< of the handshake sockets: which of so many have something costs one call */
    uint32_t held; /**< as the epoll knows it */
    int family; /**< AF_INET6 for both families, or AF_INET alone */
    uint64_t received, sent, failed, failed_errno;
    struct mmsghdr messages[OX_PORT_BATCH];
    struct iovec vectors[OX_PORT_BATCH];
    struct sockaddr_storage names[OX_PORT_BATCH];
    _Alignas(struct cmsghdr) uint8_t controls[OX_PORT_BATCH][OX_UDP_CONTROL_BYTES];
    ox_buf *buffers[OX_PORT_BATCH];
} ox_udp;

/* udp_address.c: a port speaks to the kernel in the addresses of its family. */
bool ox_udp_is_mapped(const ox_address *address);
bool ox_udp_is_zero(const uint8_t ip[16]);
socklen_t ox_udp_to_name(const ox_udp *u, const ox_address *address, struct sockaddr_storage *name);
void ox_udp_from_name(const struct sockaddr_storage *name, ox_address *address);

/* udp.c */
extern const ox_port_operations ox_udp_operations;
bool ox_udp_watch(ox_udp *u, int operation, uint32_t socket, bool wanted);
void ox_udp_close_sockets(ox_udp *u);

#endif
