#include "udp.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { PER_HANDSHAKE_SOCKET = 8, HANDSHAKE_SOCKETS_PER_RECEIVE = OX_HANDSHAKES_PER_RECEIVE / PER_HANDSHAKE_SOCKET };

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

static uint32_t receive_from(ox_udp *u, int fd, ox_pool *pool, ox_list *out, uint32_t max) {
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
            .msg_controllen = OX_UDP_CONTROL_BYTES,
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
        buf->handshake = fd != u->fds[OX_UDP_DATA];
        ox_udp_from_name(&u->names[i], &buf->address);
        ox_list_append(out, buf);
    }
    ox_count(&u->received, count);
    return count;
}

bool ox_udp_watch(ox_udp *u, int operation, uint32_t socket, bool wanted) {
    struct epoll_event event = {.events = wanted ? EPOLLIN : 0, .data.u32 = socket};
    return epoll_ctl(u->epoll, operation, u->fds[OX_UDP_HANDSHAKE + socket], &event) == 0;
}

/** Tells the epoll which handshake sockets the owner holds back now. */
static void apply_held(ox_udp *u) {
    for (uint32_t changed = u->held ^ u->port.held; changed != 0; changed &= changed - 1) {
        uint32_t socket = (uint32_t)__builtin_ctz(changed);
        OX_ASSERT(ox_udp_watch(u, EPOLL_CTL_MOD, socket, (u->port.held >> socket & 1) == 0));
    }
    u->held = u->port.held;
}

/** A few from each of a few sockets that have any: the epoll hands them out in turn. */
static uint32_t receive_handshakes(ox_udp *u, ox_pool *pool, ox_list *out) {
    struct epoll_event ready[HANDSHAKE_SOCKETS_PER_RECEIVE];
    apply_held(u);
    u->port.flooded = 0;
    int n = epoll_wait(u->epoll, ready, HANDSHAKE_SOCKETS_PER_RECEIVE, 0);
    uint32_t count = 0;
    for (int i = 0; i < n; i++) {
        uint32_t socket = ready[i].data.u32;
        uint32_t got = receive_from(u, u->fds[OX_UDP_HANDSHAKE + socket], pool, out, PER_HANDSHAKE_SOCKET);
        if (got == PER_HANDSHAKE_SOCKET) u->port.flooded |= 1u << socket;
        count += got;
    }
    return count;
}

static uint32_t udp_receive(ox_port *port, ox_pool *pool, ox_list *out, uint32_t max) {
    ox_udp *u = (ox_udp *)port;
    uint32_t count = 0;
    while (count < max) {
        uint32_t got = receive_from(u, u->fds[OX_UDP_DATA], pool, out, max - count);
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
    bool v4 = family == AF_INET || ox_udp_is_mapped(&buf->address);
    message->msg_control = NULL;
    message->msg_controllen = 0;
    int ecn = buf->ecn;
    if (ecn != OX_ECN_NOT_ECT)
        add_control(message, control, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TOS : IPV6_TCLASS, &ecn, sizeof ecn);
    if (ox_udp_is_zero(buf->local)) return;
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

static uint32_t prepare(ox_udp *u, ox_list *packets) {
    uint32_t ready = 0;
    for (ox_buf *buf; ready < OX_PORT_BATCH && (buf = ox_list_take(packets)) != NULL; ready++) {
        u->buffers[ready] = buf;
        u->vectors[ready] = (struct iovec){buf->data, buf->len};
        u->messages[ready].msg_hdr = (struct msghdr){
            .msg_name = &u->names[ready],
            .msg_namelen = ox_udp_to_name(u, &buf->address, &u->names[ready]),
            .msg_iov = &u->vectors[ready],
            .msg_iovlen = 1,
        };
        add_controls(&u->messages[ready].msg_hdr, u->controls[ready], buf, u->family);
    }
    return ready;
}

/** Sends what prepare() made ready. A datagram that the kernel refuses is passed over. */
static uint32_t send_ready(ox_udp *u, uint32_t ready) {
    uint32_t failed = 0;
    for (uint32_t done = 0; done < ready;) {
        int n = sendmmsg(u->fds[OX_UDP_DATA], u->messages + done, ready - done, MSG_DONTWAIT);
        if (n > 0) {
            done += (uint32_t)n;
        } else if (errno != EINTR && errno != EAGAIN && !ox_udp_is_zero(u->buffers[done]->local)) {
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
    ox_udp *u = (ox_udp *)port;
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
    ox_udp *u = (ox_udp *)port;
    apply_held(u);
    out[0] = u->fds[OX_UDP_DATA];
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
    const ox_udp *u = (const ox_udp *)port;
    ox_snapshot(&report->received, &u->received, 8);
    ox_snapshot(&report->sent, &u->sent, 8);
    ox_snapshot(&report->send_failed, &u->failed, 8);
    uint64_t code;
    ox_snapshot(&code, &u->failed_errno, 8);
    report->send_errno = (int32_t)code;
    report->kernel_drops = kernel_drops(u->fds[OX_UDP_DATA]);
    for (int i = OX_UDP_HANDSHAKE; i < OX_UDP_SOCKETS; i++) report->kernel_drops_handshake += kernel_drops(u->fds[i]);
}

void ox_udp_close_sockets(ox_udp *u) {
    for (int i = 0; i < OX_UDP_SOCKETS; i++) {
        if (u->fds[i] >= 0) close(u->fds[i]);
        u->fds[i] = -1;
    }
    if (u->epoll >= 0) close(u->epoll);
    u->epoll = -1;
}

static void udp_close(ox_port *port) {
    ox_udp *u = (ox_udp *)port;
    ox_udp_close_sockets(u);
    free(u);
}

const ox_port_operations ox_udp_operations = {
    .receive = udp_receive,
    .send = udp_send,
    .descriptors = udp_descriptors,
    .status = udp_status,
    .close = udp_close,
};
