#include "pair.h"

static const uint64_t SECOND = 1000000000;
static const ox_address CLIENT = {.ip = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 1}, .port = 4500};
static const ox_address NEIGHBOUR = {.ip = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 2}, .port = 4500};
static const ox_address OTHER_PORT = {.ip = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 1}, .port = 4501};

/** The relay answers `message` with a cookie reply, and the client puts the cookie into it. */
static void take_cookie(pair *p, ox_cookie_jar *jar, uint64_t now, uint8_t *message, size_t len) {
    uint8_t reply[OX_COOKIE_REPLY_BYTES];
    uint8_t cookie[OX_COOKIE_BYTES];
    ox_cookie_reply(jar, now, message, len, &CLIENT, reply);
    assert_int_equal(OX_PASS, ox_handshake_check(p->client, reply, sizeof reply));
    assert_int_equal(OX_OK,
                     ox_cookie_read(ox_identity_public(p->relay), message, len, reply, sizeof reply, cookie));
    ox_handshake_set_mac2(message, len, cookie);
}

static void a_cookie_proves_address_and_port(void **state) {
    pair *p = *state;
    ox_cookie_jar *jar = ox_cookie_jar_create(p->relay);
    uint8_t message[OX_HANDSHAKE_MAX];
    const size_t len = pair_initiate(p, 5, 30, message);
    assert_false(ox_cookie_valid(jar, SECOND, message, len, &CLIENT)); /* mac2 is still zero */
    take_cookie(p, jar, SECOND, message, len);
    assert_int_equal(OX_PASS, ox_handshake_check(p->relay, message, len)); /* mac1 does not cover mac2 */
    assert_true(ox_cookie_valid(jar, SECOND, message, len, &CLIENT));
    assert_false(ox_cookie_valid(jar, SECOND, message, len, &NEIGHBOUR));
    assert_false(ox_cookie_valid(jar, SECOND, message, len, &OTHER_PORT));
    assert_int_equal(OX_OK, pair_read(p, message, len));
    for (size_t i = 0; i < len; i++) {
        message[i] ^= 1;
        assert_false(ox_cookie_valid(jar, SECOND, message, len, &CLIENT));
        message[i] ^= 1;
    }
    ox_cookie_jar_destroy(jar);
}

static void a_cookie_outlives_one_change_of_secret_but_not_two(void **state) {
    pair *p = *state;
    uint8_t message[OX_HANDSHAKE_MAX];
    const size_t len = pair_initiate(p, 5, 30, message);
    const struct {
        uint64_t taken, used; /* seconds after the jar's first use */
        bool valid;
    } cases[] = {
        {0, 0, true},    {0, 119, true},    {0, 120, true},   {0, 239, true},     {0, 240, false},
        {119, 239, true}, {119, 240, false}, {120, 240, true}, {120, 359, true},   {120, 360, false},
        {0, 241, false}, {0, 100000, false}, {7000, 7199, true}, {7000, 7200, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ox_cookie_jar *jar = ox_cookie_jar_create(p->relay);
        (void)ox_cookie_valid(jar, 77 * SECOND, message, len, &CLIENT);
        take_cookie(p, jar, (77 + cases[i].taken) * SECOND, message, len);
        assert_int_equal(cases[i].valid,
                         ox_cookie_valid(jar, (77 + cases[i].used) * SECOND, message, len, &CLIENT));
        ox_cookie_jar_destroy(jar);
    }
}

static void a_clock_that_steps_back_keeps_the_secret(void **state) {
    pair *p = *state;
    uint8_t message[OX_HANDSHAKE_MAX];
    const size_t len = pair_initiate(p, 5, 0, message);
    ox_cookie_jar *jar = ox_cookie_jar_create(p->relay);
    take_cookie(p, jar, 500 * SECOND, message, len);
    assert_true(ox_cookie_valid(jar, 3 * SECOND, message, len, &CLIENT));
    ox_cookie_jar_destroy(jar);
}

static void a_cookie_reply_answers_a_response_too(void **state) {
    pair *p = *state;
    uint8_t message[OX_HANDSHAKE_MAX];
    uint8_t reply[OX_COOKIE_REPLY_BYTES];
    uint8_t cookie[OX_COOKIE_BYTES];
    size_t len = pair_initiate(p, 5, 30, message);
    assert_int_equal(OX_OK, pair_read(p, message, len));
    len = pair_respond(p, 0x01020304, 12, message);
    ox_cookie_jar *jar = ox_cookie_jar_create(p->client); /* here the client is the one under load */
    ox_cookie_reply(jar, SECOND, message, len, &CLIENT, reply);
    assert_int_equal(0x01020304, ox_handshake_index(reply));
    assert_int_equal(OX_OK,
                     ox_cookie_read(ox_identity_public(p->client), message, len, reply, sizeof reply, cookie));
    ox_handshake_set_mac2(message, len, cookie);
    assert_true(ox_cookie_valid(jar, SECOND, message, len, &CLIENT));
    assert_int_equal(OX_OK, pair_complete(p, message, len));
    ox_cookie_jar_destroy(jar);
}

static void a_tampered_or_foreign_cookie_reply_is_refused(void **state) {
    pair *p = *state;
    uint8_t message[OX_HANDSHAKE_MAX];
    uint8_t later[OX_HANDSHAKE_MAX];
    uint8_t reply[OX_COOKIE_REPLY_BYTES + 1];
    uint8_t cookie[OX_COOKIE_BYTES];
    const size_t len = pair_initiate(p, 5, 30, message);
    const size_t later_len = pair_initiate(p, 5, 30, later);
    const uint8_t *relay = ox_identity_public(p->relay);
    ox_cookie_jar *jar = ox_cookie_jar_create(p->relay);
    ox_cookie_reply(jar, SECOND, message, len, &CLIENT, reply);
    assert_int_equal(5, ox_handshake_index(reply));
    for (size_t bit = 0; bit < 8 * (size_t)OX_COOKIE_REPLY_BYTES; bit++) {
        reply[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(bit < 32 ? OX_E_FORMAT : OX_E_AUTH,
                         ox_cookie_read(relay, message, len, reply, OX_COOKIE_REPLY_BYTES, cookie));
        reply[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t other = 0; other <= sizeof reply; other++) {
        if (other == OX_COOKIE_REPLY_BYTES) continue;
        assert_int_equal(OX_E_FORMAT, ox_cookie_read(relay, message, len, reply, other, cookie));
    }
    /* to another message, although of the same index; and as if from another party */
    assert_int_equal(OX_E_AUTH, ox_cookie_read(relay, later, later_len, reply, OX_COOKIE_REPLY_BYTES, cookie));
    assert_int_equal(OX_E_AUTH, ox_cookie_read(ox_identity_public(p->client), message, len, reply,
                                               OX_COOKIE_REPLY_BYTES, cookie));
    assert_int_equal(OX_OK, ox_cookie_read(relay, message, len, reply, OX_COOKIE_REPLY_BYTES, cookie));
    assert_false(ox_cookie_valid(jar, SECOND, reply, OX_COOKIE_REPLY_BYTES, &CLIENT)); /* carries no mac2 */
    ox_cookie_jar_destroy(jar);
    ox_cookie_jar_destroy(NULL);
}

static void check_names_what_is_wrong(void **state) {
    pair *p = *state;
    uint8_t message[OX_HANDSHAKE_MAX] = {0};
    size_t len = pair_initiate(p, 5, OX_HANDSHAKE_PAYLOAD_MAX, message);
    assert_int_equal(OX_PASS, ox_handshake_check(p->relay, message, len));
    assert_int_equal(OX_DROP_HANDSHAKE_MAC1, ox_handshake_check(p->client, message, len));
    assert_int_equal(OX_DROP_HANDSHAKE_MAC1, ox_handshake_check(p->relay, message, len - 1));
    assert_int_equal(OX_DROP_HANDSHAKE_LENGTH, ox_handshake_check(p->relay, message, len + 1));
    assert_int_equal(OX_DROP_HANDSHAKE_MAC1, ox_handshake_check(p->relay, message, OX_INITIATION_OVERHEAD));
    for (size_t shorter = 0; shorter < OX_INITIATION_OVERHEAD; shorter++)
        assert_int_equal(OX_DROP_HANDSHAKE_LENGTH, ox_handshake_check(p->relay, message, shorter));
    for (int at = 1; at < 4; at++) {
        message[at] ^= 2;
        assert_int_equal(OX_DROP_HANDSHAKE_VERSION, ox_handshake_check(p->relay, message, len));
        message[at] ^= 2;
    }
    message[0] = 4;
    assert_int_equal(OX_DROP_DATAGRAM_TYPE, ox_handshake_check(p->relay, message, len));
    message[0] = OX_TYPE_RESPONSE;
    assert_int_equal(OX_DROP_HANDSHAKE_LENGTH,
                     ox_handshake_check(p->relay, message, OX_RESPONSE_OVERHEAD + OX_HANDSHAKE_PAYLOAD_MAX + 1));
    assert_int_equal(OX_DROP_HANDSHAKE_LENGTH, ox_handshake_check(p->relay, message, OX_RESPONSE_OVERHEAD - 1));
    assert_int_equal(OX_DROP_HANDSHAKE_MAC1, ox_handshake_check(p->relay, message, OX_RESPONSE_OVERHEAD));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_cookie_proves_address_and_port, pair_setup, pair_teardown),
        cmocka_unit_test_setup_teardown(a_cookie_outlives_one_change_of_secret_but_not_two, pair_setup, pair_teardown),
        cmocka_unit_test_setup_teardown(a_clock_that_steps_back_keeps_the_secret, pair_setup, pair_teardown),
        cmocka_unit_test_setup_teardown(a_cookie_reply_answers_a_response_too, pair_setup, pair_teardown),
        cmocka_unit_test_setup_teardown(a_tampered_or_foreign_cookie_reply_is_refused, pair_setup, pair_teardown),
        cmocka_unit_test_setup_teardown(check_names_what_is_wrong, pair_setup, pair_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
