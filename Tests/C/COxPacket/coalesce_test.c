#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "Tests/C/COxPacket/coalescer_world.h"

static void a_run_becomes_one_super_packet(void **state) {
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        for (uint32_t payload = 1; payload <= 1400; payload += 87) {
            spec s = kind_spec(kind);
            s.payload = payload;
            s.sequence = UINT32_MAX - 100;
            s.id = 0xFFF0;
            give_run(&s, 40);
            s.payload = (payload + 1) / 2;
            give_run(&s, 1);
            assert_int_equal(flush(&world), 1);
        }
    }
    assert_int_equal(world.supers, 4 * 17);
}

static void a_lone_packet_goes_out_as_it_came(void **state) {
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        const spec s = kind_spec(kind);
        ox_buf *buf = buf_of(world.pool, OX_BUF_SMALL, &s, OX_CHECKSUM_PARTIAL);
        buf->peer = 5;
        const ox_buf before = *buf;
        const ox_headers headers = parsed(buf->data, buf->len);
        ox_list out = {0};
        ox_coalescer_add(world.coalescer, buf, &headers, hash_of(buf->data, &headers), &out);
        assert_int_equal(out.count, 0);
        ox_coalescer_flush(world.coalescer, &out);
        assert_int_equal(out.count, 1);
        assert_ptr_equal(out.head, buf);
        assert_memory_equal(buf, &before, sizeof before);
        ox_pool_put_list(world.pool, &out);
    }
}

static void the_end_of_a_run_goes_on_at_once(void **state) {
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        spec s = kind_spec(kind);
        give_run(&s, 3);
        s.payload--;
        give_run(&s, 1); // shorter
        assert_int_equal(collect(&world), 1);
        if (s.protocol == OX_PROTO_TCP) {
            give_run(&s, 3);
            s.flags = ACK | PSH;
            give_run(&s, 1);
            assert_int_equal(collect(&world), 1);
            give_run(&s, 1); // PSH alone has nothing to wait for
            assert_int_equal(collect(&world), 1);
        }
        assert_int_equal(flush(&world), 0);
    }
}

static void a_longer_packet_begins_a_run(void **state) {
    (void)state;
    spec s = udp_spec(4);
    give_run(&s, 3);
    s.payload++;
    give_run(&s, 3);
    assert_int_equal(flush(&world), 2);
}

static void a_run_ends_at_its_limits(void **state) {
    (void)state;
    spec s = udp_spec(6);
    give_run(&s, OX_SEGMENTS_MAX);
    assert_int_equal(collect(&world), 1);
    give_run(&s, 1);
    assert_int_equal(flush(&world), 1);

    s = udp_spec(4); // 28 + 45 x 1455 = 65,503 bytes; 46 are too long
    s.payload = 1455;
    give_run(&s, 46);
    assert_int_equal(flush(&world), 2);
    s.payload = 1489; // 28 + 44 x 1489 = 65,544: just too long
    give_run(&s, 44);
    assert_int_equal(flush(&world), 2);
    s.payload = 1488; // 65,500
    give_run(&s, 44);
    s.payload = 35;
    give_run(&s, 1);
    assert_int_equal(flush(&world), 1);
    s.payload = 1488;
    give_run(&s, 44);
    s.payload = 36;
    give_run(&s, 1);
    assert_int_equal(flush(&world), 2);
}

static void interleaved_flows_grow_side_by_side(void **state) {
    (void)state;
    spec flows[16];
    for (uint16_t f = 0; f < 16; f++) {
        flows[f] = kind_spec(f % 4);
        flows[f].source = (uint16_t)(flows[f].source + f / 4);
    }
    for (int i = 0; i < 12; i++)
        for (int f = 0; f < 16; f++) give_run(&flows[f], 1);
    assert_int_equal(flush(&world), 16);
    assert_int_equal(world.supers, 16);
}

static void more_flows_than_runs_keep_their_order(void **state) {
    (void)state;
    spec flows[40];
    for (uint16_t f = 0; f < 40; f++) {
        flows[f] = f & 1 ? tcp_spec(f & 2 ? 4 : 6) : udp_spec(f & 2 ? 4 : 6);
        flows[f].source = (uint16_t)(flows[f].source + f);
    }
    for (int i = 0; i < 5; i++)
        for (int f = 0; f < 40; f++) {
            give_run(&flows[f], 2);
            if (ox_pool_free(world.pool, OX_BUF_SMALL) < 10) collect(&world);
        }
    flush(&world);
    assert_true(world.supers >= 100);
}

/* The record checks that nothing of a flow is overtaken. */
static void what_cannot_join_flushes_its_flow_first(void **state) {
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        spec s = kind_spec(kind), other = kind_spec(kind);
        other.source += 9;
        give_run(&other, 2);
        give_run(&s, 5);
        s.payload = 0;
        give_run(&s, 1);
        assert_int_equal(collect(&world), 2);
        s.payload = 100;
        give_run(&s, 5);
        ox_buf *super = buf_of(world.pool, OX_BUF_LARGE, &s, OX_CHECKSUM_PARTIAL);
        super->segment = 50;
        enter(&world, super);
        assert_int_equal(collect(&world), 2);
        assert_int_equal(flush(&world), 1);
    }
}

static void a_fragment_flushes_the_flows_of_its_addresses(void **state) {
    (void)state;
    spec s = udp_spec(4), other = udp_spec(4), fragment = udp_spec(4);
    other.host++;
    give_run(&s, 5);
    give_run(&other, 5);
    ox_buf *buf = buf_of(world.pool, OX_BUF_SMALL, &fragment, OX_CHECKSUM_UNKNOWN);
    buf->data[6] = 0x20;
    enter(&world, buf);
    assert_int_equal(collect(&world), 2);
    assert_int_equal(flush(&world), 1);
}

static void the_first_buffer_is_kept_while_it_has_room(void **state) {
    (void)state;
    spec s = udp_spec(4);
    s.payload = 64;
    ox_buf *first = buf_of(world.pool, OX_BUF_SMALL, &s, OX_CHECKSUM_VALID);
    enter(&world, first);
    advance(&s);
    give_run(&s, 20);
    ox_coalescer_flush(world.coalescer, &world.out);
    assert_ptr_equal(world.out.head, first);
    assert_int_equal(ox_pool_free(world.pool, OX_BUF_LARGE), 20);
    assert_int_equal(flush(&world), 1);
}

static void without_a_large_buffer_packets_pass(void **state) {
    (void)state;
    ox_list all = {0};
    for (ox_buf *buf; (buf = ox_pool_get(world.pool, OX_BUF_LARGE)) != NULL;) ox_list_append(&all, buf);
    spec s = tcp_spec(4);
    give_run(&s, 10);
    assert_int_equal(flush(&world), 10);
    s.payload = 100; // 17 fit into a small one
    give_run(&s, 40);
    assert_int_equal(flush(&world), 3);
    ox_pool_put_list(world.pool, &all);
    give_run(&s, 40);
    assert_int_equal(flush(&world), 1);
}

static void a_run_that_began_in_a_large_buffer_stays_there(void **state) {
    (void)state;
    spec s = tcp_spec(4);
    ox_buf *first = buf_of(world.pool, OX_BUF_LARGE, &s, OX_CHECKSUM_VALID);
    enter(&world, first);
    advance(&s);
    give_run(&s, 20);
    assert_int_equal(ox_pool_free(world.pool, OX_BUF_LARGE), 19);
    assert_int_equal(flush(&world), 1);
    // Content that begins far back leaves no room for the longest packet: the run moves once.
    s.payload = 1400;
    first = ox_pool_get(world.pool, OX_BUF_LARGE);
    first->data += 60000;
    first->len = write_packet(first->data, &s, false);
    first->checksum = OX_CHECKSUM_VALID;
    enter(&world, first);
    advance(&s);
    give_run(&s, 40);
    assert_int_equal(ox_pool_free(world.pool, OX_BUF_LARGE), 19);
    assert_int_equal(flush(&world), 1);
}

static void what_is_inside_goes_back_to_the_pool_at_the_end(void **state) {
    (void)state;
    spec s = tcp_spec(4);
    give_run(&s, 10);
    s = udp_spec(6);
    give_run(&s, 1);
    ox_coalescer_destroy(NULL); // the tear-down destroys and counts
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_WORLD(a_run_becomes_one_super_packet),
        WITH_WORLD(a_lone_packet_goes_out_as_it_came),
        WITH_WORLD(the_end_of_a_run_goes_on_at_once),
        WITH_WORLD(a_longer_packet_begins_a_run),
        WITH_WORLD(a_run_ends_at_its_limits),
        WITH_WORLD(interleaved_flows_grow_side_by_side),
        WITH_WORLD(more_flows_than_runs_keep_their_order),
        WITH_WORLD(what_cannot_join_flushes_its_flow_first),
        WITH_WORLD(a_fragment_flushes_the_flows_of_its_addresses),
        WITH_WORLD(the_first_buffer_is_kept_while_it_has_room),
        WITH_WORLD(without_a_large_buffer_packets_pass),
        WITH_WORLD(a_run_that_began_in_a_large_buffer_stays_there),
        WITH_WORLD(what_is_inside_goes_back_to_the_pool_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
