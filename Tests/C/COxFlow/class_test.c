#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "Tests/C/COxPacket/packets.h"
#include "oxcore/flow.h"

enum { EF = 46, VA = 44, CS5 = 40, CS1 = 8, LE = 1 };

static ox_class class_of(const packet *p, const ox_class_rule *rules, uint32_t count) {
    ox_classifier *classifier = ox_classifier_create();
    assert_non_null(classifier);
    ox_headers headers;
    assert_int_equal(ox_parse(p->bytes, p->len, &headers), OX_PASS);
    const ox_class class_ = ox_classify(classifier, rules, count, p->bytes, &headers, 1, 1000);
    ox_classifier_destroy(classifier);
    return class_;
}

/* UDP from 10.0.0.1 or fd00::1, port 5000, to 10.0.0.2 or fd00::2, port 6000. */
static packet udp(int version, uint8_t dscp) {
    static packet p;
    if (version == 4) begin_v4(&p, OX_PROTO_UDP, 0);
    else begin_v6(&p, OX_PROTO_UDP);
    put_udp(&p, 5000, 6000, "payload", 7);
    const uint8_t traffic_class = (uint8_t)(dscp << 2 | OX_ECN_ECT0);
    if (version == 4) p.bytes[1] = traffic_class;
    else ox_store_be16(p.bytes, (uint16_t)(0x6000 | traffic_class << 4));
    end(&p);
    return p;
}

static void every_class_has_a_name(void **state) {
    (void)state;
    assert_string_equal(ox_class_name(OX_CLASS_GAMING), "gaming");
    assert_string_equal(ox_class_name(OX_CLASS_REALTIME), "realtime");
    assert_string_equal(ox_class_name(OX_CLASS_STREAMING), "streaming");
    assert_string_equal(ox_class_name(OX_CLASS_WEB), "web");
    assert_string_equal(ox_class_name(OX_CLASS_GENERAL), "general");
    assert_string_equal(ox_class_name(OX_CLASS_BULK), "bulk");
}

static void dscp_says_what_it_is(void **state) {
    (void)state;
    for (int version = 4; version <= 6; version += 2) {
        for (uint8_t dscp = 0; dscp < 64; dscp++) {
            const packet p = udp(version, dscp);
            const bool realtime = dscp == EF || dscp == VA || dscp == CS5, bulk = dscp == CS1 || dscp == LE;
            assert_int_equal(class_of(&p, NULL, 0), realtime ? OX_CLASS_REALTIME : bulk ? OX_CLASS_BULK : OX_CLASS_GENERAL);
        }
    }
}

static void a_rule_comes_before_dscp(void **state) {
    (void)state;
    const packet p = udp(4, EF);
    assert_int_equal(class_of(&p, &(ox_class_rule){.class_ = OX_CLASS_WEB}, 1), OX_CLASS_WEB);
    assert_int_equal(class_of(&p, &(ox_class_rule){.class_ = OX_CLASS_WEB, .protocol = OX_PROTO_TCP}, 1), OX_CLASS_REALTIME);
}

static void the_first_rule_that_holds_counts(void **state) {
    (void)state;
    const packet p = udp(4, 0);
    const ox_class_rule rules[] = {{.class_ = OX_CLASS_BULK, .protocol = OX_PROTO_TCP},
                                   {.class_ = OX_CLASS_GAMING, .port_first = 6000, .port_last = 6000},
                                   {.class_ = OX_CLASS_WEB, .protocol = OX_PROTO_UDP}};
    assert_int_equal(class_of(&p, rules, 3), OX_CLASS_GAMING);
}

static void all_that_is_stated_must_hold(void **state) {
    (void)state;
    const packet p = udp(4, CS1);
    const ox_class_rule rule = {.class_ = OX_CLASS_GAMING, .protocol = OX_PROTO_UDP, .dscp = 0x80 | CS1, .prefix_bits = 120,
                                .port_first = 5990, .port_last = 6000, .prefix = {[10] = 0xFF, [11] = 0xFF, [12] = 10}};
    assert_int_equal(class_of(&p, &rule, 1), OX_CLASS_GAMING);
    ox_class_rule other[4] = {rule, rule, rule, rule};
    other[0].protocol = OX_PROTO_TCP;
    other[1].dscp = 0x80;
    other[2].port_last = 5999;
    other[3].prefix[13] = 1;
    for (int i = 0; i < 4; i++) assert_int_equal(class_of(&p, &other[i], 1), OX_CLASS_BULK);
}

static void a_port_is_the_source_or_the_destination(void **state) {
    (void)state;
    const packet p = udp(6, 0);
    const struct {
        uint16_t first, last;
        bool holds;
    } cases[] = {{5000, 5000, true},  {6000, 6000, true},  {4999, 5001, true},   {5001, 5999, false}, {6001, 65535, false},
                 {1, 4999, false},    {0, 4999, false},    {0, 65535, true},     {0, 0, true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const ox_class_rule rule = {.class_ = OX_CLASS_WEB, .port_first = cases[i].first, .port_last = cases[i].last};
        assert_int_equal(class_of(&p, &rule, 1), cases[i].holds ? OX_CLASS_WEB : OX_CLASS_GENERAL);
    }
}

static void what_has_no_port_is_in_no_range(void **state) {
    (void)state;
    packet p;
    begin_v4(&p, OX_PROTO_ICMP, 0);
    p.bytes[1] = 0;
    put_icmp(&p, 8, 0, 8);
    end(&p);
    assert_int_equal(class_of(&p, &(ox_class_rule){.class_ = OX_CLASS_WEB, .port_first = 0, .port_last = 65535}, 1), OX_CLASS_GENERAL);
    assert_int_equal(class_of(&p, &(ox_class_rule){.class_ = OX_CLASS_WEB, .protocol = OX_PROTO_ICMP}, 1), OX_CLASS_WEB);
}

static void a_prefix_holds_to_the_bit(void **state) {
    (void)state;
    const packet v4 = udp(4, 0), v6 = udp(6, 0);
    /* The destination ends in 2, the source in 1: of /31 and /127 the one of 2 and 3 holds the destination alone. */
    ox_class_rule rule = {.class_ = OX_CLASS_WEB, .prefix_bits = 127, .prefix = {[10] = 0xFF, [11] = 0xFF, [12] = 10, [15] = 3}};
    assert_int_equal(class_of(&v4, &rule, 1), OX_CLASS_WEB);
    assert_int_equal(class_of(&v6, &rule, 1), OX_CLASS_GENERAL);
    rule.prefix_bits = 128;
    assert_int_equal(class_of(&v4, &rule, 1), OX_CLASS_GENERAL);
    rule.prefix_bits = 96; /* every IPv4 address */
    assert_int_equal(class_of(&v4, &rule, 1), OX_CLASS_WEB);
    assert_int_equal(class_of(&v6, &rule, 1), OX_CLASS_GENERAL);
    ox_class_rule six = {.class_ = OX_CLASS_BULK, .prefix_bits = 128, .prefix = {0xFD, [15] = 1}};
    assert_int_equal(class_of(&v6, &six, 1), OX_CLASS_BULK);
    six.prefix[15] = 0;
    assert_int_equal(class_of(&v6, &six, 1), OX_CLASS_GENERAL);
    six.prefix_bits = 127;
    assert_int_equal(class_of(&v6, &six, 1), OX_CLASS_BULK);
    six.prefix[0] = 0xFC;
    assert_int_equal(class_of(&v6, &six, 1), OX_CLASS_GENERAL);
    six.prefix_bits = 7;
    assert_int_equal(class_of(&v6, &six, 1), OX_CLASS_BULK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_class_has_a_name),
        cmocka_unit_test(dscp_says_what_it_is),
        cmocka_unit_test(a_rule_comes_before_dscp),
        cmocka_unit_test(the_first_rule_that_holds_counts),
        cmocka_unit_test(all_that_is_stated_must_hold),
        cmocka_unit_test(a_port_is_the_source_or_the_destination),
        cmocka_unit_test(what_has_no_port_is_in_no_range),
        cmocka_unit_test(a_prefix_holds_to_the_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
