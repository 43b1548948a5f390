/* Which packets are compressed, in which context, and how soon a flow has its smallest headers. */
#include "v1_flows.h"

#include <sanitizer/allocator_interface.h>

static void step(packet_fields *f) {
    f->inner.id++;
    f->sn++;
    f->ts += 160;
}

/* In O mode with feedback the fifth packet has the smallest header, whether the first may stay raw or not. */
static void five_packets_are_enough(void **state) {
    (void)state;
    static const struct {
        uint8_t version;
        bool rtp, checksum;
        uint32_t smallest;
    } flows[] = {{4, true, true, 3}, {4, true, false, 1}, {4, false, true, 3}, {6, false, true, 3}, {6, true, true, 3}};
    for (uint32_t i = 0; i < 10; i++) {
        static rohc_ends ends;
        open_ends(&ends, &(ox_rohc_parameters){.profiles = OX_ROHC_V1, .cid_max = 15, .bidirectional = true, .raw = i >= 5});
        packet_fields f = flows[i % 5].rtp ? voice_fields(flows[i % 5].version) : game_fields(flows[i % 5].version);
        f.checksum = flows[i % 5].checksum;
        uint32_t bytes = 0;
        for (uint32_t n = 0; n < 5; n++) {
            step(&f);
            bytes = carry_one(&ends, &f);
        }
        assert_int_equal(bytes, flows[i % 5].smallest);
        close_ends(&ends);
    }
}

/* IP-IDs of all kinds, from the fifth packet on and after the kind has changed. */
static void kinds_of_ip_id(void **state) {
    (void)state;
    static rohc_ends ends;
    open_ends(&ends, &(ox_rohc_parameters){.profiles = OX_ROHC_V1, .cid_max = 15, .bidirectional = true});
    packet_fields f = game_fields(4);
    uint16_t counter = 0xFFF0, random = 1;
    for (uint32_t kind = 0; kind < 12; kind++) {
        uint32_t bytes = 0;
        for (uint32_t i = 0; i < 40; i++) {
            counter++;
            random = (uint16_t)(random * 25173 + 13849);
            switch (kind % 4) {
            case 0: f.inner.id = counter; break;
            case 1: f.inner.id = random; break;
            case 2: f.inner.id = 0; break;
            default: f.inner.id = (uint16_t)(counter << 8 | counter >> 8); break;
            }
            bytes = carry_one(&ends, &f);
            assert_true(bytes != 0);
        }
        assert_int_equal(bytes, kind % 4 == 1 ? 5 : 3);
    }
    close_ends(&ends);
}

/* Where packets may stay raw, flows of one to four packets cost no more than they would without compression, but for two octets. */
static void short_flows_do_not_grow(void **state) {
    (void)state;
    for (uint8_t version = 4; version <= 6; version += 2) {
        for (uint32_t packets = 1; packets <= 4; packets++) {
            static rohc_ends ends;
            open_ends(&ends, &(ox_rohc_parameters){.profiles = OX_ROHC_V1, .cid_max = 15, .bidirectional = true, .raw = true});
            int32_t grown = 0;
            packet_fields f = game_fields(version);
            for (uint32_t i = 0; i < packets; i++) {
                step(&f);
                if (carry_one(&ends, &f) != 0) grown += (int32_t)ends.last.header_bytes - (int32_t)ends.last.consumed;
            }
            assert_true(grown <= 2);
            if (packets == 1) assert_int_equal(grown, 0);
            close_ends(&ends);
        }
    }
}

/* Ports say nothing. Two packets whose RTP numbers follow each other do, and packets that only look like RTP never are. */
static void rtp_is_known_by_what_it_does(void **state) {
    (void)state;
    static rohc_ends ends;
    open_ends(&ends, &(ox_rohc_parameters){.profiles = OX_ROHC_V1, .cid_max = 15, .bidirectional = true});
    packet_fields f = voice_fields(4);
    carry_one(&ends, &f);
    assert_int_equal(ends.last.profile, 0x0002);
    step(&f);
    carry_one(&ends, &f);
    assert_int_equal(ends.last.profile, 0x0001);
    packet_fields like = voice_fields(4);
    like.ports[0] = 50000;
    for (uint32_t i = 0; i < 50; i++) {
        like.sn = like.sn * 25173 + 13849;
        carry_one(&ends, &like);
        assert_int_equal(ends.last.profile, 0x0002);
    }
    close_ends(&ends);

    open_ends(&ends, &(ox_rohc_parameters){
                         .profiles = OX_ROHC_V1, .cid_max = 15, .bidirectional = true, .rtp_ports = 1, .rtp_port = {5004}});
    carry_one(&ends, &f);
    assert_int_equal(ends.last.profile, 0x0001);
    close_ends(&ends);
}

/* Active flows keep their contexts; more flows than that go raw, until one of them has been idle for long enough. */
static void active_flows_are_not_evicted(void **state) {
    (void)state;
    static rohc_ends ends;
    open_ends(&ends, &(ox_rohc_parameters){.profiles = OX_ROHC_V1, .cid_max = 3, .bidirectional = true, .raw = true});
    packet_fields flows[6];
    for (uint32_t i = 0; i < 6; i++) {
        flows[i] = game_fields(4);
        flows[i].host = (uint8_t)(i + 1);
    }
    for (uint32_t round = 0; round < 30; round++) {
        for (uint32_t i = 0; i < 6; i++) {
            step(&flows[i]);
            const uint32_t bytes = carry_one(&ends, &flows[i]);
            if (round > 4) assert_true(i < 4 ? bytes != 0 && bytes <= 4 : bytes == 0);
        }
    }
    ox_rohc_compressor_report report;
    ox_rohc_compressor_status(ends.compressor, &report);
    assert_int_equal(report.contexts_evicted, 0);
    /* Flow 0 falls silent; 3 s later one of the others takes its context. */
    for (uint32_t round = 0; round < 40; round++) {
        for (uint32_t i = 1; i < 5; i++) {
            step(&flows[i]);
            const uint32_t bytes = carry_one(&ends, &flows[i]);
            if (round > 36) assert_true(bytes != 0 && bytes <= 4);
        }
    }
    close_ends(&ends);
}

/* What no profile has goes through profile Uncompressed octet for octet, or stays raw. */
static void what_is_no_ip_packet(void **state) {
    (void)state;
    static rohc_ends ends;
    static ox_rohc_decompressed out;
    open_ends(&ends, &(ox_rohc_parameters){.profiles = OX_ROHC_V1, .cid_max = 15, .bidirectional = true});
    uint8_t octets[120];
    for (uint32_t i = 0; i < 300; i++) {
        const uint32_t bytes = 1 + i % 119;
        for (uint32_t b = 0; b < bytes; b++) octets[b] = (uint8_t)(i * 7 + b);
        assert_true(compress_one(&ends, octets, bytes));
        assert_int_equal(ends.last.profile, 0x0000);
        const ox_rohc_arrival arrival = {.number = ends.number};
        assert_int_equal(decompress_one(&ends, &arrival, &out), OX_ROHC_PASS);
        assert_whole(&ends, &out);
    }
    packet_fields f = game_fields(4);
    for (uint32_t i = 0; i < 20; i++) {
        uint8_t fragment[V1_PACKET];
        step(&f);
        const uint32_t bytes = put_packet(fragment, &f);
        ox_store_be16(fragment + 6, 0x2000);
        ox_store_be16(fragment + 10, 0);
        ox_store_be16(fragment + 10, ox_checksum_finish(ox_checksum_add(fragment, 20, 0)));
        assert_true(compress_one(&ends, fragment, bytes));
        const ox_rohc_arrival arrival = {.number = ends.number};
        assert_int_equal(decompress_one(&ends, &arrival, &out), OX_ROHC_PASS);
        assert_whole(&ends, &out);
    }
    assert_int_equal(ends.last.type, OX_ROHC_TYPE_NORMAL);
    close_ends(&ends);
    open_ends(&ends, &(ox_rohc_parameters){.profiles = OX_ROHC_V1, .raw = true});
    assert_false(compress_one(&ends, octets, sizeof octets));
    assert_false(compress_one(&ends, octets, 0));
    close_ends(&ends);
}

static uint64_t allocations;

static void on_malloc(const volatile void *memory, size_t bytes) {
    (void)memory;
    (void)bytes;
    allocations++;
}

static void on_free(const volatile void *memory) { (void)memory; }

static void nothing_is_allocated_after_the_start(void **state) {
    (void)state;
    static rohc_ends ends;
    open_ends(&ends, &(ox_rohc_parameters){
                         .profiles = OX_ROHC_V1, .cid_max = 40, .large_cids = true, .bidirectional = true, .raw = true});
    packet_fields f[3] = {voice_fields(4), game_fields(6), game_fields(4)};
    f[2].outer = (ip_fields){.version = 4, .ttl = 9};
    __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
    const uint64_t before = allocations;
    for (uint32_t i = 0; i < 3000; i++) {
        packet_fields *flow = &f[i % 3];
        step(flow);
        flow->host = (uint8_t)(i / 100);
        carry_one(&ends, flow);
    }
    assert_int_equal(allocations, before);
    close_ends(&ends);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(five_packets_are_enough),      cmocka_unit_test(kinds_of_ip_id),
        cmocka_unit_test(short_flows_do_not_grow),      cmocka_unit_test(rtp_is_known_by_what_it_does),
        cmocka_unit_test(active_flows_are_not_evicted), cmocka_unit_test(what_is_no_ip_packet),
        cmocka_unit_test(nothing_is_allocated_after_the_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
