#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "oxcore/wire.h"

static uint64_t seed = 5;

static uint32_t draw(uint32_t below) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % below;
}

static void draw_offer(ox_offer *o) {
    memset(o, 0, sizeof *o);
    if (draw(2)) memset(o->timestamp, 1 + (int)draw(200), sizeof o->timestamp);
    uint32_t versions = 1 + draw(4);
    for (uint32_t i = 0; i < versions; i++) o->versions[i] = (uint8_t)(1 + draw(255));
    o->aead_count = (uint8_t)(1 + draw(OX_OFFER_AEADS_MAX));
    for (uint32_t i = 0; i < o->aead_count; i++) o->aeads[i] = (uint8_t)draw(256);
    o->features = draw(UINT32_MAX);
    o->path_count = (uint8_t)(1 + draw(OX_OFFER_PATHS_MAX));
    for (uint32_t i = 0; i < o->path_count; i++) {
        uint32_t bytes = draw(5);
        o->paths[i].path = (uint8_t)(i * 3);
        o->paths[i].session_bytes = (uint8_t)bytes;
        o->paths[i].session = bytes == 0 ? 0 : draw(UINT32_MAX) >> (32 - 8 * bytes);
    }
    o->address_count = (uint8_t)draw(OX_OFFER_ADDRESSES_MAX + 1);
    for (uint32_t i = 0; i < o->address_count; i++)
        for (uint32_t k = 0; k < 16; k++) o->addresses[i][k] = (uint8_t)draw(256);
}

static void offers_come_back(void **state) {
    (void)state;
    for (uint32_t round = 0; round < 5000; round++) {
        ox_offer o, got;
        uint8_t out[OX_OFFER_BYTES_MAX];
        draw_offer(&o);
        memset(out, 0xee, sizeof out);
        assert_int_equal(OX_OK, ox_offer_write(&o, out));
        memset(&got, 0xee, sizeof got);
        assert_int_equal(OX_OK, ox_offer_read(out, sizeof out, &got));
        assert_memory_equal(o.timestamp, got.timestamp, sizeof o.timestamp);
        assert_memory_equal(o.versions, got.versions, sizeof o.versions);
        assert_int_equal(o.aead_count, got.aead_count);
        assert_memory_equal(o.aeads, got.aeads, sizeof o.aeads);
        assert_int_equal(o.features, got.features);
        assert_int_equal(o.path_count, got.path_count);
        for (uint32_t i = 0; i < o.path_count; i++) {
            assert_int_equal(o.paths[i].path, got.paths[i].path);
            assert_int_equal(o.paths[i].session_bytes, got.paths[i].session_bytes);
            assert_int_equal(o.paths[i].session, got.paths[i].session);
        }
        assert_int_equal(o.address_count, got.address_count);
        assert_memory_equal(o.addresses, got.addresses, sizeof o.addresses);
    }
}

/* The least that is an offer: versions, AEADs, features, one path. */
static const uint8_t least[] = {2, 1, 1, 3, 1, 1, 4, 4, 0, 0, 0, 0, 5, 2, 0, 7};

static ox_status read_with(const uint8_t *more, size_t len) {
    uint8_t *bytes = malloc(sizeof least + len);
    memcpy(bytes, least, sizeof least);
    if (len > 0) memcpy(bytes + sizeof least, more, len);
    ox_offer o;
    ox_status status = ox_offer_read(bytes, sizeof least + len, &o);
    free(bytes);
    return status;
}

static void an_offer_ends_where_it_says(void **state) {
    (void)state;
    ox_offer o;
    assert_int_equal(OX_OK, read_with(NULL, 0));
    for (size_t cut = 0; cut < sizeof least; cut++) {
        uint8_t *bytes = malloc(cut + 1);
        memcpy(bytes, least, cut);
        assert_int_equal(OX_E_FORMAT, ox_offer_read(bytes, cut, &o));
        free(bytes);
    }
    assert_int_equal(OX_OK, read_with((const uint8_t[]){0, 0, 0}, 3));
    assert_int_equal(OX_E_FORMAT, read_with((const uint8_t[]){0, 0, 1}, 3)); // something behind the end
    assert_int_equal(OX_E_FORMAT, read_with((const uint8_t[]){9}, 1));
    assert_int_equal(OX_E_FORMAT, read_with((const uint8_t[]){9, 2, 1}, 3));
}

static void unknown_items_are_skipped(void **state) {
    (void)state;
    for (uint32_t type = 7; type < 256; type++) {
        const uint8_t more[] = {(uint8_t)type, 3, 1, 2, 3, (uint8_t)type, 0};
        assert_int_equal(OX_OK, read_with(more, sizeof more));
    }
}

static void what_is_repeated_missing_or_misshapen_is_refused(void **state) {
    (void)state;
    ox_offer o;
    // Any of the items once more.
    assert_int_equal(OX_E_FORMAT, read_with(least, 3));
    assert_int_equal(OX_E_FORMAT, read_with(least + 3, 3));
    assert_int_equal(OX_E_FORMAT, read_with(least + 6, 6));
    assert_int_equal(OX_E_FORMAT, read_with(least + 12, 4)); // the same path
    uint8_t timestamps[28] = {1, 12, [14] = 1, 12};
    assert_int_equal(OX_OK, read_with(timestamps, 14));
    assert_int_equal(OX_E_FORMAT, read_with(timestamps, 28));
    // Any of them missing.
    static const struct {
        size_t from, to;
    } items[] = {{0, 3}, {3, 6}, {6, 12}, {12, 16}};
    for (size_t i = 0; i < 4; i++) {
        uint8_t bytes[sizeof least];
        memcpy(bytes, least, items[i].from);
        memcpy(bytes + items[i].from, least + items[i].to, sizeof least - items[i].to);
        assert_int_equal(OX_E_FORMAT, ox_offer_read(bytes, sizeof least - (items[i].to - items[i].from), &o));
    }
    static const uint8_t bad[][20] = {
        {2, 1, 5}, {5, 0}, {5, 6, 9, 1, 1, 1, 1, 1}, {6, 4, 10, 0, 0, 1}, {1, 11, 0}, {6, 0},
    };
    static const size_t lengths[] = {3, 2, 8, 6, 13, 2};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        assert_int_equal(OX_E_FORMAT, read_with(bad[i], lengths[i]));
}

static void version_zero_is_no_version(void **state) {
    (void)state;
    ox_offer o;
    for (uint32_t at = 0; at < 3; at++) {
        uint8_t bytes[] = {2, 3, 1, 1, 1, 3, 1, 1, 4, 4, 0, 0, 0, 0, 5, 2, 0, 7};
        assert_int_equal(OX_OK, ox_offer_read(bytes, sizeof bytes, &o));
        bytes[2 + at] = 0;
        assert_int_equal(OX_E_FORMAT, ox_offer_read(bytes, sizeof bytes, &o));
    }
}

static void more_than_there_may_be_is_refused(void **state) {
    (void)state;
    uint8_t paths[4 * OX_OFFER_PATHS_MAX], addresses[18 * (OX_OFFER_ADDRESSES_MAX + 1)] = {0};
    for (uint8_t i = 0; i < OX_OFFER_PATHS_MAX; i++) memcpy(paths + 4 * i, (const uint8_t[]){5, 2, (uint8_t)(i + 1), 1}, 4);
    assert_int_equal(OX_OK, read_with(paths, sizeof paths - 4));
    assert_int_equal(OX_E_FORMAT, read_with(paths, sizeof paths));
    for (uint32_t i = 0; i <= OX_OFFER_ADDRESSES_MAX; i++) memcpy(addresses + 18 * i, (const uint8_t[]){6, 16}, 2);
    assert_int_equal(OX_OK, read_with(addresses, sizeof addresses - 18));
    assert_int_equal(OX_E_FORMAT, read_with(addresses, sizeof addresses));
    ox_offer o;
    uint8_t out[OX_OFFER_BYTES_MAX];
    draw_offer(&o);
    o.path_count = OX_OFFER_PATHS_MAX + 1;
    assert_int_equal(OX_E_LIMIT, ox_offer_write(&o, out));
}

static void the_largest_offer_fits(void **state) {
    (void)state;
    ox_offer o = {.timestamp = {1}, .versions = {1, 2, 3, 4}, .aead_count = OX_OFFER_AEADS_MAX,
                  .path_count = OX_OFFER_PATHS_MAX, .address_count = OX_OFFER_ADDRESSES_MAX};
    for (uint8_t i = 0; i < OX_OFFER_PATHS_MAX; i++) {
        o.paths[i].path = i;
        o.paths[i].session_bytes = 4;
    }
    uint8_t out[OX_OFFER_BYTES_MAX];
    assert_int_equal(OX_OK, ox_offer_write(&o, out));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offers_come_back),
        cmocka_unit_test(an_offer_ends_where_it_says),
        cmocka_unit_test(unknown_items_are_skipped),
        cmocka_unit_test(what_is_repeated_missing_or_misshapen_is_refused),
        cmocka_unit_test(version_zero_is_no_version),
        cmocka_unit_test(more_than_there_may_be_is_refused),
        cmocka_unit_test(the_largest_offer_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
