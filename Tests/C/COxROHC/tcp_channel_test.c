#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tcp_channel.h"
#include "tcp_wild.h"

static uint8_t packet[FLOW_PACKET_MAX];

enum { PACKETS = 2000, SEEDS = 6, DOWNLOAD = 0, ACKS, TYPING, WEB, WILD, FLOW_KINDS };

typedef struct flow_state {
    acks acks;
    typing typing;
    web web;
    wild wild;
} flow_state;

static void next(tcp_end *end, uint32_t kind, flow_state *state, uint32_t number) {
    switch (kind) {
    case DOWNLOAD: download_next(end, &usual_download, number); break;
    case ACKS: acks_next(end, &clean_acks, &state->acks, number); break;
    case TYPING: typing_next(end, &usual_typing, &state->typing, number); break;
    case WEB: web_next(end, &usual_web, &state->web); break;
    default: wild_next(end, &state->wild); break;
    }
}

typedef struct sum {
    uint64_t sent, damaged, wrong;
} sum;

/* Flows of a kind over channels that are set up by `disturb`. */
static sum over_channels(uint32_t kind, void (*disturb)(channel *)) {
    sum sum = {0};
    for (uint32_t seed = 1; seed <= SEEDS; seed++) {
        const ox_rohc_parameters parameters = {
            .profiles = OX_ROHC_UNCOMPRESSED | OX_ROHC_TCP, .cid_max = 15, .bidirectional = true, .verify_checksums = kind != WILD,
        };
        channel *c = channel_open(&parameters, seed);
        c->tell_order = true;
        c->feedback_delay = 4;
        disturb(c);
        tcp_end end;
        flow_state state = {.wild = {.calm_per_mille = 960}};
        // After a burst an IP-ID of a counter that others share cannot be known: the flow is refused until it is told anew.
        end_open(&end, seed, (id_kind)(seed % (kind == WILD ? ID_KINDS : ID_KIND_JUMPING)), packet);
        for (uint32_t i = 0; i < PACKETS; i++) {
            next(&end, kind, &state, i);
            channel_send(c, end.packet, end.len, end.clock_us * 1000);
        }
        deliver_due(c, true);
        assert_int_equal(c->exact + c->damaged + c->wrong + c->lost, c->sent);
        sum.sent += c->sent;
        sum.damaged += c->damaged;
        sum.wrong += c->wrong;
        channel_close(c);
    }
    return sum;
}

/* At most so many packets of 10,000 are refused besides those that were lost, and none is wrong. */
static void assert_damage(sum sum, uint32_t most) {
    assert_int_equal(sum.wrong, 0);
    if (sum.damaged * 10000 > sum.sent * most) fail_msg("%lu of %lu packets", (unsigned long)sum.damaged, (unsigned long)sum.sent);
}

static void lose_some(channel *c) { c->loss_per_mille = 50; }

static void lose_bursts(channel *c) {
    c->loss_per_mille = 13;
    c->burst = 4;
}

static void delay_some(channel *c) {
    c->late_per_mille = 30;
    c->late_most = 3;
    c->double_per_mille = 10;
}

static void do_all(channel *c) {
    lose_bursts(c);
    delay_some(c);
}

static void single_losses_damage_nothing_else(void **state) {
    (void)state;
    assert_damage(over_channels(DOWNLOAD, lose_some), 0);
    assert_damage(over_channels(ACKS, lose_some), 0);
    assert_damage(over_channels(TYPING, lose_some), 5);
}

static void bursts_of_four_damage_next_to_nothing(void **state) {
    (void)state;
    assert_damage(over_channels(DOWNLOAD, lose_bursts), 20);
    assert_damage(over_channels(ACKS, lose_bursts), 20);
    assert_damage(over_channels(TYPING, lose_bursts), 20);
    assert_damage(over_channels(WEB, lose_bursts), 20);
}

static void late_packets_come_out_and_disturb_nothing(void **state) {
    (void)state;
    for (uint32_t kind = DOWNLOAD; kind <= WEB; kind++) assert_damage(over_channels(kind, delay_some), 5);
}

static void nothing_is_ever_wrong(void **state) {
    (void)state;
    for (uint32_t kind = DOWNLOAD; kind < FLOW_KINDS; kind++) assert_int_equal(over_channels(kind, do_all).wrong, 0);
}

/* `count` packets of a flow with sequential IP-IDs; `lost`: none of them arrives. */
static void send_some(channel *c, tcp_end *end, uint32_t count, bool lost) {
    c->burst_left = lost ? count : 0;
    for (uint32_t i = 0; i < count; i++) {
        end_send(end, ACK, 1000);
        channel_send(c, end->packet, end->len, end->clock_us * 1000);
    }
}

/*
 * As many packets may be lost in a row as the MSN counts. After more, which might have changed what no checksum covers, packets are
 * refused until feedback has made the compressor say it all.
 */
static void a_loss_longer_than_the_msn_counts_waits_for_feedback(void **state) {
    (void)state;
    const ox_rohc_parameters parameters = {
        .profiles = OX_ROHC_UNCOMPRESSED | OX_ROHC_TCP, .cid_max = 15, .bidirectional = true, .verify_checksums = true,
    };
    for (uint32_t lost = 1; lost <= 40; lost++) {
        channel *c = channel_open(&parameters, lost);
        c->tell_order = true;
        tcp_end end;
        end_open(&end, lost, ID_KIND_SEQUENTIAL, packet);
        send_some(c, &end, 100, false);
        assert_int_equal(c->damaged, 0);
        send_some(c, &end, lost, true);
        send_some(c, &end, 30, false);
        assert_int_equal(c->wrong, 0);
        if (lost <= 6) assert_int_equal(c->damaged, 0);
        if (lost > 15) assert_true(c->damaged > 0);
        assert_true(c->damaged <= 12);
        channel_close(c);
    }
}

/* What is new is lost as often as it is told in a row: it is told again long before feedback could say so. */
static void what_a_burst_swallows_is_told_again(void **state) {
    (void)state;
    const ox_rohc_parameters parameters = {
        .profiles = OX_ROHC_UNCOMPRESSED | OX_ROHC_TCP, .cid_max = 15, .bidirectional = true, .verify_checksums = true,
    };
    for (uint32_t lost = 1; lost <= 12; lost++) {
        channel *c = channel_open(&parameters, lost);
        c->tell_order = true;
        tcp_end end;
        end_open(&end, lost, ID_KIND_SEQUENTIAL, packet);
        send_some(c, &end, 100, false);
        c->feedback_delay = 1000;
        end.window++;
        send_some(c, &end, lost, true);
        send_some(c, &end, 30, false);
        assert_int_equal(c->wrong, 0);
        assert_true(c->damaged <= 4);
        channel_close(c);
    }
}

/* A packet whose checksum was wrong when it came is refused where checksums are verified; the next one is not. */
static void a_wrong_checksum_costs_its_packet_alone(void **state) {
    (void)state;
    const ox_rohc_parameters parameters = {
        .profiles = OX_ROHC_UNCOMPRESSED | OX_ROHC_TCP, .cid_max = 15, .bidirectional = true, .verify_checksums = true,
    };
    channel *c = channel_open(&parameters, 1);
    c->tell_order = true;
    tcp_end end;
    end_open(&end, 1, ID_KIND_SEQUENTIAL, packet);
    uint64_t broken = 0;
    for (uint32_t i = 0; i < 500; i++) {
        download_next(&end, &usual_download, i);
        if (i % 50 == 49) {
            end.packet[36] ^= 1;
            broken++;
        }
        channel_send(c, end.packet, end.len, 0);
        assert_int_equal(c->damaged, broken);
    }
    channel_close(c);
}

/* When the base of a replicated context is unknown at the other end, the flow begins again with a whole IR. */
static void a_missing_base_is_repaired(void **state) {
    (void)state;
    const ox_rohc_parameters parameters = {
        .profiles = OX_ROHC_UNCOMPRESSED | OX_ROHC_TCP, .cid_max = 15, .bidirectional = true,
    };
    channel *c = channel_open(&parameters, 1);
    tcp_end end;
    end_open(&end, 1, ID_KIND_SEQUENTIAL, packet);
    for (uint32_t i = 0; i < 10; i++) {
        end_send(&end, ACK, 100);
        channel_send(c, end.packet, end.len, 0);
    }
    ox_rohc_decompressor_destroy(c->decompressor);
    c->decompressor = ox_rohc_decompressor_create(&parameters);
    end.ports[0]++;
    for (uint32_t i = 0; i < 40; i++) {
        end_send(&end, ACK, 100);
        channel_send(c, end.packet, end.len, 0);
        if (i == 0) assert_int_equal(c->compressed.type, OX_ROHC_TYPE_IR_CR);
    }
    assert_int_equal(c->wrong, 0);
    assert_true(c->damaged >= 1 && c->damaged <= 20);
    assert_int_equal(c->exact + c->damaged, c->sent);
    channel_close(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(single_losses_damage_nothing_else),
        cmocka_unit_test(bursts_of_four_damage_next_to_nothing),
        cmocka_unit_test(late_packets_come_out_and_disturb_nothing),
        cmocka_unit_test(nothing_is_ever_wrong),
        cmocka_unit_test(a_loss_longer_than_the_msn_counts_waits_for_feedback),
        cmocka_unit_test(what_a_burst_swallows_is_told_again),
        cmocka_unit_test(a_wrong_checksum_costs_its_packet_alone),
        cmocka_unit_test(a_missing_base_is_repaired),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
