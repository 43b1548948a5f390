#include "v2_ends.h"

static const fields udp = {.protocol = PROTO_UDP, .ttl = 64, .df = 1, .id = 1000, .checksum = true};
static const fields rtp = {.protocol = IS_RTP, .ttl = 64, .df = 1, .id = 1000, .checksum = true, .sequence = 1, .ts = 160, .ssrc = 7};

/* A packet on its way, with what it was made of. */
typedef struct travelling {
    ox_rohc_compressed made;
    uint8_t packet[512];
    uint32_t bytes;
    uint64_t number;
} travelling;

static travelling depart(ends *e, const fields *f) {
    ends_compress(e, f);
    travelling t = {.made = e->made, .bytes = e->bytes, .number = e->number};
    memcpy(t.packet, e->packet, sizeof t.packet);
    return t;
}

/* What it ends with; when it passes it is what it was. */
static ox_rohc_verdict arrive(ends *e, const travelling *t, bool numbered) {
    static ox_rohc_decompressed back;
    memcpy(e->packet, t->packet, sizeof t->packet);
    e->bytes = t->bytes;
    const ox_rohc_verdict verdict = ends_receive(e, &t->made, numbered ? t->number : 0, &back);
    if (verdict == OX_ROHC_PASS) {
        assert_int_equal(t->bytes, back.header_bytes + back.payload_bytes);
        assert_memory_equal(back.header, t->packet, back.header_bytes);
    }
    return verdict;
}

static void late_packets_come_out_whether_numbered_or_not(void **state) {
    (void)state;
    for (uint32_t numbered = 0; numbered < 2; numbered++) {
        for (uint32_t places = 1; places <= 3; places++) {
            ends e;
            ends_open(&e, false, 1);
            fields f = udp;
            for (uint32_t n = 0; n < 8; n++, next(&f)) {
                const travelling t = depart(&e, &f);
                assert_int_equal(OX_ROHC_PASS, arrive(&e, &t, numbered));
            }
            for (uint32_t n = 0; n < 20; n++) {
                const travelling late = depart(&e, &f);
                e.lost++;
                next(&f);
                for (uint32_t i = 0; i < places; i++, next(&f)) {
                    const travelling t = depart(&e, &f);
                    assert_int_equal(OX_ROHC_PASS, arrive(&e, &t, numbered));
                }
                assert_int_equal(OX_ROHC_PASS, arrive(&e, &late, numbered));
            }
            ends_close(&e);
        }
    }
}

static void a_packet_from_before_a_change_is_built_from_the_state_before_it(void **state) {
    (void)state;
    ends e;
    ends_open(&e, false, 1);
    fields f = rtp;
    settle(&e, &f);
    const travelling late = depart(&e, &f);
    e.lost++;
    next(&f);
    f.ts += 160 * 20;
    f.id += 9;
    f.ttl = 50;
    for (uint32_t n = 0; n < 2; n++, next(&f)) {
        const travelling t = depart(&e, &f);
        assert_int_equal(OX_ROHC_PASS, arrive(&e, &t, true));
    }
    assert_int_equal(OX_ROHC_PASS, arrive(&e, &late, true));
    assert_int_equal(OX_ROHC_DUPLICATE, arrive(&e, &(travelling){.made = e.made, .number = e.number, .bytes = e.bytes}, true));
    ends_close(&e);
}

static void more_lost_than_a_few_bits_bridge_is_not_believed(void **state) {
    (void)state;
    ends e;
    ends_open(&e, true, 1);
    fields f = udp;
    settle(&e, &f);
    for (uint32_t n = 0; n < 16; n++, next(&f)) ends_lose(&e, &f);
    travelling t = depart(&e, &f);
    assert_int_equal(OX_ROHC_TYPE_V2_PT_0_CRC3, t.made.type);
    assert_int_equal(OX_ROHC_AMBIGUOUS, arrive(&e, &t, true));
    ends_answer(&e);
    next(&f);
    t = depart(&e, &f);
    assert_int_equal(OX_ROHC_PASS, arrive(&e, &t, true)); // what the answer asked for
    assert_true(t.made.type == OX_ROHC_TYPE_V2_CO_REPAIR || t.made.type == OX_ROHC_TYPE_IR);
    ends_close(&e);
}

static void a_gap_of_fifteen_is_bridged_when_the_order_is_known(void **state) {
    (void)state;
    ends e;
    ends_open(&e, true, 1);
    fields f = udp;
    settle(&e, &f);
    for (uint32_t n = 0; n < 15; n++, next(&f)) ends_lose(&e, &f);
    ends_send(&e, &f);
    ends_close(&e);
}

static void a_change_that_was_lost_is_never_delivered_wrong(void **state) {
    (void)state;
    for (uint16_t jump = 1; jump < 400; jump++) {
        ends e;
        ends_open(&e, false, 1);
        fields f = udp;
        settle(&e, &f);
        f.id = (uint16_t)(f.id + jump);
        // Everything that says the jump is lost, up to where packets without it begin.
        uint32_t lost = 0;
        travelling t = depart(&e, &f);
        for (; lost < 40 && t.made.type != OX_ROHC_TYPE_V2_PT_0_CRC3; lost++) {
            e.lost++;
            next(&f);
            t = depart(&e, &f);
        }
        for (uint32_t n = 0; n < 8; n++) {
            arrive(&e, &t, true); // asserts that it is exact, if it passes
            next(&f);
            t = depart(&e, &f);
        }
        ends_close(&e);
    }
}

static void a_nack_brings_the_dynamic_part_and_a_static_nack_everything(void **state) {
    (void)state;
    ends e;
    ends_open(&e, true, 1);
    fields f = udp;
    settle(&e, &f);
    // FEEDBACK-2 (RFC 5225 section 6.9.1): acknowledgement type, 14 bits of MSN, CRC-8 over all.
    for (uint8_t type = 1; type <= 2; type++) {
        uint8_t element[4] = {0xF3, (uint8_t)(type << 6), 0, 0};
        element[3] = rohc_crc8(element + 1, 3, CRC8_START);
        ox_rohc_feedback(e.sender, element, 4);
        assert_int_equal(type == 1 ? OX_ROHC_TYPE_V2_CO_REPAIR : OX_ROHC_TYPE_IR, ends_send(&e, &f));
        next(&f);
        settle(&e, &f);
    }
    ends_close(&e);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(late_packets_come_out_whether_numbered_or_not),
        cmocka_unit_test(a_packet_from_before_a_change_is_built_from_the_state_before_it),
        cmocka_unit_test(more_lost_than_a_few_bits_bridge_is_not_believed),
        cmocka_unit_test(a_gap_of_fifteen_is_bridged_when_the_order_is_known),
        cmocka_unit_test(a_change_that_was_lost_is_never_delivered_wrong),
        cmocka_unit_test(a_nack_brings_the_dynamic_part_and_a_static_nack_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
