/**
 * @file  What the machine's memory is like: NUMA nodes and huge pages.
 *
 * Placement needs libnuma, which is loaded when a machine with several nodes is found, or a node is asked for. Where
 * there is one node nothing is loaded, and nothing is to choose.
 *
 * Threads: any.
 */
#ifndef OXCORE_MACHINE_H
#define OXCORE_MACHINE_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

/** NUMA nodes to choose from: 1 on a machine with one, and where libnuma is not installed. */
uint32_t ox_numa_nodes(void);

/** The node that a CPU belongs to, or -1 when there is nothing to choose or no such CPU. */
int32_t ox_numa_node_of_cpu(uint32_t cpu);

/**
 * Has the pages of `bytes` bytes from `memory`, the start of a page, come from `node` as long as it has some free. Pages
 * that are in memory already stay where they are.
 * @return false, with nothing done, without libnuma or such a node.
 */
bool ox_numa_prefer(void *memory, size_t bytes, int32_t node);

/** Whether the kernel gives transparent huge pages to who asks for them by madvise(). */
bool ox_transparent_huge_pages(void);

#ifdef __cplusplus
}
#endif

#endif
