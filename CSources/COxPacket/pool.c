#include "slab.h"

#include <stdlib.h>

enum { BATCH = OX_POOL_HOT / 2 }; /* buffers that move between the hot stack and the reserve at once */

_Static_assert(OX_SLABS_MAX <= UINT8_MAX + 1, "ox_buf.slab holds every index");
_Static_assert(sizeof(ox_pool_class_report) % sizeof(uint64_t) == 0, "ox_snapshot() copies it");

/* What is cleared when a buffer goes out lies together; in front of it is what is set, behind it what stays. */
enum { CLEARED_FROM = offsetof(ox_buf, segment), CLEARED_BYTES = offsetof(ox_buf, storage) - CLEARED_FROM };
_Static_assert((size_t)CLEARED_BYTES == LINE_BYTES, "one line is cleared");

/* The buffers of one class. The last ones that came back are on the hot stack: their lines are still in the cache. */
typedef struct shelf {
    _Alignas(LINE_BYTES) ox_pool_class_report report; /* written by the pool's thread, read by any */
    ox_slab *first; /* slabs in the order in which they came: the reserve of the first is used first */
    ox_slab *last;
    uint32_t hot_count;
    ox_buf *hot[OX_POOL_HOT];
} shelf;

struct ox_pool {
    /* Buffers that were put into other pools. A stack that others push onto and its owner empties at once, so that nothing
     * on it can be taken off and pushed again meanwhile. On a line of its own: others write it. */
    _Alignas(LINE_BYTES) ox_buf *returned;
    shelf shelves[OX_BUF_CLASSES];
    ox_slab *slabs[OX_SLABS_MAX]; /* by ox_buf.slab */
};

ox_pool *ox_pool_create(void) {
    ox_pool *pool = aligned_alloc(_Alignof(ox_pool), sizeof(ox_pool));
    if (pool != NULL) memset(pool, 0, sizeof *pool);
    return pool;
}

/* ---- buffers ------------------------------------------------------------------------------------------------- */

/* Buffers that go out for the first time. What lies in front is handed out first. */
static void take_fresh(ox_slab *slab, ox_buf **to, uint32_t count) {
    for (uint32_t i = count; i-- > 0;) {
        const uint32_t number = slab->fresh++;
        uint8_t *storage = slab->storages + number * slab->stride;
        to[i] = &slab->cells[number].buf;
        *to[i] = (ox_buf){
            .storage = storage, .capacity = slab->capacity, .slab = (uint8_t)slab->index, .home = slab->pool};
        ASAN_POISON_MEMORY_REGION(storage, slab->stride); /* what lies between two storages stays so */
    }
}

/* Up to `wanted` buffers from the slab's reserve. @return how many. */
static uint32_t take_from_reserve(ox_slab *slab, ox_buf **to, uint32_t wanted) {
    const uint32_t known = slab->returned_count, unused = slab->buffers - slab->fresh;
    uint32_t count = known < wanted ? known : wanted;
    slab->returned_count -= count;
    memcpy(to, slab->returned + slab->returned_count, count * sizeof *to);
    if (count == 0) {
        count = unused < wanted ? unused : wanted;
        take_fresh(slab, to, count);
    }
    slab->reserve -= count;
    return count;
}

/* What others brought, and else from the first slab that has any: the later ones are to become free. Less than a batch
 * will do. */
__attribute__((noinline)) static bool refill(ox_pool *pool, shelf *shelf) {
    ox_pool_collect(pool);
    for (ox_slab *slab = shelf->first; slab != NULL && shelf->hot_count == 0; slab = slab->next)
        shelf->hot_count = take_from_reserve(slab, shelf->hot, BATCH);
    return shelf->hot_count != 0;
}

/* The half that has waited longest goes. */
__attribute__((noinline)) static void spill(ox_pool *pool, shelf *shelf) {
    for (uint32_t i = 0; i < BATCH; i++) {
        ox_slab *slab = pool->slabs[shelf->hot[i]->slab];
        slab->returned[slab->returned_count++] = shelf->hot[i];
        slab->reserve++;
    }
    shelf->hot_count -= BATCH;
    memmove(shelf->hot, shelf->hot + BATCH, shelf->hot_count * sizeof *shelf->hot);
}

ox_buf *ox_pool_get(ox_pool *pool, ox_buf_class class_) {
    OX_ASSERT((uint32_t)class_ < OX_BUF_CLASSES);
    shelf *shelf = &pool->shelves[class_];
    if (shelf->hot_count != 0) {
        ox_count(&shelf->report.hot, 1);
    } else if (refill(pool, shelf)) {
        ox_count(&shelf->report.cold, 1);
    } else {
        ox_count(&shelf->report.exhausted, 1);
        return NULL;
    }
    const uint64_t free = shelf->report.free - 1;
    ox_publish(&shelf->report.free, free);
    if (free < shelf->report.free_least) ox_publish(&shelf->report.free_least, free);

    ox_buf *buf = shelf->hot[--shelf->hot_count];
    ASAN_UNPOISON_MEMORY_REGION(buf->storage, buf->capacity);
    const uint8_t slab = buf->slab;
    memset((uint8_t *)buf + CLEARED_FROM, 0, CLEARED_BYTES);
    buf->next = NULL;
    buf->data = buf->storage + OX_BUF_HEADROOM;
    buf->len = 0;
    buf->slab = slab;
    buf->out = 1;
    return buf;
}

/* A buffer of another pool is pushed onto the stack that its home will empty. */
__attribute__((noinline)) static void send_home(ox_buf *buf) {
    ox_pool *home = buf->home;
    OX_ASSERT(home != NULL && buf->out == 1); /* no buffer, or put twice */
    buf->out = 2;
    buf->next = __atomic_load_n(&home->returned, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(&home->returned, &buf->next, buf, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {}
}

/* Where a buffer is in a slab of this pool; NULL for one of another pool, which lies elsewhere. */
static const ox_slab *slab_of(const ox_pool *pool, const ox_buf *buf) {
    const ox_slab *slab = pool->slabs[buf->slab];
    if (__builtin_expect(slab == NULL, 0)) return NULL;
    const uintptr_t offset = (uintptr_t)buf - (uintptr_t)slab->cells;
    return __builtin_expect(offset < slab->fresh * sizeof(cell) && offset % sizeof(cell) == 0, 1) ? slab : NULL;
}

void ox_pool_put(ox_pool *pool, ox_buf *buf) {
    const ox_slab *slab = slab_of(pool, buf);
    if (__builtin_expect(slab == NULL, 0)) {
        OX_ASSERT(buf->home != pool);
        send_home(buf);
        return;
    }
    OX_ASSERT(buf->out == 1); /* put twice */
    shelf *shelf = &pool->shelves[slab->class_];

    ASAN_POISON_MEMORY_REGION(buf->storage, buf->capacity);
    buf->out = 0;
    /* A free buffer has no content: a late use faults at once. */
    buf->data = NULL;
    buf->len = 0;
    if (shelf->hot_count == OX_POOL_HOT) spill(pool, shelf);
    shelf->hot[shelf->hot_count++] = buf;
    ox_publish(&shelf->report.free, shelf->report.free + 1);
}

void ox_pool_collect(ox_pool *pool) {
    /* Nearly always there is nothing, and then nothing is written. */
    if (__builtin_expect(__atomic_load_n(&pool->returned, __ATOMIC_RELAXED) == NULL, 1)) return;
    ox_buf *buf = __atomic_exchange_n(&pool->returned, NULL, __ATOMIC_ACQUIRE);
    while (buf != NULL) {
        ox_buf *next = buf->next;
        const ox_slab *slab = slab_of(pool, buf);
        OX_ASSERT(slab != NULL && buf->out == 2);
        ox_count(&pool->shelves[slab->class_].report.returned, 1);
        buf->out = 1;
        ox_pool_put(pool, buf);
        buf = next;
    }
}

void ox_pool_put_list(ox_pool *pool, ox_list *list) {
    ox_buf *buf = list->head;
    *list = (ox_list){0};
    while (buf != NULL) {
        ox_buf *next = buf->next;
        if (next != NULL) __builtin_prefetch(next, 1);
        ox_pool_put(pool, buf);
        buf = next;
    }
}

uint32_t ox_pool_buffers(const ox_pool *pool, ox_buf_class class_) {
    OX_ASSERT((uint32_t)class_ < OX_BUF_CLASSES);
    return (uint32_t)pool->shelves[class_].report.buffers;
}

uint32_t ox_pool_free(const ox_pool *pool, ox_buf_class class_) {
    OX_ASSERT((uint32_t)class_ < OX_BUF_CLASSES);
    return (uint32_t)pool->shelves[class_].report.free;
}

void ox_pool_status(const ox_pool *pool, ox_pool_report *report) {
    for (size_t i = 0; i < OX_BUF_CLASSES; i++)
        ox_snapshot(&report->classes[i], &pool->shelves[i].report, sizeof report->classes[i]);
}

/* ---- slabs --------------------------------------------------------------------------------------------------- */

bool ox_pool_add(ox_pool *pool, ox_slab *slab) {
    OX_ASSERT(slab->pool == NULL);
    uint32_t index = 0;
    while (index < OX_SLABS_MAX && pool->slabs[index] != NULL) index++;
    if (index == OX_SLABS_MAX) return false;

    shelf *shelf = &pool->shelves[slab->class_];
    ox_pool_class_report *report = &shelf->report;
    pool->slabs[index] = slab;
    slab->index = index;
    slab->pool = pool;
    slab->next = NULL;
    if (shelf->last != NULL) {
        shelf->last->next = slab;
        ox_count(&report->grown, 1);
    } else {
        shelf->first = slab;
        ox_publish(&report->free_least, slab->buffers);
    }
    shelf->last = slab;
    ox_count(&report->buffers, slab->buffers);
    ox_count(&report->free, slab->buffers);
    ox_count(&report->slabs, 1);
    return true;
}

static uint32_t hot_of(const shelf *shelf, const ox_slab *slab) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < shelf->hot_count; i++) count += shelf->hot[i]->slab == slab->index;
    return count;
}

/* Takes a slab out whose buffers are all free. It is as new afterwards. */
static void detach(ox_pool *pool, shelf *shelf, ox_slab *before, ox_slab *slab) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < shelf->hot_count; i++) {
        if (shelf->hot[i]->slab != slab->index) shelf->hot[kept++] = shelf->hot[i];
    }
    shelf->hot_count = kept;

    if (before != NULL) {
        before->next = slab->next;
    } else {
        shelf->first = slab->next;
    }
    if (shelf->last == slab) shelf->last = before;
    pool->slabs[slab->index] = NULL;

    ASAN_UNPOISON_MEMORY_REGION(slab->storages, slab->fresh * slab->stride);
    slab->pool = NULL;
    slab->next = NULL;
    slab->returned_count = 0;
    slab->fresh = 0;
    slab->reserve = slab->buffers;
    ox_publish(&shelf->report.buffers, shelf->report.buffers - slab->buffers);
    ox_publish(&shelf->report.free, shelf->report.free - slab->buffers);
    ox_publish(&shelf->report.slabs, shelf->report.slabs - 1);
}

/*
 * The last slab that is free and not needed: without it a quarter of the buffers would still have been free when the
 * fewest were. The quarter keeps a pool from growing and shrinking in turns.
 */
static ox_slab *unneeded(ox_pool *pool, shelf *shelf) {
    const ox_pool_class_report *report = &shelf->report;
    ox_slab *found = NULL, *before_found = NULL;
    if (shelf->first == NULL) return NULL;
    for (ox_slab *before = shelf->first, *slab = before->next; slab != NULL; before = slab, slab = slab->next) {
        const uint64_t left = report->buffers - slab->buffers;
        if (report->free_least < slab->buffers + left / 4) continue;
        if (slab->reserve + hot_of(shelf, slab) != slab->buffers) continue;
        found = slab;
        before_found = before;
    }
    if (found != NULL) detach(pool, shelf, before_found, found);
    return found;
}

ox_slab *ox_pool_rest(ox_pool *pool) {
    ox_slab *slab = NULL;
    for (size_t i = 0; i < OX_BUF_CLASSES; i++) {
        shelf *shelf = &pool->shelves[i];
        if (slab == NULL && (slab = unneeded(pool, shelf)) != NULL) ox_count(&shelf->report.shrunk, 1);
        ox_publish(&shelf->report.free_least, shelf->report.free);
    }
    return slab;
}

void ox_pool_destroy(ox_pool *pool) {
    if (pool == NULL) return;
    ox_pool_collect(pool);
    for (size_t i = 0; i < OX_BUF_CLASSES; i++) {
        shelf *shelf = &pool->shelves[i];
        OX_ASSERT(shelf->report.free == shelf->report.buffers);
        while (shelf->first != NULL) {
            ox_slab *slab = shelf->first;
            detach(pool, shelf, NULL, slab);
            ox_slab_destroy(slab);
        }
    }
    free(pool);
}
