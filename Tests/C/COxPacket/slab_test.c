#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oxcore/machine.h"
#include "oxcore/packet.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static ox_slab *make(ox_buf_class class_, uint32_t buffers, bool huge) {
    ox_slab *slab =
        ox_slab_create(&(ox_slab_parameters){.class_ = class_, .buffers = buffers, .node = -1, .huge = huge});
    assert_non_null(slab);
    return slab;
}

static ox_pool *pool_of(ox_slab *slab) {
    ox_pool *pool = ox_pool_create();
    assert_non_null(pool);
    assert_true(ox_pool_add(pool, slab));
    return pool;
}

static void a_slab_is_what_was_asked_for(void **state) {
    (void)state;
    ox_slab *slab = make(OX_BUF_SMALL, 1, false);
    assert_int_equal(ox_slab_class(slab), OX_BUF_SMALL);
    assert_int_equal(ox_slab_buffers(slab), 1);
    assert_int_equal(ox_slab_pages(slab), OX_PAGES_SMALL);
    ox_slab_destroy(slab);
    slab = make(OX_BUF_LARGE, OX_POOL_BUFFERS_MAX, false);
    assert_int_equal(ox_slab_class(slab), OX_BUF_LARGE);
    assert_int_equal(ox_slab_buffers(slab), OX_POOL_BUFFERS_MAX);
    ox_slab_destroy(slab);
    ox_slab_destroy(NULL);
}

static void huge_pages_are_not_for_a_slab_below_one(void **state) {
    (void)state;
    ox_slab *slab = make(OX_BUF_SMALL, 100, true);
    assert_int_equal(ox_slab_pages(slab), OX_PAGES_SMALL);
    ox_slab_destroy(slab);
}

static void every_buffer_of_a_slab_can_be_written(void **state) {
    (void)state;
    for (int huge = 0; huge < 2; huge++) {
        for (uint32_t c = 0; c < OX_BUF_CLASSES; c++) {
            const uint32_t buffers = c == OX_BUF_SMALL ? 1500 : 40;
            ox_pool *pool = pool_of(make((ox_buf_class)c, buffers, huge != 0));
            ox_list taken = {0};
            for (uint32_t i = 0; i < buffers; i++) {
                ox_buf *buf = ox_pool_get(pool, (ox_buf_class)c);
                assert_non_null(buf);
                memset(buf->storage, (int)(i % 251) + 1, buf->capacity);
                ox_list_append(&taken, buf);
            }
            uint32_t i = 0;
            for (const ox_buf *buf = taken.head; buf != NULL; buf = buf->next, i++) {
                assert_int_equal(buf->storage[0], i % 251 + 1);
                assert_int_equal(buf->storage[buf->capacity - 1], i % 251 + 1);
            }
            ox_pool_put_list(pool, &taken);
            ox_pool_destroy(pool);
        }
    }
}

/* Of a range of pages, how many are in memory. */
static size_t resident_bytes(const void *from, size_t bytes) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t count = bytes / page;
    unsigned char *map = calloc(count, 1);
    assert_non_null(map);
    assert_int_equal(mincore((void *)((uintptr_t)from & ~(page - 1)), count * page, map), 0);
    size_t resident = 0;
    for (size_t i = 0; i < count; i++) resident += map[i] & 1;
    free(map);
    return resident * page;
}

static void a_reserve_that_was_never_needed_is_never_touched(void **state) {
    (void)state;
    const size_t two_megabytes = 2 << 20;
    for (int huge = 0; huge < 2; huge++) {
        ox_slab *slab = make(OX_BUF_SMALL, 1 << 16, huge != 0);
        if (ox_slab_pages(slab) == OX_PAGES_HUGE) { /* of a reserve that nobody else can use */
            ox_slab_destroy(slab);
            continue;
        }
        ox_pool *pool = pool_of(slab);
        for (int i = 0; i < 100000; i++) {
            ox_buf *buf = ox_pool_get(pool, OX_BUF_SMALL);
            buf->storage[0] = 1;
            ox_pool_put(pool, buf);
        }
        /* The fronts of the stack of free buffers, of the descriptors and of the storages. */
        assert_true(resident_bytes(slab, ((size_t)OX_BUF_BYTES + 128) << 16) <= 3 * two_megabytes);
        ox_pool_destroy(pool);
    }
}

static void transparent_huge_pages_are_told_apart(void **state) {
    (void)state;
    ox_slab *slab = make(OX_BUF_LARGE, 64, true);
    const ox_pages pages = ox_slab_pages(slab);
    print_message("pages: %s\n", pages == OX_PAGES_HUGE          ? "huge"
                                 : pages == OX_PAGES_TRANSPARENT ? "transparent"
                                                                 : "small");
    if (pages != OX_PAGES_HUGE) assert_int_equal(pages == OX_PAGES_TRANSPARENT, ox_transparent_huge_pages());
    if (pages != OX_PAGES_SMALL) assert_int_equal((uintptr_t)slab % (2 << 20), 0);
    ox_slab_destroy(slab);
}

static void a_slab_can_be_bound_to_a_node(void **state) {
    (void)state;
    /* A node that is not there costs the placement and not the slab. */
    const int32_t nodes[] = {0, 1 << 20};
    for (size_t i = 0; i < 2; i++) {
        ox_slab *slab = ox_slab_create(
            &(ox_slab_parameters){.class_ = OX_BUF_SMALL, .buffers = 1000, .node = nodes[i], .huge = true});
        assert_non_null(slab);
        ox_pool *pool = pool_of(slab);
        ox_buf *buf = ox_pool_get(pool, OX_BUF_SMALL);
        buf->storage[0] = 1;
        ox_pool_put(pool, buf);
        ox_pool_destroy(pool);
    }
}

static bool aborts(void (*act)(void)) {
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        if (freopen("/dev/null", "w", stderr) == NULL) _exit(1);
        act();
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void none(void) { ox_slab_destroy(make(OX_BUF_SMALL, 0, false)); }
static void too_many(void) { ox_slab_destroy(make(OX_BUF_SMALL, OX_POOL_BUFFERS_MAX + 1, false)); }
static void in_a_pool(void) {
    ox_slab *slab = make(OX_BUF_SMALL, 1, false);
    (void)pool_of(slab);
    ox_slab_destroy(slab);
}
static void in_two_pools(void) {
    ox_slab *slab = make(OX_BUF_SMALL, 1, false);
    (void)pool_of(slab);
    (void)pool_of(slab);
}

static void misuse_ends_the_process(void **state) {
    (void)state;
    assert_true(aborts(none));
    assert_true(aborts(too_many));
    assert_true(aborts(in_a_pool));
    assert_true(aborts(in_two_pools));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slab_is_what_was_asked_for),
        cmocka_unit_test(huge_pages_are_not_for_a_slab_below_one),
        cmocka_unit_test(every_buffer_of_a_slab_can_be_written),
        cmocka_unit_test(a_reserve_that_was_never_needed_is_never_touched),
        cmocka_unit_test(transparent_huge_pages_are_told_apart),
        cmocka_unit_test(a_slab_can_be_bound_to_a_node),
        cmocka_unit_test(misuse_ends_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
