#include "slab.h"

#include "oxcore/machine.h"

#include <sys/mman.h>

#ifndef MAP_HUGE_SHIFT
#define MAP_HUGE_SHIFT 26
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

enum { HUGE_PAGE_BITS = 21, MAP_TWO_MEGABYTES = HUGE_PAGE_BITS << MAP_HUGE_SHIFT };
static const size_t HUGE_PAGE_BYTES = (size_t)1 << HUGE_PAGE_BITS;

_Static_assert(OX_BUF_BYTES % LINE_BYTES == 0 && OX_BUF_LARGE_BYTES % LINE_BYTES == 0, "storages are whole lines");
_Static_assert(OX_BUF_CONTENT_MAX >= OX_INNER_MTU, "a whole inner packet fits in a small buffer");
_Static_assert(OX_BUF_LARGE_CONTENT_MAX >= 65535, "the largest IP packet fits in a large buffer");

static uint32_t capacity_of(ox_buf_class class_) {
    return class_ == OX_BUF_SMALL ? OX_BUF_BYTES : OX_BUF_LARGE_BYTES;
}

/*
 * An odd number of lines, so that the headers of a batch of packets spread over all sets of the cache: with a power of
 * two they would meet in two of them.
 */
static size_t stride_of(ox_buf_class class_) {
    const size_t lines = capacity_of(class_) / LINE_BYTES;
    return (lines + 1 + lines % 2) * LINE_BYTES;
}

static size_t round_up(size_t bytes, size_t to) { return (bytes + to - 1) & ~(to - 1); }

/* Pages of the kernel's reserve, filled now: a reserve that turns out to be short must be noticed here and not by a
 * SIGBUS on the data path. */
static void *map_huge(size_t bytes, int32_t node) {
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_TWO_MEGABYTES, -1, 0);
    if (memory == MAP_FAILED) return NULL;
    if (node >= 0) (void)ox_numa_prefer(memory, bytes, node);
    if (madvise(memory, bytes, MADV_POPULATE_WRITE) == 0) return memory;
    OX_ASSERT(munmap(memory, bytes) == 0);
    return NULL;
}

static void *map_lazily(size_t bytes) {
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory != MAP_FAILED ? memory : NULL;
}

/* From the start of a huge page, so that a slab of a few MB takes as few of them as it can. */
static void *map_aligned(size_t bytes) {
    uint8_t *memory = map_lazily(bytes + HUGE_PAGE_BYTES);
    if (memory == NULL) return NULL;
    const size_t before = (HUGE_PAGE_BYTES - (uintptr_t)memory % HUGE_PAGE_BYTES) % HUGE_PAGE_BYTES;
    if (before != 0) OX_ASSERT(munmap(memory, before) == 0);
    OX_ASSERT(munmap(memory + before + bytes, HUGE_PAGE_BYTES - before) == 0);
    return memory + before;
}

/*
 * Transparent huge pages cost memory only where something is touched, 2 MB at a time. Buffers are handed out from the
 * front and the last one back goes out first, so what the load does not need stays unmapped with them too.
 */
static uint8_t *map(size_t *bytes, bool huge, int32_t node, ox_pages *pages) {
    const size_t small_page = 4096, whole = round_up(*bytes, HUGE_PAGE_BYTES);
    huge = huge && *bytes >= HUGE_PAGE_BYTES;
    void *memory = huge ? map_huge(whole, node) : NULL;
    if (memory != NULL) {
        *bytes = whole;
        *pages = OX_PAGES_HUGE;
        return memory;
    }
    *bytes = round_up(*bytes, small_page);
    *pages = OX_PAGES_SMALL;
    memory = huge ? map_aligned(*bytes) : map_lazily(*bytes);
    if (memory == NULL) return NULL;
    if (node >= 0) (void)ox_numa_prefer(memory, *bytes, node);
    if (huge && ox_transparent_huge_pages() && madvise(memory, *bytes, MADV_HUGEPAGE) == 0)
        *pages = OX_PAGES_TRANSPARENT;
    return memory;
}

ox_slab *ox_slab_create(const ox_slab_parameters *parameters) {
    OX_ASSERT(parameters->class_ == OX_BUF_SMALL || parameters->class_ == OX_BUF_LARGE);
    OX_ASSERT(parameters->buffers >= 1 && parameters->buffers <= OX_POOL_BUFFERS_MAX);
    const size_t stack_at = round_up(sizeof(ox_slab), LINE_BYTES);
    const size_t cells_at = round_up(stack_at + parameters->buffers * sizeof(ox_buf *), LINE_BYTES);
    const size_t storages_at = cells_at + parameters->buffers * sizeof(cell);
    const size_t stride = stride_of(parameters->class_);

    size_t bytes = storages_at + parameters->buffers * stride;
    ox_pages pages;
    uint8_t *memory = map(&bytes, parameters->huge, parameters->node, &pages);
    if (memory == NULL) return NULL;
    ox_slab *slab = (ox_slab *)(void *)memory; /* the kernel's pages are zero */
    slab->returned = (ox_buf **)(void *)(memory + stack_at);
    slab->cells = (cell *)(void *)(memory + cells_at);
    slab->storages = memory + storages_at;
    slab->stride = stride;
    slab->capacity = capacity_of(parameters->class_);
    slab->buffers = parameters->buffers;
    slab->reserve = parameters->buffers;
    slab->class_ = parameters->class_;
    slab->pages = pages;
    slab->mapped_bytes = bytes;
    return slab;
}

void ox_slab_destroy(ox_slab *slab) {
    if (slab == NULL) return;
    OX_ASSERT(slab->pool == NULL);
    OX_ASSERT(munmap(slab, slab->mapped_bytes) == 0);
}

ox_buf_class ox_slab_class(const ox_slab *slab) { return slab->class_; }
uint32_t ox_slab_buffers(const ox_slab *slab) { return slab->buffers; }
ox_pages ox_slab_pages(const ox_slab *slab) { return slab->pages; }

void *ox_reserve(size_t bytes) {
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory != MAP_FAILED ? memory : NULL;
}

void ox_release(void *memory, size_t bytes) {
    if (memory != NULL) OX_ASSERT(munmap(memory, bytes) == 0);
}
