#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tcp_channel.h"
#include "tcp_wild.h"

static uint8_t packet[FLOW_PACKET_MAX];

/* Every packet of the flow, over a channel that does nothing to them. */
static channel *open_channel(bool both_ways, uint16_t cid_max) {
    const ox_rohc_parameters parameters = {
        .profiles = OX_ROHC_UNCOMPRESSED | OX_ROHC_TCP, .cid_max = cid_max, .large_cids = cid_max > 15, .bidirectional = both_ways,
    };
    return channel_open(&parameters, 3);
}

static void send(channel *c, tcp_end *end) {
    channel_send(c, end->packet, end->len, end->clock_us * 1000);
    assert_int_equal(c->wrong, 0);
    assert_int_equal(c->damaged, 0);
    assert_int_equal(c->exact, c->sent);
}

static double mean(const channel *c) { return (double)c->octets_out / (double)c->sent; }

/* Asserts the mean of a flow's compressed headers, in hundredths of an octet. */
static void assert_mean(channel *c, uint32_t most) {
    if (mean(c) * 100 > most) fail_msg("%.3f octets a packet, at most %u.%02u", mean(c), most / 100, most % 100);
    channel_close(c);
}

enum { LONG = 2000 };

static void a_download_takes_8_octets_or_7(void **state) {
    (void)state;
    for (uint32_t both_ways = 0; both_ways < 2; both_ways++) {
        for (id_kind ids = ID_KIND_SEQUENTIAL; ids <= ID_KIND_ZERO; ids++) {
            channel *c = open_channel(both_ways, 15);
            tcp_end end;
            end_open(&end, 7, ids, packet);
            for (uint32_t i = 0; i < LONG; i++) {
                download_next(&end, &usual_download, i);
                send(c, &end);
            }
            assert_mean(c, ids == ID_KIND_SEQUENTIAL ? 800 : 700);
        }
    }
}

static void acknowledgements_take_6_octets_or_8_with_sack(void **state) {
    (void)state;
    for (uint32_t clean = 0; clean < 2; clean++) {
        channel *c = open_channel(true, 15);
        tcp_end end;
        acks acks = {0};
        end_open(&end, 7, ID_KIND_SEQUENTIAL, packet);
        for (uint32_t i = 0; i < LONG; i++) {
            acks_next(&end, clean != 0 ? &clean_acks : &lossy_acks, &acks, i);
            send(c, &end);
        }
        assert_mean(c, clean != 0 ? 610 : 800);
    }
}

static void typing_takes_12_octets(void **state) {
    (void)state;
    channel *c = open_channel(true, 15);
    tcp_end end;
    typing typing = {0};
    end_open(&end, 7, ID_KIND_SEQUENTIAL, packet);
    for (uint32_t i = 0; i < LONG; i++) {
        typing_next(&end, &usual_typing, &typing, i);
        send(c, &end);
    }
    assert_mean(c, 1200);
}

static void short_connections_take_17_octets(void **state) {
    (void)state;
    channel *c = open_channel(true, 15);
    tcp_end end;
    web web = {0};
    end_open(&end, 7, ID_KIND_SEQUENTIAL, packet);
    for (uint32_t i = 0; i < LONG; i++) {
        web_next(&end, &usual_web, &web);
        send(c, &end);
    }
    ox_rohc_compressor_report report;
    ox_rohc_compressor_status(c->compressor, &report);
    assert_true(report.types[OX_ROHC_TYPE_IR_CR] > 100);
    assert_mean(c, 1700);
}

static void a_flow_takes_its_smallest_header_after_five_packets(void **state) {
    (void)state;
    channel *c = open_channel(true, 15);
    tcp_end end;
    end_open(&end, 7, ID_KIND_ZERO, packet);
    for (uint32_t i = 0; i < 12; i++) {
        end.clock_us += 5000;
        end.echo_us += 5000;
        end_send(&end, ACK, SEGMENT);
        send(c, &end);
        if (i >= 5) assert_int_equal(c->compressed.header_bytes, 6);
    }
    channel_close(c);
}

/* Wild flows of all kinds: what cannot be told is sent as it is, and everything else is exact. */
static void everything_that_changes_comes_out_as_it_was(void **state) {
    (void)state;
    static const uint16_t cids[] = {0, 15, 300};
    ox_rohc_compressor_report sum = {0};
    for (uint32_t seed = 1; seed <= 60; seed++) {
        channel *c = open_channel(seed % 2 != 0, cids[seed % 3]);
        c->feedback_delay = seed % 5;
        tcp_end end;
        wild wild = {.calm_per_mille = seed % 4 == 0 ? 700 : 960};
        end_open(&end, seed, (id_kind)(seed % ID_KINDS), packet);
        end.version = seed % 3 == 0 ? 6 : 4;
        for (uint32_t i = 0; i < 1000; i++) {
            wild_next(&end, &wild);
            send(c, &end);
        }
        ox_rohc_compressor_report report;
        ox_rohc_compressor_status(c->compressor, &report);
        for (uint32_t type = 0; type < OX_ROHC_TYPE_COUNT; type++) sum.types[type] += report.types[type];
        channel_close(c);
    }
    assert_true(sum.types[OX_ROHC_TYPE_IR] != 0 && sum.types[OX_ROHC_TYPE_IR_DYN] != 0);
    for (uint32_t type = OX_ROHC_TYPE_TCP_CO_COMMON; type <= OX_ROHC_TYPE_TCP_SEQ_8; type++)
        if (sum.types[type] == 0) fail_msg("no %s", ox_rohc_type_name((ox_rohc_type)type));
}

/* The packet inside another one, with extension headers where that is IPv6. */
static uint32_t wrap(tcp_end *end, uint8_t *outer, uint8_t version, uint8_t tos, uint8_t ttl, uint16_t id, uint8_t option) {
    const uint8_t inner = end->version == 4 ? 4 : 41;
    uint32_t bytes = 20;
    if (version == 4) {
        memset(outer, 0, 20);
        outer[0] = 0x45;
        outer[1] = tos;
        ox_store_be16(outer + 2, (uint16_t)(20 + end->len));
        ox_store_be16(outer + 4, id);
        outer[8] = ttl;
        outer[9] = inner;
        memcpy(outer + 12, (uint8_t[]){203, 0, 113, 1, 203, 0, 113, 2}, 8);
        ox_store_be16(outer + 10, ox_checksum_finish(ox_checksum_add(outer, 20, 0)));
    } else {
        bytes = 40 + 8 + 24;
        memset(outer, 0, bytes);
        outer[0] = (uint8_t)(0x60 | tos >> 4);
        outer[1] = (uint8_t)(tos << 4 | 3);
        ox_store_be16(outer + 4, (uint16_t)(32 + end->len));
        outer[7] = ttl;
        outer[8] = outer[24] = 0xFD;
        memcpy(outer + 40, (uint8_t[]){43, 0, 1, 4, 0, 0, 0, option}, 8); /* hop-by-hop options, then a routing header */
        memcpy(outer + 48, (uint8_t[]){inner, 2, 0, 0}, 4);
    }
    memcpy(outer + bytes, end->packet, end->len);
    return bytes + end->len;
}

static void tunnels_and_extension_headers_come_out_as_they_were(void **state) {
    (void)state;
    static uint8_t outer[FLOW_PACKET_MAX];
    for (uint32_t seed = 1; seed <= 16; seed++) {
        channel *c = open_channel(seed % 2 != 0, 15);
        tcp_end end;
        acks acks = {0};
        end_open(&end, seed, ID_KIND_SEQUENTIAL, packet);
        end.version = (seed & 2) != 0 ? 6 : 4;
        uint8_t tos = 0, ttl = 64, option = 0;
        uint16_t id = 0;
        for (uint32_t i = 0; i < 600; i++) {
            acks_next(&end, &lossy_acks, &acks, i);
            if (chance(&end, 10)) tos ^= 1u << draw_below(&end, 8);
            if (chance(&end, 10)) ttl--;
            if (chance(&end, 5)) option++;
            if (chance(&end, 5)) id = (uint16_t)(id == 0);
            if (id != 0) id = (uint16_t)(draw(&end) | 1);
            const uint32_t len = wrap(&end, outer, (seed & 4) != 0 ? 6 : 4, tos, ttl, id, option);
            channel_send(c, outer, len, 0);
            assert_int_equal(c->exact, c->sent);
            assert_int_equal(c->compressed.profile, 6);
        }
        assert_true(mean(c) < 20);
        channel_close(c);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_download_takes_8_octets_or_7),
        cmocka_unit_test(acknowledgements_take_6_octets_or_8_with_sack),
        cmocka_unit_test(typing_takes_12_octets),
        cmocka_unit_test(short_connections_take_17_octets),
        cmocka_unit_test(a_flow_takes_its_smallest_header_after_five_packets),
        cmocka_unit_test(everything_that_changes_comes_out_as_it_was),
        cmocka_unit_test(tunnels_and_extension_headers_come_out_as_they_were),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
