#include "kernels_list.h"
#include "oxcore/cpu.h"
#include "oxcore/packet.h"

enum { BYTES_MAX = 65535 };

static uint8_t bytes[BYTES_MAX + 1];

static void run(const lab_kernel *kernel) {
    uint32_t count = 0;
    lab_keep(ox_checksum_variants(&count)[kernel->choice].add(bytes, kernel->bytes, 0));
}

void lab_kernels_add_checksum(lab_kernels *kernels) {
    static const uint32_t sizes[] = {64, 1500, BYTES_MAX};
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i * 31);
    uint32_t count = 0;
    const ox_checksum_variant *variants = ox_checksum_variants(&count);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (uint32_t choice = 0; choice < count; choice++) {
            if (!ox_cpu_has(variants[choice].cpu)) continue;
            const char *name = variants[choice].name;
            lab_kernel *kernel = lab_kernels_add(kernels, name, variants[0].name, "checksum, %u bytes", sizes[i]);
            kernel->run = run;
            kernel->bytes = sizes[i];
            kernel->choice = choice;
        }
    }
}
