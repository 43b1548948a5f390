/* Compressed lists by RFC 3095 section 5.8.6, put together by hand: all four encoding types. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "CSources/COxROHC/v1.h"

static bool take(v1_store *store, const uint8_t *octets, uint32_t count) {
    rohc_reader reader = {.at = octets, .end = octets + count};
    const bool read = v1_list_read(store, V1_CSRC_LIST, &reader);
    return read && reader.at == reader.end;
}

/* CSRCs are their index in each octet. */
static void assert_csrcs(const v1_store *store, const uint8_t *values, uint32_t count) {
    assert_int_equal(v1_list_items(store, V1_CSRC_LIST), count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t bytes;
        const uint8_t *item = v1_list_item(store, V1_CSRC_LIST, i, &bytes);
        assert_int_equal(bytes, 4);
        for (uint32_t octet = 0; octet < 4; octet++) assert_int_equal(item[octet], values[i]);
    }
}

/* ET 0, gen_id 5, three items of XIs of 4 bits. */
static const uint8_t first[] = {0x23, 5, 0x89, 0xA0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2};

static void whole_lists(void **state) {
    (void)state;
    v1_store store = {0};
    assert_true(take(&store, first, sizeof first));
    assert_csrcs(&store, (const uint8_t[]){0, 1, 2}, 3);
    /* Known items need their index alone; XIs of 8 bits. */
    assert_true(take(&store, (const uint8_t[]){0x12, 2, 0}, 3));
    assert_csrcs(&store, (const uint8_t[]){2, 0}, 2);
    assert_true(take(&store, (const uint8_t[]){0x00}, 1));
    assert_csrcs(&store, NULL, 0);
}

static void insertion(void **state) {
    (void)state;
    v1_store store = {0};
    assert_true(take(&store, first, sizeof first));
    /* ET 1, XI 1 = a new item of index 3; reference 5; mask: the second place. */
    assert_true(take(&store, (const uint8_t[]){0x40 | 0x0B, 5, 0x20, 3, 3, 3, 3}, 7));
    assert_csrcs(&store, (const uint8_t[]){0, 3, 1, 2}, 4);
}

static void removal(void **state) {
    (void)state;
    v1_store store = {0};
    assert_true(take(&store, first, sizeof first));
    /* ET 2, its own gen_id 6; reference 5; mask: the first two go. */
    assert_true(take(&store, (const uint8_t[]){0xA0, 6, 5, 0x60}, 4));
    assert_csrcs(&store, (const uint8_t[]){2}, 1);
    /* And it is a reference itself: ET 3, remove none, insert index 1 in front of it. */
    assert_true(take(&store, (const uint8_t[]){0xC0 | 0x01, 6, 0x00, 0x40}, 4));
    assert_csrcs(&store, (const uint8_t[]){1, 2}, 2);
}

static void what_is_not_known_is_refused(void **state) {
    (void)state;
    v1_store store = {0};
    assert_false(take(&store, (const uint8_t[]){0x01, 0x30}, 2));       /* an item */
    assert_false(take(&store, (const uint8_t[]){0x80, 9, 0x40}, 3));    /* a reference */
    assert_true(take(&store, (const uint8_t[]){0x20, 9}, 2));
    assert_false(take(&store, (const uint8_t[]){0x80, 9, 0x40}, 3));    /* an empty one (RFC 4815 section 5.7) */
    for (uint32_t cut = 0; cut < sizeof first; cut++) {
        v1_store empty = {0};
        assert_false(take(&empty, first, cut));
    }
}

/* The last references are kept, and the one that is in use among them. */
static void references_do_not_fill_the_store(void **state) {
    (void)state;
    v1_store store = {0};
    assert_true(take(&store, first, sizeof first));
    for (uint32_t id = 10; id < 200; id++) {
        const uint8_t whole[] = {0x22, (uint8_t)id, 0x10};
        assert_true(take(&store, whole, sizeof whole));
        assert_true(take(&store, (const uint8_t[]){0x80, 5, 0x40}, 3));
        assert_csrcs(&store, (const uint8_t[]){1, 2}, 2);
    }
    assert_true(store.used < V1_STORE_BYTES / 2);
    assert_false(take(&store, (const uint8_t[]){0x80, 100, 0x40}, 3));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_lists),
        cmocka_unit_test(insertion),
        cmocka_unit_test(removal),
        cmocka_unit_test(what_is_not_known_is_refused),
        cmocka_unit_test(references_do_not_fill_the_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
