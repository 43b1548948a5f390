/**
 * @file  What a long-running process asks of Linux that is not packets: signals as a descriptor, streams for the
 *        programs it runs, and the right to administer the network for them.
 *
 * Threads: all of it concerns the calling thread, and what that thread starts later.
 */
#ifndef OXCORE_PROCESS_H
#define OXCORE_PROCESS_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Blocks `signals`, and opens a descriptor that is readable while one of them is pending. To be called before other
 * threads start, or the kernel may give the signals to those.
 *
 * @return ::OX_OK, or ::OX_E_SYSTEM with errno: nothing is blocked then.
 */
OX_MUST_USE ox_status ox_signals_open(const int *signals, uint32_t count, int *descriptor);

/** Takes the next pending signal of ox_signals_open()'s descriptor, or returns 0. Never blocks. */
int ox_signals_next(int descriptor);

/** Names the calling thread; 15 bytes of the name count. */
void ox_thread_name(const char *name);

/**
 * Keeps the calling thread on one CPU.
 *
 * @return ::OX_OK, ::OX_E_LIMIT for a number that no CPU can have, or ::OX_E_SYSTEM with errno: EINVAL when this process
 *         may not use that CPU.
 */
OX_MUST_USE ox_status ox_thread_pin(uint32_t cpu);

/** Numbers of the CPUs that the calling thread may use, ascending, up to `max` of them. Returns how many there are. */
uint32_t ox_cpus_allowed(uint32_t *cpus, uint32_t max);

/**
 * Opens a file that exists in memory alone, holds `bytes`, and is read from its start. The caller closes it.
 *
 * @return ::OX_OK, or ::OX_E_SYSTEM with errno.
 */
OX_MUST_USE ox_status ox_memory_file(const void *bytes, size_t len, int *descriptor);

/**
 * Opens a pipe, `ends[1]` to `ends[0]`, that no program inherits unless it is given to it.
 *
 * @return ::OX_OK, or ::OX_E_SYSTEM with errno.
 */
OX_MUST_USE ox_status ox_pipe_open(int ends[2]);

/** The environment as posix_spawn(3) takes it. The C library owns it; setenv(3) may move it. */
char **ox_environment(void);

/** Whether CAP_NET_ADMIN is effective. */
bool ox_network_admin_held(void);

/**
 * Hands CAP_NET_ADMIN on to programs that the thread runs from now on, when it is permitted to this thread, by the
 * inheritable and ambient sets (capabilities(7)). Without it, nothing happens.
 *
 * @return ::OX_OK, or ::OX_E_SYSTEM with errno when the kernel refused.
 */
OX_MUST_USE ox_status ox_network_admin_hand_on(void);

#ifdef __cplusplus
}
#endif

#endif
