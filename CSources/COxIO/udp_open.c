/** @file  Opens the sockets of a UDP port, and tells the kernel which datagram goes to which. */
#include "udp.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

_Static_assert(OX_HANDSHAKE_SOCKETS == 32, "the steering program takes five bits of its hash, and ox_port a bit each");
enum {
    // Super-packets count by the memory that they lie in: 64 KB of datagrams by 66 to 130 KB of it.
    DEFAULT_BUFFER = 8 << 20,
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
 * Sockets of the group are numbered in the order in which they were bound, the data sockets of all workers first; the
 * program's value is such a number. The session id chooses the data socket (ox_udp_worker()); the initiator's address
 * (of IPv6 the network) the handshake socket, by a seed that nobody else knows.
 */
static bool steer(int fd, uint32_t workers) {
    uint32_t seed;
    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed) return false;
    const uint32_t ip = (uint32_t)SKF_NET_OFF;
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), // the type byte; an empty datagram ends here with 0
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40, 0, 3),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 1), // the low byte of the session id; one without it ends here with 0
        BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, workers),
        BPF_STMT(BPF_RET | BPF_A, 0),
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
        BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, workers),
        BPF_STMT(BPF_RET | BPF_A, 0),
    };
    struct sock_fprog filter = {.len = sizeof program / sizeof program[0], .filter = program};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &filter, sizeof filter) == 0;
}

/**
 * Lets the kernel drop what cannot be a handshake datagram by its length, before it takes a place in the buffer. With
 * offload a small one may have others of its sender behind it, and the port looks at each.
 */
static bool refuse_misfits(int fd, bool offload) {
    uint32_t longest = offload ? OX_BUF_CONTENT_MAX : OX_PORT_HANDSHAKE_MAX;
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), // of the UDP header too
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, UDP_HEADER_BYTES + OX_PORT_HANDSHAKE_MIN, 0, 2),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, UDP_HEADER_BYTES + longest, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    struct sock_fprog filter = {.len = sizeof program / sizeof program[0], .filter = program};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) == 0;
}

/** Whether nobody has the port: SO_REUSEPORT would let a second program share it and steal half of the datagrams. */
static bool is_free(const ox_udp *u, uint16_t port) {
    int probe = socket(u->family, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP);
    bool free_port = probe >= 0 && (u->family == AF_INET || set(probe, IPPROTO_IPV6, IPV6_V6ONLY, 0)) &&
                     bind_to(u, probe, port);
    int code = errno;
    if (probe >= 0) close(probe);
    errno = code;
    return free_port;
}

static bool open_socket(ox_udp *u, int socket_index, const ox_udp_parameters *parameters, uint16_t *port) {
    int fd = socket(u->family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_UDP);
    u->fds[socket_index] = fd;
    bool data = socket_index == OX_UDP_DATA;
    int buffer = parameters->receive_buffer != 0 ? (int)parameters->receive_buffer : DEFAULT_BUFFER;
    if (fd < 0 || !set_up(u, fd, parameters->mark, data ? buffer : HANDSHAKE_BUFFER)) return false;
    if (!data && (!refuse_misfits(fd, parameters->offload) ||
                  !ox_udp_watch(u, EPOLL_CTL_ADD, (uint32_t)(socket_index - OX_UDP_HANDSHAKE), true)))
        return false;
    if (parameters->busy_poll_us != 0 && !set(fd, SOL_SOCKET, SO_BUSY_POLL, (int)parameters->busy_poll_us)) return false;
    // The kernel asks any socket of the group, whichever its hash names, whether to put datagrams together: all must agree.
    if (parameters->offload && !set(fd, SOL_UDP, UDP_GRO, 1)) u->offload = 0;
    if (!bind_to(u, fd, *port)) return false;
    if (*port == 0) *port = bound_port(fd);
    return true;
}

/** The data sockets first, as steer() counts them. */
static bool open_sockets(ox_udp **group, uint32_t workers, const ox_udp_parameters *parameters, int family) {
    uint16_t port = parameters->port;
    for (uint32_t w = 0; w < workers; w++) {
        group[w]->family = family;
        group[w]->offload = parameters->offload;
    }
    if (port != 0 && !is_free(group[0], port)) return false;
    for (uint32_t w = 0; w < workers; w++) {
        if (!open_socket(group[w], OX_UDP_DATA, parameters, &port)) return false;
    }
    group[0]->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (group[0]->epoll < 0) return false;
    for (int i = OX_UDP_HANDSHAKE; i < OX_UDP_SOCKETS; i++) {
        if (!open_socket(group[0], i, parameters, &port)) return false;
    }
    return steer(group[0]->fds[OX_UDP_DATA], workers);
}

static ox_udp *allocate(void) {
    ox_udp *u = calloc(1, sizeof *u);
    if (u == NULL) return NULL;
    u->port.operations = &ox_udp_operations;
    for (int i = 0; i < OX_UDP_SOCKETS; i++) u->fds[i] = -1;
    u->epoll = -1;
    return u;
}

static void close_group(ox_udp **group, uint32_t workers) {
    int code = errno;
    for (uint32_t w = 0; w < workers; w++) ox_port_close(&group[w]->port);
    errno = code;
}

ox_status ox_udp_open(const ox_udp_parameters *parameters, uint16_t *bound, ox_port **ports) {
    uint32_t workers = parameters->workers != 0 ? parameters->workers : 1;
    ox_udp *group[OX_UDP_WORKERS_MAX];
    OX_ASSERT(workers <= OX_UDP_WORKERS_MAX);
    for (uint32_t w = 0; w < workers; w++) {
        group[w] = allocate();
        if (group[w] != NULL) continue;
        close_group(group, w);
        return OX_E_MEMORY;
    }
    bool open = open_sockets(group, workers, parameters, AF_INET6);
    if (!open && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) {
        for (uint32_t w = 0; w < workers; w++) ox_udp_close_sockets(group[w]);
        open = open_sockets(group, workers, parameters, AF_INET);
    }
    if (!open) {
        close_group(group, workers);
        return OX_E_SYSTEM;
    }
    if (bound != NULL) *bound = bound_port(group[0]->fds[OX_UDP_DATA]);
    for (uint32_t w = 0; w < workers; w++) ports[w] = &group[w]->port;
    return OX_OK;
}
