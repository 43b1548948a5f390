#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "CSources/COxROHC/tcp.h"

enum { KEEP_ALL = 0xFFFF };

static void an_item_keeps_its_content(void **state) {
    (void)state;
    tcp_pool pool = {0};
    uint8_t content[38];
    for (uint32_t i = 0; i < sizeof content; i++) content[i] = (uint8_t)i;
    for (uint32_t index = ITEM_GENERIC; index < TCP_ITEMS; index++)
        assert_true(tcp_pool_put(&pool, index, (uint8_t)(index + 100), index % 2 != 0, content + index, (uint8_t)(index - 5), KEEP_ALL));
    for (uint32_t index = ITEM_GENERIC; index < TCP_ITEMS; index++) {
        assert_true(tcp_known(&pool, index));
        assert_int_equal(pool.item[index - ITEM_GENERIC].kind, index + 100);
        assert_int_equal(pool.stable >> index & 1, index % 2);
        assert_memory_equal(tcp_pool_get(&pool, index), content + index, index - 5);
    }
}

/* Items change their lengths at random; a model keeps what each has to be. */
static void contents_move_and_stay_what_they_are(void **state) {
    (void)state;
    tcp_pool pool = {0};
    uint8_t model[TCP_ITEMS][38], lengths[TCP_ITEMS] = {0};
    uint32_t random = 1;
    for (uint32_t step = 0; step < 20000; step++) {
        random = random * 1664525 + 1013904223;
        const uint32_t index = ITEM_GENERIC + (random >> 8) % TCP_GENERICS;
        const uint8_t bytes = (uint8_t)((random >> 16) % 39);
        for (uint32_t i = 0; i < bytes; i++) model[index][i] = (uint8_t)(random >> i % 24);
        lengths[index] = bytes;
        assert_true(tcp_pool_put(&pool, index, (uint8_t)index, false, model[index], bytes, (uint16_t)(1u << index)));
        assert_true(tcp_known(&pool, index));
        uint32_t used = 0;
        for (uint32_t i = ITEM_GENERIC; i < TCP_ITEMS; i++) {
            if (!tcp_known(&pool, i)) continue;
            assert_int_equal(pool.item[i - ITEM_GENERIC].bytes, lengths[i]);
            assert_memory_equal(tcp_pool_get(&pool, i), model[i], lengths[i]);
            used += lengths[i];
        }
        assert_int_equal(pool.used, used);
        assert_true(used <= TCP_POOL_MAX);
    }
}

static void without_room_what_the_list_has_stays(void **state) {
    (void)state;
    tcp_pool pool = {0};
    uint8_t content[38] = {7};
    uint16_t keep = 0;
    for (uint32_t i = 0; i < TCP_POOL_MAX / 38; i++) {
        assert_true(tcp_pool_put(&pool, ITEM_GENERIC + i, 1, false, content, 38, KEEP_ALL));
        keep |= (uint16_t)(1u << (ITEM_GENERIC + i));
    }
    assert_false(tcp_pool_put(&pool, 15, 1, false, content, 38, keep));
    assert_false(tcp_known(&pool, 15));
    assert_true(tcp_pool_put(&pool, 15, 1, false, content, 38, 1 << 8));
    assert_true(tcp_known(&pool, 8));
    assert_false(tcp_known(&pool, 7));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_item_keeps_its_content),
        cmocka_unit_test(contents_move_and_stay_what_they_are),
        cmocka_unit_test(without_room_what_the_list_has_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
