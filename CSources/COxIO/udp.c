#include "oxcore/io.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

/** One port has sockets for data and for handshakes: bulk must not suffer from a flood of handshakes, nor the other way round. */
enum { DATA = 0, HANDSHAKE = 1, SOCKETS = HANDSHAKE + OX_HANDSHAKE_SOCKETS };
enum { PER_HANDSHAKE_SOCKET = 8, HANDSHAKE_SOCKETS_PER_RECEIVE = OX_HANDSHAKES_PER_RECEIVE / PER_HANDSHAKE_SOCKET };
_Static_assert(OX_HANDSHAKE_SOCKETS == 32, "the steering program takes five bits of its hash, and ox_port a bit each");
enum {
    DEFAULT_BUFFER = 4 << 20,
    HANDSHAKE_BUFFER = 64 << 10,
    CONTROL_BYTES = 128,
    UDP_HEADER_BYTES = 8,
};

typedef struct udp {
    ox_port port;
    int fds[SOCKETS];
    int epoll;     /**< of the handshake sockets: which of so many have something costs one call */
    uint32_t held; /**< as the epoll knows it */
    int family; /**< AF_INET6 for both families, or AF_INET alone */
    uint64_t received, sent, failed, failed_errno;
    struct mmsghdr messages[OX_PORT_BATCH];
    struct iovec vectors[OX_PORT_BATCH];
    struct sockaddr_storage names[OX_PORT_BATCH];
    _Alignas(struct cmsghdr) uint8_t controls[OX_PORT_BATCH][CONTROL_BYTES];
    ox_buf *buffers[OX_PORT_BATCH];
} udp;

/* ---- addresses ---------------------------------------------------------------------------------------------- */

static bool is_mapped(const ox_address *address) {
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
    return memcmp(address->ip, prefix, sizeof prefix) == 0;
}

static bool is_zero(const uint8_t ip[16]) {
    static const uint8_t zero[16];
    return memcmp(ip, zero, sizeof zero) == 0;
}

static socklen_t to_name(const udp *u, const ox_address *address, struct sockaddr_storage *name) {
    if (u->family == AF_INET) {
        // Without IPv6 in the kernel there is no way there: a length of 0 is refused, and counted as such.
        if (!is_mapped(address) && !is_zero(address->ip)) return 0;
        struct sockaddr_in *v4 = (struct sockaddr_in *)name;
        *v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(address->port)};
        memcpy(&v4->sin_addr, address->ip + 12, 4);
        return sizeof *v4;
    }
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)name;
    *v6 = (struct sockaddr_in6){
        .sin6_family = AF_INET6, .sin6_port = htons(address->port), .sin6_scope_id = address->scope};
    memcpy(&v6->sin6_addr, address->ip, 16);
    return sizeof *v6;
}

static void from_name(const struct sockaddr_storage *name, ox_address *address) {
    memset(address, 0, sizeof *address);
    if (name->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)name;
        address->ip[10] = address->ip[11] = 0xff;
        memcpy(address->ip + 12, &v4->sin_addr, 4);
        address->port = ntohs(v4->sin_port);
    } else {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)name;
        memcpy(address->ip, &v6->sin6_addr, 16);
        address->port = ntohs(v6->sin6_port);
        // Only link-local addresses mean something different on each interface.
        if (v6->sin6_addr.s6_addr[0] == 0xfe && (v6->sin6_addr.s6_addr[1] & 0xc0) == 0x80)
            address->scope = v6->sin6_scope_id;
    }
}

/* ---- receive ------------------------------------------------------------------------------------------------ */

static void map_v4(uint8_t ip[16], const struct in_addr *v4) {
    memset(ip, 0, 10);
    ip[10] = ip[11] = 0xff;
    memcpy(ip + 12, v4, 4);
}

/** The ECN codepoint, and which of our addresses was called. */
static void read_controls(struct msghdr *message, ox_buf *buf) {
    buf->ecn = OX_ECN_NOT_ECT;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        bool v4 = c->cmsg_level == IPPROTO_IP, v6 = c->cmsg_level == IPPROTO_IPV6;
        if (v4 && c->cmsg_type == IP_TOS) {
            buf->ecn = *CMSG_DATA(c) & 3; // one byte, where IPV6_TCLASS carries an int
        } else if (v6 && c->cmsg_type == IPV6_TCLASS) {
            int value;
            memcpy(&value, CMSG_DATA(c), sizeof value);
            buf->ecn = (uint8_t)(value & 3);
        } else if (v4 && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof info);
            map_v4(buf->local, &info.ipi_spec_dst);
        } else if (v6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof info);
            // A socket for both families says this of IPv4 too, mapped; IP_PKTINFO then says the same.
            memcpy(buf->local, &info.ipi6_addr, 16);
        }
    }
}

static uint32_t receive_from(udp *u, int fd, ox_pool *pool, ox_list *out, uint32_t max) {
    uint32_t ready = 0;
    for (; ready < max && ready < OX_PORT_BATCH; ready++) {
        ox_buf *buf = ox_pool_get(pool);
        if (buf == NULL) break;
        u->buffers[ready] = buf;
        u->vectors[ready] = (struct iovec){buf->data, OX_BUF_CONTENT_MAX};
        u->messages[ready].msg_hdr = (struct msghdr){
            .msg_name = &u->names[ready],
            .msg_namelen = sizeof u->names[ready],
            .msg_iov = &u->vectors[ready],
            .msg_iovlen = 1,
            .msg_control = u->controls[ready],
            .msg_controllen = CONTROL_BYTES,
        };
    }
    int got = ready > 0 ? recvmmsg(fd, u->messages, ready, MSG_DONTWAIT, NULL) : 0;
    uint32_t count = got > 0 ? (uint32_t)got : 0;
    for (uint32_t i = 0; i < ready; i++) {
        ox_buf *buf = u->buffers[i];
        if (i >= count) {
            ox_pool_put(pool, buf);
            continue;
        }
        buf->len = u->messages[i].msg_len;
        buf->cut = (u->messages[i].msg_hdr.msg_flags & MSG_TRUNC) != 0;
        read_controls(&u->messages[i].msg_hdr, buf);
        buf->handshake = fd != u->fds[DATA];
        from_name(&u->names[i], &buf->address);
        ox_list_append(out, buf);
    }
    ox_count(&u->received, count);
    return count;
}

static bool watch(udp *u, int operation, uint32_t socket, bool wanted) {
    struct epoll_event event = {.events = wanted ? EPOLLIN : 0, .data.u32 = socket};
    return epoll_ctl(u->epoll, operation, u->fds[HANDSHAKE + socket], &event) == 0;
}

/** Tells the epoll which handshake sockets the owner holds back now. */
static void apply_held(udp *u) {
    for (uint32_t changed = u->held ^ u->port.held; changed != 0; changed &= changed - 1) {
        uint32_t socket = (uint32_t)__builtin_ctz(changed);
        OX_ASSERT(watch(u, EPOLL_CTL_MOD, socket, (u->port.held >> socket & 1) == 0));
    }
    u->held = u->port.held;
}

/** A few from each of a few sockets that have any: the epoll hands them out in turn. */
static uint32_t receive_handshakes(udp *u, ox_pool *pool, ox_list *out) {
    struct epoll_event ready[HANDSHAKE_SOCKETS_PER_RECEIVE];
    apply_held(u);
    u->port.flooded = 0;
    int n = epoll_wait(u->epoll, ready, HANDSHAKE_SOCKETS_PER_RECEIVE, 0);
    uint32_t count = 0;
    for (int i = 0; i < n; i++) {
        uint32_t socket = ready[i].data.u32;
        uint32_t got = receive_from(u, u->fds[HANDSHAKE + socket], pool, out, PER_HANDSHAKE_SOCKET);
        if (got == PER_HANDSHAKE_SOCKET) u->port.flooded |= 1u << socket;
        count += got;
    }
    return count;
}

static uint32_t udp_receive(ox_port *port, ox_pool *pool, ox_list *out, uint32_t max) {
    udp *u = (udp *)port;
    uint32_t count = 0;
    while (count < max) {
        uint32_t got = receive_from(u, u->fds[DATA], pool, out, max - count);
        count += got;
        if (got < OX_PORT_BATCH) break;
    }
    return count + receive_handshakes(u, pool, out);
}

/* ---- send --------------------------------------------------------------------------------------------------- */

static void add_control(struct msghdr *message, uint8_t *control, int level, int type, const void *value, size_t len) {
    struct cmsghdr *c = (struct cmsghdr *)(control + message->msg_controllen);
    c->cmsg_level = level;
    c->cmsg_type = type;
    c->cmsg_len = CMSG_LEN(len);
    memcpy(CMSG_DATA(c), value, len);
    message->msg_control = control;
    message->msg_controllen += CMSG_SPACE(len);
}

/** ECN, and the address of ours to leave from. */
static void add_controls(struct msghdr *message, uint8_t *control, const ox_buf *buf, int family) {
    bool v4 = family == AF_INET || is_mapped(&buf->address);
    message->msg_control = NULL;
    message->msg_controllen = 0;
    int ecn = buf->ecn;
    if (ecn != OX_ECN_NOT_ECT)
        add_control(message, control, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TOS : IPV6_TCLASS, &ecn, sizeof ecn);
    if (is_zero(buf->local)) return;
    if (v4) {
        struct in_pktinfo info = {0};
        memcpy(&info.ipi_spec_dst, buf->local + 12, 4);
        add_control(message, control, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
    } else {
        struct in6_pktinfo info = {0};
        memcpy(&info.ipi6_addr, buf->local, 16);
        add_control(message, control, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
    }
}

static uint32_t prepare(udp *u, ox_list *packets) {
    uint32_t ready = 0;
    for (ox_buf *buf; ready < OX_PORT_BATCH && (buf = ox_list_take(packets)) != NULL; ready++) {
        u->buffers[ready] = buf;
        u->vectors[ready] = (struct iovec){buf->data, buf->len};
        u->messages[ready].msg_hdr = (struct msghdr){
            .msg_name = &u->names[ready],
            .msg_namelen = to_name(u, &buf->address, &u->names[ready]),
            .msg_iov = &u->vectors[ready],
            .msg_iovlen = 1,
        };
        add_controls(&u->messages[ready].msg_hdr, u->controls[ready], buf, u->family);
    }
    return ready;
}

/** Sends what prepare() made ready. A datagram that the kernel refuses is passed over. */
static uint32_t send_ready(udp *u, uint32_t ready) {
    uint32_t failed = 0;
    for (uint32_t done = 0; done < ready;) {
        int n = sendmmsg(u->fds[DATA], u->messages + done, ready - done, MSG_DONTWAIT);
        if (n > 0) {
            done += (uint32_t)n;
        } else if (errno != EINTR && errno != EAGAIN && !is_zero(u->buffers[done]->local)) {
            // Perhaps that address is ours no more: the route chooses another.
            memset(u->buffers[done]->local, 0, sizeof u->buffers[done]->local);
            add_controls(&u->messages[done].msg_hdr, u->controls[done], u->buffers[done], u->family);
        } else if (errno != EINTR) {
            ox_publish(&u->failed_errno, (uint64_t)errno);
            failed++;
            done++;
        }
    }
    return failed;
}

static uint32_t udp_send(ox_port *port, ox_pool *pool, ox_list *packets) {
    udp *u = (udp *)port;
    uint32_t failed = 0, total = packets->count;
    while (packets->count > 0) {
        uint32_t ready = prepare(u, packets);
        failed += send_ready(u, ready);
        for (uint32_t i = 0; i < ready; i++) ox_pool_put(pool, u->buffers[i]);
    }
    ox_count(&u->sent, total - failed);
    ox_count(&u->failed, failed);
    return failed;
}

/* ---- the rest of the seam ----------------------------------------------------------------------------------- */

static uint32_t udp_descriptors(ox_port *port, int out[OX_PORT_DESCRIPTORS_MAX]) {
    udp *u = (udp *)port;
    apply_held(u);
    out[0] = u->fds[DATA];
    out[1] = u->epoll;
    return OX_PORT_DESCRIPTORS_MAX;
}

static uint64_t kernel_drops(int fd) {
    uint32_t info[SK_MEMINFO_VARS] = {0};
    socklen_t len = sizeof info;
    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len) != 0 || len <= SK_MEMINFO_DROPS * sizeof info[0]) return 0;
    return info[SK_MEMINFO_DROPS];
}

static void udp_status(const ox_port *port, ox_port_report *report) {
    const udp *u = (const udp *)port;
    ox_snapshot(&report->received, &u->received, 8);
    ox_snapshot(&report->sent, &u->sent, 8);
    ox_snapshot(&report->send_failed, &u->failed, 8);
    uint64_t code;
    ox_snapshot(&code, &u->failed_errno, 8);
    report->send_errno = (int32_t)code;
    report->kernel_drops = kernel_drops(u->fds[DATA]);
    for (int i = HANDSHAKE; i < SOCKETS; i++) report->kernel_drops_handshake += kernel_drops(u->fds[i]);
}

static void close_sockets(udp *u) {
    for (int i = 0; i < SOCKETS; i++) {
        if (u->fds[i] >= 0) close(u->fds[i]);
        u->fds[i] = -1;
    }
    if (u->epoll >= 0) close(u->epoll);
    u->epoll = -1;
}

static void udp_close(ox_port *port) {
    udp *u = (udp *)port;
    close_sockets(u);
    free(u);
}

static const ox_port_operations udp_operations = {
    .receive = udp_receive,
    .send = udp_send,
    .descriptors = udp_descriptors,
    .status = udp_status,
    .close = udp_close,
};

/* ---- open --------------------------------------------------------------------------------------------------- */

static bool set(int fd, int level, int option, int value) {
    return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

static bool set_up(const udp *u, int fd, uint32_t mark, int buffer) {
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

static bool bind_to(const udp *u, int fd, uint16_t port) {
    struct sockaddr_storage name;
    ox_address any = {.port = port};
    return bind(fd, (struct sockaddr *)&name, to_name(u, &any, &name)) == 0;
}

static uint16_t bound_port(int fd) {
    struct sockaddr_storage name;
    socklen_t len = sizeof name;
    ox_address address = {0};
    if (getsockname(fd, (struct sockaddr *)&name, &len) == 0) from_name(&name, &address);
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
        BPF_STMT(BPF_RET | BPF_K, DATA),
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
        BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, HANDSHAKE),
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

static bool open_sockets(udp *u, const ox_udp_parameters *parameters) {
    int buffer = parameters->receive_buffer != 0 ? (int)parameters->receive_buffer : DEFAULT_BUFFER;
    uint16_t port = parameters->port;
    u->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (u->epoll < 0) return false;
    for (int i = 0; i < SOCKETS; i++) {
        u->fds[i] = socket(u->family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_UDP);
        if (u->fds[i] < 0) return false;
        if (!set_up(u, u->fds[i], parameters->mark, i == DATA ? buffer : HANDSHAKE_BUFFER)) return false;
        if (i == DATA && port != 0) {
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
        if (port == 0) port = bound_port(u->fds[DATA]);
        if (i == DATA) continue;
        if (!refuse_misfits(u->fds[i]) || !watch(u, EPOLL_CTL_ADD, (uint32_t)(i - HANDSHAKE), true)) return false;
    }
    return steer(u->fds[DATA]);
}

ox_status ox_udp_open(const ox_udp_parameters *parameters, uint16_t *bound, ox_port **port) {
    udp *u = calloc(1, sizeof *u);
    if (u == NULL) return OX_E_MEMORY;
    u->port.operations = &udp_operations;
    for (int i = 0; i < SOCKETS; i++) u->fds[i] = -1;
    u->epoll = -1;
    u->family = AF_INET6;
    bool open = open_sockets(u, parameters);
    if (!open && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) {
        close_sockets(u);
        u->family = AF_INET;
        open = open_sockets(u, parameters);
    }
    if (!open) {
        int code = errno;
        udp_close(&u->port);
        errno = code;
        return OX_E_SYSTEM;
    }
    if (bound != NULL) *bound = bound_port(u->fds[DATA]);
    *port = &u->port;
    return OX_OK;
}
