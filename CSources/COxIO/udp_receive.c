/** @file  Datagrams come in: one or many to a buffer, as the kernel put them together (UDP_GRO). */
#include "udp.h"

#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sys/epoll.h>

enum {
    PER_HANDSHAKE_SOCKET = 8,
    HANDSHAKE_SOCKETS_PER_RECEIVE = OX_HANDSHAKES_PER_RECEIVE / PER_HANDSHAKE_SOCKET,
    PER_CALL = 32,
};

static void map_v4(uint8_t ip[16], const struct in_addr *v4) {
    memset(ip, 0, 10);
    ip[10] = ip[11] = 0xff;
    memcpy(ip + 12, v4, 4);
}

/** The ECN codepoint, which of our addresses was called, and how long each datagram is. */
static void read_controls(struct msghdr *message, ox_buf *buf) {
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        bool v4 = c->cmsg_level == IPPROTO_IP, v6 = c->cmsg_level == IPPROTO_IPV6;
        int value;
        if (v4 && c->cmsg_type == IP_TOS) {
            buf->ecn = *CMSG_DATA(c) & 3; // one byte, where IPV6_TCLASS carries an int
        } else if (v6 && c->cmsg_type == IPV6_TCLASS) {
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
        } else if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
            memcpy(&value, CMSG_DATA(c), sizeof value);
            if (value > 0 && buf->len > (uint32_t)value) buf->segment = (uint16_t)value;
        }
    }
}

/* ---- what the kernel put together across the sockets -------------------------------------------------------- */

static uint32_t datagrams_in(const ox_buf *buf) {
    return buf->segment == 0 ? 1 : (buf->len + buf->segment - 1) / buf->segment;
}

/** A datagram out of `from`, in a buffer of its own. It is counted when there is no room for it. */
static void hand_out_copy(ox_udp *u, ox_pool *pool, const ox_buf *from, const uint8_t *bytes, uint32_t len, ox_list *out) {
    bool handshake = ox_udp_is_handshake(*bytes);
    bool fits = handshake ? len >= OX_PORT_HANDSHAKE_MIN && len <= OX_PORT_HANDSHAKE_MAX && u->handshakes_left > 0
                          : len <= OX_BUF_CONTENT_MAX;
    ox_buf *buf = fits ? ox_pool_get(pool, OX_BUF_SMALL) : NULL;
    if (buf == NULL) {
        ox_count(&u->misfits, 1);
        return;
    }
    memcpy(buf->data, bytes, len);
    buf->len = len;
    buf->ecn = from->ecn;
    buf->address = from->address;
    memcpy(buf->local, from->local, sizeof buf->local);
    buf->handshake = handshake;
    u->handshakes_left -= handshake;
    ox_list_append(out, buf);
}

/**
 * The kernel puts datagrams of one sender together whatever is in them, and the first one chose the socket: a handshake
 * datagram can lie between data, mostly behind it, as it is shorter. False when nothing is left of the buffer.
 */
static bool take_handshakes_out(ox_udp *u, ox_pool *pool, ox_buf *buf, ox_list *out) {
    if (buf->segment == 0) return true;
    uint32_t kept = 0;
    for (uint32_t at = 0, len; at < buf->len; at += len) {
        len = buf->len - at < buf->segment ? buf->len - at : buf->segment;
        if (ox_udp_is_handshake(buf->data[at])) {
            hand_out_copy(u, pool, buf, buf->data + at, len, out);
            continue;
        }
        // Each moves once, however many handshakes a stranger has put in between.
        if (kept != at) memmove(buf->data + kept, buf->data + at, len);
        kept += len;
    }
    buf->len = kept;
    if (buf->len <= buf->segment) buf->segment = 0;
    return buf->len > 0;
}

/** Of what came to a handshake socket, the first stays, and the others get buffers of their own. */
static bool keep_the_first(ox_udp *u, ox_pool *pool, ox_buf *buf, ox_list *out) {
    uint32_t unit = buf->segment;
    if (unit != 0) {
        for (uint32_t at = unit; at < buf->len; at += unit)
            hand_out_copy(u, pool, buf, buf->data + at, buf->len - at < unit ? buf->len - at : unit, out);
        buf->len = unit;
        buf->segment = 0;
    }
    if (buf->len >= OX_PORT_HANDSHAKE_MIN && buf->len <= OX_PORT_HANDSHAKE_MAX && u->handshakes_left > 0) {
        u->handshakes_left--;
        buf->handshake = 1;
        return true;
    }
    ox_count(&u->misfits, 1);
    return false;
}

/* ---- receive ------------------------------------------------------------------------------------------------ */

static uint32_t prepare(ox_udp *u, ox_pool *pool, ox_buf_class class_, uint32_t wanted) {
    uint32_t room = class_ == OX_BUF_LARGE ? OX_BUF_LARGE_CONTENT_MAX : OX_BUF_CONTENT_MAX;
    uint32_t ready = 0;
    for (; ready < wanted; ready++) {
        ox_buf *buf = ox_pool_get(pool, class_);
        if (buf == NULL) break;
        u->buffers[ready] = buf;
        u->vectors[ready] = (struct iovec){buf->data, room};
        u->messages[ready].msg_hdr = (struct msghdr){
            .msg_name = &u->names[ready],
            .msg_namelen = sizeof u->names[ready],
            .msg_iov = &u->vectors[ready],
            .msg_iovlen = 1,
            .msg_control = u->controls[ready],
            .msg_controllen = OX_UDP_CONTROL_BYTES,
        };
    }
    return ready;
}

/** One call. Returns the messages that came, and adds their bytes to `bytes`. */
static uint32_t receive_from(ox_udp *u, uint32_t socket, ox_pool *pool, ox_list *out, uint32_t wanted, uint32_t *bytes) {
    bool data = socket == OX_UDP_DATA;
    uint32_t ready = prepare(u, pool, data ? OX_BUF_LARGE : OX_BUF_SMALL, wanted);
    int got = ready > 0 ? recvmmsg(u->fds[socket], u->messages, ready, MSG_DONTWAIT, NULL) : 0;
    uint32_t count = got > 0 ? (uint32_t)got : 0, datagrams = 0, supers = 0;
    // The pool is a stack: the buffer that would have been the next is the next one again.
    for (uint32_t i = ready; i > count; i--) ox_pool_put(pool, u->buffers[i - 1]);
    for (uint32_t i = 0; i < count; i++) {
        ox_buf *buf = u->buffers[i];
        struct msghdr *message = &u->messages[i].msg_hdr;
        buf->len = u->messages[i].msg_len;
        buf->cut = (message->msg_flags & MSG_TRUNC) != 0;
        read_controls(message, buf);
        ox_udp_from_name(&u->names[i], &buf->address);
        *bytes += buf->len;
        datagrams += datagrams_in(buf);
        supers += buf->segment != 0;
        if (data ? take_handshakes_out(u, pool, buf, out) : keep_the_first(u, pool, buf, out)) ox_list_append(out, buf);
        else ox_pool_put(pool, buf);
    }
    if (count == 0) return 0;
    ox_count(&u->received, datagrams);
    ox_count(&u->super_received, supers);
    ox_count(&u->calls_received, 1);
    return count;
}

bool ox_udp_watch(ox_udp *u, int operation, uint32_t socket, bool wanted) {
    struct epoll_event event = {.events = wanted ? EPOLLIN : 0, .data.u32 = socket};
    return epoll_ctl(u->epoll, operation, u->fds[OX_UDP_HANDSHAKE + socket], &event) == 0;
}

void ox_udp_apply_held(ox_udp *u) {
    for (uint32_t changed = u->held ^ u->port.held; changed != 0; changed &= changed - 1) {
        uint32_t socket = (uint32_t)__builtin_ctz(changed);
        OX_ASSERT(ox_udp_watch(u, EPOLL_CTL_MOD, socket, (u->port.held >> socket & 1) == 0));
    }
    u->held = u->port.held;
}

/** A few from each of a few sockets that have any: the epoll hands them out in turn. */
static void receive_handshakes(ox_udp *u, ox_pool *pool, ox_list *out) {
    if (u->epoll < 0) return;
    struct epoll_event ready[HANDSHAKE_SOCKETS_PER_RECEIVE];
    ox_udp_apply_held(u);
    u->port.flooded = 0;
    int n = epoll_wait(u->epoll, ready, HANDSHAKE_SOCKETS_PER_RECEIVE, 0);
    uint32_t bytes = 0;
    for (int i = 0; i < n && u->handshakes_left > 0; i++) {
        uint32_t socket = ready[i].data.u32;
        uint32_t wanted = u->handshakes_left < PER_HANDSHAKE_SOCKET ? u->handshakes_left : PER_HANDSHAKE_SOCKET;
        if (receive_from(u, OX_UDP_HANDSHAKE + socket, pool, out, wanted, &bytes) == wanted) u->port.flooded |= 1u << socket;
    }
}

/** As many messages as will probably fill the batch. */
static uint32_t messages_wanted(const ox_udp *u, uint32_t left, uint32_t bytes) {
    uint32_t wanted = (OX_PORT_BATCH_BYTES - bytes) / (u->usual + 1) + 1;
    if (wanted > PER_CALL) wanted = PER_CALL;
    return wanted < left ? wanted : left;
}

bool ox_udp_receive(ox_port *port, ox_pool *pool, ox_list *out, uint32_t max) {
    ox_udp *u = (ox_udp *)port;
    uint32_t messages = 0, bytes = 0;
    if (max > OX_PORT_BATCH) max = OX_PORT_BATCH;
    // What the data socket brings of handshakes is one sender's among others.
    u->handshakes_left = PER_HANDSHAKE_SOCKET;
    while (messages < max && bytes < OX_PORT_BATCH_BYTES) {
        uint32_t wanted = messages_wanted(u, max - messages, bytes), more = 0;
        uint32_t got = receive_from(u, OX_UDP_DATA, pool, out, wanted, &more);
        messages += got;
        bytes += more;
        if (got > 0) u->usual = more / got;
        if (got < wanted) break;
    }
    u->handshakes_left += OX_HANDSHAKES_PER_RECEIVE - PER_HANDSHAKE_SOCKET;
    receive_handshakes(u, pool, out);
    return messages == max || bytes >= OX_PORT_BATCH_BYTES;
}
