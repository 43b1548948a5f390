#include "v2_ends.h"

static const fields udp = {.protocol = PROTO_UDP, .ttl = 64, .df = 1, .id = 1000, .checksum = true};
static const fields rtp = {.protocol = IS_RTP, .ttl = 64, .df = 1, .id = 1000, .checksum = true, .sequence = 65530, .ts = 4294960000u, .ssrc = 7};
static const fields esp = {.protocol = PROTO_ESP, .ttl = 64, .df = 1, .id = 1000, .sequence = 0xFFFFFFF0};

static void a_flow_has_its_smallest_headers_by_the_fifth_packet(void **state) {
    (void)state;
    const fields all[] = {udp, rtp, esp, {.protocol = 1, .ttl = 64, .id = 1}, {.protocol = PROTO_UDP, .ipv6 = true, .ttl = 64, .checksum = true}};
    for (uint32_t i = 0; i < 5; i++) {
        ends e;
        ends_open(&e, false, 1);
        fields f = all[i];
        for (uint32_t n = 0; n < 4; n++, next(&f)) ends_send(&e, &f);
        assert_int_equal(OX_ROHC_TYPE_V2_PT_0_CRC3, ends_send(&e, &f));
        assert_int_equal(e.made.header_bytes, f.checksum ? 3 : 1);
        ends_close(&e);
    }
}

static void an_acknowledged_flow_sends_one_ir(void **state) {
    (void)state;
    ends e;
    ends_open(&e, true, 1);
    fields f = udp;
    assert_int_equal(OX_ROHC_TYPE_IR, ends_send(&e, &f));
    next(&f);
    assert_int_equal(OX_ROHC_TYPE_V2_PT_0_CRC3, ends_send(&e, &f));
    ends_close(&e);
}

static void a_jump_of_the_ip_id_is_said_in_as_few_bits_as_it_takes(void **state) {
    (void)state;
    static const struct {
        uint16_t jump;
        ox_rohc_type type;
    } jumps[] = {
        {3, OX_ROHC_TYPE_V2_PT_1_SEQ_ID}, {30, OX_ROHC_TYPE_V2_PT_2_SEQ_ID}, {100, OX_ROHC_TYPE_V2_CO_COMMON}, {9999, OX_ROHC_TYPE_V2_CO_COMMON},
    };
    for (uint32_t i = 0; i < 4; i++) {
        ends e;
        ends_open(&e, false, 1);
        fields f = udp;
        settle(&e, &f);
        f.id = (uint16_t)(f.id + jumps[i].jump);
        assert_int_equal(jumps[i].type, ends_send(&e, &f));
        next(&f);
        settle(&e, &f);
        assert_int_equal(OX_ROHC_TYPE_V2_PT_0_CRC3, ends_send(&e, &f));
        ends_close(&e);
    }
}

static void ip_ids_of_every_behavior_come_out(void **state) {
    (void)state;
    ends e;
    ends_open(&e, false, 1);
    fields f = udp;
    for (uint32_t i = 0; i < 200; i++, next(&f)) {
        const fields before = f;
        switch (i / 40) {
        case 1: f.id = (uint16_t)(i * 40503u); break;
        case 2: f.id = 0; break;
        case 3: f.id = rohc_swap16(f.id); break;
        default: break;
        }
        const ox_rohc_type type = ends_send(&e, &f);
        if (i % 40 == 39) {
            assert_int_equal(OX_ROHC_TYPE_V2_PT_0_CRC3, type);
            assert_int_equal(e.made.header_bytes, i / 40 == 1 ? 5 : 3);
        }
        f = before;
    }
    ends_close(&e);
}

static void what_seldom_changes_goes_by_co_common(void **state) {
    (void)state;
    ends e;
    ends_open(&e, false, 1);
    fields f = rtp;
    settle(&e, &f);
    f.ttl = 60;
    assert_int_equal(OX_ROHC_TYPE_V2_CO_COMMON, ends_send(&e, &f));
    settle(&e, &f);
    f.tos = 0xB8;
    f.df = 0;
    assert_int_equal(OX_ROHC_TYPE_V2_CO_COMMON, ends_send(&e, &f));
    settle(&e, &f);
    f.payload_type = 13;
    assert_int_equal(OX_ROHC_TYPE_V2_CO_COMMON, ends_send(&e, &f));
    settle(&e, &f);
    static const uint8_t counts[] = {3, 15, 7, 0};
    for (uint32_t i = 0; i < 4; i++) {
        f.sources = counts[i];
        assert_int_equal(OX_ROHC_TYPE_V2_CO_COMMON, ends_send(&e, &f));
        settle(&e, &f);
    }
    ends_close(&e);
}

static void what_only_a_dynamic_chain_says_goes_by_co_repair(void **state) {
    (void)state;
    ends e;
    ends_open(&e, false, 1);
    fields f = udp;
    settle(&e, &f);
    f.checksum = false;
    assert_int_equal(OX_ROHC_TYPE_V2_CO_REPAIR, ends_send(&e, &f));
    settle(&e, &f);
    assert_int_equal(OX_ROHC_TYPE_V2_PT_0_CRC3, ends_send(&e, &f));
    assert_int_equal(e.made.header_bytes, 1);
    ends_close(&e);

    ends_open(&e, false, 1);
    f = (fields){.protocol = PROTO_UDP, .ipv6 = true, .ttl = 64, .checksum = true, .options = 1};
    settle(&e, &f);
    f.options = 2;
    assert_int_equal(OX_ROHC_TYPE_V2_CO_REPAIR, ends_send(&e, &f));
    ends_close(&e);
}

static void another_source_starts_with_an_ir(void **state) {
    (void)state;
    ends e;
    ends_open(&e, false, 1);
    fields f = rtp;
    settle(&e, &f);
    f.ssrc = 8;
    assert_int_equal(OX_ROHC_TYPE_IR, ends_send(&e, &f));
    ends_close(&e);
}

static void a_talk_spurt_costs_a_few_small_packets(void **state) {
    (void)state;
    static const struct {
        uint32_t frames;
        bool random;
        ox_rohc_type type;
    } spurts[] = {
        {10, false, OX_ROHC_TYPE_V2_PT_1_SEQ_TS}, {60, false, OX_ROHC_TYPE_V2_PT_2_SEQ_BOTH}, {500, false, OX_ROHC_TYPE_V2_CO_COMMON},
        {10, true, OX_ROHC_TYPE_V2_PT_1_RND},     {40, true, OX_ROHC_TYPE_V2_PT_2_RND},
    };
    for (uint32_t i = 0; i < 5; i++) {
        ends e;
        ends_open(&e, false, 1);
        fields f = rtp;
        f.ts = 1000; // away from where it wraps, for there the residue of the stride is another
        for (uint32_t n = 0; n < 24; n++, next(&f)) {
            if (spurts[i].random) f.id = (uint16_t)(n * 40503u);
            ends_send(&e, &f);
        }
        f.ts += 160 * spurts[i].frames;
        f.marker = true;
        if (spurts[i].random) f.id = 0x1234;
        assert_int_equal(spurts[i].type, ends_send(&e, &f));
        ends_close(&e);
    }
}

static void nested_headers_of_both_versions_come_out(void **state) {
    (void)state;
    for (uint32_t ipv6 = 0; ipv6 < 2; ipv6++) {
        ends e;
        ends_open(&e, false, 1);
        fields f = udp;
        f.nested = true;
        f.ipv6 = ipv6 != 0;
        for (uint32_t n = 0; n < 40; n++, next(&f)) {
            f.outer_id = (uint16_t)(n * 777u);
            if (n == 30) f.ttl--;
            ends_send(&e, &f);
        }
        ends_close(&e);
    }
}

static void every_gap_and_every_ratio_is_bridged(void **state) {
    (void)state;
    for (uint8_t ratio = 0; ratio < 4; ratio++) {
        for (uint32_t gap = 1; gap < 4; gap++) {
            const fields all[] = {udp, rtp, esp};
            for (uint32_t i = 0; i < 3; i++) {
                ends e;
                ends_open(&e, false, ratio);
                fields f = all[i];
                settle(&e, &f);
                for (uint32_t n = 0; n < 100; n++, next(&f)) {
                    if (n % 5 < gap) ends_lose(&e, &f);
                    else ends_send(&e, &f);
                }
                ends_close(&e);
            }
        }
    }
}

static void refreshed_at_growing_intervals_until_there_is_an_answer(void **state) {
    (void)state;
    for (uint32_t both_ways = 0; both_ways < 2; both_ways++) {
        ends e;
        ends_open(&e, both_ways, 1);
        fields f = udp;
        uint32_t irs = 0;
        for (uint32_t n = 0; n < 1000; n++, next(&f)) irs += ends_send(&e, &f) == OX_ROHC_TYPE_IR;
        assert_int_equal(irs, both_ways ? 1 : 3 + 5); // after 64, 128, and each 256 packets
        ends_close(&e);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flow_has_its_smallest_headers_by_the_fifth_packet),
        cmocka_unit_test(an_acknowledged_flow_sends_one_ir),
        cmocka_unit_test(a_jump_of_the_ip_id_is_said_in_as_few_bits_as_it_takes),
        cmocka_unit_test(ip_ids_of_every_behavior_come_out),
        cmocka_unit_test(what_seldom_changes_goes_by_co_common),
        cmocka_unit_test(what_only_a_dynamic_chain_says_goes_by_co_repair),
        cmocka_unit_test(another_source_starts_with_an_ir),
        cmocka_unit_test(a_talk_spurt_costs_a_few_small_packets),
        cmocka_unit_test(nested_headers_of_both_versions_come_out),
        cmocka_unit_test(every_gap_and_every_ratio_is_bridged),
        cmocka_unit_test(refreshed_at_growing_intervals_until_there_is_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
