#include "kernels_list.h"
#include "oxcore/crypto.h"

enum { BATCH = 45, ROOM = 2048, AAD = 5 };

static const struct {
    ox_aead aead;
    const char *name;
} aeads[] = {{OX_AEAD_CHACHA20POLY1305, "ChaCha20-Poly1305"}, {OX_AEAD_AES256GCM, "AES-256-GCM"}};

static ox_aead_engine *engine;
static ox_keys *keys;
static uint64_t number;
static uint8_t aad[AAD];
static uint8_t plain[BATCH][ROOM];
static uint8_t sealed[BATCH][ROOM];
static ox_aead_job jobs[BATCH];

/* `choice`: the AEAD, and 256 to force libsodium. `operations`: the batch. */
static bool open_keys(const lab_kernel *kernel) {
    static const uint8_t key[OX_KEY_BYTES] = {1, 2, 3};
    ox_aead_force_libsodium((kernel->choice & 256) != 0);
    engine = ox_aead_engine_create();
    keys = ox_keys_create((ox_aead)(kernel->choice & 255), key, key);
    for (uint32_t i = 0; i < BATCH; i++) {
        jobs[i] = (ox_aead_job){
            .number = number + i, .aad = aad, .aad_len = AAD, .from = plain[i], .to = sealed[i], .len = kernel->bytes};
    }
    return engine != NULL && keys != NULL;
}

static void close_keys(const lab_kernel *kernel) {
    (void)kernel;
    ox_keys_destroy(keys);
    ox_aead_engine_destroy(engine);
    ox_aead_force_libsodium(false);
}

static void seal(const lab_kernel *kernel) {
    for (uint32_t i = 0; i < kernel->operations; i++) jobs[i].number = number++;
    ox_keys_seal(engine, keys, 0, jobs, kernel->operations);
}

/* What is sealed here once is opened again and again. */
static bool open_sealed(const lab_kernel *kernel) {
    if (!open_keys(kernel)) return false;
    ox_keys_seal(engine, keys, 0, jobs, kernel->operations);
    for (uint32_t i = 0; i < BATCH; i++) {
        jobs[i].from = sealed[i];
        jobs[i].to = plain[i];
    }
    return true;
}

static void open_again(const lab_kernel *kernel) {
    ox_keys_open(engine, keys, 0, jobs, kernel->operations);
    if (!jobs[kernel->operations - 1].authentic) abort();
}

/* The provider's name, without why it was chosen. */
static void name_provider(char name[LAB_KERNEL_NAME_MAX], ox_aead aead) {
    snprintf(name, LAB_KERNEL_NAME_MAX, "%s", ox_aead_provider(aead));
    char *reason = strstr(name, " (");
    if (reason != NULL) *reason = '\0';
}

static void add(lab_kernels *kernels, ox_aead aead, const char *name, uint32_t bytes, uint32_t batch, bool opening) {
    ox_aead_force_libsodium(true);
    char sodium[LAB_KERNEL_NAME_MAX];
    name_provider(sodium, aead);
    const bool has_sodium = ox_aead_available(aead);
    ox_aead_force_libsodium(false);
    char chosen[LAB_KERNEL_NAME_MAX];
    name_provider(chosen, aead);
    for (uint32_t forced = 0; forced < 2; forced++) {
        if (forced ? !has_sodium : !ox_aead_available(aead) || strcmp(chosen, sodium) == 0) continue;
        lab_kernel *kernel = lab_kernels_add(kernels, forced ? sodium : chosen, sodium, "%s %s, %u bytes, batch of %u",
                                             opening ? "open" : "seal", name, bytes, batch);
        kernel->open = opening ? open_sealed : open_keys;
        kernel->run = opening ? open_again : seal;
        kernel->close = close_keys;
        kernel->bytes = bytes;
        kernel->operations = batch;
        kernel->choice = (uint32_t)aead | (forced ? 256u : 0u);
    }
}

void lab_kernels_add_aead(lab_kernels *kernels) {
    static const uint32_t sizes[] = {64, 1400};
    for (size_t i = 0; i < sizeof aeads / sizeof aeads[0]; i++) {
        for (size_t size = 0; size < 2; size++) {
            add(kernels, aeads[i].aead, aeads[i].name, sizes[size], 1, false);
            add(kernels, aeads[i].aead, aeads[i].name, sizes[size], BATCH, false);
            add(kernels, aeads[i].aead, aeads[i].name, sizes[size], BATCH, true);
        }
    }
}
