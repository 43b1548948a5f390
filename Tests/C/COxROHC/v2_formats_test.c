#include "v2_ends.h"

static void numbers_describe_their_length(void **state) {
    (void)state;
    static const struct {
        uint32_t value, bits, bytes;
    } known[] = {{0, 7, 1}, {127, 7, 1}, {128, 14, 2}, {16383, 14, 2}, {16384, 21, 3}, {2097151, 21, 3}, {2097152, 28, 4},
                 {0xFFFFFFF, 28, 4}, {0x10000000, 32, 5}, {UINT32_MAX, 32, 5}};
    for (uint32_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        uint8_t octets[8];
        rohc_writer writer = {.at = octets, .end = octets + sizeof octets};
        assert_int_equal(known[i].bits, v2_sdvl_bits_of(known[i].value));
        v2_write_sdvl(&writer, known[i].value, known[i].bits, 32);
        assert_int_equal(known[i].bytes, writer.at - octets);
        rohc_reader reader = {.at = octets, .end = writer.at};
        uint32_t value = 0;
        assert_int_equal(known[i].bits, v2_read_sdvl(&reader, &value, 32));
        assert_int_equal(known[i].value, value);
        assert_ptr_equal(reader.at, reader.end);
    }
}

static void first_octets_between_the_forms_are_none(void **state) {
    (void)state;
    for (uint32_t first = 0xF0; first < 0xFF; first++) {
        const uint8_t octets[5] = {(uint8_t)first};
        rohc_reader reader = {.at = octets, .end = octets + 5};
        uint32_t value;
        assert_int_equal(0, v2_read_sdvl(&reader, &value, 32));
    }
}

static void the_interval_follows_the_reorder_ratio(void **state) {
    (void)state;
    //= RFC 5225 section 6.8.2.4
    //# msn_lsb: 1, or a quarter, half or three quarters of 2^k less 1
    static const int64_t of_4_bits[] = {1, 3, 7, 11}, of_8_bits[] = {1, 63, 127, 191};
    for (uint8_t ratio = 0; ratio < 4; ratio++) {
        assert_int_equal(of_4_bits[ratio], v2_reorder(ratio, 4));
        assert_int_equal(of_8_bits[ratio], v2_reorder(ratio, 8));
    }
}

static void a_layout_takes_two_ip_headers_and_no_more_than_its_room(void **state) {
    (void)state;
    v2_layout layout;
    v2_layout_clear(&layout);
    assert_true(v2_layout_add(&layout, V2_KIND_IPV6, IPV6_BYTES));
    assert_int_equal(V2_NONE, layout.outer);
    assert_true(v2_layout_add(&layout, V2_KIND_IPV4, IPV4_BYTES));
    assert_int_equal(0, layout.outer);
    assert_int_equal(1, layout.inner);
    assert_false(v2_layout_add(&layout, V2_KIND_IPV4, IPV4_BYTES));
    assert_false(v2_layout_add(&layout, V2_KIND_OPTIONS, V2_CHAIN_BYTES - IPV6_BYTES - IPV4_BYTES + 8));
    assert_true(v2_layout_add(&layout, V2_KIND_OPTIONS, V2_CHAIN_BYTES - IPV6_BYTES - IPV4_BYTES));
    assert_int_equal(V2_CHAIN_BYTES, layout.bytes);
}

/* An IR of profile IP, and what a byte of it does when it is another. */
static void no_octet_of_an_ir_can_be_another(void **state) {
    (void)state;
    static ox_rohc_decompressed back;
    ends e;
    ends_open(&e, false, 1);
    const fields f = {.protocol = IS_RTP, .ttl = 64, .id = 5, .checksum = true, .sequence = 9, .ts = 1, .ssrc = 3, .sources = 9};
    ends_send(&e, &f);
    const ox_rohc_compressed made = e.made;
    for (uint32_t at = 0; at < made.header_bytes; at++) {
        for (uint32_t bit = 0; bit < 8; bit++) {
            ox_rohc_compressed other = made;
            other.header[at] ^= (uint8_t)(1 << bit);
            assert_int_not_equal(OX_ROHC_PASS, ends_receive(&e, &other, 0, &back));
        }
    }
    assert_int_equal(OX_ROHC_PASS, ends_receive(&e, &made, 0, &back));
    ends_close(&e);
}

static void reserved_bits_that_are_set_are_malformed(void **state) {
    (void)state;
    static ox_rohc_decompressed back;
    ends e;
    ends_open(&e, false, 1);
    fields f = {.protocol = PROTO_UDP, .ttl = 64, .id = 5, .checksum = true};
    settle(&e, &f);
    f.checksum = false;
    assert_int_equal(OX_ROHC_TYPE_V2_CO_REPAIR, ends_compress(&e, &f));
    ox_rohc_compressed other = e.made;
    other.header[1] |= 0x80;
    assert_int_equal(OX_ROHC_MALFORMED, ends_receive(&e, &other, 0, &back));
    other = e.made;
    other.header[2] |= 0x40;
    assert_int_equal(OX_ROHC_MALFORMED, ends_receive(&e, &other, 0, &back));
    assert_int_equal(OX_ROHC_PASS, ends_receive(&e, &e.made, 0, &back));
    ends_close(&e);
}

static void a_packet_that_is_cut_off_is_refused(void **state) {
    (void)state;
    enum { PACKETS = 24 };
    static ox_rohc_decompressed back;
    static ends sent[PACKETS];
    ends e;
    ends_open(&e, false, 1);
    fields f = {.protocol = IS_RTP, .ttl = 64, .id = 5, .checksum = true, .sequence = 9, .ts = 1, .ssrc = 3};
    for (uint32_t n = 0; n < PACKETS; n++, next(&f)) {
        if (n == 10) f.ttl = 9, f.sources = 3;
        ends_compress(&e, &f);
        sent[n] = e;
    }
    ends_close(&e);
    // Each in a context of its own, for failures make a context doubtful.
    for (uint32_t n = 0; n < PACKETS; n++) {
        for (uint32_t bytes = 0; bytes < sent[n].made.header_bytes; bytes++) {
            ends_open(&e, false, 1);
            for (uint32_t i = 0; i < n; i++) {
                sent[i].receiver = e.receiver;
                assert_int_equal(OX_ROHC_PASS, ends_receive(&sent[i], &sent[i].made, 0, &back));
            }
            const ox_rohc_arrival arrival = {0};
            assert_int_not_equal(OX_ROHC_PASS, ox_rohc_decompress(e.receiver, sent[n].made.header, bytes, &arrival, &back));
            ends_close(&e);
        }
    }
}

//= RFC 5225 section 6.8.2.4
//# discriminators of the base headers, and their lengths
static void assert_form(const ends *e, bool is_rtp) {
    static const struct {
        ox_rohc_type type;
        bool rtp, plain;
        uint8_t mask, value, bytes;
    } forms[] = {
        {OX_ROHC_TYPE_IR, true, true, 0xFF, 0xFD, 0},
        {OX_ROHC_TYPE_V2_CO_COMMON, true, true, 0xFF, 0xFA, 0},
        {OX_ROHC_TYPE_V2_CO_REPAIR, true, true, 0xFF, 0xFB, 0},
        {OX_ROHC_TYPE_V2_PT_0_CRC3, true, true, 0x80, 0x00, 1},
        {OX_ROHC_TYPE_V2_PT_0_CRC7, true, false, 0xF0, 0x80, 2},
        {OX_ROHC_TYPE_V2_PT_0_CRC7, false, true, 0xE0, 0x80, 2},
        {OX_ROHC_TYPE_V2_PT_1_RND, true, false, 0xE0, 0xA0, 2},
        {OX_ROHC_TYPE_V2_PT_1_SEQ_TS, true, false, 0xE0, 0xA0, 2},
        {OX_ROHC_TYPE_V2_PT_1_SEQ_ID, true, false, 0xF0, 0x90, 2},
        {OX_ROHC_TYPE_V2_PT_1_SEQ_ID, false, true, 0xE0, 0xA0, 2},
        {OX_ROHC_TYPE_V2_PT_2_RND, true, false, 0xE0, 0xC0, 3},
        {OX_ROHC_TYPE_V2_PT_2_SEQ_ID, true, false, 0xF8, 0xC0, 3},
        {OX_ROHC_TYPE_V2_PT_2_SEQ_ID, false, true, 0xE0, 0xC0, 3},
        {OX_ROHC_TYPE_V2_PT_2_SEQ_TS, true, false, 0xF0, 0xD0, 3},
        {OX_ROHC_TYPE_V2_PT_2_SEQ_BOTH, true, false, 0xF8, 0xC8, 4},
    };
    for (uint32_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (forms[i].type != e->made.type || !(is_rtp ? forms[i].rtp : forms[i].plain)) continue;
        assert_int_equal(forms[i].value, e->made.header[0] & forms[i].mask);
        if (forms[i].bytes != 0) assert_true(e->made.header_bytes == forms[i].bytes || e->made.header_bytes == forms[i].bytes + 2u);
        return;
    }
    fail_msg("%s is no type of this profile", ox_rohc_type_name(e->made.type));
}

static void base_headers_begin_with_their_discriminators(void **state) {
    (void)state;
    uint32_t draw = 1;
    for (uint32_t kind = 0; kind < 4; kind++) {
        ends e;
        ends_open(&e, false, 1);
        fields f = {.protocol = kind < 2 ? IS_RTP : PROTO_UDP, .ttl = 64, .id = 5, .sequence = 9, .ts = 1000, .ssrc = 3};
        for (uint32_t n = 0; n < 3000; n++, next(&f)) {
            draw = draw * 1664525 + 1013904223;
            const uint32_t small = draw >> 24 & 31;
            if (draw % 17 == 0) f.ts += 160 * small;
            if (draw % 19 == 0) f.marker = true;
            if (draw % 23 == 0) f.id = (uint16_t)(f.id + small);
            if (draw % 29 == 0) f.id = (uint16_t)(f.id + small), f.sequence += small, f.ts += 160 * small;
            if (kind % 2 == 1) f.id = (uint16_t)(draw >> 12);
            ends_send(&e, &f);
            assert_form(&e, kind < 2);
        }
        ends_close(&e);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_describe_their_length),
        cmocka_unit_test(first_octets_between_the_forms_are_none),
        cmocka_unit_test(the_interval_follows_the_reorder_ratio),
        cmocka_unit_test(a_layout_takes_two_ip_headers_and_no_more_than_its_room),
        cmocka_unit_test(no_octet_of_an_ir_can_be_another),
        cmocka_unit_test(reserved_bits_that_are_set_are_malformed),
        cmocka_unit_test(a_packet_that_is_cut_off_is_refused),
        cmocka_unit_test(base_headers_begin_with_their_discriminators),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
