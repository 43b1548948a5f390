#include "aead.h"

#include <sodium.h>

struct ox_keys {
    ox_aead_key send;
    ox_aead_key receive;
    const ox_aead_backend *backend;
    ox_aead aead;
};
_Static_assert(sizeof(ox_keys) % OX_AEAD_ALIGNMENT == 0, "aligned in guarded memory");

struct ox_aead_engine {
    const ox_aead_backend *backend;
    alignas(OX_AEAD_ALIGNMENT) uint8_t state[];
};

static struct {
    const ox_aead_backend *backend;
    bool forced; /* to libsodium, for comparisons */
    char name[OX_AEAD_NAME_MAX];
    char name_forced[OX_AEAD_NAME_MAX];
} chosen = {.backend = &ox_aead_sodium};

static const ox_aead_backend *backend_now(void) { return chosen.forced ? &ox_aead_sodium : chosen.backend; }

bool ox_aead_available(ox_aead aead) {
    switch (aead) {
    case OX_AEAD_NONE: return true;
    case OX_AEAD_CHACHA20POLY1305:
    case OX_AEAD_AES256GCM: return backend_now()->available(aead);
    }
    return false;
}

uint32_t ox_aead_tag_bytes(ox_aead aead) { return aead == OX_AEAD_NONE ? 0 : OX_TAG_BYTES; }

const char *ox_aead_provider(ox_aead aead) {
    if (aead == OX_AEAD_NONE) return "nobody";
    return chosen.forced ? chosen.name_forced : chosen.name;
}

void ox_aead_force_libsodium(bool force) { chosen.forced = force; }

/* ---- keys and engines -------------------------------------------------------------------------------------------- */

static ox_keys *make_keys(const ox_aead_backend *backend, ox_aead aead, const uint8_t send[OX_KEY_BYTES],
                          const uint8_t receive[OX_KEY_BYTES]) {
    ox_keys *keys = sodium_malloc(sizeof *keys);
    if (keys == NULL) return NULL;
    OX_ASSERT((uintptr_t)keys % alignof(ox_keys) == 0);
    sodium_memzero(keys, sizeof *keys);
    keys->backend = backend;
    keys->aead = aead;
    if (aead != OX_AEAD_NONE) {
        backend->expand(aead, send, &keys->send);
        backend->expand(aead, receive, &keys->receive);
    }
    (void)sodium_mprotect_readonly(keys); /* a second line of defence: the address is guarded anyway */
    return keys;
}

ox_keys *ox_keys_create(ox_aead aead, const uint8_t send[OX_KEY_BYTES], const uint8_t receive[OX_KEY_BYTES]) {
    OX_ASSERT(ox_aead_available(aead));
    return make_keys(backend_now(), aead, send, receive);
}

void ox_keys_destroy(ox_keys *keys) { sodium_free(keys); /* wipes; NULL is allowed */ }

ox_aead ox_keys_aead(const ox_keys *keys) { return keys->aead; }

static ox_aead_engine *make_engine(const ox_aead_backend *backend) {
    const size_t bytes = ox_aead_room(sizeof(ox_aead_engine) + backend->state_bytes());
    ox_aead_engine *engine = sodium_malloc(bytes);
    if (engine == NULL) return NULL;
    OX_ASSERT((uintptr_t)engine % alignof(ox_aead_engine) == 0);
    memset(engine, 0, bytes);
    engine->backend = backend;
    if (backend->state_init(engine->state)) return engine;
    sodium_free(engine);
    return NULL;
}

/* The state of the chosen one serves libsodium's keys too, as libsodium needs none. */
ox_aead_engine *ox_aead_engine_create(void) { return make_engine(chosen.backend); }

void ox_aead_engine_destroy(ox_aead_engine *engine) { sodium_free(engine); /* wipes; NULL is allowed */ }

/* ---- sealing and opening ----------------------------------------------------------------------------------------- */

static void check_jobs(const ox_aead_engine *engine, const ox_keys *keys, const ox_aead_job *jobs, uint32_t count) {
    OX_ASSERT(keys->backend == &ox_aead_sodium || keys->backend == engine->backend);
    OX_ASSERT(count >= 1 && count <= OX_AEAD_JOBS_MAX);
    for (const ox_aead_job *job = jobs; job < jobs + count; job++) {
        OX_ASSERT(job->aad_len == 0 || (job->aad != NULL && job->aad_len <= OX_AEAD_AAD_MAX));
        OX_ASSERT(job->from != NULL && job->to != NULL);
        OX_ASSERT(job->from == job->to || job->from + job->len <= job->to || job->to + job->len <= job->from);
    }
}

/** Without an AEAD nothing is to be done where the bytes are, and everything is authentic. */
static void pass_on(ox_aead_job *jobs, uint32_t count) {
    for (ox_aead_job *job = jobs; job < jobs + count; job++) {
        if (job->from != job->to && job->len > 0) memcpy(job->to, job->from, job->len);
        job->authentic = true;
    }
}

void ox_keys_seal(ox_aead_engine *engine, const ox_keys *keys, uint32_t path, ox_aead_job *jobs, uint32_t count) {
    check_jobs(engine, keys, jobs, count);
    if (keys->aead == OX_AEAD_NONE) pass_on(jobs, count);
    else keys->backend->seal(engine->state, keys->aead, &keys->send, path, jobs, count);
}

void ox_keys_open(ox_aead_engine *engine, const ox_keys *keys, uint32_t path, ox_aead_job *jobs, uint32_t count) {
    check_jobs(engine, keys, jobs, count);
    if (keys->aead == OX_AEAD_NONE) pass_on(jobs, count);
    else keys->backend->open(engine->state, keys->aead, &keys->receive, path, jobs, count);
}

/* ---- the choice -------------------------------------------------------------------------------------------------- */

enum { ANSWER_LEN = 1355, ANSWER_AAD_LEN = 13 }; /* whole blocks of every width, and a rest */

/* The tags that libsodium computes: a tag is over all of the ciphertext. */
static const uint8_t known_tags[][OX_TAG_BYTES] = {
    [OX_AEAD_CHACHA20POLY1305] = {0x32, 0x21, 0x70, 0x16, 0x6f, 0xb0, 0xf1, 0xdf, 0x6a, 0xe4, 0xfb, 0x02, 0x96, 0x54, 0x87, 0xf8},
    [OX_AEAD_AES256GCM] = {0x14, 0xd4, 0x4b, 0x7d, 0xef, 0x3a, 0xf9, 0x05, 0x2d, 0xe0, 0x5f, 0x37, 0xb6, 0x4f, 0x21, 0x5d},
};

static bool answers_right(ox_aead_engine *engine, const ox_keys *keys) {
    uint8_t aad[ANSWER_AAD_LEN], plain[ANSWER_LEN], sealed[ANSWER_LEN + OX_TAG_BYTES], opened[ANSWER_LEN];
    for (int i = 0; i < ANSWER_AAD_LEN; i++) aad[i] = (uint8_t)(0xa0 + i);
    for (int i = 0; i < ANSWER_LEN; i++) plain[i] = (uint8_t)(i * 7 + i / 256);
    ox_aead_job job = {.number = UINT64_C(0x05060708090a0b0c), .aad = aad, .from = plain, .to = sealed, .len = ANSWER_LEN,
                       .aad_len = ANSWER_AAD_LEN};
    ox_keys_seal(engine, keys, 0x01020304, &job, 1);
    if (memcmp(sealed + ANSWER_LEN, known_tags[keys->aead], OX_TAG_BYTES) != 0) return false;
    job.from = sealed;
    job.to = opened;
    ox_keys_open(engine, keys, 0x01020304, &job, 1);
    if (!job.authentic || memcmp(opened, plain, ANSWER_LEN) != 0) return false;
    sealed[ANSWER_LEN] ^= 1;
    ox_keys_open(engine, keys, 0x01020304, &job, 1);
    return !job.authentic;
}

bool ox_aead_answers_right(const ox_aead_backend *backend) {
    uint8_t key[OX_KEY_BYTES];
    for (int i = 0; i < OX_KEY_BYTES; i++) key[i] = (uint8_t)i;
    ox_aead_engine *engine = make_engine(backend);
    bool right = engine != NULL;
    for (ox_aead aead = OX_AEAD_CHACHA20POLY1305; right && aead <= OX_AEAD_AES256GCM; aead++) {
        if (!backend->available(aead)) continue;
        ox_keys *keys = make_keys(backend, aead, key, key);
        right = keys != NULL && answers_right(engine, keys);
        ox_keys_destroy(keys);
    }
    ox_aead_engine_destroy(engine);
    return right;
}

static void name_sodium(char name[OX_AEAD_NAME_MAX], const char *reason) {
    OX_ASSERT(ox_aead_sodium.start(name) == NULL);
    strcat(name, " (");
    strncat(name, reason, OX_AEAD_NAME_MAX / 2);
    strcat(name, ")");
}

void ox_aead_try(const ox_aead_backend *candidate) {
    name_sodium(chosen.name_forced, "asked for");
    const char *reason = candidate->start(chosen.name);
    if (reason == NULL && !ox_aead_answers_right(candidate)) reason = "the faster library gives wrong answers";
    chosen.backend = reason == NULL ? candidate : &ox_aead_sodium;
    if (reason != NULL) name_sodium(chosen.name, reason);
}

void ox_aead_choose(void) { ox_aead_try(&ox_aead_ipsec); }
