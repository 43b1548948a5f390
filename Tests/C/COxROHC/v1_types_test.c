/* Every packet type of profiles 0x0001 to 0x0004 is chosen where it is the shortest, and brings its packet through. */
#include "v1_flows.h"

static const ox_rohc_parameters parameters = {.profiles = OX_ROHC_V1, .cid_max = 15, .bidirectional = true};

/* The flow goes on by `steps` packets of a regular kind. */
static void go_on(rohc_ends *ends, packet_fields *f, uint32_t steps) {
    for (uint32_t i = 0; i < steps; i++) {
        f->inner.id++;
        f->outer.id++;
        f->sn++;
        f->ts += 160;
        f->marker = false;
        carry_one(ends, f);
    }
}

/* What differs from a regular packet: steps of IP-IDs, sequence number and TS beyond theirs. */
typedef struct turn {
    ox_rohc_type type;
    uint32_t id, outer_id, sn, scaled;
    bool marker;
    uint8_t ttl, payload_type;
    uint32_t ts; /* not a multiple of the stride */
} turn;

static void take(rohc_ends *ends, packet_fields *f, const turn *t) {
    f->inner.id = (uint16_t)(f->inner.id + 1 + t->sn + t->id);
    f->outer.id = (uint16_t)(f->outer.id + 1 + t->sn + t->outer_id);
    f->sn += 1 + t->sn;
    f->ts += 160 * (1 + t->sn + t->scaled) + t->ts;
    f->marker = t->marker;
    f->inner.ttl = (uint8_t)(f->inner.ttl + t->ttl);
    f->payload_type = (uint8_t)(f->payload_type + t->payload_type);
    carry_one(ends, f);
    if (ends->last.type != t->type)
        fail_msg("%s instead of %s", ox_rohc_type_name(ends->last.type), ox_rohc_type_name(t->type));
    go_on(ends, f, 40);
    assert_int_equal(ends->last.type, OX_ROHC_TYPE_UO_0);
}

static void run_turns(packet_fields f, const turn *turns, uint32_t count) {
    static rohc_ends ends;
    open_ends(&ends, &parameters);
    go_on(&ends, &f, 12);
    assert_int_equal(ends.last.type, OX_ROHC_TYPE_UO_0);
    for (uint32_t i = 0; i < count; i++) take(&ends, &f, &turns[i]);
    close_ends(&ends);
}

static void rtp_over_ipv4(void **state) {
    (void)state;
    static const turn turns[] = {
        {.type = OX_ROHC_TYPE_UO_1_ID, .id = 3},
        {.type = OX_ROHC_TYPE_UO_1_TS, .scaled = 5, .marker = true},
        {.type = OX_ROHC_TYPE_UO_1_TS, .marker = true},
        {.type = OX_ROHC_TYPE_UOR_2_ID, .id = 4, .marker = true},
        {.type = OX_ROHC_TYPE_UOR_2_TS, .sn = 3, .scaled = 2},
        {.type = OX_ROHC_TYPE_UO_1_ID_EXT_0, .id = 60},
        {.type = OX_ROHC_TYPE_UOR_2_ID_EXT_0, .id = 61, .marker = true},
        {.type = OX_ROHC_TYPE_UOR_2_TS_EXT_0, .scaled = 100, .marker = true},
        {.type = OX_ROHC_TYPE_UO_1_ID_EXT_1, .id = 50, .scaled = 40},
        {.type = OX_ROHC_TYPE_UOR_2_ID_EXT_1, .id = 50, .scaled = 20, .sn = 115},
        {.type = OX_ROHC_TYPE_UOR_2_TS_EXT_1, .id = 50, .scaled = 40, .marker = true},
        {.type = OX_ROHC_TYPE_UO_1_ID_EXT_2, .id = 3000},
        {.type = OX_ROHC_TYPE_UOR_2_ID_EXT_2, .id = 3000, .marker = true},
        {.type = OX_ROHC_TYPE_UOR_2_TS_EXT_2, .scaled = 9000, .marker = true},
        {.type = OX_ROHC_TYPE_UO_1_ID_EXT_3, .sn = 1000},
        {.type = OX_ROHC_TYPE_UOR_2_ID_EXT_3, .ttl = 1},
        {.type = OX_ROHC_TYPE_UOR_2_ID_EXT_3, .payload_type = 1},
        {.type = OX_ROHC_TYPE_UOR_2_TS_EXT_3, .scaled = 100000, .marker = true},
        {.type = OX_ROHC_TYPE_UOR_2_TS_EXT_3, .ts = 7},
    };
    run_turns(voice_fields(4), turns, sizeof turns / sizeof turns[0]);
}

static void rtp_over_ipv6(void **state) {
    (void)state;
    static const turn turns[] = {
        {.type = OX_ROHC_TYPE_UO_1_RTP, .scaled = 7, .marker = true},
        {.type = OX_ROHC_TYPE_UOR_2_RTP, .sn = 30},
        {.type = OX_ROHC_TYPE_UOR_2_RTP_EXT_0, .scaled = 150, .marker = true},
        {.type = OX_ROHC_TYPE_UOR_2_RTP_EXT_1, .scaled = 20000},
        {.type = OX_ROHC_TYPE_UOR_2_RTP_EXT_2, .scaled = 2000000},
        {.type = OX_ROHC_TYPE_UOR_2_RTP_EXT_3, .ttl = 1, .scaled = 3},
    };
    run_turns(voice_fields(6), turns, sizeof turns / sizeof turns[0]);
}

static void udp_in_ipv4_in_ipv4(void **state) {
    (void)state;
    static const turn turns[] = {
        {.type = OX_ROHC_TYPE_UO_1, .id = 40},
        {.type = OX_ROHC_TYPE_UOR_2_EXT_1, .id = 1500},
        {.type = OX_ROHC_TYPE_UOR_2_EXT_2, .id = 30, .outer_id = 700},
        {.type = OX_ROHC_TYPE_UOR_2_EXT_3, .id = 30, .outer_id = 7000},
        {.type = OX_ROHC_TYPE_UOR_2_EXT_3, .ttl = 1},
    };
    packet_fields f = game_fields(4);
    f.outer = (ip_fields){.version = 4, .ttl = 60, .id = 9000};
    run_turns(f, turns, sizeof turns / sizeof turns[0]);
}

static void esp(void **state) {
    (void)state;
    static const turn turns[] = {
        {.type = OX_ROHC_TYPE_UO_1, .id = 40},
        {.type = OX_ROHC_TYPE_UOR_2, .sn = 15},
        {.type = OX_ROHC_TYPE_UOR_2_EXT_0, .sn = 100},
        {.type = OX_ROHC_TYPE_UOR_2_EXT_1, .sn = 100, .id = 100},
        {.type = OX_ROHC_TYPE_UOR_2_EXT_3, .sn = 3000},
    };
    packet_fields f = game_fields(4);
    f.protocol = V1_ESP_PROTO;
    f.identity = 0xABCDEF01;
    f.sn = 70000;
    run_turns(f, turns, sizeof turns / sizeof turns[0]);
}

/* What no UO packet says goes by IR-DYN; then the flow is as short as before. */
static void changes_of_the_chain(void **state) {
    (void)state;
    static rohc_ends ends;
    open_ends(&ends, &parameters);
    packet_fields f = voice_fields(6);
    go_on(&ends, &f, 12);
    for (uint32_t i = 0; i < 12; i++) {
        switch (i % 4) {
        case 0: f.csrcs = (uint8_t)(f.csrcs == 0 ? 3 : f.csrcs == 3 ? 15 : 0); break;
        case 1: f.checksum = !f.checksum; break;
        case 2: f.destination_options = f.destination_options == 0 ? 24 : 0; break;
        default: f.extension = !f.extension; break;
        }
        go_on(&ends, &f, 1);
        assert_int_equal(ends.last.type, i % 4 == 3 ? OX_ROHC_TYPE_UOR_2_RTP_EXT_3 : OX_ROHC_TYPE_IR_DYN);
        go_on(&ends, &f, 3);
        assert_int_equal(ends.last.type, OX_ROHC_TYPE_UO_0);
    }
    close_ends(&ends);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rtp_over_ipv4),       cmocka_unit_test(rtp_over_ipv6),
        cmocka_unit_test(udp_in_ipv4_in_ipv4), cmocka_unit_test(esp),
        cmocka_unit_test(changes_of_the_chain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
