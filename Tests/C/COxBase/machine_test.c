#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oxcore/machine.h"

#include <dlfcn.h>
#include <sys/mman.h>

static void one_node_leaves_nothing_to_choose(void **state) {
    (void)state;
    const uint32_t nodes = ox_numa_nodes();
    print_message("NUMA nodes: %u\n", nodes);
    assert_in_range(nodes, 1, 1024);
    const int32_t node = ox_numa_node_of_cpu(0);
    if (nodes == 1) {
        assert_int_equal(node, -1);
        assert_null(dlopen("libnuma.so.1", RTLD_NOW | RTLD_NOLOAD)); /* nor is anything loaded */
    } else {
        assert_true(node >= 0);
    }
    assert_int_equal(ox_numa_node_of_cpu(UINT32_MAX), -1);
    assert_int_equal(ox_numa_node_of_cpu(1 << 24), -1);
}

static void memory_prefers_the_node_it_was_given(void **state) {
    (void)state;
    const size_t bytes = 1 << 20;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    assert_false(ox_numa_prefer(memory, bytes, -1));
    assert_false(ox_numa_prefer(memory, bytes, 1023));
    assert_false(ox_numa_prefer(memory, bytes, INT32_MAX));

    void *library = dlopen("libnuma.so.1", RTLD_NOW);
    const bool done = ox_numa_prefer(memory, bytes, 0);
    if (library == NULL || !done) {
        print_message("SKIP: no libnuma, or no NUMA in this kernel\n");
        skip();
    }
    long (*get_mempolicy)(int *mode, unsigned long *mask, unsigned long max, void *address, unsigned flags);
    void *const symbol = dlsym(library, "get_mempolicy");
    memcpy(&get_mempolicy, &symbol, sizeof symbol);
    int mode = -1;
    unsigned long mask[16] = {0};
    assert_int_equal(get_mempolicy(&mode, mask, 1024, (uint8_t *)memory + bytes - 1, 2 /* MPOL_F_ADDR */), 0);
    assert_int_equal(mode, 1 /* MPOL_PREFERRED */);
    assert_int_equal(mask[0], 1);
    memset(memory, 1, bytes);
    munmap(memory, bytes);
}

static void huge_pages_can_be_asked_for_twice(void **state) {
    (void)state;
    assert_int_equal(ox_transparent_huge_pages(), ox_transparent_huge_pages());
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_node_leaves_nothing_to_choose),
        cmocka_unit_test(memory_prefers_the_node_it_was_given),
        cmocka_unit_test(huge_pages_can_be_asked_for_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
