/* What stands before and around packets, and packets that are late, twice there, or came after a long loss. */
#include "v1_flows.h"

static const ox_rohc_parameters parameters = {.profiles = OX_ROHC_V1, .cid_max = 15, .bidirectional = true, .mrru = 1500};
static const ox_rohc_arrival unknown = {0};

typedef struct kept {
    uint8_t wire[V1_PACKET], original[V1_PACKET];
    uint32_t wire_bytes, original_bytes;
    uint64_t number;
} kept;

static void step(packet_fields *f) {
    f->inner.id++;
    f->sn++;
    f->ts += 160;
}

/* Compresses the flow's next packet, which does not arrive yet. */
static kept keep(rohc_ends *ends, packet_fields *f) {
    static uint8_t packet[V1_PACKET];
    step(f);
    assert_true(compress_one(ends, packet, put_packet(packet, f)));
    kept k = {.wire_bytes = ends->wire_bytes, .original_bytes = ends->original_bytes, .number = ends->number};
    memcpy(k.wire, ends->wire, k.wire_bytes);
    memcpy(k.original, ends->original, k.original_bytes);
    return k;
}

static ox_rohc_verdict arrive(rohc_ends *ends, const kept *k, uint64_t lost) {
    ox_rohc_decompressed out;
    memcpy(ends->wire, k->wire, k->wire_bytes);
    memcpy(ends->original, k->original, k->original_bytes);
    ends->wire_bytes = k->wire_bytes;
    ends->original_bytes = k->original_bytes;
    const ox_rohc_arrival arrival = {.number = k->number, .lost = lost};
    const ox_rohc_verdict verdict = decompress_one(ends, &arrival, &out);
    if (verdict == OX_ROHC_PASS) assert_whole(ends, &out);
    else assert_int_equal(out.header_bytes + out.payload_bytes, 0);
    return verdict;
}

static void start(rohc_ends *ends, packet_fields *f) {
    open_ends(ends, &parameters);
    *f = voice_fields(4);
    for (uint32_t i = 0; i < 12; i++) {
        step(f);
        assert_true(carry_one(ends, f) != 0);
    }
    assert_int_equal(ends->last.type, OX_ROHC_TYPE_UO_0);
}

static void late_packets_and_duplicates(void **state) {
    (void)state;
    static rohc_ends ends;
    packet_fields f;
    start(&ends, &f);
    for (uint32_t round = 0; round < 50; round++) {
        const uint32_t lost = 2 * round; // what is late counts once something overtook it
        const kept one = keep(&ends, &f), two = keep(&ends, &f), three = keep(&ends, &f), four = keep(&ends, &f);
        assert_int_equal(arrive(&ends, &two, lost + 1), OX_ROHC_PASS);
        assert_int_equal(arrive(&ends, &four, lost + 2), OX_ROHC_PASS);
        assert_int_equal(arrive(&ends, &one, lost + 2), OX_ROHC_PASS);
        assert_int_equal(arrive(&ends, &three, lost + 2), OX_ROHC_PASS);
        const kept *const again[] = {&one, &two, &three, &four};
        for (uint32_t i = 0; i < 4; i++) assert_int_equal(arrive(&ends, again[i], lost + 2), OX_ROHC_DUPLICATE);
    }
    ox_rohc_decompressor_report report;
    ox_rohc_decompressor_status(ends.decompressor, &report);
    assert_int_equal(report.late_passed, 100);
    close_ends(&ends);
}

/* The states are kept behind which something is missing, however long ago; the last few of them. */
static void what_is_older_than_all_states_is_late(void **state) {
    (void)state;
    static rohc_ends ends;
    packet_fields f;
    start(&ends, &f);
    const kept first = keep(&ends, &f), second = keep(&ends, &f);
    kept next = keep(&ends, &f);
    for (uint32_t i = 0; i < 200; i++, next = keep(&ends, &f)) assert_int_equal(arrive(&ends, &next, 2), OX_ROHC_PASS);
    assert_int_equal(arrive(&ends, &second, 2), OX_ROHC_PASS);
    for (uint32_t gaps = 0; gaps < 20; gaps++) {
        (void)keep(&ends, &f);
        next = keep(&ends, &f);
        assert_int_equal(arrive(&ends, &next, 3 + gaps), OX_ROHC_PASS);
    }
    assert_int_equal(arrive(&ends, &first, 22), OX_ROHC_LATE);
    close_ends(&ends);
}

/* So many may be lost that nothing is in doubt; one more, and only an IR goes on, for which feedback asks at once. */
static void long_losses(void **state) {
    (void)state;
    for (uint32_t lost = 1; lost < 40; lost++) {
        static rohc_ends ends;
        packet_fields f;
        start(&ends, &f);
        for (uint32_t i = 0; i < lost; i++) (void)keep(&ends, &f);
        kept next = keep(&ends, &f);
        assert_int_equal(arrive(&ends, &next, lost), lost < 14 ? OX_ROHC_PASS : OX_ROHC_AMBIGUOUS);
        if (lost >= 14) {
            next = keep(&ends, &f);
            assert_int_equal(arrive(&ends, &next, lost), OX_ROHC_PASS);
            assert_int_equal(ends.last.type, OX_ROHC_TYPE_IR);
            next = keep(&ends, &f);
            assert_int_equal(ends.last.type, OX_ROHC_TYPE_UO_0);
            assert_int_equal(arrive(&ends, &next, lost), OX_ROHC_PASS);
        }
        close_ends(&ends);
    }
}

static void damage_is_found_and_forgotten(void **state) {
    (void)state;
    static rohc_ends ends;
    packet_fields f;
    start(&ends, &f);
    kept broken = keep(&ends, &f);
    const kept doubted = keep(&ends, &f);
    broken.wire[0] ^= 1; /* the CRC */
    assert_int_equal(arrive(&ends, &broken, 0), OX_ROHC_CRC);
    /* 3 bits prove too little now; the compressor hears of it, and says it all again. */
    assert_int_equal(arrive(&ends, &doubted, 0), OX_ROHC_CRC);
    const kept proved = keep(&ends, &f);
    assert_int_equal(ends.last.type, OX_ROHC_TYPE_IR_DYN);
    assert_int_equal(arrive(&ends, &proved, 0), OX_ROHC_PASS);
    close_ends(&ends);
}

static void padding_and_feedback_stand_before_packets(void **state) {
    (void)state;
    static rohc_ends ends;
    static ox_rohc_decompressed out;
    packet_fields f;
    start(&ends, &f);
    const kept next = keep(&ends, &f);
    uint8_t wire[V1_PACKET + 16] = {0xE0, 0xE0, 0xF1, 0x42, 0xF0, 2, 0xE1, 0x43};
    memcpy(wire + 8, next.wire, next.wire_bytes);
    assert_int_equal(ox_rohc_decompress(ends.decompressor, wire, next.wire_bytes + 8, &unknown, &out), OX_ROHC_PASS);
    assert_ptr_equal(out.feedback, wire + 2);
    assert_int_equal(out.feedback_bytes, 6);
    assert_int_equal(ox_rohc_decompress(ends.decompressor, wire, 8, &unknown, &out), OX_ROHC_NOTHING);
    assert_int_equal(out.feedback_bytes, 6);
    assert_int_equal(ox_rohc_decompress(ends.decompressor, wire, 5, &unknown, &out), OX_ROHC_MALFORMED);
    assert_int_equal(ox_rohc_decompress(ends.decompressor, wire, 0, &unknown, &out), OX_ROHC_NOTHING);
    static const uint8_t none[] = {0xE9, 0x12, 0x34};
    assert_int_equal(ox_rohc_decompress(ends.decompressor, none, 3, &unknown, &out), OX_ROHC_NO_CONTEXT);
    static const uint8_t stranger[] = {0xFD, 0x55, 0x00, 0x00};
    assert_int_equal(ox_rohc_decompress(ends.decompressor, stranger, 4, &unknown, &out), OX_ROHC_PROFILE_UNKNOWN);
    close_ends(&ends);
}

static uint32_t fcs(const uint8_t *octets, uint32_t count) {
    uint32_t crc = UINT32_MAX;
    for (uint32_t i = 0; i < count; i++) {
        crc ^= octets[i];
        for (uint32_t bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >> 1 ^ 0xEDB88320 : crc >> 1;
    }
    return ~crc;
}

static void segments_are_put_together(void **state) {
    (void)state;
    static rohc_ends ends;
    static ox_rohc_decompressed out;
    packet_fields f;
    start(&ends, &f);
    for (uint32_t broken = 0; broken < 2; broken++) {
        kept whole = keep(&ends, &f);
        const uint32_t sum = fcs(whole.wire, whole.wire_bytes) ^ broken;
        for (uint32_t i = 0; i < 4; i++) whole.wire[whole.wire_bytes + i] = (uint8_t)(sum >> 8 * i);
        const uint32_t total = whole.wire_bytes + 4, piece = 9;
        ox_rohc_verdict verdict = OX_ROHC_NOTHING;
        for (uint32_t at = 0; at < total; at += piece) {
            assert_int_equal(verdict, OX_ROHC_NOTHING);
            uint8_t segment[1 + 9];
            const uint32_t bytes = total - at < piece ? total - at : piece;
            segment[0] = at + piece >= total ? 0xFF : 0xFE;
            memcpy(segment + 1, whole.wire + at, bytes);
            verdict = ox_rohc_decompress(ends.decompressor, segment, 1 + bytes, &unknown, &out);
        }
        assert_int_equal(verdict, broken ? OX_ROHC_SEGMENT : OX_ROHC_PASS);
        if (broken == 0) {
            assert_int_equal(out.header_bytes + out.payload_bytes, whole.original_bytes);
            assert_memory_equal(out.payload, whole.original + out.header_bytes, out.payload_bytes);
        }
    }
    close_ends(&ends);
}

static void a_wrong_udp_checksum_is_held_back(void **state) {
    (void)state;
    static rohc_ends ends;
    static ox_rohc_decompressed out;
    ox_rohc_parameters strict = parameters;
    strict.verify_checksums = true;
    open_ends(&ends, &strict);
    packet_fields f = game_fields(4);
    for (uint32_t i = 0; i < 5; i++) {
        step(&f);
        assert_true(carry_one(&ends, &f) != 0);
    }
    kept next = keep(&ends, &f);
    next.wire[next.wire_bytes - 1] ^= 1; /* payload, of which ROHC's CRC says nothing */
    assert_int_equal(ox_rohc_decompress(ends.decompressor, next.wire, next.wire_bytes, &unknown, &out), OX_ROHC_CHECKSUM);
    close_ends(&ends);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(late_packets_and_duplicates),
        cmocka_unit_test(what_is_older_than_all_states_is_late),
        cmocka_unit_test(long_losses),
        cmocka_unit_test(damage_is_found_and_forgotten),
        cmocka_unit_test(padding_and_feedback_stand_before_packets),
        cmocka_unit_test(segments_are_put_together),
        cmocka_unit_test(a_wrong_udp_checksum_is_held_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
