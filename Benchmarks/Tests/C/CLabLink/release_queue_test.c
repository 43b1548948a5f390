#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "CSources/CLabLink/release_queue.h"
#include "lab/random.h"

enum { CAPACITY = 1000 };

static void packets_leave_in_order_and_ties_as_they_came(void **state) {
    (void)state;
    lab_release_queue queue;
    assert_true(lab_release_queue_open(&queue, CAPACITY));
    assert_null(lab_release_queue_first(&queue));
    for (uint32_t round = 0; round < 3; round++) {
        /* Few different times, so that most are ties. */
        for (uint32_t i = 0; i < CAPACITY; i++) {
            lab_release_queue_push(&queue, (lab_release){.departure_ns = lab_draw(round, i, 0) % 50, .buffer = i});
        }
        lab_release before = {0};
        for (uint32_t i = 0; i < CAPACITY; i++) {
            const uint64_t first_ns = lab_release_queue_first(&queue)->departure_ns;
            const lab_release now = lab_release_queue_pop(&queue);
            assert_int_equal(now.departure_ns, first_ns);
            assert_true(now.departure_ns >= before.departure_ns);
            if (i > 0 && now.departure_ns == before.departure_ns) assert_true(now.buffer > before.buffer);
            before = now;
        }
        assert_null(lab_release_queue_first(&queue));
    }
    lab_release_queue_close(&queue);
}

static void pushes_and_pops_may_alternate(void **state) {
    (void)state;
    lab_release_queue queue;
    assert_true(lab_release_queue_open(&queue, CAPACITY));
    uint64_t popped_ns = 0;
    for (uint64_t i = 0; i < 20000; i++) {
        /* Nothing is pushed that is due before what has left. */
        if (queue.count < CAPACITY && (queue.count == 0 || lab_draw(7, i, 0) % 2 == 0)) {
            lab_release_queue_push(&queue, (lab_release){.departure_ns = popped_ns + lab_draw(7, i, 1) % 1000});
        } else {
            const uint64_t next_ns = lab_release_queue_pop(&queue).departure_ns;
            assert_true(next_ns >= popped_ns);
            popped_ns = next_ns;
        }
    }
    lab_release_queue_close(&queue);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_leave_in_order_and_ties_as_they_came),
        cmocka_unit_test(pushes_and_pops_may_alternate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
