#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "Tests/C/COxIO/pools.h"
#include "Tests/C/COxPacket/packets.h"
#include "oxcore/io.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static ox_pool *pool;

static int set_up(void **state) {
    (void)state;
    pool = make_pool(256, 64);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    if (!all_are_back(pool)) return 1;
    ox_pool_destroy(pool);
    return 0;
}

/* In a network namespace of the test's own, which goes with the process. */
static ox_port *open_device(char name[OX_DEVICE_NAME_MAX + 1]) {
    static bool inside;
    ox_port *port = NULL;
    if (!inside && unshare(CLONE_NEWNET) != 0) {
        print_message("SKIP: no network namespace of our own (%s)\n", strerror(errno));
        skip();
    }
    inside = true;
    ox_status status = ox_tun_open(name, false, &port);
    if (status == OX_E_SYSTEM && (errno == EPERM || errno == ENOENT || errno == EACCES || errno == ENODEV)) {
        print_message("SKIP: no TUN device here (%s)\n", strerror(errno));
        skip();
    }
    assert_int_equal(OX_OK, status);
    return port;
}

static void set_address(int fd, const char *name, unsigned long request, const char *text) {
    struct ifreq r = {0};
    struct sockaddr_in *in = (struct sockaddr_in *)&r.ifr_addr;
    memcpy(r.ifr_name, name, strlen(name));
    in->sin_family = AF_INET;
    assert_int_equal(1, inet_pton(AF_INET, text, &in->sin_addr));
    assert_int_equal(0, ioctl(fd, request, &r));
}

/* 10.0.0.1/24, up. */
static void configure(const char *name) {
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct ifreq r = {0};
    set_address(fd, name, SIOCSIFADDR, "10.0.0.1");
    set_address(fd, name, SIOCSIFNETMASK, "255.255.255.0");
    memcpy(r.ifr_name, name, strlen(name));
    assert_int_equal(0, ioctl(fd, SIOCGIFFLAGS, &r));
    r.ifr_flags |= IFF_UP;
    assert_int_equal(0, ioctl(fd, SIOCSIFFLAGS, &r));
    close(fd);
}

static int bound_socket(uint16_t *number) {
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in name = {.sin_family = AF_INET};
    socklen_t len = sizeof name;
    assert_int_equal(0, bind(fd, (struct sockaddr *)&name, sizeof name));
    assert_int_equal(0, getsockname(fd, (struct sockaddr *)&name, &len));
    *number = ntohs(name.sin_port);
    return fd;
}

/* The next IPv4 packet to 10.0.0.2 that any of the queues has. */
static ox_buf *next_packet(ox_port *const *ports, uint32_t count) {
    for (uint32_t tries = 0; tries < 200; tries++) {
        ox_wait(ports, count, NULL, 5000000);
        for (uint32_t i = 0; i < count; i++) {
            ox_list list = {0};
            while (receive(ports[i], pool, &list, 1) == 1) {
                ox_buf *buf = ox_list_take(&list);
                if (buf->data[0] >> 4 == 4 && buf->data[9] == OX_PROTO_UDP && buf->data[19] == 2) return buf;
                ox_pool_put(pool, buf);
            }
        }
    }
    return NULL;
}

static void packets_pass_both_ways_through_two_queues(void **state) {
    (void)state;
    char name[OX_DEVICE_NAME_MAX + 1] = "oxtest%d";
    ox_port *ports[2];
    ports[0] = open_device(name);
    assert_string_equal("oxtest0", name);
    assert_int_equal(OX_OK, ox_tun_open(name, false, &ports[1])); // a second queue of the same device
    assert_string_equal("oxtest0", name);
    configure(name);
    uint16_t number;
    int fd = bound_socket(&number);

    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(6000)};
    assert_int_equal(1, inet_pton(AF_INET, "10.0.0.2", &to.sin_addr));
    static const size_t lengths[] = {0, 1, 100, 1472};
    for (size_t i = 0; i < 4; i++) {
        uint8_t payload[1472];
        memset(payload, (int)i + 1, sizeof payload);
        assert_int_equal(lengths[i], sendto(fd, payload, lengths[i], 0, (struct sockaddr *)&to, sizeof to));
        ox_buf *buf = next_packet(ports, 2);
        assert_non_null(buf);
        ox_headers headers;
        assert_int_equal(OX_PASS, ox_parse(buf->data, buf->len, &headers));
        assert_int_equal(28 + lengths[i], buf->len);
        assert_int_equal(OX_BUF_HEADROOM, ox_buf_headroom(buf));
        assert_int_equal(6000, headers.destination_port);
        assert_memory_equal(payload, buf->data + 28, lengths[i]);
        // Its checksum is whole: the other side of a tunnel must be able to verify it.
        uint32_t sum = ox_checksum_pseudo(buf->data, &headers, buf->len - 20);
        assert_int_equal(0, ox_checksum_finish(ox_checksum_add(buf->data + 20, buf->len - 20, sum)));
        ox_pool_put(pool, buf);

        // And one from 10.0.0.2 to the socket, through either queue.
        static packet p;
        begin_v4(&p, OX_PROTO_UDP, 0);
        p.bytes[15] = 2;
        p.bytes[19] = 1;
        put_udp(&p, 6000, number, payload, lengths[i]);
        end(&p);
        ox_list list = {0};
        ox_buf *out = ox_pool_get(pool, OX_BUF_SMALL);
        memcpy(out->data, p.bytes, p.len);
        out->len = (uint32_t)p.len;
        ox_list_append(&list, out);
        assert_int_equal(0, ox_port_send(ports[i % 2], pool, &list));
        uint8_t got[2000];
        struct timeval patience = {.tv_sec = 2};
        assert_int_equal(0, setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience));
        assert_int_equal(lengths[i], recv(fd, got, sizeof got, 0));
        assert_memory_equal(payload, got, lengths[i]);
    }
    ox_port_report report;
    ox_port_status(ports[0], &report);
    assert_int_equal(2, report.sent);
    assert_int_equal(0, report.send_failed);
    close(fd);
    ox_port_close(ports[0]);
    ox_port_close(ports[1]);
    assert_int_equal(0, if_nametoindex(name)); // it vanished with its last queue
}

static void a_write_that_fails_is_counted(void **state) {
    (void)state;
    char name[OX_DEVICE_NAME_MAX + 1] = "";
    ox_port *port = open_device(name);
    assert_true(name[0] != 0);
    ox_list list = {0};
    ox_list_append(&list, ox_pool_get(pool, OX_BUF_SMALL)); // an empty packet, to a device that is down
    assert_int_equal(1, ox_port_send(port, pool, &list));
    ox_port_report report;
    ox_port_status(port, &report);
    assert_int_equal(1, report.send_failed);
    assert_true(report.send_errno != 0);
    ox_port_close(port);
}

static void the_longest_name_is_taken_whole(void **state) {
    (void)state;
    char name[OX_DEVICE_NAME_MAX + 1] = "ox3456789012345";
    ox_port *port = open_device(name);
    assert_string_equal("ox3456789012345", name);
    ox_port_close(port);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_pass_both_ways_through_two_queues),
        cmocka_unit_test(a_write_that_fails_is_counted),
        cmocka_unit_test(the_longest_name_is_taken_whole),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
