#include "kernels_list.h"
#include "oxcore/packet.h"

enum { BUFFERS = 1024, DEEP = 512 };

static ox_pool *pool;
static ox_buf *held[DEEP];

static bool open_pool(const lab_kernel *kernel) {
    pool = ox_pool_create();
    ox_slab *slab = ox_slab_create(&(ox_slab_parameters){.class_ = (ox_buf_class)kernel->choice, .buffers = BUFFERS, .node = -1});
    return pool != NULL && slab != NULL && ox_pool_add(pool, slab);
}

static void close_pool(const lab_kernel *kernel) {
    (void)kernel;
    ox_pool_destroy(pool);
}

static void hot(const lab_kernel *kernel) {
    ox_buf *buf = ox_pool_get(pool, (ox_buf_class)kernel->choice);
    lab_keep((uintptr_t)buf);
    ox_pool_put(pool, buf);
}

/* Deeper than the hot stack: the reserve is asked too. */
static void deep(const lab_kernel *kernel) {
    for (uint32_t i = 0; i < DEEP; i++) held[i] = ox_pool_get(pool, (ox_buf_class)kernel->choice);
    for (uint32_t i = 0; i < DEEP; i++) ox_pool_put(pool, held[i]);
}

static void add(lab_kernels *kernels, ox_buf_class class_, const char *name) {
    static const char *baseline = "one at a time";
    lab_kernel *kernel = lab_kernels_add(kernels, baseline, baseline, "get and put a %s buffer", name);
    kernel->run = hot;
    lab_kernel *many = lab_kernels_add(kernels, "512 at a time", baseline, "get and put a %s buffer", name);
    many->run = deep;
    many->operations = DEEP;
    for (lab_kernel *each = kernel; each <= many; each++) {
        each->open = open_pool;
        each->close = close_pool;
        each->choice = class_;
    }
}

void lab_kernels_add_pool(lab_kernels *kernels) {
    add(kernels, OX_BUF_SMALL, "small");
    add(kernels, OX_BUF_LARGE, "large");
}
