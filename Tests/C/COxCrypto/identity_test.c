#include "pair.h"

#include <sodium.h>

static int setup(void **state) {
    (void)state;
    return ox_init() == OX_OK ? 0 : 1;
}

static void an_identity_clamps_and_derives_its_public_key(void **state) {
    (void)state;
    uint8_t loose[OX_KEY_BYTES];
    uint8_t expected[OX_KEY_BYTES];
    memset(loose, 0xff, sizeof loose);
    ox_identity *identity = ox_identity_create(loose);
    assert_non_null(identity);
    assert_int_equal(0xf8, identity->private_key[0]);
    assert_int_equal(0x7f, identity->private_key[31]);
    assert_int_equal(OX_OK, ox_key_public(loose, expected)); /* X25519 clamps by itself */
    assert_memory_equal(expected, ox_identity_public(identity), OX_KEY_BYTES);
    ox_identity_destroy(identity);
}

static void the_all_zero_key_is_no_identity(void **state) {
    (void)state;
    const uint8_t zero[OX_KEY_BYTES] = {0};
    assert_null(ox_identity_create(zero));
    ox_identity_destroy(NULL);
}

static void mac1_and_cookie_keys_are_hashes_of_label_and_public_key(void **state) {
    (void)state;
    const char *labels[2] = {"OxTunnel mac1----", "OxTunnel cookie--"};
    uint8_t key[OX_KEY_BYTES];
    ox_key_random(key, true);
    ox_identity *identity = ox_identity_create(key);
    const uint8_t *derived[2] = {identity->mac1_key, identity->cookie_key};
    for (int i = 0; i < 2; i++) {
        uint8_t input[17 + OX_KEY_BYTES];
        uint8_t expected[OX_KEY_BYTES];
        assert_int_equal(17, strlen(labels[i]));
        memcpy(input, labels[i], 17);
        memcpy(input + 17, ox_identity_public(identity), OX_KEY_BYTES);
        crypto_generichash(expected, sizeof expected, input, sizeof input, NULL, 0);
        assert_memory_equal(expected, derived[i], OX_KEY_BYTES);
    }
    ox_identity_destroy(identity);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_identity_clamps_and_derives_its_public_key),
        cmocka_unit_test(the_all_zero_key_is_no_identity),
        cmocka_unit_test(mac1_and_cookie_keys_are_hashes_of_label_and_public_key),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
