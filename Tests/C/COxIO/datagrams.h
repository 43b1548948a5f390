/** Datagrams that know their number, and ports in a network namespace of the test's own. */
#ifndef TESTS_COXIO_DATAGRAMS_H
#define TESTS_COXIO_DATAGRAMS_H

#include "Tests/C/COxIO/pools.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static ox_pool *pool;

static inline void interface_request(unsigned long request, const char *name, struct ifreq *r) {
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (r->ifr_name != name) memcpy(r->ifr_name, name, strlen(name) + 1);
    assert_int_equal(0, ioctl(fd, request, r));
    close(fd);
}

static inline void bring_up(const char *name) {
    struct ifreq r = {.ifr_flags = IFF_UP | IFF_RUNNING};
    interface_request(SIOCSIFFLAGS, name, &r);
}

static bool own_namespace __attribute__((unused));

/* In a network namespace of the test's own, which goes with the process. */
static inline int set_up(void **state) {
    (void)state;
    pool = make_pool(2048, 2048);
    own_namespace = unshare(CLONE_NEWNET) == 0;
    if (own_namespace) bring_up("lo");
    else print_message("SKIP: no network namespace of our own (%s)\n", strerror(errno));
    return 0;
}

static inline int tear_down(void **state) {
    (void)state;
    if (!all_are_back(pool)) return 1;
    ox_pool_destroy(pool);
    return 0;
}

static inline ox_port *open_port(bool offload, uint16_t *bound) {
    ox_port *port = NULL;
    assert_int_equal(OX_OK, ox_udp_open(&(ox_udp_parameters){.offload = offload}, bound, &port));
    return port;
}

static inline int data_socket(ox_port *port) {
    int fds[OX_PORT_DESCRIPTORS_MAX];
    (void)port->operations->descriptors(port, fds);
    return fds[0];
}

static inline ox_address loopback(bool v4, uint16_t port) {
    if (v4) return (ox_address){.ip = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}, .port = port};
    return (ox_address){.ip = {[15] = 1}, .port = port};
}

/* Data datagrams of session 7: byte 2 and 3 number them, the rest follows from the number. */
static inline void fill(uint8_t *bytes, uint32_t len, uint32_t number) {
    for (uint32_t i = 0; i < len; i++) bytes[i] = (uint8_t)(number * 31 + i * 7);
    if (len > 0) bytes[0] = 0x40;
    if (len > 1) bytes[1] = 7;
    if (len > 3) ox_store_be16(bytes + 2, (uint16_t)number);
}

/* Adds a buffer of `len` bytes, cut into datagrams of `segment`, or one with 0. Returns the number of the next one. */
static inline uint32_t add(ox_list *list, uint32_t len, uint16_t segment, uint32_t number, ox_address to) {
    ox_buf *buf = ox_pool_get(pool, len > OX_BUF_CONTENT_MAX ? OX_BUF_LARGE : OX_BUF_SMALL);
    assert_non_null(buf);
    buf->len = len;
    buf->segment = segment;
    buf->address = to;
    uint32_t unit = segment != 0 ? segment : len;
    uint32_t at = 0;
    do fill(buf->data + at, len - at < unit ? len - at : unit, number++);
    while ((at += unit) < len);
    ox_list_append(list, buf);
    return number;
}

static inline void await(ox_port *port, ox_list *list, uint64_t datagrams) {
    ox_port *ports[] = {port};
    ox_port_report report;
    ox_port_status(port, &report);
    for (uint32_t tries = 0; report.received < datagrams && tries < 100; tries++) {
        ox_wait(ports, 1, NULL, 10000000);
        (void)receive(port, pool, list, OX_PORT_BATCH);
        ox_port_status(port, &report);
    }
    assert_int_equal(datagrams, report.received);
}

/* What came is datagrams `number` and up, whole and in order, of at least 4 bytes. Returns the number of the next. */
static inline uint32_t check(ox_list *list, uint32_t number) {
    static uint8_t expected[65536];
    for (ox_buf *buf = list->head; buf != NULL; buf = buf->next) {
        uint32_t unit = buf->segment != 0 ? buf->segment : buf->len;
        for (uint32_t at = 0; at < buf->len; at += unit, number++) {
            uint32_t len = buf->len - at < unit ? buf->len - at : unit;
            fill(expected, len, number);
            assert_memory_equal(expected, buf->data + at, len);
        }
    }
    ox_pool_put_list(pool, list);
    return number;
}

static inline ox_port_report status(const ox_port *port) {
    ox_port_report report;
    ox_port_status(port, &report);
    return report;
}

#endif
