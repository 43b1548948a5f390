#include "pair.h"
#include "single.h"

#include <sodium.h>

/** Both ends take their keys, and each opens what the other seals. */
static void assert_keys_meet(pair *p, ox_aead aead) {
    uint8_t data[6 + OX_TAG_BYTES] = "hello";
    ox_keys *client = ox_handshake_keys(p->initiator, aead);
    ox_keys *relay = ox_handshake_keys(p->responder, aead);
    assert_non_null(client);
    assert_non_null(relay);
    seal_single(client, 1, 2, NULL, 0, data, 6);
    assert_true(open_single(relay, 1, 2, NULL, 0, data, 6));
    assert_string_equal("hello", (const char *)data);
    seal_single(relay, 1, 2, NULL, 0, data, 6);
    assert_true(open_single(client, 1, 2, NULL, 0, data, 6));
    assert_string_equal("hello", (const char *)data);
    ox_keys_destroy(client);
    ox_keys_destroy(relay);
}

static void both_sides_learn_what_was_sent(void **state) {
    pair *p = *state;
    const size_t lengths[] = {0, 1, 77, OX_HANDSHAKE_PAYLOAD_MAX};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        uint8_t message[OX_HANDSHAKE_MAX];
        uint8_t remote[OX_KEY_BYTES];
        uint8_t payload[OX_HANDSHAKE_PAYLOAD_MAX];
        uint32_t index = 0;
        size_t payload_len = 0;
        size_t len = pair_initiate(p, 0xdeadbeef, lengths[i], message);
        assert_int_equal(OX_TYPE_INITIATION, message[0]);
        assert_int_equal(0xdeadbeef, ox_handshake_index(message));
        assert_int_equal(OX_OK, ox_handshake_read_initiation(p->responder, p->relay, message, len, remote, &index,
                                                             payload, &payload_len));
        assert_memory_equal(ox_identity_public(p->client), remote, OX_KEY_BYTES);
        assert_int_equal(0xdeadbeef, index);
        assert_int_equal(lengths[i], payload_len);
        for (size_t j = 0; j < payload_len; j++) assert_int_equal((uint8_t)(j * 7 + 1), payload[j]);

        len = pair_respond(p, 0xcafe0001, lengths[i], message);
        assert_int_equal(OX_TYPE_RESPONSE, message[0]);
        assert_int_equal(0xdeadbeef, ox_handshake_index(message));
        assert_int_equal(OX_PASS, ox_handshake_check(p->client, message, len));
        assert_int_equal(OX_OK, ox_handshake_read_response(p->initiator, p->client, message, len, &index, payload,
                                                           &payload_len));
        assert_int_equal(0xcafe0001, index);
        assert_int_equal(lengths[i], payload_len);
        for (size_t j = 0; j < payload_len; j++) assert_int_equal((uint8_t)(j * 11 + 3), payload[j]);
        assert_keys_meet(p, OX_AEAD_CHACHA20POLY1305);
    }
}

static void keys_serve_every_aead(void **state) {
    pair *p = *state;
    for (ox_aead aead = OX_AEAD_NONE; aead <= OX_AEAD_AES256GCM; aead++) {
        if (!ox_aead_available(aead)) continue;
        uint8_t message[OX_HANDSHAKE_MAX];
        assert_int_equal(OX_OK, pair_read(p, message, pair_initiate(p, 1, 40, message)));
        assert_int_equal(OX_OK, pair_complete(p, message, pair_respond(p, 2, 40, message)));
        assert_keys_meet(p, aead);
    }
}

static void every_tampered_initiation_is_refused_and_harms_nothing(void **state) {
    pair *p = *state;
    uint8_t message[OX_HANDSHAKE_MAX];
    const size_t len = pair_initiate(p, 9, 20, message);
    ox_handshake before = *p->responder;
    for (size_t i = 0; i < len - OX_MAC_BYTES; i++) { /* mac2 is not authentic, it is the cookie's */
        message[i] ^= 0x10;
        assert_int_equal(i < 4 ? OX_E_FORMAT : OX_E_AUTH, pair_read(p, message, len));
        assert_memory_equal(&before, p->responder, sizeof before);
        /* mac1 is no secret: whoever knows the relay's public key can make it fit, and Noise must refuse alone */
        if (i >= 4 && i < len - 2 * OX_MAC_BYTES) {
            uint8_t forged[OX_HANDSHAKE_MAX];
            memcpy(forged, message, len);
            ox_handshake_seal_macs(forged, len, p->relay->mac1_key);
            assert_int_equal(OX_PASS, ox_handshake_check(p->relay, forged, len));
            assert_int_equal(OX_E_AUTH, pair_read(p, forged, len));
            assert_memory_equal(&before, p->responder, sizeof before);
        }
        message[i] ^= 0x10;
    }
    for (size_t other = 0; other < len; other++) assert_int_not_equal(OX_OK, pair_read(p, message, other));
    assert_int_equal(OX_OK, pair_read(p, message, len));
}

static void every_tampered_response_is_refused_and_the_true_one_still_completes(void **state) {
    pair *p = *state;
    uint8_t message[OX_HANDSHAKE_MAX];
    assert_int_equal(OX_OK, pair_read(p, message, pair_initiate(p, 9, 20, message)));
    const size_t len = pair_respond(p, 10, 20, message);
    ox_handshake before = *p->initiator;
    for (size_t i = 0; i < len - OX_MAC_BYTES; i++) {
        message[i] ^= 0x10;
        assert_int_equal(i < 4 ? OX_E_FORMAT : OX_E_AUTH, pair_complete(p, message, len));
        assert_memory_equal(&before, p->initiator, sizeof before);
        if (i >= 4 && i < len - 2 * OX_MAC_BYTES) { /* the clear header's indices included */
            uint8_t forged[OX_HANDSHAKE_MAX];
            memcpy(forged, message, len);
            ox_handshake_seal_macs(forged, len, p->client->mac1_key);
            assert_int_equal(OX_PASS, ox_handshake_check(p->client, forged, len));
            assert_int_equal(OX_E_AUTH, pair_complete(p, forged, len));
            assert_memory_equal(&before, p->initiator, sizeof before);
        }
        message[i] ^= 0x10;
    }
    assert_int_equal(OX_OK, pair_complete(p, message, len));
    assert_keys_meet(p, OX_AEAD_CHACHA20POLY1305);
}

static void a_wrong_preshared_key_is_found_by_the_initiator(void **state) {
    pair *p = *state;
    uint8_t message[OX_HANDSHAKE_MAX];
    assert_int_equal(OX_OK, pair_read(p, message, pair_initiate(p, 9, 20, message)));
    p->psk[31] ^= 1; /* the initiator keeps its own copy */
    assert_int_equal(OX_E_AUTH, pair_complete(p, message, pair_respond(p, 10, 20, message)));
}

static void an_initiation_to_another_relay_is_refused(void **state) {
    pair *p = *state;
    uint8_t message[OX_HANDSHAKE_MAX];
    uint8_t key[OX_KEY_BYTES];
    uint8_t payload[OX_HANDSHAKE_PAYLOAD_MAX];
    uint32_t index;
    const size_t len = pair_initiate(p, 9, 20, message);
    size_t payload_len;
    ox_key_random(key, true);
    ox_identity *stranger = ox_identity_create(key);
    assert_int_equal(OX_E_AUTH, ox_handshake_read_initiation(p->responder, stranger, message, len, key, &index,
                                                             payload, &payload_len));
    ox_handshake_seal_macs(message, len, stranger->mac1_key);
    assert_int_equal(OX_E_AUTH, ox_handshake_read_initiation(p->responder, stranger, message, len, key, &index,
                                                             payload, &payload_len));
    ox_identity_destroy(stranger);
}

/** Points of order 1, 2, 4 and 8 of the curve and its twist, and their encodings above the prime. */
static const uint8_t LOW_ORDER[][OX_KEY_BYTES] = {
    {0},
    {1},
    {0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
     0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00},
    {0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b,
     0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57},
    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    {0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    {0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
};

static void points_of_low_order_are_refused(void **state) {
    pair *p = *state;
    const ox_handshake idle = *p->initiator;
    for (size_t i = 0; i < sizeof LOW_ORDER / sizeof LOW_ORDER[0]; i++) {
        uint8_t message[OX_HANDSHAKE_MAX];
        size_t len = 12345;
        assert_int_equal(OX_E_FORMAT, ox_handshake_initiate(p->initiator, p->client, LOW_ORDER[i], p->psk, 1, NULL, 0,
                                                            message, &len));
        assert_int_equal(12345, len);
        assert_memory_equal(&idle, p->initiator, sizeof idle);
    }
    for (size_t i = 0; i < sizeof LOW_ORDER / sizeof LOW_ORDER[0]; i++) { /* as the ephemeral of either message */
        uint8_t message[OX_HANDSHAKE_MAX];
        size_t len = pair_initiate(p, 1, 0, message);
        uint8_t forged[OX_HANDSHAKE_MAX];
        memcpy(forged, message, len);
        memcpy(forged + 8, LOW_ORDER[i], OX_KEY_BYTES);
        ox_handshake_seal_macs(forged, len, p->relay->mac1_key);
        assert_int_equal(OX_E_AUTH, pair_read(p, forged, len));
        assert_int_equal(OX_OK, pair_read(p, message, len));
        len = pair_respond(p, 2, 0, message);
        memcpy(forged, message, len);
        memcpy(forged + 12, LOW_ORDER[i], OX_KEY_BYTES);
        ox_handshake_seal_macs(forged, len, p->client->mac1_key);
        assert_int_equal(OX_E_AUTH, pair_complete(p, forged, len));
        assert_int_equal(OX_OK, pair_complete(p, message, len));
    }
}

static void a_response_to_an_earlier_initiation_is_refused(void **state) {
    pair *p = *state;
    uint8_t first[OX_HANDSHAKE_MAX];
    uint8_t second[OX_HANDSHAKE_MAX];
    uint8_t response[OX_HANDSHAKE_MAX];
    const size_t first_len = pair_initiate(p, 1, 0, first);
    const size_t second_len = pair_initiate(p, 1, 0, second);
    assert_memory_not_equal(first + 8, second + 8, OX_KEY_BYTES); /* a fresh ephemeral each time */
    assert_int_equal(OX_OK, pair_read(p, first, first_len));
    assert_int_equal(OX_E_AUTH, pair_complete(p, response, pair_respond(p, 2, 0, response)));
    assert_int_equal(OX_OK, pair_read(p, second, second_len));
    assert_int_equal(OX_OK, pair_complete(p, response, pair_respond(p, 2, 0, response)));
    assert_keys_meet(p, OX_AEAD_CHACHA20POLY1305);
}

static void nothing_secret_is_left_once_the_keys_are_taken(void **state) {
    pair *p = *state;
    uint8_t message[OX_HANDSHAKE_MAX];
    assert_int_equal(OX_OK, pair_read(p, message, pair_initiate(p, 1, 40, message)));
    assert_int_equal(OX_OK, pair_complete(p, message, pair_respond(p, 2, 40, message)));
    assert_memory_equal(p->initiator->noise.h, p->responder->noise.h, OX_NOISE_HASH_BYTES);
    assert_keys_meet(p, OX_AEAD_CHACHA20POLY1305);
    assert_true(sodium_is_zero((const uint8_t *)p->initiator, sizeof *p->initiator));
    assert_true(sodium_is_zero((const uint8_t *)p->responder, sizeof *p->responder));
}

static void messages_of_the_wrong_type_are_refused(void **state) {
    pair *p = *state;
    uint8_t message[OX_HANDSHAKE_MAX];
    size_t len = pair_initiate(p, 1, 40, message);
    assert_int_equal(OX_E_FORMAT, pair_complete(p, message, len));
    assert_int_equal(OX_OK, pair_read(p, message, len));
    len = pair_respond(p, 2, 40, message);
    assert_int_equal(OX_E_FORMAT, pair_read(p, message, len));
    assert_int_equal(OX_OK, pair_complete(p, message, len));
}

#define WITH_PAIR(test) cmocka_unit_test_setup_teardown(test, pair_setup, pair_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_PAIR(both_sides_learn_what_was_sent),
        WITH_PAIR(keys_serve_every_aead),
        WITH_PAIR(every_tampered_initiation_is_refused_and_harms_nothing),
        WITH_PAIR(every_tampered_response_is_refused_and_the_true_one_still_completes),
        WITH_PAIR(a_wrong_preshared_key_is_found_by_the_initiator),
        WITH_PAIR(an_initiation_to_another_relay_is_refused),
        WITH_PAIR(points_of_low_order_are_refused),
        WITH_PAIR(a_response_to_an_earlier_initiation_is_refused),
        WITH_PAIR(nothing_secret_is_left_once_the_keys_are_taken),
        WITH_PAIR(messages_of_the_wrong_type_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
