#include "oxcore/process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

ox_status ox_signals_open(const int *signals, uint32_t count, int *descriptor) {
    sigset_t set;
    sigemptyset(&set);
    for (uint32_t i = 0; i < count; i++) {
        if (sigaddset(&set, signals[i]) != 0) return OX_E_SYSTEM;
    }
    int opened = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (opened < 0) return OX_E_SYSTEM;
    int refused = pthread_sigmask(SIG_BLOCK, &set, NULL);
    OX_ASSERT(refused == 0);
    *descriptor = opened;
    return OX_OK;
}

int ox_signals_next(int descriptor) {
    struct signalfd_siginfo info;
    if (read(descriptor, &info, sizeof info) != (ssize_t)sizeof info) return 0;
    return (int)info.ssi_signo;
}

void ox_thread_name(const char *name) {
    prctl(PR_SET_NAME, name, 0, 0, 0);
}

ox_status ox_thread_pin(uint32_t cpu) {
    cpu_set_t set;
    if (cpu >= CPU_SETSIZE) return OX_E_LIMIT;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    return sched_setaffinity(0, sizeof set, &set) == 0 ? OX_OK : OX_E_SYSTEM;
}

uint32_t ox_cpus_allowed(uint32_t *cpus, uint32_t max) {
    cpu_set_t set;
    uint32_t count = 0;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 0;
    for (uint32_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &set)) continue;
        if (count < max) cpus[count] = cpu;
        count++;
    }
    return count;
}

ox_status ox_memory_file(const void *bytes, size_t len, int *descriptor) {
    int file = memfd_create("input", MFD_CLOEXEC);
    if (file < 0) return OX_E_SYSTEM;
    for (size_t done = 0; done < len;) {
        ssize_t written = pwrite(file, (const uint8_t *)bytes + done, len - done, (off_t)done);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) {
            int code = errno;
            close(file);
            errno = code;
            return OX_E_SYSTEM;
        }
        done += (size_t)written;
    }
    *descriptor = file;
    return OX_OK;
}

ox_status ox_pipe_open(int ends[2]) {
    return pipe2(ends, O_CLOEXEC) == 0 ? OX_OK : OX_E_SYSTEM;
}

char **ox_environment(void) {
    return environ;
}

// The sets of capget(2) are two words each; the one that matters here is in the first.
_Static_assert(CAP_NET_ADMIN < 32, "CAP_NET_ADMIN is in the first word");
static const uint32_t network_admin = 1u << CAP_NET_ADMIN;

static bool read_capabilities(struct __user_cap_header_struct *header, struct __user_cap_data_struct data[2]) {
    *header = (struct __user_cap_header_struct){.version = _LINUX_CAPABILITY_VERSION_3};
    return syscall(SYS_capget, header, data) == 0;
}

bool ox_network_admin_held(void) {
    struct __user_cap_header_struct header;
    struct __user_cap_data_struct data[2];
    return read_capabilities(&header, data) && (data[0].effective & network_admin) != 0;
}

ox_status ox_network_admin_hand_on(void) {
    struct __user_cap_header_struct header;
    struct __user_cap_data_struct data[2];
    if (!read_capabilities(&header, data)) return OX_E_SYSTEM;
    if ((data[0].permitted & network_admin) == 0) return OX_OK;
    if ((data[0].inheritable & network_admin) == 0) {
        data[0].inheritable |= network_admin;
        if (syscall(SYS_capset, &header, data) != 0) return OX_E_SYSTEM;
    }
    return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_ADMIN, 0, 0) == 0 ? OX_OK : OX_E_SYSTEM;
}
