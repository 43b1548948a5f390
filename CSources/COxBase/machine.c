#include "oxcore/machine.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

/* numaif.h and numa.h, as far as they are used: the library is loaded by name, so that it is needed only where there is
 * more than one node. */
enum { MPOL_PREFERRED = 1, BITS_OF_LONG = 8 * sizeof(unsigned long), NODES_MAX = 1024 };

static struct {
    pthread_once_t once;
    bool loaded;
    int (*max_node)(void);
    int (*configured_nodes)(void);
    int (*node_of_cpu)(int cpu);
    long (*mbind)(void *memory, unsigned long bytes, int mode, const unsigned long *nodes, unsigned long max_node,
                  unsigned flags);
} library = {.once = PTHREAD_ONCE_INIT};

/* ISO C converts no object pointer to a function pointer; POSIX promises that the bytes are the same. */
static bool find(void *handle, const char *name, void *function) {
    void *const symbol = dlsym(handle, name);
    memcpy(function, &symbol, sizeof symbol);
    return symbol != NULL;
}

static void load_library(void) {
    void *handle = dlopen("libnuma.so.1", RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) return;
    int (*available)(void);
    library.loaded = find(handle, "numa_available", &available) && find(handle, "numa_max_node", &library.max_node) &&
                     find(handle, "numa_num_configured_nodes", &library.configured_nodes) &&
                     find(handle, "numa_node_of_cpu", &library.node_of_cpu) &&
                     find(handle, "mbind", &library.mbind) && available() >= 0;
}

static bool have_library(void) {
    OX_ASSERT(pthread_once(&library.once, load_library) == 0);
    return library.loaded;
}

/* The first line of a file of the kernel's, empty where there is none. */
static void read_line(const char *path, char *line, int bytes) {
    line[0] = '\0';
    FILE *file = fopen(path, "re");
    if (file == NULL) return;
    if (fgets(line, bytes, file) == NULL) line[0] = '\0';
    fclose(file);
}

static uint32_t nodes;

static void count_nodes(void) {
    char online[256]; /* "0", "0-1", "0,2-3" */
    read_line("/sys/devices/system/node/online", online, sizeof online);
    const bool several = strpbrk(online, ",-") != NULL;
    const int count = several && have_library() ? library.configured_nodes() : 1;
    nodes = count > 1 ? (uint32_t)count : 1;
}

uint32_t ox_numa_nodes(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    OX_ASSERT(pthread_once(&once, count_nodes) == 0);
    return nodes;
}

int32_t ox_numa_node_of_cpu(uint32_t cpu) {
    if (ox_numa_nodes() == 1 || cpu > INT32_MAX) return -1;
    const int node = library.node_of_cpu((int)cpu);
    return node >= 0 ? node : -1;
}

bool ox_numa_prefer(void *memory, size_t bytes, int32_t node) {
    if (node < 0 || node >= NODES_MAX || !have_library() || node > library.max_node()) return false;
    unsigned long mask[NODES_MAX / BITS_OF_LONG] = {0};
    mask[(uint32_t)node / BITS_OF_LONG] = 1UL << ((uint32_t)node % BITS_OF_LONG);
    /* Preferred and not bound: a full node means slower memory, not the end of the process. The kernel reads one bit
     * fewer than it is told. */
    return library.mbind(memory, bytes, MPOL_PREFERRED, mask, NODES_MAX + 1, 0) == 0;
}

bool ox_transparent_huge_pages(void) {
    char enabled[64]; /* "always [madvise] never" */
    read_line("/sys/kernel/mm/transparent_hugepage/enabled", enabled, sizeof enabled);
    return strstr(enabled, "[always]") != NULL || strstr(enabled, "[madvise]") != NULL;
}
