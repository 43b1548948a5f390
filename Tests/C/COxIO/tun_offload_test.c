#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "Tests/C/COxIO/pools.h"
#include "Tests/C/COxPacket/packets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static ox_pool *pool;

/* One of two hosts, each a network namespace with a TUN device: 10.0.0.1 and fd00::1, or .2 and ::2. */
typedef struct host {
    ox_port *port;
    uint64_t largest; /**< bytes of the largest packet that it sent */
} host;

static int set_up(void **state) {
    (void)state;
    pool = make_pool(1024, 256);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    if (!all_are_back(pool)) return 1;
    ox_pool_destroy(pool);
    return 0;
}

/* Of which the kernel's header cannot be included beside netinet/in.h. */
struct v6_request {
    struct in6_addr address;
    uint32_t prefix;
    int index;
};

static void configure(const char *name, uint8_t number) {
    struct ifreq r = {0};
    struct sockaddr_in *in = (struct sockaddr_in *)&r.ifr_addr;
    memcpy(r.ifr_name, name, strlen(name) + 1);
    int v4 = socket(AF_INET, SOCK_DGRAM, 0), v6 = socket(AF_INET6, SOCK_DGRAM, 0);
    *in = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a000000u + number)};
    assert_int_equal(0, ioctl(v4, SIOCSIFADDR, &r));
    in->sin_addr.s_addr = htonl(0xffffff00);
    assert_int_equal(0, ioctl(v4, SIOCSIFNETMASK, &r));
    r.ifr_flags = IFF_UP | IFF_RUNNING;
    assert_int_equal(0, ioctl(v4, SIOCSIFFLAGS, &r));
    struct v6_request w = {.prefix = 64, .index = (int)if_nametoindex(name)};
    w.address.s6_addr[0] = 0xfd, w.address.s6_addr[15] = number;
    assert_int_equal(0, ioctl(v6, SIOCSIFADDR, &w));
    close(v4);
    close(v6);
}

/* The process is inside the namespace afterwards, which goes with the last descriptor that belongs to it. */
static host enter(uint8_t number, bool offload) {
    host h = {0};
    char name[OX_DEVICE_NAME_MAX + 1] = "oxtest0";
    if (unshare(CLONE_NEWNET) != 0) {
        print_message("SKIP: no network namespace of our own (%s)\n", strerror(errno));
        skip();
    }
    ox_status status = ox_tun_open(name, offload, &h.port);
    if (status == OX_E_SYSTEM && (errno == EPERM || errno == ENOENT || errno == EACCES || errno == ENODEV)) {
        print_message("SKIP: no TUN device here (%s)\n", strerror(errno));
        skip();
    }
    assert_int_equal(OX_OK, status);
    configure(name, number);
    return h;
}

static struct sockaddr_in6 address_of(bool v4, uint8_t number, uint16_t port) {
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    if (v4) memcpy(&to.sin6_addr, (const uint8_t[16]){[10] = 0xff, [11] = 0xff, [12] = 10, [15] = number}, 16);
    else memcpy(&to.sin6_addr, (const uint8_t[16]){[0] = 0xfd, [15] = number}, 16);
    return to;
}

static int open_socket(int type, bool v4, uint8_t number, uint16_t port) {
    int fd = socket(AF_INET6, type | SOCK_NONBLOCK, 0), off = 0;
    struct sockaddr_in6 name = address_of(v4, number, port);
    assert_int_equal(0, setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off));
    // An IPv6 address is tentative for a moment.
    int bound = -1;
    for (uint32_t tries = 0; bound != 0 && tries < 2000; tries++) {
        bound = bind(fd, (struct sockaddr *)&name, sizeof name);
        if (bound != 0) usleep(1000);
    }
    assert_int_equal(0, bound);
    return fd;
}

static ox_port_report status(const host *h) {
    ox_port_report report;
    ox_port_status(h->port, &report);
    return report;
}

/* What one device hands out is written to the other; each is checked against what is said of it. */
static void shuttle(host *from, host *to) {
    ox_list list = {0};
    (void)receive(from->port, pool, &list, OX_PORT_BATCH);
    for (ox_buf *buf = list.head; buf != NULL; buf = buf->next) {
        ox_headers headers;
        assert_int_equal(OX_PASS, ox_parse(buf->data, buf->len, &headers));
        assert_int_equal(OX_BUF_HEADROOM, ox_buf_headroom(buf));
        if (buf->len > from->largest) from->largest = buf->len;
        if (buf->checksum != OX_CHECKSUM_UNKNOWN) {
            assert_int_equal(headers.transport_offset, buf->transport);
            assert_int_equal(headers.protocol, buf->protocol);
        }
        if (buf->segment != 0) assert_int_equal(OX_CHECKSUM_PARTIAL, buf->checksum);
        else assert_true(buf->len <= 1500);
        if (headers.has_transport && buf->checksum != OX_CHECKSUM_PARTIAL && headers.protocol != OX_PROTO_ICMPV6)
            assert_true(ox_checksum_verify(buf->data, &headers));
    }
    assert_int_equal(0, ox_port_send(to->port, pool, &list));
}

static void settle(host *a, host *b) {
    ox_port *ports[] = {a->port, b->port};
    ox_wait(ports, 2, NULL, 1000000);
    shuttle(a, b);
    shuttle(b, a);
}

/* Two megabytes from `a` to `b`, as TCP. */
static void transfer(host *a, host *b, int client, int listener, struct sockaddr_in6 to) {
    enum { BYTES = 2 << 20 };
    static uint8_t sent[BYTES], got[BYTES];
    for (uint32_t i = 0; i < BYTES; i++) sent[i] = (uint8_t)(i * 2654435761u >> 13);
    assert_int_equal(-1, connect(client, (struct sockaddr *)&to, sizeof to));
    assert_int_equal(EINPROGRESS, errno);
    int server = -1;
    size_t out = 0, in = 0;
    for (uint32_t tries = 0; in < BYTES && tries < 20000; tries++) {
        settle(a, b);
        if (server < 0) server = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
        ssize_t n = send(client, sent + out, BYTES - out, MSG_NOSIGNAL);
        if (n > 0) out += (size_t)n;
        while (server >= 0 && in < BYTES && (n = recv(server, got + in, BYTES - in, 0)) > 0) in += (size_t)n;
    }
    assert_int_equal(BYTES, in);
    assert_memory_equal(sent, got, BYTES);
    close(server);
}

static void tcp_crosses_with_and_without_offload(void **state) {
    (void)state;
    for (uint32_t mode = 0; mode < 4; mode++) {
        bool from = mode & 1, to = mode & 2;
        host a = enter(1, from);
        int clients[2] = {open_socket(SOCK_STREAM, true, 1, 0), open_socket(SOCK_STREAM, false, 1, 0)};
        host b = enter(2, to);
        assert_int_equal(from, status(&a).offload);
        for (int v4 = 0; v4 < 2; v4++) {
            uint16_t port = (uint16_t)(5000 + v4);
            int listener = open_socket(SOCK_STREAM, v4, 2, port);
            assert_int_equal(0, listen(listener, 1));
            transfer(&a, &b, clients[!v4], listener, address_of(v4, 2, port));
            close(listener);
            close(clients[!v4]);
        }
        ox_port_report read = status(&a), written = status(&b);
        assert_int_equal(0, written.send_failed);
        assert_int_equal(0, written.offload_fallbacks);
        assert_true(written.sent >= read.received - 8); // but for the router solicitations before
        assert_int_equal(from, a.largest > 40000);
        assert_int_equal(from, read.super_received > 0);
        assert_int_equal(from && to, written.super_sent > 0);
        if (from && to) assert_true(written.calls_sent * 4 < written.sent);
        ox_port_close(a.port);
        ox_port_close(b.port);
    }
}

static void udp_supers_cross_whole_or_are_cut(void **state) {
    (void)state;
    for (uint32_t mode = 0; mode < 4; mode++) {
        bool v4 = mode & 1, offload = mode & 2;
        host a = enter(1, true);
        int sender = open_socket(SOCK_DGRAM, v4, 1, 4000);
        host b = enter(2, offload);
        int receiver = open_socket(SOCK_DGRAM, v4, 2, 4001), one = 1, segment = 1200;
        assert_int_equal(0, setsockopt(receiver, SOL_UDP, UDP_GRO, &one, sizeof one));
        assert_int_equal(0, setsockopt(sender, SOL_UDP, UDP_SEGMENT, &segment, sizeof segment));
        static uint8_t sent[48000], got[65536];
        for (uint32_t i = 0; i < sizeof sent; i++) sent[i] = (uint8_t)(i * 31 >> 3);
        struct sockaddr_in6 to = address_of(v4, 2, 4001);
        assert_int_equal(sizeof sent - 7, sendto(sender, sent, sizeof sent - 7, 0, (struct sockaddr *)&to, sizeof to));
        for (uint32_t i = 0; i < 4; i++) settle(&a, &b);
        uint32_t calls = 0;
        size_t total = 0;
        for (ssize_t n; (n = recv(receiver, got, sizeof got, 0)) > 0; calls++, total += (size_t)n)
            assert_memory_equal(sent + total, got, (size_t)n);
        assert_int_equal(sizeof sent - 7, total);
        if (status(&a).super_received == 0) print_message("SKIP: this kernel hands out no UDP super-packets\n");
        else assert_int_equal(offload ? 1 : 40, calls);
        assert_int_equal(0, status(&b).send_failed);
        close(sender);
        close(receiver);
        ox_port_close(a.port);
        ox_port_close(b.port);
    }
}

/* More segments than the kernel takes in one: refused, cut, counted, and the next one is tried whole. */
static void a_refused_super_is_cut(void **state) {
    (void)state;
    enum { SEGMENT = 100, SEGMENTS = 300 };
    host b = enter(2, true);
    int receiver = open_socket(SOCK_DGRAM, true, 2, 4001), buffer = 8 << 20;
    assert_int_equal(0, setsockopt(receiver, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer));
    for (uint32_t count = SEGMENTS; count > 0; count = count == SEGMENTS ? 20 : 0) {
        uint32_t len = 28 + count * SEGMENT;
        ox_list list = {0};
        ox_buf *buf = ox_pool_get(pool, OX_BUF_LARGE);
        memset(buf->data, 0, 28);
        for (uint32_t i = 0; i < count * SEGMENT; i++) buf->data[28 + i] = (uint8_t)(i / SEGMENT + i);
        uint8_t *ip = buf->data, *udp = ip + 20;
        ip[0] = 0x45, ip[6] = 0x40, ip[8] = 64, ip[9] = OX_PROTO_UDP, ip[12] = 10, ip[15] = 1, ip[16] = 10, ip[19] = 2;
        ox_store_be16(ip + 2, (uint16_t)len);
        ox_store_be16(ip + 10, ox_checksum_finish(ox_checksum_add(ip, 20, 0)));
        ox_store_be16(udp, 4000);
        ox_store_be16(udp + 2, 4001);
        ox_store_be16(udp + 4, (uint16_t)(len - 20));
        buf->len = len;
        ox_headers headers;
        assert_int_equal(OX_PASS, ox_parse(buf->data, buf->len, &headers));
        uint16_t pseudo = (uint16_t)~ox_checksum_finish(ox_checksum_pseudo(buf->data, &headers, len - 20));
        ox_store_be16(udp + 6, pseudo);
        buf->segment = SEGMENT;
        buf->transport = 20;
        buf->protocol = OX_PROTO_UDP;
        buf->checksum = OX_CHECKSUM_PARTIAL;
        ox_list_append(&list, buf);
        assert_int_equal(0, ox_port_send(b.port, pool, &list));
        uint8_t got[2000];
        for (uint32_t i = 0; i < count; i++) {
            assert_int_equal(SEGMENT, recv(receiver, got, sizeof got, 0));
            for (uint32_t k = 0; k < SEGMENT; k++) assert_int_equal((uint8_t)(i + i * SEGMENT + k), got[k]);
        }
        assert_int_equal(-1, recv(receiver, got, sizeof got, 0));
    }
    ox_port_report report = status(&b);
    assert_true(report.sent == SEGMENTS + 20 && report.send_failed == 0 && report.offload == 1);
    assert_true(report.offload_fallbacks == 1 && report.super_sent == 1);
    close(receiver);
    ox_port_close(b.port);
}

static void a_super_that_is_none_fails(void **state) {
    (void)state;
    for (int offload = 0; offload < 2; offload++) {
        host b = enter(2, offload);
        ox_list list = {0};
        for (uint32_t i = 0; i < 2; i++) {
            ox_buf *buf = ox_pool_get(pool, OX_BUF_LARGE);
            memset(buf->data, 0x66, 3000);
            buf->len = i == 0 ? 3000 : 30;
            buf->segment = 1000;
            buf->transport = 20;
            buf->protocol = OX_PROTO_TCP;
            buf->checksum = OX_CHECKSUM_PARTIAL;
            ox_list_append(&list, buf);
        }
        assert_true(ox_port_send(b.port, pool, &list) >= 2);
        assert_int_equal(0, status(&b).sent);
        ox_port_close(b.port);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tcp_crosses_with_and_without_offload),
        cmocka_unit_test(udp_supers_cross_whole_or_are_cut),
        cmocka_unit_test(a_refused_super_is_cut),
        cmocka_unit_test(a_super_that_is_none_fails),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
