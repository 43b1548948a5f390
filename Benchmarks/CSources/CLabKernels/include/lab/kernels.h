/**
 * @file  The inner loops of the rooms, one by one: what an operation costs, of each variant that this machine can run.
 *
 * Threads: one.
 */
#ifndef LAB_KERNELS_H
#define LAB_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LAB_KERNELS_MAX = 128, LAB_KERNEL_NAME_MAX = 64 };

/** One thing to time. */
typedef struct lab_kernel {
    char operation[LAB_KERNEL_NAME_MAX]; /**< "checksum, 1500 bytes": what one operation is */
    char variant[LAB_KERNEL_NAME_MAX];   /**< who does it */
    char baseline[LAB_KERNEL_NAME_MAX];  /**< the variant of the same operation to compare it with; its own name for that */
    uint32_t operations;                 /**< of one call of `run` */
    bool (*open)(const struct lab_kernel *kernel); /**< takes what it needs; false when it cannot */
    void (*run)(const struct lab_kernel *kernel);
    void (*close)(const struct lab_kernel *kernel);
    uint32_t bytes;  /**< of one item */
    uint32_t choice; /**< what the kernel's file tells its variants apart by */
} lab_kernel;

/** A list in the making. */
typedef struct lab_kernels {
    lab_kernel list[LAB_KERNELS_MAX];
    size_t count;
} lab_kernels;

/** All that this machine can run. False, and lab_problem() says why, when the library does not start. */
bool lab_kernels_find(lab_kernels *kernels);

/** The erasure code's alone, each beside ISA-L; `bytes` is what of data one operation codes, or 0. */
bool lab_kernels_find_rs(lab_kernels *kernels);

/** How many there are, and their names. */
static inline size_t lab_kernels_count(const lab_kernels *kernels) { return kernels->count; }
static inline const lab_kernel *lab_kernels_at(const lab_kernels *kernels, size_t index) { return &kernels->list[index]; }

/**
 * Runs one for about `duration_ns`, after a time of warming up, and writes the nanoseconds of processor time of one operation.
 * False, and lab_problem() says why, when it cannot run.
 */
bool lab_kernel_measure(const lab_kernel *kernel, uint64_t duration_ns, double *ns);

#endif
