#include "kernels_list.h"
#include "oxcore/ring.h"

enum { CAPACITY = 1024, BATCH = 32 };

static void *memory;
static ox_ring *ring;
static ox_mpsc *shared;
static uint64_t records[BATCH];

static bool reserve(size_t bytes) {
    memory = aligned_alloc(64, (bytes + 63) / 64 * 64);
    return memory != NULL;
}

static bool open_ring(const lab_kernel *kernel) {
    (void)kernel;
    if (!reserve(ox_ring_bytes(CAPACITY, sizeof records[0]))) return false;
    ring = ox_ring_init(memory, CAPACITY, sizeof records[0]);
    return true;
}

static bool open_shared(const lab_kernel *kernel) {
    (void)kernel;
    if (!reserve(ox_mpsc_bytes(CAPACITY, sizeof records[0]))) return false;
    shared = ox_mpsc_init(memory, CAPACITY, sizeof records[0]);
    return true;
}

static void release(const lab_kernel *kernel) {
    (void)kernel;
    free(memory);
}

static void ring_single(const lab_kernel *kernel) {
    (void)kernel;
    lab_keep(ox_ring_push(ring, records, NULL));
    lab_keep(ox_ring_pop(ring, records));
}

static void ring_many(const lab_kernel *kernel) {
    lab_keep(ox_ring_push_many(ring, records, kernel->operations, NULL));
    lab_keep(ox_ring_pop_many(ring, records, kernel->operations));
}

static void shared_many(const lab_kernel *kernel) {
    lab_keep(ox_mpsc_push_many(shared, records, kernel->operations, NULL));
    lab_keep(ox_mpsc_pop_many(shared, records, kernel->operations));
}

static void add(lab_kernels *kernels, const char *ring_name, const char *variant, uint32_t operations,
                bool (*open)(const lab_kernel *), void (*run)(const lab_kernel *)) {
    lab_kernel *kernel = lab_kernels_add(kernels, variant, "one at a time", "push and pop, %s", ring_name);
    kernel->open = open;
    kernel->run = run;
    kernel->close = release;
    kernel->operations = operations;
}

/* In one thread: what the instructions cost. Between threads the caches' travel comes on top. */
void lab_kernels_add_rings(lab_kernels *kernels) {
    add(kernels, "one producer", "one at a time", 1, open_ring, ring_single);
    add(kernels, "one producer", "32 at a time", BATCH, open_ring, ring_many);
    add(kernels, "several producers", "one at a time", 1, open_shared, shared_many);
    add(kernels, "several producers", "32 at a time", BATCH, open_shared, shared_many);
}
