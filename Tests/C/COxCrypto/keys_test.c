#include "pair.h"

static int setup(void **state) {
    (void)state;
    return ox_init() == OX_OK ? 0 : 1;
}

//= RFC 7748 section 6.1
static const uint8_t ALICE_PRIVATE[OX_KEY_BYTES] = {
    0x77, 0x07, 0x6d, 0x0a, 0x73, 0x18, 0xa5, 0x7d, 0x3c, 0x16, 0xc1, 0x72, 0x51, 0xb2, 0x66, 0x45,
    0xdf, 0x4c, 0x2f, 0x87, 0xeb, 0xc0, 0x99, 0x2a, 0xb1, 0x77, 0xfb, 0xa5, 0x1d, 0xb9, 0x2c, 0x2a};
static const uint8_t ALICE_PUBLIC[OX_KEY_BYTES] = {
    0x85, 0x20, 0xf0, 0x09, 0x89, 0x30, 0xa7, 0x54, 0x74, 0x8b, 0x7d, 0xdc, 0xb4, 0x3e, 0xf7, 0x5a,
    0x0d, 0xbf, 0x3a, 0x0d, 0x26, 0x38, 0x1a, 0xf4, 0xeb, 0xa4, 0xa9, 0x8e, 0xaa, 0x9b, 0x4e, 0x6a};

static void public_keys_follow_rfc_7748(void **state) {
    (void)state;
    uint8_t public_key[OX_KEY_BYTES];
    assert_int_equal(OX_OK, ox_key_public(ALICE_PRIVATE, public_key));
    assert_memory_equal(ALICE_PUBLIC, public_key, OX_KEY_BYTES);
}

static void the_all_zero_private_key_is_refused(void **state) {
    (void)state;
    const uint8_t zero[OX_KEY_BYTES] = {0};
    uint8_t public_key[OX_KEY_BYTES];
    assert_int_equal(OX_E_FORMAT, ox_key_public(zero, public_key));
}

static void keys_compare_whole(void **state) {
    (void)state;
    uint8_t other[OX_KEY_BYTES];
    assert_true(ox_key_equal(ALICE_PUBLIC, ALICE_PUBLIC));
    for (size_t bit = 0; bit < 8 * OX_KEY_BYTES; bit++) {
        memcpy(other, ALICE_PUBLIC, OX_KEY_BYTES);
        other[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(ox_key_equal(ALICE_PUBLIC, other));
    }
}

static void random_keys_differ_and_are_clamped_on_request(void **state) {
    (void)state;
    uint8_t a[OX_KEY_BYTES];
    uint8_t b[OX_KEY_BYTES];
    bool unclamped = false;
    for (int i = 0; i < 64; i++) {
        ox_key_random(a, true);
        ox_key_random(b, false);
        assert_false(ox_key_equal(a, b));
        assert_int_equal(0, a[0] & 7);
        assert_int_equal(64, a[31] & 192);
        unclamped |= (b[0] & 7) != 0;
    }
    assert_true(unclamped);
}

static void wiping_leaves_zeros(void **state) {
    (void)state;
    uint8_t bytes[50];
    const uint8_t zero[50] = {0};
    ox_random(bytes, sizeof bytes);
    assert_memory_not_equal(zero, bytes, sizeof bytes);
    ox_wipe(bytes, sizeof bytes);
    assert_memory_equal(zero, bytes, sizeof bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(public_keys_follow_rfc_7748),
        cmocka_unit_test(the_all_zero_private_key_is_refused),
        cmocka_unit_test(keys_compare_whole),
        cmocka_unit_test(random_keys_differ_and_are_clamped_on_request),
        cmocka_unit_test(wiping_leaves_zeros),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
