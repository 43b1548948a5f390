#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "Tests/C/COxPacket/coalescer_world.h"

/* Two packets of a flow, the second one otherwise than it should be: nothing may be put together. */
static void refuse(spec s, const spec *second) {
    give(&s);
    give(second);
    assert_int_equal(flush(&world), 2);
}

#define REFUSE(first, change)                                                                                       \
    do {                                                                                                            \
        spec s = first;                                                                                             \
        const spec before = s;                                                                                      \
        advance(&s);                                                                                                \
        change;                                                                                                     \
        refuse(before, &s);                                                                                         \
    } while (0)

static void headers_that_differ_are_not_put_together(void **state) {
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        REFUSE(kind_spec(kind), s.tos = 1);
        REFUSE(kind_spec(kind), s.tos = 0x20);
        REFUSE(kind_spec(kind), s.ttl--);
        REFUSE(kind_spec(kind), s.host++);
        REFUSE(kind_spec(kind), s.source++);
        REFUSE(kind_spec(kind), s.destination++);
        REFUSE(kind_spec(kind), s.df = false);
    }
    for (uint8_t version = 4; version <= 6; version += 2) {
        REFUSE(tcp_spec(version), s.sequence++);
        REFUSE(tcp_spec(version), s.sequence -= s.payload);
        REFUSE(tcp_spec(version), s.acknowledgement++);
        REFUSE(tcp_spec(version), s.window++);
        REFUSE(tcp_spec(version), s.urgent++);
        REFUSE(tcp_spec(version), s.option++);
        REFUSE(tcp_spec(version), s.options -= 4);
        REFUSE(tcp_spec(version), s.payload = 0);
        static const uint8_t flags[] = {0, ACK | FIN, ACK | SYN, ACK | RST, ACK | URG, ACK | ECE, ACK | CWR, PSH};
        for (size_t i = 0; i < sizeof flags; i++) REFUSE(tcp_spec(version), s.flags = flags[i]);
    }
    REFUSE(tcp_spec(4), s.id++);
    REFUSE(tcp_spec(4), s.id--);
    spec any = udp_spec(4);
    any.df = false;
    REFUSE(any, s.id++);
    REFUSE(udp_spec(4), s.payload = 0);
    assert_int_equal(world.supers, 0);
}

static void identifications_of_datagrams_with_df_do_not_matter(void **state) {
    (void)state;
    spec s = udp_spec(4);
    for (uint32_t i = 0; i < 10; i++, s.fill++) give(&s);
    assert_int_equal(flush(&world), 1);
    s.df = false;
    give_run(&s, 10);
    assert_int_equal(flush(&world), 1);
}

/* The same packets twice; `spoil` is done to each. */
static void refuse_spoiled(spec s, void (*spoil)(ox_buf *buf)) {
    for (int i = 0; i < 3; i++, advance(&s)) {
        ox_buf *buf = buf_of(world.pool, OX_BUF_SMALL, &s, OX_CHECKSUM_VALID);
        spoil(buf);
        enter(&world, buf);
    }
    assert_int_equal(flush(&world), 3);
}

static void know_nothing(ox_buf *buf) { buf->checksum = OX_CHECKSUM_UNKNOWN; }
static void break_v4_sum(ox_buf *buf) { buf->data[10] ^= 1; }
static void write_other_zero(ox_buf *buf) { ox_store_be16(buf->data + 20 + 16, 0xFFFF); }
static void write_no_checksum(ox_buf *buf) { ox_store_be16(buf->data + 20 + 6, 0); }
static void shorten_udp(ox_buf *buf) { buf->data[20 + 5]--; }
static void set_accurate_ecn(ox_buf *buf) { buf->data[20 + 12] |= 1; }
static void make_super(ox_buf *buf) { buf->segment = 10; }

static void what_segmentation_would_not_give_back_is_left_alone(void **state) {
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        refuse_spoiled(kind_spec(kind), know_nothing);
        refuse_spoiled(kind_spec(kind), make_super);
    }
    refuse_spoiled(tcp_spec(4), break_v4_sum);
    refuse_spoiled(udp_spec(4), break_v4_sum);
    refuse_spoiled(tcp_spec(4), write_other_zero);
    refuse_spoiled(udp_spec(4), write_no_checksum);
    refuse_spoiled(udp_spec(4), shorten_udp);
    refuse_spoiled(tcp_spec(4), set_accurate_ecn);
    assert_int_equal(world.supers, 0);
}

static void a_wrong_sum_of_the_first_packet_spoils_only_that(void **state) {
    (void)state;
    spec s = udp_spec(4);
    ox_buf *buf = buf_of(world.pool, OX_BUF_SMALL, &s, OX_CHECKSUM_VALID);
    break_v4_sum(buf);
    enter(&world, buf);
    advance(&s);
    give_run(&s, 3);
    assert_int_equal(flush(&world), 2);
    assert_int_equal(world.supers, 1);
}

static void a_wrong_sum_of_a_later_packet_spoils_only_that(void **state) {
    (void)state;
    spec s = udp_spec(4);
    give_run(&s, 2);
    ox_buf *buf = buf_of(world.pool, OX_BUF_SMALL, &s, OX_CHECKSUM_VALID);
    break_v4_sum(buf);
    enter(&world, buf);
    assert_int_equal(flush(&world), 2);
    assert_int_equal(world.supers, 1);
}

static void the_other_zero_of_a_v4_sum_is_given_back(void **state) {
    (void)state;
    uint8_t packet[OX_BUF_BYTES];
    spec s = tcp_spec(4);
    s.id = 0;
    write_packet(packet, &s, false);
    s.id = (uint16_t)(ox_load_be16(packet + 10) - 1); // one before the identification whose checksum is zero
    give_run(&s, 1);
    ox_buf *buf = buf_of(world.pool, OX_BUF_SMALL, &s, OX_CHECKSUM_VALID);
    assert_int_equal(ox_load_be16(buf->data + 10), 0);
    ox_store_be16(buf->data + 10, 0xFFFF);
    enter(&world, buf);
    assert_int_equal(flush(&world), 2);
}

static void extension_headers_are_left_alone(void **state) {
    (void)state;
    spec s = udp_spec(6);
    for (uint8_t option = 0; option < 3; option++) {
        ox_buf *buf = buf_of(world.pool, OX_BUF_SMALL, &s, OX_CHECKSUM_VALID);
        memmove(buf->data + 48, buf->data + 40, 108);
        memcpy(buf->data + 40, (const uint8_t[8]){OX_PROTO_UDP, 0, 0x3E, 4, option}, 8); // destination options
        buf->data[6] = 60;
        buf->data[5] = (uint8_t)(buf->data[5] + 8);
        buf->len += 8;
        enter(&world, buf);
        give_run(&s, 1);
    }
    assert_int_equal(flush(&world), 6);
}

static void the_way_back_is_another_flow(void **state) {
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        spec s = kind_spec(kind);
        s.destination = s.source;
        for (int i = 0; i < 4; i++, advance(&s)) {
            ox_buf *buf = buf_of(world.pool, OX_BUF_SMALL, &s, OX_CHECKSUM_VALID);
            uint8_t *addresses = buf->data + (s.version == 4 ? 12 : 8), source[16];
            const size_t bytes = s.version == 4 ? 4 : 16;
            if (i % 2 == 1) {
                memcpy(source, addresses, bytes);
                memmove(addresses, addresses + bytes, bytes);
                memcpy(addresses + bytes, source, bytes);
            }
            enter(&world, buf);
        }
        flush(&world);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_WORLD(headers_that_differ_are_not_put_together),
        WITH_WORLD(identifications_of_datagrams_with_df_do_not_matter),
        WITH_WORLD(what_segmentation_would_not_give_back_is_left_alone),
        WITH_WORLD(a_wrong_sum_of_the_first_packet_spoils_only_that),
        WITH_WORLD(a_wrong_sum_of_a_later_packet_spoils_only_that),
        WITH_WORLD(the_other_zero_of_a_v4_sum_is_given_back),
        WITH_WORLD(extension_headers_are_left_alone),
        WITH_WORLD(the_way_back_is_another_flow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
