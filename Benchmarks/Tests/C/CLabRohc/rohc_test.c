#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lab/problem.h"
#include "lab/rohc.h"

static uint8_t packet[LAB_ROHC_PACKET_MAX], other[LAB_ROHC_PACKET_MAX];

static uint16_t be16(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }

static void a_flow_is_a_function_of_its_seed(void **state) {
    (void)state;
    for (size_t i = 0; lab_rohc_flow_name(i) != NULL; i++) {
        lab_rohc_flow *one = lab_rohc_flow_create(lab_rohc_flow_name(i), 7), *again = lab_rohc_flow_create(lab_rohc_flow_name(i), 7);
        assert_non_null(one);
        assert_non_null(again);
        uint64_t now = 0, then = 0;
        uint32_t header, its;
        for (uint32_t n = 0; n < 300; n++) {
            const uint64_t before = now;
            const uint32_t bytes = lab_rohc_flow_next(one, packet, &now, &header);
            assert_int_equal(bytes, lab_rohc_flow_next(again, other, &then, &its));
            assert_int_equal(header, its);
            assert_true(header <= bytes && bytes <= LAB_ROHC_PACKET_MAX && now >= before && now == then);
            assert_memory_equal(packet, other, bytes);
        }
        lab_rohc_flow_destroy(one);
        lab_rohc_flow_destroy(again);
    }
}

static void packets_are_valid(void **state) {
    (void)state;
    for (size_t i = 0; lab_rohc_flow_name(i) != NULL; i++) {
        lab_rohc_flow *flow = lab_rohc_flow_create(lab_rohc_flow_name(i), 3);
        uint64_t now;
        uint32_t header;
        for (uint32_t n = 0; n < 300; n++) {
            const uint32_t bytes = lab_rohc_flow_next(flow, packet, &now, &header);
            const bool ipv4 = packet[0] >> 4 == 4;
            assert_int_equal(bytes, ipv4 ? be16(packet + 2) : be16(packet + 4) + 40);
            uint32_t sum = 0;
            for (uint32_t at = 0; ipv4 && at < 20; at += 2) sum += be16(packet + at);
            while (sum > 0xFFFF) sum = (sum & 0xFFFF) + (sum >> 16);
            assert_true(!ipv4 || sum == 0xFFFF);
        }
        lab_rohc_flow_destroy(flow);
    }
}

static void an_unknown_flow_is_said(void **state) {
    (void)state;
    assert_null(lab_rohc_flow_create("nonsense", 1));
    assert_non_null(strstr(lab_problem(), "nonsense"));
}

static const lab_rohc_options *agreed(const char *profiles) {
    static lab_rohc_options options;
    options = (lab_rohc_options){.profiles = lab_rohc_profiles_of(profiles), .cid_max = 15, .bidirectional = true, .reorder_ratio = 1};
    return &options;
}

static void profiles_of_both_versions_clash(void **state) {
    (void)state;
    assert_int_equal(0, lab_rohc_profiles_of("v3"));
    assert_false(lab_rohc_profiles_clash(lab_rohc_profiles_of("v1")));
    assert_false(lab_rohc_profiles_clash(lab_rohc_profiles_of("udp") | lab_rohc_profiles_of("v2-rtp")));
    assert_true(lab_rohc_profiles_clash(lab_rohc_profiles_of("udp") | lab_rohc_profiles_of("v2-udp")));
}

static void every_packet_ends_in_one_count(void **state) {
    (void)state;
    const lab_rohc_channel channel = {
        .loss = 0.05, .burst = 3, .late = 0.05, .late_places = 3, .duplicate = 0.02, .feedback_ns = 40000000,
    };
    for (uint32_t version = 0; version < 2; version++) {
        lab_rohc_tally tally;
        assert_true(lab_rohc_pass("game-seq", agreed(version ? "v2" : "v1"), &channel, 5000, 1, &tally));
        assert_int_equal(tally.packets, tally.lost + tally.exact + tally.wrong + tally.refused);
        assert_int_equal(0, tally.wrong);
        assert_in_range(tally.lost, 150, 400);
        assert_in_range(tally.duplicates, 50, 150);
        assert_true(tally.header_out < 6);
    }
}

static void a_measurement_has_all_its_figures(void **state) {
    (void)state;
    lab_rohc_cost cost;
    assert_true(lab_rohc_measure("voice-seq", agreed("v2"), 2000, 1, &cost));
    assert_int_equal(2000, cost.packets);
    assert_true(cost.header_in == 40 && cost.header_out < 4);
    const lab_rohc_time times[] = {cost.compress, cost.decompress, cost.first_compress, cost.first_decompress};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++)
        assert_true(times[i].best_ns > 0 && times[i].median_ns >= times[i].best_ns);
    assert_int_equal(0, cost.wrong + cost.refused);
    assert_in_range(cost.packets_to_smallest, 1, 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flow_is_a_function_of_its_seed),
        cmocka_unit_test(packets_are_valid),
        cmocka_unit_test(an_unknown_flow_is_said),
        cmocka_unit_test(profiles_of_both_versions_clash),
        cmocka_unit_test(every_packet_ends_in_one_count),
        cmocka_unit_test(a_measurement_has_all_its_figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
