/* Where each room's kernels join the list. Static state is enough: one kernel is open at a time. */
#ifndef LAB_KERNELS_LIST_H
#define LAB_KERNELS_LIST_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lab/kernels.h"

void lab_kernels_add_parse(lab_kernels *kernels);
void lab_kernels_add_checksum(lab_kernels *kernels);
void lab_kernels_add_aead(lab_kernels *kernels);
void lab_kernels_add_pool(lab_kernels *kernels);
void lab_kernels_add_rings(lab_kernels *kernels);
void lab_kernels_add_wire(lab_kernels *kernels);

/* A new last entry with its names; the caller fills the rest. */
__attribute__((format(printf, 4, 5))) static inline lab_kernel *
lab_kernels_add(lab_kernels *kernels, const char *variant, const char *baseline, const char *format, ...) {
    if (kernels->count == LAB_KERNELS_MAX) abort();
    lab_kernel *kernel = &kernels->list[kernels->count++];
    *kernel = (lab_kernel){.operations = 1};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(kernel->operation, sizeof kernel->operation, format, arguments);
    va_end(arguments);
    snprintf(kernel->variant, sizeof kernel->variant, "%s", variant);
    snprintf(kernel->baseline, sizeof kernel->baseline, "%s", baseline);
    return kernel;
}

/* Keeps the compiler from leaving out what nobody reads. */
static inline void lab_keep(uint64_t value) { __asm__ volatile("" : : "r"(value) : "memory"); }

#endif
