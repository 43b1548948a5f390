#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oxcore/packet.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void a_buffer_comes_clean_and_aligned(void **state) {
    (void)state;
    ox_pool *pool = ox_pool_create(3);
    assert_non_null(pool);
    for (int round = 0; round < 2; round++) {
        ox_buf *bufs[3];
        for (int i = 0; i < 3; i++) {
            ox_buf *buf = bufs[i] = ox_pool_get(pool);
            assert_non_null(buf);
            assert_null(buf->next);
            assert_int_equal((uintptr_t)buf->storage % 64, 0);
            assert_ptr_equal(buf->data, buf->storage + OX_BUF_HEADROOM);
            assert_int_equal(buf->len, 0);
            assert_int_equal(ox_buf_headroom(buf), OX_BUF_HEADROOM);
            assert_int_equal(ox_buf_tailroom(buf), OX_BUF_BYTES - OX_BUF_HEADROOM);
            assert_int_equal(buf->ecn | buf->handshake | buf->reserved | buf->peer | buf->number, 0);
            assert_true(ox_address_is_none(&buf->address));
            memset(buf->storage, 0xAA, OX_BUF_BYTES);
            buf->ecn = 3;
            buf->handshake = 1;
            buf->peer = 7;
            buf->number = 8;
            buf->len = 100;
            buf->address.port = 9;
        }
        for (int i = 0; i < 3; i++) {
            for (int other = 0; other < i; other++) {
                assert_true(labs(bufs[i]->storage - bufs[other]->storage) >= OX_BUF_BYTES);
            }
        }
        for (int i = 0; i < 3; i++) ox_pool_put(pool, bufs[i]);
    }
    ox_pool_destroy(pool);
}

static void an_empty_pool_says_no_and_counts_it(void **state) {
    (void)state;
    ox_pool *pool = ox_pool_create(2);
    ox_list taken = {0};
    ox_list_append(&taken, ox_pool_get(pool));
    ox_list_append(&taken, ox_pool_get(pool));
    assert_null(ox_pool_get(pool));
    assert_null(ox_pool_get(pool));
    ox_pool_report report = ox_pool_status(pool);
    assert_int_equal(report.buffers, 2);
    assert_int_equal(report.free, 0);
    assert_int_equal(report.free_least, 0);
    assert_int_equal(report.exhausted, 2);
    ox_pool_put_list(pool, &taken);
    assert_int_equal(taken.count, 0);
    assert_null(taken.head);
    report = ox_pool_status(pool);
    assert_int_equal(report.free, 2);
    assert_int_equal(report.free_least, 0);
    ox_pool_destroy(pool);
    ox_pool_destroy(NULL);
}

static void the_last_buffer_back_is_the_next_one_out(void **state) {
    (void)state;
    ox_pool *pool = ox_pool_create(100);
    ox_buf *a = ox_pool_get(pool);
    ox_buf *b = ox_pool_get(pool);
    ox_pool_put(pool, a);
    ox_pool_put(pool, b);
    assert_ptr_equal(ox_pool_get(pool), b);
    assert_ptr_equal(ox_pool_get(pool), a);
    ox_pool_put(pool, a);
    ox_pool_put(pool, b);
    for (int i = 0; i < 1000; i++) ox_pool_put(pool, ox_pool_get(pool));
    assert_int_equal(ox_pool_status(pool).free_least, 98);
    ox_pool_destroy(pool);
}

/* Pages of [from, from + bytes) that are in memory. */
static size_t resident_pages(const void *from, size_t bytes) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *start = (uint8_t *)((uintptr_t)from & ~(page - 1));
    const size_t count = bytes / page;
    unsigned char *map = calloc(count, 1);
    assert_non_null(map);
    assert_int_equal(mincore(start, count * page, map), 0);
    size_t resident = 0;
    for (size_t i = 0; i < count; i++) resident += map[i] & 1;
    free(map);
    return resident;
}

static void memory_that_was_never_needed_is_never_touched(void **state) {
    (void)state;
    ox_pool *pool = ox_pool_create(OX_POOL_BUFFERS_MAX);
    assert_non_null(pool);
    for (int i = 0; i < 100000; i++) {
        ox_buf *buf = ox_pool_get(pool);
        buf->storage[0] = 1;
        ox_pool_put(pool, buf);
    }
    /* Two huge pages at most, were the kernel to use them here. */
    assert_true(resident_pages(pool, (size_t)OX_POOL_BUFFERS_MAX * OX_BUF_BYTES) <= 1024);
    ox_pool_destroy(pool);
}

static bool aborts(void (*act)(ox_pool *, ox_buf *)) {
    ox_pool *pool = ox_pool_create(2);
    ox_buf *buf = ox_pool_get(pool);
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        if (freopen("/dev/null", "w", stderr) == NULL) _exit(1);
        act(pool, buf);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    ox_pool_put(pool, buf);
    ox_pool_destroy(pool);
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
    ox_pool_get(pool)->next = buf; /* where `storage` of the misplaced buffer would be */
    ox_pool_put(pool, (ox_buf *)(void *)((uint8_t *)buf + 8));
}
static void destroy_too_early(ox_pool *pool, ox_buf *buf) {
    (void)buf;
    ox_pool_destroy(pool);
}
static void put_rightly(ox_pool *pool, ox_buf *buf) { ox_pool_put(pool, buf); }

static void misuse_ends_the_process(void **state) {
    (void)state;
    assert_true(aborts(put_twice));
    assert_true(aborts(put_a_stranger));
    assert_true(aborts(put_what_was_never_out));
    assert_true(aborts(put_the_middle_of_one));
    assert_true(aborts(destroy_too_early));
    assert_false(aborts(put_rightly));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buffer_comes_clean_and_aligned),
        cmocka_unit_test(an_empty_pool_says_no_and_counts_it),
        cmocka_unit_test(the_last_buffer_back_is_the_next_one_out),
        cmocka_unit_test(memory_that_was_never_needed_is_never_touched),
        cmocka_unit_test(misuse_ends_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
