#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "oxcore/tunnel.h"

enum { MOST = 400 };

/* The definition: of all prefixes that match, the longest, and of equal ones the last. */
static int64_t naive(const ox_route *routes, size_t count, const uint8_t *ip, uint32_t family_bytes) {
    uint8_t key[16] = {[10] = 0xff, [11] = 0xff};
    memcpy(key + 16 - family_bytes, ip, family_bytes);
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (family_bytes == 16 && memcmp(key, mapped, 12) == 0) return -1;
    int64_t found = -1;
    int best = -1;
    for (size_t i = 0; i < count; i++) {
        if (family_bytes == 4 && routes[i].bits < 96) continue;
        bool same = true;
        for (uint32_t bit = 0; bit < routes[i].bits && same; bit++)
            same = ((key[bit / 8] ^ routes[i].ip[bit / 8]) >> (7 - bit % 8) & 1) == 0;
        if (!same || (int)routes[i].bits < best) continue;
        best = routes[i].bits;
        found = routes[i].peer;
    }
    return found;
}

static uint64_t seed = 42;

static uint32_t draw(uint32_t below) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % below;
}

static void draw_ip(uint8_t ip[16], bool v4) {
    memset(ip, 0, 16);
    if (v4) ip[10] = ip[11] = 0xff;
    // Few values a byte, so that prefixes nest and addresses match.
    for (uint32_t i = v4 ? 12 : 0; i < 16; i++) ip[i] = (uint8_t)(draw(4) == 0 ? draw(256) : draw(2) * 0x80 + draw(2));
}

static void lookups_equal_the_definition(void **state) {
    (void)state;
    for (uint32_t round = 0; round < 300; round++) {
        ox_route routes[MOST];
        size_t count = round < 100 ? round % 8 : draw(MOST);
        for (size_t i = 0; i < count; i++) {
            bool v4 = draw(2) == 0;
            draw_ip(routes[i].ip, v4);
            routes[i].bits = (uint8_t)(v4 ? 96 + draw(33) : draw(129));
            routes[i].peer = draw(OX_PEERS_MAX);
            if (i > 0 && draw(10) == 0) routes[i] = (ox_route){.bits = routes[i - 1].bits, .peer = draw(5)};
        }
        ox_routes *table = ox_routes_create(routes, count);
        assert_non_null(table);
        for (uint32_t look = 0; look < 500; look++) {
            uint8_t ip[16];
            bool v4 = draw(2) == 0;
            draw_ip(ip, v4);
            if (count > 0 && draw(2) == 0) memcpy(ip, routes[draw((uint32_t)count)].ip, 16);
            int64_t expected = naive(routes, count, v4 ? ip + 12 : ip, v4 ? 4 : 16);
            assert_int_equal(expected, ox_routes_find(table, v4 ? ip + 12 : ip, v4 ? 4 : 16));
        }
        ox_routes_destroy(table);
    }
}

static void defaults_keep_to_their_family(void **state) {
    (void)state;
    const ox_route routes[] = {{.bits = 0, .peer = 6}, {.ip = {[10] = 0xff, [11] = 0xff}, .bits = 96, .peer = 4}};
    const uint8_t v4[4] = {8, 8, 8, 8}, v6[16] = {0x20, 1, [15] = 1}, mapped[16] = {[10] = 0xff, [11] = 0xff, [15] = 1};
    ox_routes *both = ox_routes_create(routes, 2), *only6 = ox_routes_create(routes, 1), *only4 = ox_routes_create(routes + 1, 1);
    assert_int_equal(4, ox_routes_find(both, v4, 4));
    assert_int_equal(6, ox_routes_find(both, v6, 16));
    assert_int_equal(-1, ox_routes_find(both, mapped, 16));
    assert_int_equal(-1, ox_routes_find(only6, v4, 4));
    assert_int_equal(6, ox_routes_find(only6, v6, 16));
    assert_int_equal(4, ox_routes_find(only4, v4, 4));
    assert_int_equal(-1, ox_routes_find(only4, v6, 16));
    ox_routes_destroy(both);
    ox_routes_destroy(only6);
    ox_routes_destroy(only4);
}

static void nothing_matches_an_empty_table(void **state) {
    (void)state;
    const uint8_t ip[16] = {0};
    ox_routes *empty = ox_routes_create(NULL, 0);
    assert_int_equal(-1, ox_routes_find(empty, ip, 4));
    assert_int_equal(-1, ox_routes_find(empty, ip, 16));
    assert_int_equal(-1, ox_routes_find(NULL, ip, 16));
    ox_routes_destroy(empty);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lookups_equal_the_definition),
        cmocka_unit_test(defaults_keep_to_their_family),
        cmocka_unit_test(nothing_matches_an_empty_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
