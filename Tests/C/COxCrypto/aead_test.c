#include "pair.h"

#include <sodium.h>

static const uint8_t ONE[OX_KEY_BYTES] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
static const uint8_t OTHER[OX_KEY_BYTES] = {9, 8, 7, 6, 5, 4, 3, 2, 1};
static const uint8_t AAD[] = {0x40, 0xaa, 0xbb};
static const uint32_t PATH = 0x04030201;
static const uint64_t NUMBER = UINT64_C(0x0c0b0a0908070605);
/* Path id and packet number in little-endian order, as Wire.md section 5 says. */
static const uint8_t NONCE[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

static int setup(void **state) {
    (void)state;
    return ox_init() == OX_OK ? 0 : 1;
}

static void available_or_skip(ox_aead aead) {
    if (!ox_aead_available(aead)) {
        print_message("# SKIP this machine has no AES and carry-less multiplication instructions\n");
        skip();
    }
}

static void fill(uint8_t *data, size_t len) {
    for (size_t i = 0; i < len; i++) data[i] = (uint8_t)(i * 31 + 7);
}

static void equals_libsodium(ox_aead aead) {
    available_or_skip(aead);
    ox_keys *keys = ox_keys_create(aead, ONE, OTHER);
    assert_non_null(keys);
    assert_int_equal(aead, ox_keys_aead(keys));
    for (size_t len = 0; len <= 1500; len += len < 70 ? 1 : 65) {
        uint8_t plain[1500];
        uint8_t ours[1500 + OX_TAG_BYTES];
        uint8_t theirs[1500 + OX_TAG_BYTES];
        fill(plain, len);
        fill(ours, len);
        ox_keys_seal(keys, PATH, NUMBER, AAD, sizeof AAD, ours, len);
        if (aead == OX_AEAD_AES256GCM) {
            crypto_aead_aes256gcm_encrypt(theirs, NULL, plain, len, AAD, sizeof AAD, NULL, NONCE, ONE);
        } else {
            crypto_aead_chacha20poly1305_ietf_encrypt(theirs, NULL, plain, len, AAD, sizeof AAD, NULL, NONCE, ONE);
        }
        assert_memory_equal(theirs, ours, len + ox_aead_tag_bytes(aead));
    }
    ox_keys_destroy(keys);
}

static void chacha20poly1305_equals_libsodium(void **state) {
    (void)state;
    equals_libsodium(OX_AEAD_CHACHA20POLY1305);
}

static void aes256gcm_equals_libsodium(void **state) {
    (void)state;
    equals_libsodium(OX_AEAD_AES256GCM);
}

static void opens_only_what_was_sealed(ox_aead aead) {
    available_or_skip(aead);
    enum { LEN = 40, ALL = LEN + OX_TAG_BYTES };
    ox_keys *here = ox_keys_create(aead, ONE, OTHER);
    ox_keys *there = ox_keys_create(aead, OTHER, ONE);
    uint8_t plain[LEN];
    uint8_t sealed[ALL];
    uint8_t copy[ALL];
    uint8_t aad[sizeof AAD];
    fill(plain, LEN);
    fill(sealed, LEN);
    ox_keys_seal(here, 7, 9, AAD, sizeof AAD, sealed, LEN);

    memcpy(copy, sealed, ALL);
    assert_int_equal(OX_OK, ox_keys_open(there, 7, 9, AAD, sizeof AAD, copy, LEN));
    assert_memory_equal(plain, copy, LEN);

    for (size_t bit = 0; bit < 8 * ALL; bit++) {
        memcpy(copy, sealed, ALL);
        copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(OX_E_AUTH, ox_keys_open(there, 7, 9, AAD, sizeof AAD, copy, LEN));
    }
    for (size_t i = 0; i < sizeof AAD; i++) {
        memcpy(aad, AAD, sizeof AAD);
        aad[i] ^= 1;
        memcpy(copy, sealed, ALL);
        assert_int_equal(OX_E_AUTH, ox_keys_open(there, 7, 9, aad, sizeof aad, copy, LEN));
    }
    memcpy(copy, sealed, ALL);
    assert_int_equal(OX_E_AUTH, ox_keys_open(there, 8, 9, AAD, sizeof AAD, copy, LEN));
    memcpy(copy, sealed, ALL);
    assert_int_equal(OX_E_AUTH, ox_keys_open(there, 7, 10, AAD, sizeof AAD, copy, LEN));
    memcpy(copy, sealed, ALL);
    assert_int_equal(OX_E_AUTH, ox_keys_open(here, 7, 9, AAD, sizeof AAD, copy, LEN)); /* the other direction's key */
    ox_keys_destroy(here);
    ox_keys_destroy(there);
}

static void chacha20poly1305_opens_only_what_was_sealed(void **state) {
    (void)state;
    opens_only_what_was_sealed(OX_AEAD_CHACHA20POLY1305);
}

static void aes256gcm_opens_only_what_was_sealed(void **state) {
    (void)state;
    opens_only_what_was_sealed(OX_AEAD_AES256GCM);
}

static void none_changes_nothing_and_has_no_tag(void **state) {
    (void)state;
    ox_keys *keys = ox_keys_create(OX_AEAD_NONE, ONE, OTHER);
    uint8_t data[9] = "untouche";
    assert_int_equal(0, ox_aead_tag_bytes(OX_AEAD_NONE));
    assert_true(ox_aead_available(OX_AEAD_NONE));
    ox_keys_seal(keys, 1, 2, AAD, sizeof AAD, data, 8);
    assert_string_equal("untouche", (const char *)data);
    assert_int_equal(OX_OK, ox_keys_open(keys, 1, 2, AAD, sizeof AAD, data, 8));
    assert_string_equal("untouche", (const char *)data);
    ox_keys_destroy(keys);
}

static void many_keys_are_created_and_destroyed(void **state) {
    (void)state;
    ox_keys *keys[300];
    for (int i = 0; i < 300; i++) assert_non_null(keys[i] = ox_keys_create(OX_AEAD_CHACHA20POLY1305, ONE, OTHER));
    for (int i = 0; i < 300; i++) ox_keys_destroy(keys[i]);
    ox_keys_destroy(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chacha20poly1305_equals_libsodium),
        cmocka_unit_test(aes256gcm_equals_libsodium),
        cmocka_unit_test(chacha20poly1305_opens_only_what_was_sealed),
        cmocka_unit_test(aes256gcm_opens_only_what_was_sealed),
        cmocka_unit_test(none_changes_nothing_and_has_no_tag),
        cmocka_unit_test(many_keys_are_created_and_destroyed),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
