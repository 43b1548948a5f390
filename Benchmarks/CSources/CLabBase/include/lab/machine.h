/** @file  What a report says about where it was made. */
#ifndef LAB_MACHINE_H
#define LAB_MACHINE_H

#include <stddef.h>

/** Processor model, cores and kernel, for example "AMD EPYC, 2 cores, Linux 6.18.4". */
const char *lab_machine(void);

/** The commit of the repository that this program was built in, or "unknown" where it lies outside of one. */
const char *lab_commit(void);

#endif
