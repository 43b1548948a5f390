/* Flows made by a generator with a seed: what they look like, and which are taken for realtime. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "Tests/C/COxPacket/packets.h"
#include "oxcore/flow.h"

static ox_classifier *classifier;
static uint64_t seed;
static double now_ms;

static int open(void **state) {
    (void)state;
    classifier = ox_classifier_create();
    seed = 1;
    now_ms = 1000;
    return classifier == NULL;
}

static int close(void **state) {
    (void)state;
    ox_classifier_destroy(classifier);
    return 0;
}

/* Above 0, below 1. */
static double uniform(void) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return ((double)(seed >> 33) + 0.5) / 2147483648.0;
}
static double exponential(double mean) { return -mean * log(uniform()); }
static double normal(double deviation) { return deviation * sqrt(-2 * log(uniform())) * cos(6.283185307 * uniform()); }

static bool is_realtime(uint32_t flow, uint16_t port, uint32_t payload) {
    static packet p;
    static uint8_t content[65000];
    begin_v4(&p, OX_PROTO_UDP, 0);
    p.bytes[1] = 0;
    put_udp(&p, 40000, port, content, payload);
    end(&p);
    ox_headers headers;
    assert_int_equal(ox_parse(p.bytes, p.len, &headers), OX_PASS);
    const ox_class class_ = ox_classify(classifier, NULL, 0, p.bytes, &headers, flow, (uint64_t)(now_ms * 1e6));
    assert_true(class_ == OX_CLASS_REALTIME || class_ == OX_CLASS_GENERAL);
    return class_ == OX_CLASS_REALTIME;
}

typedef struct outcome {
    double share;   /* of its packets that were realtime */
    double first_ms; /* after which the first one was */
    int lapses;
} outcome;

/* A sender with a clock of `tick_ms`, whose packets come late by jitter, over `seconds`. */
static outcome clocked(uint32_t flow, double tick_ms, double jitter_ms, uint32_t payload, double seconds) {
    outcome found = {0};
    const double start_ms = now_ms;
    int packets = 0, realtime = 0;
    bool before = false;
    for (double sent_ms = now_ms; sent_ms < start_ms + 1000 * seconds; sent_ms += tick_ms) {
        const double arrival_ms = sent_ms + fabs(normal(jitter_ms));
        if (arrival_ms > now_ms) now_ms = arrival_ms;
        const bool is = is_realtime(flow, 6000, payload + (uint32_t)(uniform() * 20));
        if (is && found.first_ms == 0) found.first_ms = now_ms - start_ms;
        if (before && !is) found.lapses++;
        before = is;
        packets++;
        realtime += is;
    }
    found.share = (double)realtime / packets;
    return found;
}

static void voice_is_realtime_soon_and_stays_so(void **state) {
    (void)state;
    const double ticks[] = {10, 20, 30, 60}, jitters[] = {0, 0.1, 0.2, 0.35};
    uint32_t flow = 1;
    for (int tick = 0; tick < 4; tick++) {
        for (int jitter = 0; jitter < 4; jitter++) {
            const outcome found = clocked(flow++, ticks[tick], ticks[tick] * jitters[jitter], 160, 60);
            assert_true(found.share > 0.95 && found.lapses == 0);
            assert_true(found.first_ms >= 300 && found.first_ms < 2500);
        }
    }
}

static void so_is_one_that_begins_with_several_at_once(void **state) {
    (void)state;
    for (uint32_t at_once = 2; at_once <= 5; at_once++) {
        for (uint32_t i = 0; i < at_once; i++) {
            assert_false(is_realtime(60 + at_once, 6000, 160));
            now_ms += 0.001 * (at_once % 3);
        }
        now_ms += 20;
        const outcome found = clocked(60 + at_once, 20, 0, 160, 20);
        assert_true(found.first_ms > 0 && found.first_ms < 1000 && found.lapses == 0);
    }
}

static void a_game_is_too_at_any_tick(void **state) {
    (void)state;
    const double ticks[] = {8, 15.6, 16.7, 33.3, 50, 66};
    for (uint32_t i = 0; i < 6; i++) {
        const outcome found = clocked(100 + i, ticks[i], ticks[i] / 4, 60, 60);
        assert_true(found.share > 0.95 && found.lapses == 0);
    }
}

static void so_is_one_whose_ticks_alternate(void **state) {
    (void)state;
    int realtime = 0;
    for (int i = 0; i < 2000; i++) {
        now_ms += uniform() < 0.5 ? 16.7 : 33.3;
        realtime += is_realtime(7, 6000, 80);
    }
    assert_true(realtime > 1900);
}

static void large_or_seldom_or_crowded_is_not(void **state) {
    (void)state;
    assert_true(clocked(1, 20, 1, 400, 30).share == 0);  /* video */
    assert_true(clocked(2, 200, 1, 60, 60).share == 0);  /* keepalives */
    assert_true(clocked(3, 1, 0.1, 60, 10).share == 0);  /* a flood */
}

/* What acknowledges a transfer over a protocol of its own. */
static void acknowledgements_are_not(void **state) {
    (void)state;
    int realtime = 0, packets = 0;
    for (int i = 0; i < 30000; i++, packets++) { /* bursts of three a round trip */
        now_ms += i % 3 != 0 ? 0.3 + uniform() : 30 + normal(5);
        realtime += is_realtime(11, 4433, 30);
    }
    assert_int_equal(realtime, 0);
    for (int i = 0; i < 30000; i++) { /* in pairs, or after a pause */
        now_ms += uniform() < 0.5 ? 0.5 + uniform() : 2 + exponential(20);
        realtime += is_realtime(12, 4433, 30);
    }
    assert_int_equal(realtime, 0);
    for (double mean = 10; mean <= 80; mean *= 2) { /* at random */
        for (int i = 0; i < 10000; i++, packets++) {
            now_ms += exponential(mean);
            realtime += is_realtime(13 + (uint32_t)mean, 4433, 30);
        }
    }
    assert_true(realtime < packets / 200);
}

static void quic_is_not_however_its_server_paces(void **state) {
    (void)state;
    for (int i = 0; i < 2000; i++) {
        now_ms += 24 + uniform();
        assert_false(is_realtime(21, 443, 30));
    }
}

static void a_flow_that_falls_silent_begins_anew(void **state) {
    (void)state;
    assert_true(clocked(31, 20, 1, 100, 5).share > 0.9);
    now_ms += 1900;
    assert_true(is_realtime(31, 6000, 100));
    now_ms += 2100;
    assert_false(is_realtime(31, 6000, 100));
    assert_true(clocked(31, 20, 1, 100, 5).share > 0.9);
}

static void a_flow_that_changes_is_let_go_and_not_soon_taken_back(void **state) {
    (void)state;
    assert_true(clocked(41, 20, 1, 100, 5).share > 0.9);
    int realtime = 0;
    for (int i = 0; i < 1000; i++) {
        now_ms += 1;
        realtime += is_realtime(41, 6000, 1400);
    }
    assert_in_range(realtime, 1, 60);
    /* Steady and not in turns of two seconds: each time it takes twice as long. */
    int changes = 0;
    bool before = false;
    for (int turn = 0; turn < 60; turn++) {
        for (int i = 0; i < 100; i++) {
            now_ms += 20;
            const bool is = is_realtime(41, 6000, turn % 2 ? 1400 : 100);
            changes += is != before;
            before = is;
        }
    }
    assert_in_range(changes, 0, 8);
}

static void a_crowd_of_new_flows_does_not_push_out_a_steady_one(void **state) {
    (void)state;
    int realtime = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        now_ms += 20;
        realtime += is_realtime(0x1234, 6000, 100);
        for (uint32_t other = 0; other < 20 && i > 50; other++) is_realtime((i << 16 | other << 12 | 0x234) + 1, 6000, 100);
        for (uint32_t other = 0; other < 5 && i > 50; other++) is_realtime(i << 20 | other << 16 | 0x1234, 6000, 100);
    }
    assert_true(realtime > 950);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open, close)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(voice_is_realtime_soon_and_stays_so),
        TEST(so_is_one_that_begins_with_several_at_once),
        TEST(a_game_is_too_at_any_tick),
        TEST(so_is_one_whose_ticks_alternate),
        TEST(large_or_seldom_or_crowded_is_not),
        TEST(acknowledgements_are_not),
        TEST(quic_is_not_however_its_server_paces),
        TEST(a_flow_that_falls_silent_begins_anew),
        TEST(a_flow_that_changes_is_let_go_and_not_soon_taken_back),
        TEST(a_crowd_of_new_flows_does_not_push_out_a_steady_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
