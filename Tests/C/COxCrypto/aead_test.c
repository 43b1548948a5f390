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

/** Reads one "name hexadecimal" line. Returns the bytes read. */
static size_t read_field(FILE *file, const char *name, uint8_t *out, size_t room) {
    char found[16], hex[600];
    size_t len = 0;
    assert_int_equal(2, fscanf(file, "%15s %599s", found, hex));
    assert_string_equal(name, found);
    assert_int_equal(0, sodium_hex2bin(out, room, hex, strlen(hex), NULL, &len, NULL));
    return len;
}

static void chacha20poly1305_equals_rfc_8439(void **state) {
    (void)state;
    FILE *file = fopen("Tests/Vectors/aead/rfc8439.txt", "r");
    assert_non_null(file);
    uint8_t key[OX_KEY_BYTES], path[4], number[8], aad[12], data[256], sealed[256];
    assert_int_equal(sizeof key, read_field(file, "key", key, sizeof key));
    assert_int_equal(sizeof path, read_field(file, "path", path, sizeof path));
    assert_int_equal(sizeof number, read_field(file, "number", number, sizeof number));
    assert_int_equal(sizeof aad, read_field(file, "aad", aad, sizeof aad));
    size_t len = read_field(file, "plain", data, sizeof data - OX_TAG_BYTES);
    assert_int_equal(len + OX_TAG_BYTES, read_field(file, "sealed", sealed, sizeof sealed));
    fclose(file);
    ox_keys *keys = ox_keys_create(OX_AEAD_CHACHA20POLY1305, key, key);
    ox_keys_seal(keys, ox_load_be32(path), ox_load_be64(number), aad, sizeof aad, data, len);
    assert_memory_equal(sealed, data, len + OX_TAG_BYTES);
    assert_int_equal(OX_OK, ox_keys_open(keys, ox_load_be32(path), ox_load_be64(number), aad, sizeof aad, data, len));
    ox_keys_destroy(keys);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chacha20poly1305_equals_rfc_8439),
        cmocka_unit_test(chacha20poly1305_equals_libsodium),
        cmocka_unit_test(aes256gcm_equals_libsodium),
        cmocka_unit_test(chacha20poly1305_opens_only_what_was_sealed),
        cmocka_unit_test(aes256gcm_opens_only_what_was_sealed),
        cmocka_unit_test(none_changes_nothing_and_has_no_tag),
        cmocka_unit_test(many_keys_are_created_and_destroyed),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
