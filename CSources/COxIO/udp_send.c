/** @file  Datagrams go out: those of equal size to one address in one message, which the kernel cuts (UDP_SEGMENT). */
#include "udp.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>

enum { MESSAGE_BYTES_V4 = 65535 - 20 - 8, MESSAGE_BYTES_V6 = 65535 - 8 };

static void add_control(struct msghdr *message, uint8_t *control, int level, int type, const void *value, size_t len) {
    struct cmsghdr *c = (struct cmsghdr *)(control + message->msg_controllen);
    c->cmsg_level = level;
    c->cmsg_type = type;
    c->cmsg_len = CMSG_LEN(len);
    memcpy(CMSG_DATA(c), value, len);
    message->msg_control = control;
    message->msg_controllen += CMSG_SPACE(len);
}

static bool is_v4(const ox_udp *u, const ox_buf *buf) { return u->family == AF_INET || ox_udp_is_mapped(&buf->address); }

/** ECN, the address of ours to leave from, and where to cut: 0 for nowhere. */
static void add_controls(const ox_udp *u, struct msghdr *message, uint8_t *control, const ox_buf *buf, uint32_t unit) {
    bool v4 = is_v4(u, buf);
    message->msg_control = NULL;
    message->msg_controllen = 0;
    if (unit != 0) {
        uint16_t size = (uint16_t)unit;
        add_control(message, control, SOL_UDP, UDP_SEGMENT, &size, sizeof size);
    }
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

/* ---- gathering ---------------------------------------------------------------------------------------------- */

/** Where the next datagram is: in the first buffer of the list. */
typedef struct cursor {
    ox_list *packets;
    ox_list done;    /**< buffers of which all is in a run */
    uint32_t offset; /**< bytes of the first buffer that are */
} cursor;

static uint32_t unit_of(const ox_buf *buf) { return buf->segment != 0 ? buf->segment : buf->len; }

static uint32_t most_bytes(const ox_udp *u, const ox_buf *buf, uint32_t unit) {
    uint32_t bytes = is_v4(u, buf) ? MESSAGE_BYTES_V4 : MESSAGE_BYTES_V6;
    uint32_t datagrams = u->offload == 0 || unit == 0 ? 1 : bytes / unit;
    if (datagrams > OX_SEGMENTS_MAX) datagrams = OX_SEGMENTS_MAX;
    return datagrams <= 1 ? unit : datagrams * unit;
}

/**
 * Whether the receiver must see them in one socket: the first datagram of a message chooses it by its kind and by the
 * first byte of the session id.
 */
static bool same_destination(const ox_buf *a, const ox_buf *b) {
    return ox_address_equal(&a->address, &b->address) && a->ecn == b->ecn && memcmp(a->local, b->local, sizeof a->local) == 0 &&
           ox_udp_is_handshake(a->data[0]) == ox_udp_is_handshake(b->data[0]) && a->len > 1 && b->len > 1 &&
           a->data[1] == b->data[1];
}

/** Whether all of `buf` can go behind what is in the run. */
static bool joins(const ox_udp *u, const ox_udp_run *run, const ox_buf *buf) {
    bool whole = run->bytes == run->datagrams * run->unit; // nothing goes behind a shorter one
    bool fits = buf->segment != 0 ? buf->segment == run->unit : buf->len <= run->unit;
    return whole && fits && buf->len > 0 && run->bytes + buf->len <= most_bytes(u, run->first, run->unit) &&
           same_destination(run->first, buf);
}

static void put_in(ox_udp *u, ox_udp_run *run, uint8_t *bytes, uint32_t len) {
    u->vectors[u->vectors_used++] = (struct iovec){bytes, len};
    run->vectors++;
    run->bytes += len;
    run->datagrams += run->unit == 0 ? 1 : (len + run->unit - 1) / run->unit;
}

/** Makes runs of what lies at the cursor, as many as there is room for. */
static uint32_t gather(ox_udp *u, cursor *at) {
    uint32_t ready = 0;
    u->vectors_used = 0;
    while (at->packets->count > 0 && u->vectors_used < OX_UDP_VECTORS) {
        ox_buf *buf = at->packets->head;
        uint32_t left = buf->len - at->offset;
        if (ready > 0 && at->offset == 0 && u->offload != 0 && joins(u, &u->runs[ready - 1], buf)) {
            put_in(u, &u->runs[ready - 1], buf->data, left);
        } else if (ready == OX_PORT_BATCH) {
            break;
        } else {
            ox_udp_run *run = &u->runs[ready++];
            *run = (ox_udp_run){.first = buf, .vector = u->vectors_used, .unit = unit_of(buf)};
            uint32_t most = most_bytes(u, buf, run->unit);
            uint32_t len = left < most ? left : most;
            put_in(u, run, buf->data + at->offset, len);
            at->offset += len;
            if (len < left) continue;
        }
        at->offset = 0;
        ox_list_append(&at->done, ox_list_take(at->packets));
    }
    return ready;
}

static void write_messages(ox_udp *u, uint32_t ready) {
    for (uint32_t i = 0; i < ready; i++) {
        const ox_udp_run *run = &u->runs[i];
        u->messages[i].msg_hdr = (struct msghdr){
            .msg_name = &u->names[i],
            .msg_namelen = ox_udp_to_name(u, &run->first->address, &u->names[i]),
            .msg_iov = &u->vectors[run->vector],
            .msg_iovlen = run->vectors,
        };
        add_controls(u, &u->messages[i].msg_hdr, u->controls[i], run->first, run->datagrams > 1 ? run->unit : 0);
    }
}

/* ---- sending ------------------------------------------------------------------------------------------------ */

static bool is_full(int code) { return code == EAGAIN || code == ENOBUFS; }

/** Gives up the address to leave from: perhaps it is ours no more, and the route chooses another. False without one. */
static bool drop_local(ox_buf *buf) {
    if (ox_udp_is_zero(buf->local)) return false;
    memset(buf->local, 0, sizeof buf->local);
    return true;
}

/** Sends one datagram of message `i`. */
static bool send_one(ox_udp *u, uint32_t i, struct iovec datagram) {
    ox_buf *first = u->runs[i].first;
    struct msghdr message = {
        .msg_name = &u->names[i], .msg_namelen = u->messages[i].msg_hdr.msg_namelen, .msg_iov = &datagram, .msg_iovlen = 1};
    do {
        add_controls(u, &message, u->controls[i], first, 0);
        do {
            ox_count(&u->calls_sent, 1);
            if (sendmsg(u->fds[OX_UDP_DATA], &message, MSG_DONTWAIT) >= 0) return true;
        } while (errno == EINTR);
    } while (!is_full(errno) && drop_local(first));
    ox_publish(&u->failed_errno, (uint64_t)errno);
    return false;
}

/**
 * Sends the datagrams of a message that the kernel would not cut, one by one; returns how many failed. What it takes
 * in this way, whole and from the same address, it refused for the cutting alone: the port asks for that no more. A last
 * one that is shorter proves nothing: it may have been the others' length.
 */
static uint32_t send_apart(ox_udp *u, uint32_t i) {
    const ox_udp_run *run = &u->runs[i];
    bool had_local = !ox_udp_is_zero(run->first->local);
    uint32_t failed = 0;
    for (uint32_t v = run->vector; v < run->vector + run->vectors; v++) {
        struct iovec all = u->vectors[v];
        for (size_t at = 0; at < all.iov_len; at += run->unit) {
            size_t len = all.iov_len - at < run->unit ? all.iov_len - at : run->unit;
            bool sent = send_one(u, i, (struct iovec){(uint8_t *)all.iov_base + at, len});
            failed += !sent;
            if (!sent || len < run->unit || u->offload == 0 || (had_local && ox_udp_is_zero(run->first->local))) continue;
            ox_publish(&u->offload, 0);
            ox_count(&u->fallbacks, 1);
        }
    }
    return failed;
}

/** Deals with message `i`, which the kernel refused with `code`. Returns false when it is to be tried again. */
static bool give_way(ox_udp *u, uint32_t i, int code, uint32_t *failed) {
    const ox_udp_run *run = &u->runs[i];
    if (code == EINTR) return false;
    if (run->datagrams > 1 && (code == EIO || code == EINVAL || code == EMSGSIZE)) {
        *failed += send_apart(u, i);
        return true;
    }
    if (!is_full(code) && drop_local(run->first)) {
        add_controls(u, &u->messages[i].msg_hdr, u->controls[i], run->first, run->datagrams > 1 ? run->unit : 0);
        return false;
    }
    ox_publish(&u->failed_errno, (uint64_t)code);
    *failed += run->datagrams;
    return true;
}

/** Sends what was gathered. A message that the kernel refuses is passed over. Returns how many datagrams failed. */
static uint32_t send_ready(ox_udp *u, uint32_t ready) {
    uint32_t failed = 0, supers = 0;
    for (uint32_t done = 0; done < ready;) {
        int n = sendmmsg(u->fds[OX_UDP_DATA], u->messages + done, ready - done, MSG_DONTWAIT);
        if (n <= 0) {
            done += give_way(u, done, errno, &failed);
            continue;
        }
        ox_count(&u->calls_sent, 1);
        for (uint32_t end = done + (uint32_t)n; done < end; done++) supers += u->runs[done].datagrams > 1;
    }
    ox_count(&u->super_sent, supers);
    return failed;
}

uint32_t ox_udp_send(ox_port *port, ox_pool *pool, ox_list *packets) {
    ox_udp *u = (ox_udp *)port;
    cursor at = {.packets = packets};
    uint32_t failed = 0, total = 0;
    while (packets->count > 0) {
        uint32_t ready = gather(u, &at);
        write_messages(u, ready);
        for (uint32_t i = 0; i < ready; i++) total += u->runs[i].datagrams;
        failed += send_ready(u, ready);
        ox_pool_put_list(pool, &at.done);
    }
    ox_count(&u->sent, total - failed);
    ox_count(&u->failed, failed);
    return failed;
}
