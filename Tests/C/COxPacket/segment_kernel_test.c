/*
 * The kernel as the judge: a super-packet is written to one TUN device and forwarded to another one that takes none, so that
 * the kernel cuts it. What it makes must be what ox_segment() makes, and of what the coalescer makes, the packets before.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "Tests/C/COxPacket/supers.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

enum { VNET_BYTES = sizeof(struct virtio_net_hdr), WAIT_MS = 2000 };

static ox_pool *pool;
static int from = -1, to = -1; /* the devices */

static int device(const char *name) {
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR};
    memcpy(request.ifr_name, name, strlen(name));
    if (fd >= 0 && (ioctl(fd, TUNSETIFF, &request) != 0 || ioctl(fd, TUNSETOFFLOAD, 0) != 0)) {
        close(fd);
        return -1;
    }
    return fd;
}

/* In a network namespace of the test's own, which goes with the process. */
static int set_up(void **state) {
    (void)state;
    pool = pool_of(256, 4);
    if (unshare(CLONE_NEWNET) != 0 || (from = device("oxfrom")) < 0 || (to = device("oxto")) < 0) {
        print_message("SKIP: no network namespace or TUN device of our own (%s)\n", strerror(errno));
        return 0;
    }
    const int failed = system("set -e; ip link set lo up; ip link set oxfrom up; ip link set oxto up\n"
                              "ip address add 10.99.0.254/24 dev oxfrom; ip address add 10.98.0.254/24 dev oxto\n"
                              "echo 1 >/proc/sys/net/ipv4/ip_forward\n"
                              "echo 1 >/proc/sys/net/ipv6/conf/all/forwarding\n"
                              "ip address add fd63::fe/64 dev oxfrom nodad; ip address add fd62::fe/64 dev oxto nodad\n");
    if (failed != 0) {
        print_message("SKIP: the devices cannot be configured\n");
        close(to);
        to = -1;
    }
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    if (from >= 0) close(from);
    if (to >= 0) close(to);
    if (ox_pool_free(pool, OX_BUF_SMALL) != 256 || ox_pool_free(pool, OX_BUF_LARGE) != 4) return 1;
    ox_pool_destroy(pool);
    return 0;
}

static void inject(const ox_buf *super, const ox_headers *headers) {
    const bool tcp = headers->protocol == OX_PROTO_TCP;
    struct virtio_net_hdr vnet = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                  .hdr_len = (uint16_t)ox_headers_bytes(headers),
                                  .gso_size = super->segment,
                                  .csum_start = headers->transport_offset,
                                  .csum_offset = tcp ? 16 : 6};
    vnet.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4;
    if (tcp) vnet.gso_type = headers->version == 4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
    if (tcp && headers->tcp_flags & CWR) vnet.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
    OX_ASSERT(ox_buf_headroom(super) >= VNET_BYTES);
    memcpy(super->data - VNET_BYTES, &vnet, VNET_BYTES);
    assert_int_equal(write(from, super->data - VNET_BYTES, VNET_BYTES + super->len), VNET_BYTES + super->len);
}

/* The next packet of a test that was forwarded; its length. */
static uint32_t forwarded(uint8_t bytes[OX_BUF_BYTES]) {
    for (;;) {
        static uint8_t read_bytes[VNET_BYTES + OX_BUF_BYTES];
        struct pollfd ready = {.fd = to, .events = POLLIN};
        if (poll(&ready, 1, WAIT_MS) != 1) fail_msg("the kernel forwarded nothing");
        const ssize_t n = read(to, read_bytes, sizeof read_bytes);
        if (n < VNET_BYTES + 20) continue;
        const uint8_t *packet = read_bytes + VNET_BYTES;
        const bool ours = packet[0] >> 4 == 4 ? packet[13] == 99 : packet[8] == 0xFD && packet[9] == 0x63;
        if (!ours) continue; // the kernel's own, such as router solicitations
        memcpy(bytes, packet, (size_t)n - VNET_BYTES);
        return (uint32_t)n - VNET_BYTES;
    }
}

/* As it was before the one hop. */
static void undo_hop(uint8_t *packet) {
    packet[packet[0] >> 4 == 4 ? 8 : 7]++;
    if (packet[0] >> 4 == 4) naive_v4_checksum(packet);
}

static void compare(ox_list *expected) {
    for (ox_buf *buf; (buf = ox_list_take(expected)) != NULL; ox_pool_put(pool, buf)) {
        uint8_t bytes[OX_BUF_BYTES];
        const uint32_t len = forwarded(bytes);
        undo_hop(bytes);
        assert_int_equal(len, buf->len);
        assert_memory_equal(bytes, buf->data, len);
    }
}

static void the_kernel_cuts_as_we_do(void **state) {
    (void)state;
    if (to < 0) skip();
    static const uint16_t sizes[] = {1, 9, 64, 512, 1000, 1400};
    static const uint32_t sixteenths[] = {17, 32, 100, 500, 736}; // of the payload, in segments
    for (int kind = 0; kind < 4; kind++)
        for (size_t i = 0; i < 6; i++)
            for (size_t j = 0; j < 5; j++) {
                spec s = kind_spec(kind);
                if (kind & 1) s.flags = (uint8_t)(ACK | (j & 1 ? CWR : ECE) | (j & 2 ? PSH : FIN));
                s.df = j & 1;
                s.id = 0xFFF0;
                s.tos = 2;
                s.sequence = UINT32_MAX - 3000;
                s.payload = sizes[i] * sixteenths[j] / 16;
                if (s.payload <= sizes[i] || s.payload > 64000) continue;
                ox_buf *super = buf_of(pool, OX_BUF_LARGE, &s, OX_CHECKSUM_PARTIAL);
                super->segment = sizes[i];
                const ox_headers headers = parsed(super->data, super->len);
                ox_list expected = {0};
                assert_int_equal(ox_segment(pool, super, &headers, &expected), 0);
                inject(super, &headers);
                compare(&expected);
                ox_pool_put(pool, super);
            }
}

static void the_kernel_gives_back_what_was_put_together(void **state) {
    (void)state;
    if (to < 0) skip();
    ox_coalescer *coalescer = ox_coalescer_create(pool);
    for (int kind = 0; kind < 4; kind++)
        for (uint32_t payload = 1; payload < 1400; payload += 173) {
            spec s = kind_spec(kind);
            s.payload = payload;
            ox_list expected = {0}, out = {0};
            for (uint32_t i = 0; i < 40; i++) {
                if (i == 39 && s.protocol == OX_PROTO_TCP) s.flags |= PSH;
                if (i == 39) s.payload = (payload + 1) / 2;
                ox_buf *buf = buf_of(pool, OX_BUF_SMALL, &s, OX_CHECKSUM_VALID);
                const ox_headers headers = parsed(buf->data, buf->len);
                ox_list_append(&expected, buf_of(pool, OX_BUF_SMALL, &s, OX_CHECKSUM_VALID));
                ox_coalescer_add(coalescer, buf, &headers, hash_of(buf->data, &headers), &out);
                s.sequence += s.payload;
                s.fill++;
                s.id = (uint16_t)(s.id + (s.version == 4));
            }
            ox_coalescer_flush(coalescer, &out);
            assert_int_equal(out.count, 1);
            ox_buf *super = ox_list_take(&out);
            const ox_headers headers = parsed(super->data, super->len);
            inject(super, &headers);
            compare(&expected);
            ox_pool_put(pool, super);
        }
    ox_coalescer_destroy(coalescer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_kernel_cuts_as_we_do),
        cmocka_unit_test(the_kernel_gives_back_what_was_put_together),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
