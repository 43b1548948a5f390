/** @file  Opens the sockets of a UDP port, and tells the kernel which datagram goes to which. */
#include "udp.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

_Static_assert(OX_HANDSHAKE_SOCKETS == 32, "the steering program takes five bits of its hash, and ox_port a bit each");
enum {
    DEFAULT_BUFFER = 4 << 20,
    HANDSHAKE_BUFFER = 64 << 10,
    UDP_HEADER_BYTES = 8,
};

static bool set(int fd, int level, int option, int value) {
    return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

static bool set_up(const ox_udp *u, int fd, uint32_t mark, int buffer) {
    if (!set(fd, SOL_SOCKET, SO_REUSEPORT, 1)) return false;
    if (!set(fd, SOL_SOCKET, SO_RCVBUFFORCE, buffer)) (void)set(fd, SOL_SOCKET, SO_RCVBUF, buffer);
    if (!set(fd, SOL_SOCKET, SO_SNDBUFFORCE, buffer)) (void)set(fd, SOL_SOCKET, SO_SNDBUF, buffer);
    if (mark != 0 && !set(fd, SOL_SOCKET, SO_MARK, (int)mark)) return false;
    // On a socket for both families, the options of IPv4 apply to mapped addresses.
    if (!set(fd, IPPROTO_IP, IP_PKTINFO, 1)) return false;
    if (!set(fd, IPPROTO_IP, IP_RECVTOS, 1) || !set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE)) return false;
    if (u->family == AF_INET) return true;
    return set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0) && set(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1) &&
           set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1) &&
           set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
}

static bool bind_to(const ox_udp *u, int fd, uint16_t port) {
    struct sockaddr_storage name;
    ox_address any = {.port = port};
    return bind(fd, (struct sockaddr *)&name, ox_udp_to_name(u, &any, &name)) == 0;
}

static uint16_t bound_port(int fd) {
    struct sockaddr_storage name;
    socklen_t len = sizeof name;
    ox_address address = {0};
    if (getsockname(fd, (struct sockaddr *)&name, &len) == 0) ox_udp_from_name(&name, &address);
    return address.port;
}

/**
 * Sockets of the group are numbered in the order in which they were bound; the program's value is such a number. The
 * initiator's address (of IPv6 the network) chooses the handshake socket, by a seed that nobody else knows.
 */
static bool steer(int fd) {
    uint32_t seed;
    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed) return false;
    const uint32_t ip = (uint32_t)SKF_NET_OFF;
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), // the type byte; an empty datagram ends here with 0
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, OX_UDP_DATA),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, ip),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x60, 2, 0),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ip + 12), // IPv4: the source address
        BPF_STMT(BPF_JMP | BPF_JA, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ip + 8), // IPv6: the first half of the source address
        BPF_STMT(BPF_MISC | BPF_TAX, 0),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ip + 12),
        BPF_STMT(BPF_ALU | BPF_XOR | BPF_X, 0),
        BPF_STMT(BPF_ALU | BPF_XOR | BPF_K, seed),
        BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, 0x9e3779b1), // 2^32 over the golden ratio
        BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 27),
        BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, OX_UDP_HANDSHAKE),
        BPF_STMT(BPF_RET | BPF_A, 0),
    };
    struct sock_fprog filter = {.len = sizeof program / sizeof program[0], .filter = program};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &filter, sizeof filter) == 0;
}

/**
 * Lets the kernel drop what cannot be a handshake datagram by its length, before it takes a place in the buffer. The
 * worker would drop it as well, but only after reading it.
 */
static bool refuse_misfits(int fd) {
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), // of the UDP header too
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, UDP_HEADER_BYTES + OX_PORT_HANDSHAKE_MIN, 0, 2),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, UDP_HEADER_BYTES + OX_PORT_HANDSHAKE_MAX, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    struct sock_fprog filter = {.len = sizeof program / sizeof program[0], .filter = program};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) == 0;
}

static bool open_sockets(ox_udp *u, const ox_udp_parameters *parameters) {
    int buffer = parameters->receive_buffer != 0 ? (int)parameters->receive_buffer : DEFAULT_BUFFER;
    uint16_t port = parameters->port;
    u->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (u->epoll < 0) return false;
    for (int i = 0; i < OX_UDP_SOCKETS; i++) {
        u->fds[i] = socket(u->family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_UDP);
        if (u->fds[i] < 0) return false;
        if (!set_up(u, u->fds[i], parameters->mark, i == OX_UDP_DATA ? buffer : HANDSHAKE_BUFFER)) return false;
        if (i == OX_UDP_DATA && port != 0) {
            // SO_REUSEPORT would let a second program share the port and steal half of the datagrams.
            int probe = socket(u->family, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP);
            bool free_port = probe >= 0 && (u->family == AF_INET || set(probe, IPPROTO_IPV6, IPV6_V6ONLY, 0)) &&
                             bind_to(u, probe, port);
            int code = errno;
            if (probe >= 0) close(probe);
            errno = code;
            if (!free_port) return false;
        }
        if (!bind_to(u, u->fds[i], port)) return false;
        if (port == 0) port = bound_port(u->fds[OX_UDP_DATA]);
        if (i == OX_UDP_DATA) continue;
        if (!refuse_misfits(u->fds[i]) || !ox_udp_watch(u, EPOLL_CTL_ADD, (uint32_t)(i - OX_UDP_HANDSHAKE), true)) return false;
    }
    return steer(u->fds[OX_UDP_DATA]);
}

ox_status ox_udp_open(const ox_udp_parameters *parameters, uint16_t *bound, ox_port **port) {
    ox_udp *u = calloc(1, sizeof *u);
    if (u == NULL) return OX_E_MEMORY;
    u->port.operations = &ox_udp_operations;
    for (int i = 0; i < OX_UDP_SOCKETS; i++) u->fds[i] = -1;
    u->epoll = -1;
    u->family = AF_INET6;
    bool open = open_sockets(u, parameters);
    if (!open && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) {
        ox_udp_close_sockets(u);
        u->family = AF_INET;
        open = open_sockets(u, parameters);
    }
    if (!open) {
        int code = errno;
        ox_port_close(&u->port);
        errno = code;
        return OX_E_SYSTEM;
    }
    if (bound != NULL) *bound = bound_port(u->fds[OX_UDP_DATA]);
    *port = &u->port;
    return OX_OK;
}
