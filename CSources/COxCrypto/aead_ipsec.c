/*
 * Intel's Multi-Buffer Crypto for IPsec, where its header was there at build and its library is there at start. It is loaded by
 * name: neither building nor running needs it, and a program built with it runs where it is missing.
 *
 * ns per packet on Zen 4 with AVX-512, sealing in place 1 / 8 / 45 packets in a row:
 *                  AES-256-GCM                      ChaCha20-Poly1305
 *                  64 bytes        1,400 bytes      64 bytes         1,400 bytes
 *   direct calls   34 / 33 / 33    152 / 152 / 154  239 / 237 / 238  592 / 592 / 592  (begin, update, finish)
 *   single jobs    49 / 46 / 45    168 / 163 / 163  151 / 150 / 150  501 / 498 / 498
 *   one burst      55 / 42 / 40    174 / 161 / 159  155 / 151 / 149  500 / 496 / 495
 * So AES-256-GCM is called directly and ChaCha20-Poly1305 goes in bursts.
 */
#include "aead.h"

#if defined(__x86_64__) && defined(__linux__) && __has_include(<intel-ipsec-mb.h>)
#include <intel-ipsec-mb.h>
#define SERIES(version) ((version) >> 8) /* 1.3 of 1.3.0: later ones lay out their state differently */
#if SERIES(IMB_VERSION_NUM) == SERIES(IMB_VERSION(1, 3, 0))
#define HAVE_IPSEC 1
#endif
#endif

#ifdef HAVE_IPSEC

#include <dlfcn.h>
#include <sodium.h>

_Static_assert(sizeof(struct gcm_key_data) <= OX_AEAD_KEY_ROOM, "an expanded key fits");
_Static_assert(OX_AEAD_JOBS_MAX <= IMB_MAX_BURST_SIZE, "jobs fit into a burst");

static struct {
    unsigned (*version)(void);
    const char *(*version_text)(void);
    size_t (*bytes)(void);
    IMB_MGR *(*set_pointers)(void *memory, uint64_t flags, unsigned reset);
    void (*init)(IMB_MGR *at, IMB_ARCH *arch);
    aes_gcm_pre_t expand_aes256gcm;
} library;

/** Of one engine. Locked, guarded and wiped in the end: ipsec-mb works with pieces of keys in its part. */
typedef struct ipsec_state {
    alignas(OX_AEAD_ALIGNMENT) struct gcm_context_data gcm;
    uint8_t nonces[OX_AEAD_JOBS_MAX][16];
    uint8_t tags[OX_AEAD_JOBS_MAX][OX_TAG_BYTES];
    IMB_ARCH arch;
    alignas(OX_AEAD_ALIGNMENT) uint8_t own[]; /* an IMB_MGR and what it points to */
} ipsec_state;

static IMB_MGR *own(ipsec_state *state) { return (IMB_MGR *)(void *)state->own; }

static size_t state_bytes(void) { return sizeof(ipsec_state) + library.bytes(); }

static bool state_init(void *memory) {
    ipsec_state *state = memory;
    IMB_MGR *const mine = library.set_pointers(state->own, 0, 1);
    if (mine != own(state)) return false;
    library.init(mine, &state->arch); /* runs its self-test */
    return true;
}

/* ISO C converts no object pointer to a function pointer; POSIX promises that the bytes are the same. */
static bool find(void *handle, const char *name, void *function) {
    void *const symbol = dlsym(handle, name);
    memcpy(function, &symbol, sizeof symbol);
    return symbol != NULL;
}

/** The library stays loaded. Its name has no slash: it is searched for where libsodium was. */
static const char *load(void) {
    void *handle = dlopen("libIPSec_MB.so.1", RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) return "ipsec-mb is not installed";
    const bool whole = find(handle, "imb_get_version", &library.version) &&
                       find(handle, "imb_get_version_str", &library.version_text) &&
                       find(handle, "imb_get_mb_mgr_size", &library.bytes) &&
                       find(handle, "imb_set_pointers_mb_mgr", &library.set_pointers) &&
                       find(handle, "init_mb_mgr_auto", &library.init);
    if (!whole || SERIES(library.version()) != SERIES(IMB_VERSION_NUM)) return "the ipsec-mb here is not the 1.3 it was built with";
    return NULL;
}

static const char *instructions(IMB_ARCH arch) {
    switch (arch) {
    case IMB_ARCH_AVX512: return " AVX-512";
    case IMB_ARCH_AVX2: return " AVX2";
    case IMB_ARCH_AVX: return " AVX";
    default: return " SSE";
    }
}

/** What an engine's state shows: whether this build of ipsec-mb does what is asked of it, on this CPU. */
static const char *judge(ipsec_state *state, char name[OX_AEAD_NAME_MAX]) {
    const uint64_t features = own(state)->features;
    const uint64_t aes = IMB_FEATURE_AESNI | IMB_FEATURE_PCLMULQDQ;
    if (state->arch < IMB_ARCH_SSE || (features & aes) != aes) return "this CPU has no AES instructions for ipsec-mb";
    if ((features & IMB_FEATURE_SAFE_DATA) == 0) return "this ipsec-mb was built without SAFE_DATA, which wipes keys";
    if ((features & IMB_FEATURE_SELF_TEST_PASS) == 0) return "the self-test of ipsec-mb fails";
    strcpy(name, "ipsec-mb ");
    strncat(name, library.version_text(), OX_AEAD_NAME_MAX / 4);
    strcat(name, instructions(state->arch));
    library.expand_aes256gcm = own(state)->gcm256_pre; /* needs no state, as a key is made where no engine is at hand */
    return NULL;
}

static const char *start(char name[OX_AEAD_NAME_MAX]) {
    const char *reason = load();
    if (reason != NULL) return reason;
    ipsec_state *state = sodium_malloc(ox_aead_room(state_bytes()));
    if (state == NULL) return "no memory for ipsec-mb";
    memset(state, 0, state_bytes());
    reason = state_init(state) ? judge(state, name) : "ipsec-mb refuses its memory";
    sodium_free(state);
    return reason;
}

static bool available(ox_aead aead) {
    (void)aead;
    return true; /* start() has looked for the instructions */
}

static void expand(ox_aead aead, const uint8_t bytes[OX_KEY_BYTES], ox_aead_key *key) {
    if (aead == OX_AEAD_AES256GCM) library.expand_aes256gcm(bytes, (void *)key->room);
    else memcpy(key->room, bytes, OX_KEY_BYTES);
}

/** Runs ChaCha20-Poly1305 over all jobs. They are immediate: when the call returns, nothing is left in the queue. */
static void run_burst(ipsec_state *state, const ox_aead_key *key, const ox_aead_job *jobs, uint32_t count, bool sealing) {
    IMB_JOB *burst[OX_AEAD_JOBS_MAX];
    OX_ASSERT(IMB_GET_NEXT_BURST(own(state), count, burst) == count);
    for (uint32_t i = 0; i < count; i++) {
        IMB_JOB *to = burst[i];
        to->enc_keys = to->dec_keys = key->room;
        to->key_len_in_bytes = OX_KEY_BYTES;
        to->src = jobs[i].from;
        to->dst = jobs[i].to;
        to->cipher_start_src_offset_in_bytes = to->hash_start_src_offset_in_bytes = 0;
        to->msg_len_to_cipher_in_bytes = to->msg_len_to_hash_in_bytes = jobs[i].len;
        to->iv = state->nonces[i];
        to->iv_len_in_bytes = OX_AEAD_NONCE_BYTES;
        to->auth_tag_output = sealing ? jobs[i].to + jobs[i].len : state->tags[i];
        to->auth_tag_output_len_in_bytes = OX_TAG_BYTES;
        to->u.CHACHA20_POLY1305.aad = jobs[i].aad;
        to->u.CHACHA20_POLY1305.aad_len_in_bytes = jobs[i].aad_len;
        to->cipher_mode = IMB_CIPHER_CHACHA20_POLY1305;
        to->hash_alg = IMB_AUTH_CHACHA20_POLY1305;
        to->cipher_direction = sealing ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT;
        to->chain_order = sealing ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
    }
    OX_ASSERT(IMB_SUBMIT_BURST_NOCHECK(own(state), count, burst) == count);
    for (uint32_t i = 0; i < count; i++) OX_ASSERT(burst[i]->status == IMB_STATUS_COMPLETED);
}

static void write_nonces(ipsec_state *state, uint32_t path, const ox_aead_job *jobs, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) ox_aead_nonce(state->nonces[i], path, jobs[i].number);
}

static void seal(void *memory, ox_aead aead, const ox_aead_key *key, uint32_t path, ox_aead_job *jobs, uint32_t count) {
    ipsec_state *state = memory;
    write_nonces(state, path, jobs, count);
    if (aead != OX_AEAD_AES256GCM) {
        run_burst(state, key, jobs, count, true);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        IMB_AES256_GCM_ENC(own(state), (const void *)key->room, &state->gcm, jobs[i].to, jobs[i].from, jobs[i].len,
                           state->nonces[i], jobs[i].aad, jobs[i].aad_len, jobs[i].to + jobs[i].len, OX_TAG_BYTES);
    }
}

/* ipsec-mb decrypts whether or not the tag is right: what is not authentic is cleared, as libsodium does. */
static void open(void *memory, ox_aead aead, const ox_aead_key *key, uint32_t path, ox_aead_job *jobs, uint32_t count) {
    ipsec_state *state = memory;
    write_nonces(state, path, jobs, count);
    if (aead == OX_AEAD_AES256GCM) {
        for (uint32_t i = 0; i < count; i++) {
            IMB_AES256_GCM_DEC(own(state), (const void *)key->room, &state->gcm, jobs[i].to, jobs[i].from, jobs[i].len,
                               state->nonces[i], jobs[i].aad, jobs[i].aad_len, state->tags[i], OX_TAG_BYTES);
        }
    } else {
        run_burst(state, key, jobs, count, false);
    }
    for (uint32_t i = 0; i < count; i++) {
        jobs[i].authentic = crypto_verify_16(state->tags[i], jobs[i].from + jobs[i].len) == 0;
        if (!jobs[i].authentic) memset(jobs[i].to, 0, jobs[i].len);
    }
}

const ox_aead_backend ox_aead_ipsec = {start, available, state_bytes, state_init, expand, seal, open};

#else

static const char *start(char name[OX_AEAD_NAME_MAX]) {
    (void)name;
#if defined(__x86_64__)
    return "built without ipsec-mb 1.3";
#else
    return "ipsec-mb is for x86-64";
#endif
}

/* Nothing else is called of a backend that does not start. */
const ox_aead_backend ox_aead_ipsec = {.start = start};

#endif
