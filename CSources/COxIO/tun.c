#include "oxcore/io.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

// The headers of Linux before 6.2 do not have them.
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

typedef struct virtio_net_hdr vnet_hdr;
enum { VNET_BYTES = sizeof(vnet_hdr) };
_Static_assert((int)VNET_BYTES <= (int)OX_BUF_HEADROOM, "the vnet_hdr lies in the headroom");

enum { TCP_CHECKSUM_AT = 16, UDP_CHECKSUM_AT = 6, UDP_HEADER_BYTES = 8, TCP_HEADER_BYTES = 20, TCP_CWR = 0x80 };

typedef struct tun {
    ox_port port;
    int fd;
    bool segments_udp; /**< what goes for TCP goes for UDP */
    uint64_t offload;  /**< 1 while super-packets and partial checksums are left to the kernel */
    uint64_t received, sent, failed, failed_errno;
    uint64_t calls_received, calls_sent, super_received, super_sent, fallbacks;
} tun;

/* ---- the vnet_hdr ------------------------------------------------------------------------------------------- */

static uint32_t checksum_at(uint8_t protocol) { return protocol == OX_PROTO_TCP ? TCP_CHECKSUM_AT : UDP_CHECKSUM_AT; }

/** Whether the kernel can be told where the checksum goes, where there is one to complete. */
static bool has_transport_header(const ox_buf *buf) {
    uint32_t bytes = buf->protocol == OX_PROTO_TCP ? TCP_HEADER_BYTES : UDP_HEADER_BYTES;
    return buf->checksum != OX_CHECKSUM_PARTIAL || buf->transport + bytes <= buf->len;
}

/** Bytes of headers of a packet that has_transport_header(); no more than it has. */
static uint32_t header_bytes(const ox_buf *buf) {
    uint32_t bytes = buf->protocol == OX_PROTO_TCP ? 4u * (buf->data[buf->transport + 12] >> 4) : UDP_HEADER_BYTES;
    return buf->transport + bytes < buf->len ? buf->transport + bytes : buf->len;
}

/** Packets that it stands for. */
static uint32_t packets_in(const ox_buf *buf) {
    if (buf->segment == 0 || !has_transport_header(buf)) return 1;
    uint32_t payload = buf->len - header_bytes(buf);
    return payload > buf->segment ? (payload + buf->segment - 1) / buf->segment : 1;
}

/** A checksum that is to be completed, of a protocol that the project does not know: completed here. */
static void complete_other(ox_buf *buf, const vnet_hdr *vnet) {
    size_t field = (size_t)vnet->csum_start + vnet->csum_offset;
    if (field + 2 > buf->len) return;
    uint32_t sum = ox_checksum_add(buf->data + vnet->csum_start, buf->len - vnet->csum_start, 0);
    ox_store_be16(buf->data + field, ox_checksum_finish(sum));
}

/** Takes what the kernel says of the packet. `hdr_len` is a hint of no use. */
static void read_vnet(ox_buf *buf, const vnet_hdr *vnet) {
    if ((vnet->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0) {
        bool tcp = vnet->csum_offset == TCP_CHECKSUM_AT, udp = vnet->csum_offset == UDP_CHECKSUM_AT;
        buf->checksum = OX_CHECKSUM_PARTIAL;
        buf->transport = vnet->csum_start;
        buf->protocol = tcp ? OX_PROTO_TCP : OX_PROTO_UDP;
        if ((!tcp && !udp) || !has_transport_header(buf)) {
            buf->checksum = OX_CHECKSUM_UNKNOWN;
            complete_other(buf, vnet);
            return;
        }
        uint8_t type = vnet->gso_type & (uint8_t)~VIRTIO_NET_HDR_GSO_ECN;
        bool super = tcp ? type == VIRTIO_NET_HDR_GSO_TCPV4 || type == VIRTIO_NET_HDR_GSO_TCPV6
                         : type == VIRTIO_NET_HDR_GSO_UDP_L4;
        if (super) buf->segment = vnet->gso_size;
    } else if ((vnet->flags & VIRTIO_NET_HDR_F_DATA_VALID) != 0) {
        ox_headers headers;
        if (ox_parse(buf->data, buf->len, &headers) != OX_PASS || !headers.has_transport || headers.fragment) return;
        if (headers.protocol != OX_PROTO_TCP && headers.protocol != OX_PROTO_UDP) return;
        buf->checksum = OX_CHECKSUM_VALID;
        buf->transport = headers.transport_offset;
        buf->protocol = headers.protocol;
    }
}

static vnet_hdr make_vnet(const ox_buf *buf) {
    vnet_hdr vnet = {0};
    if (buf->checksum == OX_CHECKSUM_VALID) vnet.flags = VIRTIO_NET_HDR_F_DATA_VALID;
    if (buf->checksum != OX_CHECKSUM_PARTIAL) return vnet;
    vnet.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    vnet.csum_start = buf->transport;
    vnet.csum_offset = (uint16_t)checksum_at(buf->protocol);
    if (buf->segment == 0) return vnet;
    vnet.hdr_len = (uint16_t)header_bytes(buf);
    vnet.gso_size = buf->segment;
    vnet.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4;
    if (buf->protocol != OX_PROTO_TCP) return vnet;
    vnet.gso_type = buf->data[0] >> 4 == 4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
    if ((buf->data[buf->transport + 13] & TCP_CWR) != 0) vnet.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
    return vnet;
}

/* ---- receive ------------------------------------------------------------------------------------------------ */

/** The vnet_hdr precedes the packet, so that the packet itself lies where every stage expects it. */
static bool tun_receive(ox_port *port, ox_pool *pool, ox_list *out, uint32_t max) {
    tun *t = (tun *)port;
    uint32_t count = 0, bytes = 0, packets = 0, supers = 0;
    if (max > OX_PORT_BATCH) max = OX_PORT_BATCH;
    while (count < max && bytes < OX_PORT_BATCH_BYTES) {
        ox_buf *buf = ox_pool_get(pool, OX_BUF_LARGE);
        if (buf == NULL) break;
        ssize_t n = read(t->fd, buf->data - VNET_BYTES, VNET_BYTES + OX_BUF_LARGE_CONTENT_MAX);
        if (n < VNET_BYTES) {
            // What the kernel says of a device that was deleted under us.
            port->lost = n < 0 && errno == EBADFD;
            ox_pool_put(pool, buf);
            break;
        }
        vnet_hdr vnet;
        memcpy(&vnet, buf->data - VNET_BYTES, VNET_BYTES);
        buf->len = (uint32_t)n - VNET_BYTES;
        read_vnet(buf, &vnet);
        ox_list_append(out, buf);
        bytes += buf->len;
        packets += packets_in(buf);
        supers += buf->segment != 0;
        count++;
    }
    ox_count(&t->received, packets);
    ox_count(&t->super_received, supers);
    ox_count(&t->calls_received, count);
    return count == max || bytes >= OX_PORT_BATCH_BYTES;
}

/* ---- send --------------------------------------------------------------------------------------------------- */

/** Writes a packet with the vnet_hdr in front of it; 0, or errno. */
static int write_packet(tun *t, ox_buf *buf) {
    OX_ASSERT(ox_buf_headroom(buf) >= VNET_BYTES);
    vnet_hdr vnet = make_vnet(buf);
    memcpy(buf->data - VNET_BYTES, &vnet, VNET_BYTES);
    ssize_t n;
    do n = write(t->fd, buf->data - VNET_BYTES, VNET_BYTES + buf->len);
    while (n < 0 && errno == EINTR);
    if (n < 0) return errno;
    ox_count(&t->calls_sent, 1);
    return 0;
}

static uint32_t refused(tun *t, int code, uint32_t packets) {
    ox_publish(&t->failed_errno, (uint64_t)code);
    return packets;
}

/** Cuts a super-packet and writes the pieces; returns how many failed. */
static uint32_t write_apart(tun *t, ox_pool *pool, const ox_buf *super) {
    ox_headers headers;
    ox_list pieces = {0};
    uint32_t packets = packets_in(super);
    bool known = ox_parse(super->data, super->len, &headers) == OX_PASS && headers.has_transport && !headers.fragment &&
                 headers.transport_offset == super->transport && headers.protocol == super->protocol;
    if (!known) return refused(t, EINVAL, packets);
    uint32_t failed = ox_segment(pool, super, &headers, &pieces);
    if (failed > 0) (void)refused(t, ENOBUFS, failed);
    for (ox_buf *piece; (piece = ox_list_take(&pieces)) != NULL; ox_pool_put(pool, piece)) {
        int code = write_packet(t, piece);
        if (code != 0) failed += refused(t, code, 1);
    }
    return failed;
}

/** Completes a checksum; false when the packet is not what it is said to be. */
static bool complete(ox_buf *buf) {
    ox_headers headers;
    if (ox_parse(buf->data, buf->len, &headers) != OX_PASS || !headers.has_transport || headers.fragment) return false;
    if (headers.protocol != OX_PROTO_TCP && headers.protocol != OX_PROTO_UDP) return false;
    ox_checksum_complete(buf->data, &headers);
    buf->checksum = OX_CHECKSUM_VALID;
    return true;
}

static uint32_t send_super(tun *t, ox_pool *pool, ox_buf *buf) {
    OX_ASSERT(buf->checksum == OX_CHECKSUM_PARTIAL);
    bool offered = t->offload != 0 && (buf->protocol == OX_PROTO_TCP || t->segments_udp);
    if (!offered) return write_apart(t, pool, buf);
    int code = write_packet(t, buf);
    if (code == 0) {
        ox_count(&t->super_sent, 1);
        return 0;
    }
    if (code != EINVAL) return refused(t, code, packets_in(buf));
    // It may be this super-packet only, with more segments than this kernel takes: the next one is tried whole again.
    ox_count(&t->fallbacks, 1);
    return write_apart(t, pool, buf);
}

static uint32_t send_single(tun *t, ox_buf *buf) {
    if (buf->checksum == OX_CHECKSUM_PARTIAL && t->offload == 0 && !complete(buf)) return refused(t, EINVAL, 1);
    int code = write_packet(t, buf);
    return code == 0 ? 0 : refused(t, code, 1);
}

static uint32_t tun_send(ox_port *port, ox_pool *pool, ox_list *packets) {
    tun *t = (tun *)port;
    uint32_t failed = 0, total = 0;
    for (ox_buf *buf; (buf = ox_list_take(packets)) != NULL; ox_pool_put(pool, buf)) {
        total += packets_in(buf);
        if (!has_transport_header(buf)) failed += refused(t, EINVAL, 1);
        else failed += buf->segment != 0 ? send_super(t, pool, buf) : send_single(t, buf);
    }
    ox_count(&t->sent, total - failed);
    ox_count(&t->failed, failed);
    return failed;
}

/* ---- the rest of the seam ----------------------------------------------------------------------------------- */

static uint32_t tun_descriptors(ox_port *port, int out[OX_PORT_DESCRIPTORS_MAX]) {
    out[0] = ((tun *)port)->fd;
    return 1;
}

static void tun_status(const ox_port *port, ox_port_report *report) {
    const tun *t = (const tun *)port;
    uint64_t code;
    ox_snapshot(&report->received, &t->received, 8);
    ox_snapshot(&report->sent, &t->sent, 8);
    ox_snapshot(&report->send_failed, &t->failed, 8);
    ox_snapshot(&code, &t->failed_errno, 8);
    report->send_errno = (int32_t)code;
    ox_snapshot(&report->calls_received, &t->calls_received, 8);
    ox_snapshot(&report->calls_sent, &t->calls_sent, 8);
    ox_snapshot(&report->super_received, &t->super_received, 8);
    ox_snapshot(&report->super_sent, &t->super_sent, 8);
    ox_snapshot(&report->offload_fallbacks, &t->fallbacks, 8);
    ox_snapshot(&report->offload, &t->offload, 8);
}

static void tun_close(ox_port *port) {
    close(((tun *)port)->fd);
    free(port);
}

static const ox_port_operations tun_operations = {
    .receive = tun_receive,
    .send = tun_send,
    .descriptors = tun_descriptors,
    .status = tun_status,
    .close = tun_close,
};

/** Asks for all that the kernel can leave to us, then for less. Without any it hands out whole packets of at most the MTU. */
static bool ask_for_offload(tun *t, bool wanted) {
    const unsigned long tcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
    t->segments_udp = wanted && ioctl(t->fd, TUNSETOFFLOAD, tcp | TUN_F_USO4 | TUN_F_USO6) == 0;
    t->offload = t->segments_udp || (wanted && ioctl(t->fd, TUNSETOFFLOAD, tcp) == 0);
    return t->offload != 0 || ioctl(t->fd, TUNSETOFFLOAD, 0) == 0;
}

/** The device behind the open descriptor. False with errno. */
static bool attach(tun *t, char name[OX_DEVICE_NAME_MAX + 1], bool offload) {
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE};
    memcpy(request.ifr_name, name, strnlen(name, OX_DEVICE_NAME_MAX));
    if (ioctl(t->fd, TUNSETIFF, &request) != 0) return false;
    int header = VNET_BYTES;
    if (ioctl(t->fd, TUNSETVNETHDRSZ, &header) != 0 || !ask_for_offload(t, offload)) return false;
    memcpy(name, request.ifr_name, OX_DEVICE_NAME_MAX);
    name[OX_DEVICE_NAME_MAX] = 0;
    return true;
}

ox_status ox_tun_open(char name[OX_DEVICE_NAME_MAX + 1], bool offload, ox_port **port) {
    tun *t = calloc(1, sizeof *t);
    if (t == NULL) return OX_E_MEMORY;
    t->port.operations = &tun_operations;
    t->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (t->fd < 0 || !attach(t, name, offload)) {
        int code = errno;
        if (t->fd >= 0) close(t->fd);
        free(t);
        errno = code;
        return OX_E_SYSTEM;
    }
    *port = &t->port;
    return OX_OK;
}
