#include "pair.h"
#include "single.h"

#include <sodium.h>

static const uint8_t ONE[OX_KEY_BYTES] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
static const uint8_t OTHER[OX_KEY_BYTES] = {9, 8, 7, 6, 5, 4, 3, 2, 1};
static const uint8_t AAD[] = {0x40, 0xaa, 0xbb};
static const uint32_t PATH = 0x04030201;
static const uint64_t NUMBER = UINT64_C(0x0c0b0a0908070605);
/* Path id and packet number in little-endian order, as Wire.md section 5 says. */
static const uint8_t NONCE[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

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
        seal_single(keys, PATH, NUMBER, AAD, sizeof AAD, ours, len);
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
    seal_single(here, 7, 9, AAD, sizeof AAD, sealed, LEN);

    memcpy(copy, sealed, ALL);
    assert_true(open_single(there, 7, 9, AAD, sizeof AAD, copy, LEN));
    assert_memory_equal(plain, copy, LEN);

    for (size_t bit = 0; bit < 8 * ALL; bit++) {
        memcpy(copy, sealed, ALL);
        copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(open_single(there, 7, 9, AAD, sizeof AAD, copy, LEN));
    }
    for (size_t i = 0; i < sizeof AAD; i++) {
        memcpy(aad, AAD, sizeof AAD);
        aad[i] ^= 1;
        memcpy(copy, sealed, ALL);
        assert_false(open_single(there, 7, 9, aad, sizeof aad, copy, LEN));
    }
    memcpy(copy, sealed, ALL);
    assert_false(open_single(there, 8, 9, AAD, sizeof AAD, copy, LEN));
    memcpy(copy, sealed, ALL);
    assert_false(open_single(there, 7, 10, AAD, sizeof AAD, copy, LEN));
    memcpy(copy, sealed, ALL);
    assert_false(open_single(here, 7, 9, AAD, sizeof AAD, copy, LEN)); /* the other direction's key */
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
    seal_single(keys, 1, 2, AAD, sizeof AAD, data, 8);
    assert_string_equal("untouche", (const char *)data);
    assert_true(open_single(keys, 1, 2, AAD, sizeof AAD, data, 8));
    assert_string_equal("untouche", (const char *)data);
    ox_keys_destroy(keys);
}

static void none_copies_to_elsewhere(void **state) {
    (void)state;
    ox_keys *keys = ox_keys_create(OX_AEAD_NONE, ONE, OTHER);
    const uint8_t from[4] = {1, 2, 3, 4};
    uint8_t to[2][4] = {{0}};
    ox_aead_job jobs[] = {{.from = from, .to = to[0], .len = 4}, {.from = from, .to = to[1], .len = 0}};
    ox_keys_seal(single_engine(), keys, 0, jobs, 2);
    assert_memory_equal(from, to[0], 4);
    memset(to, 0, sizeof to);
    ox_keys_open(single_engine(), keys, 0, jobs, 2);
    assert_true(jobs[0].authentic && jobs[1].authentic);
    assert_memory_equal(from, to[0], 4);
    assert_int_equal(0, to[1][0]);
    ox_keys_destroy(keys);
}

static void many_keys_are_created_and_destroyed(void **state) {
    (void)state;
    ox_keys *keys[300];
    for (int i = 0; i < 300; i++) assert_non_null(keys[i] = ox_keys_create(OX_AEAD_CHACHA20POLY1305, ONE, OTHER));
    for (int i = 0; i < 300; i++) ox_keys_destroy(keys[i]);
    ox_keys_destroy(NULL);
}

/** Reads one "name hexadecimal" line, `-` for nothing. False at the end of the file. */
static bool read_field(FILE *file, const char *name, uint8_t *out, size_t room, size_t *len) {
    char found[16], hex[600];
    const int fields = fscanf(file, "%15s %599s", found, hex);
    if (fields == EOF) return false;
    assert_int_equal(2, fields);
    assert_string_equal(name, found);
    *len = 0;
    if (strcmp(hex, "-") == 0) return true;
    assert_int_equal(0, sodium_hex2bin(out, room, hex, strlen(hex), NULL, len, NULL));
    return true;
}

static void equals_vectors(ox_aead aead, const char *name, int records) {
    available_or_skip(aead);
    FILE *file = fopen(name, "r");
    assert_non_null(file);
    uint8_t key[OX_KEY_BYTES], path[4], number[8], aad[16], data[256], plain[256], sealed[256];
    size_t len, aad_len, sealed_len;
    while (read_field(file, "key", key, sizeof key, &len)) {
        assert_int_equal(sizeof key, len);
        assert_true(read_field(file, "path", path, sizeof path, &len) && len == sizeof path);
        assert_true(read_field(file, "number", number, sizeof number, &len) && len == sizeof number);
        assert_true(read_field(file, "aad", aad, sizeof aad, &aad_len));
        assert_true(read_field(file, "plain", plain, sizeof plain - OX_TAG_BYTES, &len));
        assert_true(read_field(file, "sealed", sealed, sizeof sealed, &sealed_len));
        assert_int_equal(len + OX_TAG_BYTES, sealed_len);
        memcpy(data, plain, sizeof data);
        ox_keys *keys = ox_keys_create(aead, key, key);
        seal_single(keys, ox_load_be32(path), ox_load_be64(number), aad, aad_len, data, len);
        assert_memory_equal(sealed, data, sealed_len);
        assert_true(open_single(keys, ox_load_be32(path), ox_load_be64(number), aad, aad_len, data, len));
        assert_memory_equal(plain, data, len);
        ox_keys_destroy(keys);
        records--;
    }
    assert_int_equal(0, records);
    fclose(file);
}

static void chacha20poly1305_equals_rfc_8439(void **state) {
    (void)state;
    equals_vectors(OX_AEAD_CHACHA20POLY1305, "Tests/Vectors/aead/rfc8439.txt", 1);
}

static void aes256gcm_equals_its_authors_test_cases(void **state) {
    (void)state;
    equals_vectors(OX_AEAD_AES256GCM, "Tests/Vectors/aead/gcm.txt", 3);
}

/* What the seam must hold to whoever computes: all of the above, of the chosen provider and of libsodium. */
static int with_libsodium(void **state) {
    (void)state;
    ox_aead_force_libsodium(true);
    assert_non_null(strstr(ox_aead_provider(OX_AEAD_AES256GCM), "libsodium"));
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chacha20poly1305_equals_rfc_8439),
        cmocka_unit_test(aes256gcm_equals_its_authors_test_cases),
        cmocka_unit_test(chacha20poly1305_equals_libsodium),
        cmocka_unit_test(aes256gcm_equals_libsodium),
        cmocka_unit_test(chacha20poly1305_opens_only_what_was_sealed),
        cmocka_unit_test(aes256gcm_opens_only_what_was_sealed),
        cmocka_unit_test(none_changes_nothing_and_has_no_tag),
        cmocka_unit_test(none_copies_to_elsewhere),
        cmocka_unit_test(many_keys_are_created_and_destroyed),
    };
    if (ox_init() != OX_OK) return 1;
    print_message("# with %s\n", ox_aead_provider(OX_AEAD_CHACHA20POLY1305));
    const int failed = cmocka_run_group_tests_name("the chosen provider", tests, NULL, NULL);
    return failed + cmocka_run_group_tests_name("libsodium", tests, with_libsodium, NULL);
}
