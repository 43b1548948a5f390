#include "kernels_list.h"

#include "lab/clock.h"
#include "lab/problem.h"
#include "oxcore/crypto.h"

bool lab_kernels_find(lab_kernels *kernels) {
    kernels->count = 0;
    if (ox_init() != OX_OK) return lab_fail("the library does not start: the system gives no randomness");
    lab_kernels_add_parse(kernels);
    lab_kernels_add_checksum(kernels);
    lab_kernels_add_aead(kernels);
    lab_kernels_add_pool(kernels);
    lab_kernels_add_rings(kernels);
    lab_kernels_add_wire(kernels);
    return true;
}

static uint64_t time_calls(const lab_kernel *kernel, uint64_t calls) {
    const uint64_t start_ns = lab_clock_thread_ns();
    for (uint64_t i = 0; i < calls; i++) kernel->run(kernel);
    return lab_clock_thread_ns() - start_ns;
}

bool lab_kernel_measure(const lab_kernel *kernel, uint64_t duration_ns, double *ns) {
    if (kernel->open != NULL && !kernel->open(kernel)) {
        return lab_fail("%s by %s cannot run here", kernel->operation, kernel->variant);
    }
    /* Doubled until the clock's own cost no longer shows; caches and predictors are warm by then. */
    uint64_t calls = 1;
    uint64_t took_ns = time_calls(kernel, calls);
    while (took_ns < duration_ns / 8) {
        calls *= 2;
        took_ns = time_calls(kernel, calls);
    }
    calls = calls * duration_ns / (took_ns + 1) + 1;
    took_ns = time_calls(kernel, calls);
    if (kernel->close != NULL) kernel->close(kernel);
    *ns = (double)took_ns / ((double)calls * kernel->operations);
    return true;
}
