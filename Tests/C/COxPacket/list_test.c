#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oxcore/packet.h"

enum { BUFS = 5 };

static void check_order(const ox_list *list, const ox_buf *bufs, uint32_t count) {
    assert_int_equal(list->count, count);
    const ox_buf *at = list->head;
    for (uint32_t i = 0; i < count; i++) {
        assert_ptr_equal(at, &bufs[i]);
        if (i + 1 == count) assert_ptr_equal(list->tail, at);
        at = at->next;
    }
    assert_null(at);
    if (count == 0) assert_null(list->tail);
}

static void buffers_leave_in_the_order_they_came(void **state) {
    (void)state;
    ox_buf bufs[BUFS];
    for (uint32_t i = 0; i < BUFS; i++) bufs[i].next = &bufs[0]; /* an old link must not survive */
    ox_list list = {0};
    assert_null(ox_list_take(&list));
    for (uint32_t i = 0; i < BUFS; i++) {
        ox_list_append(&list, &bufs[i]);
        check_order(&list, bufs, i + 1);
    }
    for (uint32_t i = 0; i < BUFS; i++) {
        ox_buf *buf = ox_list_take(&list);
        assert_ptr_equal(buf, &bufs[i]);
        assert_null(buf->next);
        check_order(&list, bufs + i + 1, BUFS - i - 1);
    }
    assert_null(ox_list_take(&list));
}

static void concatenation_keeps_order_for_every_split(void **state) {
    (void)state;
    for (uint32_t split = 0; split <= BUFS; split++) {
        ox_buf bufs[BUFS];
        ox_list to = {0};
        ox_list from = {0};
        for (uint32_t i = 0; i < BUFS; i++) ox_list_append(i < split ? &to : &from, &bufs[i]);
        ox_list_concat(&to, &from);
        check_order(&to, bufs, BUFS);
        check_order(&from, bufs, 0);
        ox_list_concat(&from, &to);
        check_order(&from, bufs, BUFS);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffers_leave_in_the_order_they_came),
        cmocka_unit_test(concatenation_keeps_order_for_every_split),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
