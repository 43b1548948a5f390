#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oxcore/packet.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const uint32_t CAPACITIES[OX_BUF_CLASSES] = {OX_BUF_BYTES, OX_BUF_LARGE_BYTES};

static void add(ox_pool *pool, ox_buf_class class_, uint32_t buffers) {
    ox_slab *slab = ox_slab_create(&(ox_slab_parameters){.class_ = class_, .buffers = buffers, .node = -1});
    assert_non_null(slab);
    assert_true(ox_pool_add(pool, slab));
}

static ox_pool *make_pool(uint32_t small, uint32_t large) {
    ox_pool *pool = ox_pool_create();
    assert_non_null(pool);
    if (small != 0) add(pool, OX_BUF_SMALL, small);
    if (large != 0) add(pool, OX_BUF_LARGE, large);
    return pool;
}

static ox_pool_class_report report_of(const ox_pool *pool, ox_buf_class class_) {
    ox_pool_report report;
    ox_pool_status(pool, &report);
    assert_int_equal(report.classes[class_].free, ox_pool_free(pool, class_));
    return report.classes[class_];
}

/* Takes `count` buffers; each must be there. */
static ox_list take(ox_pool *pool, ox_buf_class class_, uint32_t count) {
    ox_list list = {0};
    for (uint32_t i = 0; i < count; i++) {
        ox_buf *buf = ox_pool_get(pool, class_);
        assert_non_null(buf);
        ox_list_append(&list, buf);
    }
    return list;
}

static void soil(ox_buf *buf) {
    ox_buf dirt;
    memset(&dirt, 0xAA, sizeof dirt);
    dirt.storage = buf->storage; /* what is the pool's stays */
    dirt.capacity = buf->capacity;
    dirt.slab = buf->slab;
    dirt.out = buf->out;
    *buf = dirt;
    memset(buf->storage, 0xAA, buf->capacity);
}

static void is_clean(const ox_buf *buf, ox_buf_class class_) {
    static const uint8_t zero[sizeof buf->local];
    assert_null(buf->next);
    assert_int_equal((uintptr_t)buf->storage % 64, 0);
    assert_ptr_equal(buf->data, buf->storage + OX_BUF_HEADROOM);
    assert_int_equal(buf->len, 0);
    assert_int_equal(buf->capacity, CAPACITIES[class_]);
    assert_int_equal(ox_buf_headroom(buf), OX_BUF_HEADROOM);
    assert_int_equal(ox_buf_tailroom(buf), CAPACITIES[class_] - OX_BUF_HEADROOM);
    assert_int_equal(buf->segment | buf->transport | buf->protocol | buf->checksum | buf->ecn | buf->handshake, 0);
    assert_int_equal(buf->cut | buf->peer | buf->number, 0);
    assert_memory_equal(buf->address.ip, zero, sizeof buf->address.ip);
    assert_int_equal(buf->address.scope | buf->address.port | buf->address.reserved, 0);
    assert_memory_equal(buf->local, zero, sizeof buf->local);
}

static void a_buffer_comes_clean_and_aligned(void **state) {
    (void)state;
    enum { COUNT = OX_POOL_HOT + 5 };
    for (uint32_t c = 0; c < OX_BUF_CLASSES; c++) {
        const ox_buf_class class_ = (ox_buf_class)c;
        ox_pool *pool = make_pool(COUNT, COUNT);
        for (int round = 0; round < 3; round++) {
            ox_buf *bufs[COUNT];
            for (int i = 0; i < COUNT; i++) {
                bufs[i] = ox_pool_get(pool, class_);
                assert_non_null(bufs[i]);
                is_clean(bufs[i], class_);
                soil(bufs[i]);
            }
            for (int i = 0; i < COUNT; i++) {
                for (int other = 0; other < i; other++)
                    assert_true(labs(bufs[i]->storage - bufs[other]->storage) >= (long)CAPACITIES[class_]);
            }
            for (int i = 0; i < COUNT; i++) ox_pool_put(pool, bufs[i]);
        }
        ox_pool_destroy(pool);
    }
}

static void an_empty_pool_says_no_and_counts_it(void **state) {
    (void)state;
    ox_pool *pool = make_pool(2, 0);
    assert_null(ox_pool_get(pool, OX_BUF_LARGE));
    assert_int_equal(report_of(pool, OX_BUF_LARGE).exhausted, 1);
    ox_list taken = take(pool, OX_BUF_SMALL, 2);
    assert_null(ox_pool_get(pool, OX_BUF_SMALL));
    assert_null(ox_pool_get(pool, OX_BUF_SMALL));
    ox_pool_class_report report = report_of(pool, OX_BUF_SMALL);
    assert_int_equal(report.buffers, 2);
    assert_int_equal(report.free, 0);
    assert_int_equal(report.free_least, 0);
    assert_int_equal(report.exhausted, 2);
    assert_int_equal(report.slabs, 1);
    assert_int_equal(report.grown, 0);
    ox_pool_put_list(pool, &taken);
    assert_int_equal(taken.count, 0);
    assert_null(taken.head);
    assert_null(taken.tail);
    report = report_of(pool, OX_BUF_SMALL);
    assert_int_equal(report.free, 2);
    assert_int_equal(report.free_least, 0);
    ox_pool_destroy(pool);
    ox_pool_destroy(NULL);
    ox_pool_destroy(make_pool(0, 0));
}

static void the_last_buffer_back_is_the_next_one_out(void **state) {
    (void)state;
    ox_pool *pool = make_pool(1000, 0);
    ox_buf *a = ox_pool_get(pool, OX_BUF_SMALL);
    ox_buf *b = ox_pool_get(pool, OX_BUF_SMALL);
    ox_pool_put(pool, a);
    ox_pool_put(pool, b);
    assert_ptr_equal(ox_pool_get(pool, OX_BUF_SMALL), b);
    assert_ptr_equal(ox_pool_get(pool, OX_BUF_SMALL), a);
    ox_pool_put(pool, a);
    ox_pool_put(pool, b);
    for (int i = 0; i < 1000; i++) ox_pool_put(pool, ox_pool_get(pool, OX_BUF_SMALL));
    const ox_pool_class_report report = report_of(pool, OX_BUF_SMALL);
    assert_int_equal(report.free_least, 998);
    assert_int_equal(report.cold, 1);
    assert_int_equal(report.hot, 1003);

    /* Deeper than the hot stack: all of what stayed on it comes back in that order. */
    ox_buf *bufs[3 * OX_POOL_HOT];
    for (int i = 0; i < 3 * OX_POOL_HOT; i++) bufs[i] = ox_pool_get(pool, OX_BUF_SMALL);
    for (int i = 0; i < 3 * OX_POOL_HOT; i++) ox_pool_put(pool, bufs[i]);
    for (int i = 1; i <= OX_POOL_HOT / 2; i++)
        assert_ptr_equal(ox_pool_get(pool, OX_BUF_SMALL), bufs[3 * OX_POOL_HOT - i]);
    for (int i = 1; i <= OX_POOL_HOT / 2; i++) ox_pool_put(pool, bufs[3 * OX_POOL_HOT - i]);
    ox_pool_destroy(pool);
}

static void a_pool_grows_by_slabs_and_has_a_limit(void **state) {
    (void)state;
    ox_pool *pool = make_pool(3, 1);
    ox_list taken = take(pool, OX_BUF_SMALL, 3);
    assert_null(ox_pool_get(pool, OX_BUF_SMALL));
    add(pool, OX_BUF_SMALL, 4);
    ox_list more = take(pool, OX_BUF_SMALL, 4);
    assert_null(ox_pool_get(pool, OX_BUF_SMALL));
    ox_list_concat(&taken, &more);
    ox_pool_put_list(pool, &taken);
    ox_pool_class_report report = report_of(pool, OX_BUF_SMALL);
    assert_int_equal(report.buffers, 7);
    assert_int_equal(report.free, 7);
    assert_int_equal(report.slabs, 2);
    assert_int_equal(report.grown, 1);
    assert_int_equal(report_of(pool, OX_BUF_LARGE).buffers, 1);

    for (uint32_t slabs = 3; slabs < OX_SLABS_MAX; slabs++) add(pool, OX_BUF_SMALL, 1);
    ox_slab *one_more = ox_slab_create(&(ox_slab_parameters){.class_ = OX_BUF_SMALL, .buffers = 1, .node = -1});
    assert_false(ox_pool_add(pool, one_more));
    ox_slab_destroy(one_more);
    report = report_of(pool, OX_BUF_SMALL);
    assert_int_equal(report.slabs, OX_SLABS_MAX - 1);
    taken = take(pool, OX_BUF_SMALL, (uint32_t)report.buffers);
    assert_null(ox_pool_get(pool, OX_BUF_SMALL));
    ox_pool_put_list(pool, &taken);
    ox_pool_destroy(pool);
}

static void an_idle_pool_gives_slabs_back_but_not_the_first(void **state) {
    (void)state;
    ox_pool *pool = make_pool(100, 10);
    add(pool, OX_BUF_SMALL, 100);
    add(pool, OX_BUF_SMALL, 50);
    add(pool, OX_BUF_LARGE, 10);

    /* Needed while the load was on, and while a quarter of the rest would not have been free. */
    ox_list taken = take(pool, OX_BUF_SMALL, 151);
    ox_list large = take(pool, OX_BUF_LARGE, 9);
    ox_pool_put_list(pool, &taken);
    assert_null(ox_pool_rest(pool));
    assert_int_equal(report_of(pool, OX_BUF_SMALL).free_least, 250);

    /* Then 70 at once: the last slab goes, after it the second, and the first never. */
    taken = take(pool, OX_BUF_SMALL, 70);
    ox_pool_put_list(pool, &taken);
    ox_slab *slab = ox_pool_rest(pool);
    assert_non_null(slab);
    assert_int_equal(ox_slab_buffers(slab), 50);
    ox_slab_destroy(slab);
    slab = ox_pool_rest(pool);
    assert_non_null(slab);
    assert_int_equal(ox_slab_buffers(slab), 100);
    ox_pool_class_report report = report_of(pool, OX_BUF_SMALL);
    assert_int_equal(report.buffers, 100);
    assert_int_equal(report.free, 100);
    assert_int_equal(report.shrunk, 2);
    assert_null(ox_pool_rest(pool));

    /* A slab that was used before can come again, and all of its buffers with it. */
    assert_true(ox_pool_add(pool, slab));
    taken = take(pool, OX_BUF_SMALL, 200);
    for (ox_buf *buf = taken.head; buf != NULL; buf = buf->next) memset(buf->storage, 1, buf->capacity);
    assert_null(ox_pool_get(pool, OX_BUF_SMALL));
    ox_pool_put_list(pool, &taken);

    ox_pool_put_list(pool, &large);
    assert_null(ox_pool_rest(pool)); /* nine large ones were out since the last call */
    slab = ox_pool_rest(pool);
    assert_non_null(slab);
    ox_slab_destroy(slab);
    ox_pool_destroy(pool);
}

static void a_slab_with_a_buffer_out_stays(void **state) {
    (void)state;
    ox_pool *pool = make_pool(OX_POOL_HOT, 0);
    add(pool, OX_BUF_SMALL, OX_POOL_HOT);
    ox_list first = take(pool, OX_BUF_SMALL, OX_POOL_HOT);
    ox_buf *last = ox_pool_get(pool, OX_BUF_SMALL);
    ox_pool_put_list(pool, &first);
    (void)ox_pool_rest(pool);
    for (int i = 0; i < 3; i++) assert_null(ox_pool_rest(pool));
    memset(last->storage, 1, last->capacity);
    ox_pool_put(pool, last);
    ox_slab *slab = ox_pool_rest(pool);
    assert_non_null(slab);
    ox_slab_destroy(slab);
    first = take(pool, OX_BUF_SMALL, OX_POOL_HOT);
    for (ox_buf *buf = first.head; buf != NULL; buf = buf->next) memset(buf->storage, 1, buf->capacity);
    assert_null(ox_pool_get(pool, OX_BUF_SMALL));
    ox_pool_put_list(pool, &first);
    ox_pool_destroy(pool);
}

/* A model: a set of buffers that are out, each with its own pattern in it, against random gets, puts, growth and rest. */
static void whatever_happens_no_buffer_is_out_twice(void **state) {
    (void)state;
    enum { OUT_MAX = 900, STEPS = 60000 };
    static ox_buf *out[OX_BUF_CLASSES][OUT_MAX];
    uint32_t count[OX_BUF_CLASSES] = {0}, total[OX_BUF_CLASSES] = {50, 5};
    uint64_t random = 1, stamp = 0, grown = 0, shrunk = 0;
    ox_pool *pool = make_pool(50, 5);
    for (uint32_t step = 0; step < STEPS; step++) {
        random = random * 6364136223846793005U + 1442695040888963407U;
        const uint32_t dice = (uint32_t)(random >> 33), c = dice & 1, choice = dice / 2 % 1000;
        /* Waves: mostly gets for a while, mostly puts for the next. */
        const uint32_t gets = step / 3000 % 2 == 0 ? 600 : 380;
        if (choice < gets) {
            ox_buf *buf = ox_pool_get(pool, (ox_buf_class)c);
            assert_int_equal(buf != NULL, count[c] < total[c]);
            if (buf == NULL) continue;
            assert_int_equal(buf->number, 0);
            buf->number = ++stamp;
            memcpy(buf->data, &stamp, sizeof stamp);
            if (count[c] == OUT_MAX) {
                ox_pool_put(pool, buf);
            } else {
                out[c][count[c]++] = buf;
            }
        } else if (choice < 990 && count[c] != 0) {
            const uint32_t which = dice / 2048 % count[c];
            ox_buf *buf = out[c][which];
            assert_memory_equal(buf->data, &buf->number, sizeof buf->number);
            out[c][which] = out[c][--count[c]];
            ox_pool_put(pool, buf);
        } else if (choice < 993) {
            const uint32_t more = 1 + dice / 2048 % (c == 0 ? 90 : 9);
            if (total[c] + more > OUT_MAX) continue;
            add(pool, (ox_buf_class)c, more);
            total[c] += more;
            grown++;
        } else if (choice < 996) {
            ox_slab *slab = ox_pool_rest(pool);
            if (slab == NULL) continue;
            total[ox_slab_class(slab)] -= ox_slab_buffers(slab);
            ox_slab_destroy(slab);
            shrunk++;
        }
        for (uint32_t i = 0; i < OX_BUF_CLASSES; i++)
            assert_int_equal(ox_pool_free(pool, (ox_buf_class)i), total[i] - count[i]);
    }
    assert_true(grown > 20 && shrunk > 20);
    for (uint32_t c = 0; c < OX_BUF_CLASSES; c++)
        while (count[c] != 0) ox_pool_put(pool, out[c][--count[c]]);
    ox_pool_destroy(pool);
}

static void *watch(void *argument) {
    const ox_pool *pool = argument;
    ox_pool_report report;
    uint64_t last = 0;
    do {
        ox_pool_status(pool, &report);
        if (report.classes[0].hot < last || report.classes[0].free > 100) return argument;
        last = report.classes[0].hot;
    } while (last < 100000);
    return NULL;
}

static void any_thread_can_ask_for_the_status(void **state) {
    (void)state;
    ox_pool *pool = make_pool(100, 0);
    pthread_t watcher;
    assert_int_equal(pthread_create(&watcher, NULL, watch, pool), 0);
    for (int i = 0; i < 100002; i++) ox_pool_put(pool, ox_pool_get(pool, OX_BUF_SMALL));
    void *wrong = NULL;
    assert_int_equal(pthread_join(watcher, &wrong), 0);
    assert_null(wrong);
    ox_pool_destroy(pool);
}

static int status_after(void (*act)(ox_pool *, ox_buf *)) {
    ox_pool *pool = make_pool(2, 0);
    ox_buf *buf = ox_pool_get(pool, OX_BUF_SMALL);
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        signal(SIGSEGV, SIG_DFL);
        if (freopen("/dev/null", "w", stderr) == NULL) _exit(1);
        act(pool, buf);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    ox_pool_put(pool, buf);
    ox_pool_destroy(pool);
    return status;
}

static bool aborts(void (*act)(ox_pool *, ox_buf *)) {
    const int status = status_after(act);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void put_twice(ox_pool *pool, ox_buf *buf) {
    ox_pool_put(pool, buf);
    ox_pool_put(pool, buf);
}
static void put_a_stranger(ox_pool *pool, ox_buf *buf) {
    ox_buf stranger = *buf;
    ox_pool_put(pool, &stranger);
}
static void put_what_was_never_out(ox_pool *pool, ox_buf *buf) { ox_pool_put(pool, buf + 1); }
static void put_the_middle_of_one(ox_pool *pool, ox_buf *buf) {
    ox_pool_put(pool, (ox_buf *)(void *)((uint8_t *)buf + 8));
}
static void put_to_another_pool_twice(ox_pool *pool, ox_buf *buf) {
    (void)pool;
    ox_pool *other = make_pool(2, 0);
    ox_pool_put(other, buf);
    ox_pool_put(other, buf);
}
static void put_to_another_pool_and_here(ox_pool *pool, ox_buf *buf) {
    ox_pool_put(make_pool(2, 0), buf);
    ox_pool_put(pool, buf);
}
static void destroy_too_early(ox_pool *pool, ox_buf *buf) {
    (void)buf;
    ox_pool_destroy(pool);
}
static void use_late(ox_pool *pool, ox_buf *buf) {
    ox_pool_put(pool, buf);
    *(volatile uint8_t *)buf->data = 1;
}
static void put_rightly(ox_pool *pool, ox_buf *buf) { ox_pool_put(pool, buf); }

static void misuse_ends_the_process(void **state) {
    (void)state;
    assert_true(aborts(put_twice));
    assert_true(aborts(put_a_stranger));
    assert_true(aborts(put_what_was_never_out));
    assert_true(aborts(put_the_middle_of_one));
    assert_true(aborts(put_to_another_pool_twice));
    assert_true(aborts(put_to_another_pool_and_here));
    assert_true(aborts(destroy_too_early));
    assert_int_not_equal(status_after(use_late), 0);
    assert_int_equal(status_after(put_rightly), 0);
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#define SEES_POISON 1
#endif
#endif

static void storage_is_out_of_bounds_while_it_is_free(void **state) {
    (void)state;
#ifdef SEES_POISON
    ox_pool *pool = make_pool(100, 0);
    ox_buf *buf = ox_pool_get(pool, OX_BUF_SMALL);
    uint8_t *const storage = buf->storage;
    assert_null(__asan_region_is_poisoned(storage, OX_BUF_BYTES));
    assert_int_equal(__asan_address_is_poisoned(storage + OX_BUF_BYTES), 1); /* nor may one run into the next */
    ox_pool_put(pool, buf);
    assert_int_equal(__asan_address_is_poisoned(storage), 1);
    assert_int_equal(__asan_address_is_poisoned(storage + OX_BUF_BYTES - 1), 1);
    ox_pool_destroy(pool);
#else
    print_message("SKIP: not built with AddressSanitizer\n");
    skip();
#endif
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buffer_comes_clean_and_aligned),
        cmocka_unit_test(an_empty_pool_says_no_and_counts_it),
        cmocka_unit_test(the_last_buffer_back_is_the_next_one_out),
        cmocka_unit_test(a_pool_grows_by_slabs_and_has_a_limit),
        cmocka_unit_test(an_idle_pool_gives_slabs_back_but_not_the_first),
        cmocka_unit_test(a_slab_with_a_buffer_out_stays),
        cmocka_unit_test(whatever_happens_no_buffer_is_out_twice),
        cmocka_unit_test(any_thread_can_ask_for_the_status),
        cmocka_unit_test(misuse_ends_the_process),
        cmocka_unit_test(storage_is_out_of_bounds_while_it_is_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
