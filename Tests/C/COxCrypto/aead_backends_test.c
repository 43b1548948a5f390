/* Whoever computes an AEAD, the bytes are those of libsodium, and only they open. */
#include "pair.h"

#include <sodium.h>

#include "CSources/COxCrypto/aead.h"

enum { LEN_MAX = 8192, BATCH = OX_AEAD_JOBS_MAX, SLOT = LEN_MAX + OX_TAG_BYTES + 8, PATH = 0x01020304, CANARY = 0x5c };

typedef uint8_t slots[BATCH][SLOT];

static struct {
    ox_aead_engine *engine;
    ox_keys *sodium; /* to itself: one key both ways */
    ox_keys *chosen;
    uint8_t aad[BATCH][OX_AEAD_AAD_MAX];
    ox_aead_job jobs[BATCH];
    slots plain, expected, out;
} world;

static void begin(ox_aead aead) {
    uint8_t key[OX_KEY_BYTES];
    ox_random(key, sizeof key);
    ox_aead_force_libsodium(true);
    const bool has_both = ox_aead_available(aead);
    if (has_both) world.sodium = ox_keys_create(aead, key, key);
    ox_aead_force_libsodium(false);
    if (!has_both || strstr(ox_aead_provider(aead), "libsodium") != NULL) {
        ox_keys_destroy(world.sodium);
        print_message("# SKIP only one provider here: %s\n", ox_aead_provider(aead));
        skip();
    }
    world.engine = ox_aead_engine_create();
    world.chosen = ox_keys_create(aead, key, key);
    assert_true(world.engine != NULL && world.sodium != NULL && world.chosen != NULL);
    ox_random(world.plain, sizeof world.plain);
    ox_random(world.aad, sizeof world.aad);
}

static void end(void) {
    ox_keys_destroy(world.sodium);
    ox_keys_destroy(world.chosen);
    ox_aead_engine_destroy(world.engine);
}

/** Points the first `count` jobs at slots; their lengths and numbers stay. */
static void point(uint32_t count, slots from, slots to) {
    for (uint32_t i = 0; i < count; i++) {
        world.jobs[i].aad = world.aad[i];
        world.jobs[i].from = from[i];
        world.jobs[i].to = to[i];
        world.jobs[i].authentic = false;
    }
}

static void assert_slots(uint32_t count, slots expected, slots found, uint32_t tag_bytes) {
    for (uint32_t i = 0; i < count; i++) {
        assert_memory_equal(expected[i], found[i], world.jobs[i].len + tag_bytes);
        assert_int_equal(CANARY, found[i][world.jobs[i].len + tag_bytes]);
    }
}

static void clear(slots at) { memset(at, CANARY, sizeof(slots)); }

static void copy(uint32_t count, slots to, slots from, uint32_t tag_bytes) {
    clear(to);
    for (uint32_t i = 0; i < count; i++) memcpy(to[i], from[i], world.jobs[i].len + tag_bytes);
}

static void assert_authentic(uint32_t count) {
    for (uint32_t i = 0; i < count; i++) assert_true(world.jobs[i].authentic);
}

static void assert_same(uint32_t count) {
    clear(world.expected);
    point(count, world.plain, world.expected);
    ox_keys_seal(world.engine, world.sodium, PATH, world.jobs, count);

    clear(world.out);
    point(count, world.plain, world.out);
    ox_keys_seal(world.engine, world.chosen, PATH, world.jobs, count);
    assert_slots(count, world.expected, world.out, OX_TAG_BYTES);

    copy(count, world.out, world.plain, 0);
    point(count, world.out, world.out);
    ox_keys_seal(world.engine, world.chosen, PATH, world.jobs, count);
    assert_slots(count, world.expected, world.out, OX_TAG_BYTES);

    ox_keys_open(world.engine, world.chosen, PATH, world.jobs, count); /* in place */
    assert_authentic(count);
    for (uint32_t i = 0; i < count; i++) assert_memory_equal(world.plain[i], world.out[i], world.jobs[i].len);

    clear(world.out);
    point(count, world.expected, world.out);
    ox_keys_open(world.engine, world.chosen, PATH, world.jobs, count);
    assert_authentic(count);
    assert_slots(count, world.plain, world.out, 0);
}

/** Every length with every length of additional data, in batches of 1, 2, 3 ... 64, 1, 2 ... */
static void gives_the_bytes_of_libsodium(ox_aead aead) {
    begin(aead);
    uint32_t batch = 1, filled = 0, batches = 0;
    for (uint32_t len = 0; len <= LEN_MAX; len = len == 259 ? 1400 : len == 1500 ? LEN_MAX : len + 1) {
        for (uint8_t aad_len = 0; aad_len <= OX_AEAD_AAD_MAX; aad_len++) {
            world.jobs[filled++] = (ox_aead_job){.number = randombytes_random() * UINT64_C(0x100000001), .len = len, .aad_len = aad_len};
            if (filled < batch && !(len == LEN_MAX && aad_len == OX_AEAD_AAD_MAX)) continue;
            assert_same(filled);
            filled = 0;
            batches++;
            batch = batch % BATCH + 1;
        }
    }
    assert_true(batches > 2 * BATCH);
    end();
}

static void chacha20poly1305_gives_the_bytes_of_libsodium(void **state) {
    (void)state;
    gives_the_bytes_of_libsodium(OX_AEAD_CHACHA20POLY1305);
}

static void aes256gcm_gives_the_bytes_of_libsodium(void **state) {
    (void)state;
    gives_the_bytes_of_libsodium(OX_AEAD_AES256GCM);
}

/* ---- tampering ------------------------------------------------------------------------------------------------- */

enum { TAG, CIPHERTEXT, AAD, NONCE, NOTHING, KINDS };

/** Changes one bit of what job i will open. */
static void tamper(uint32_t i, uint32_t kind, slots at) {
    ox_aead_job *job = &world.jobs[i];
    const uint8_t bit = (uint8_t)(1u << randombytes_uniform(8));
    switch (kind) {
    case TAG: at[i][job->len + randombytes_uniform(OX_TAG_BYTES)] ^= bit; break;
    case CIPHERTEXT: at[i][randombytes_uniform(job->len)] ^= bit; break;
    case AAD: world.aad[i][randombytes_uniform(job->aad_len)] ^= bit; break;
    case NONCE: job->number ^= UINT64_C(1) << randombytes_uniform(64); break;
    default: break;
    }
}

static void opens_only_what_is_authentic(const ox_keys *keys, uint32_t count, bool in_place) {
    for (uint32_t i = 0; i < count; i++) {
        world.jobs[i] = (ox_aead_job){.number = i, .len = 1 + randombytes_uniform(1500), .aad_len = (uint8_t)(1 + i % OX_AEAD_AAD_MAX)};
    }
    clear(world.expected);
    point(count, world.plain, world.expected);
    ox_keys_seal(world.engine, world.sodium, PATH, world.jobs, count);
    const uint32_t first = randombytes_uniform(KINDS);
    for (uint32_t i = 0; i < count; i++) tamper(i, (first + i) % KINDS, world.expected);
    point(count, world.expected, in_place ? world.expected : world.out);
    ox_keys_open(world.engine, keys, PATH, world.jobs, count);
    for (uint32_t i = 0; i < count; i++) {
        const ox_aead_job *job = &world.jobs[i];
        assert_int_equal((first + i) % KINDS == NOTHING, job->authentic);
        if (job->authentic) assert_memory_equal(world.plain[i], job->to, job->len);
        else assert_true(sodium_is_zero(job->to, job->len)); /* nothing that could be taken for plaintext */
    }
}

static void each_job_is_judged_alone(ox_aead aead) {
    begin(aead);
    for (uint32_t count = 1; count <= BATCH; count++) {
        for (int n = 0; n < 10; n++) opens_only_what_is_authentic(n % 4 < 2 ? world.chosen : world.sodium, count, n % 2 == 0);
    }
    end();
}

static void chacha20poly1305_judges_each_job_alone(void **state) {
    (void)state;
    each_job_is_judged_alone(OX_AEAD_CHACHA20POLY1305);
}

static void aes256gcm_judges_each_job_alone(void **state) {
    (void)state;
    each_job_is_judged_alone(OX_AEAD_AES256GCM);
}

/* ---- edges ----------------------------------------------------------------------------------------------------- */

/* What ends at the end of a page, with a page behind it that may not be touched. */
static uint8_t *at_a_page_end(const uint8_t *bytes, size_t len) {
    uint8_t *memory = sodium_malloc(len);
    assert_non_null(memory);
    if (len > 0) memcpy(memory, bytes, len);
    return memory;
}

static void stays_inside_its_buffers(ox_aead aead) {
    begin(aead);
    for (uint32_t len = 0; len <= 1500; len = len == 259 ? 1400 : len + 1) {
        const uint8_t aad_len = (uint8_t)(len % (OX_AEAD_AAD_MAX + 1));
        uint8_t *aad = at_a_page_end(world.aad[0], aad_len);
        uint8_t *plain = at_a_page_end(world.plain[0], len);
        uint8_t *sealed = at_a_page_end(world.plain[0], len + OX_TAG_BYTES);
        ox_aead_job job = {.number = len, .aad = aad, .from = plain, .to = sealed, .len = len, .aad_len = aad_len};
        ox_keys_seal(world.engine, world.chosen, PATH, &job, 1);
        if (len > 0) memset(plain, 0, len);
        job.from = sealed;
        job.to = plain;
        ox_keys_open(world.engine, world.chosen, PATH, &job, 1);
        assert_true(job.authentic);
        assert_memory_equal(world.plain[0], plain, len);
        sodium_free(aad);
        sodium_free(plain);
        sodium_free(sealed);
    }
    end();
}

static void chacha20poly1305_stays_inside_its_buffers(void **state) {
    (void)state;
    stays_inside_its_buffers(OX_AEAD_CHACHA20POLY1305);
}

static void aes256gcm_stays_inside_its_buffers(void **state) {
    (void)state;
    stays_inside_its_buffers(OX_AEAD_AES256GCM);
}

/* ---- the choice ------------------------------------------------------------------------------------------------ */

static void libsodium_gives_the_known_answers(void **state) {
    (void)state;
    assert_true(ox_aead_answers_right(&ox_aead_sodium));
}

static const char *fake_start(char name[OX_AEAD_NAME_MAX]) {
    strcpy(name, "a fake");
    return NULL;
}

static const char *absent_start(char name[OX_AEAD_NAME_MAX]) {
    (void)name;
    return "the fake is not installed";
}

static void seal_wrongly(void *state, ox_aead aead, const ox_aead_key *key, uint32_t path, ox_aead_job *jobs, uint32_t count) {
    ox_aead_sodium.seal(state, aead, key, path, jobs, count);
    jobs[0].to[jobs[0].len / 2] ^= 1;
}

static void tag_wrongly(void *state, ox_aead aead, const ox_aead_key *key, uint32_t path, ox_aead_job *jobs, uint32_t count) {
    ox_aead_sodium.seal(state, aead, key, path, jobs, count);
    jobs[0].to[jobs[0].len] ^= 1;
}

static void open_anything(void *state, ox_aead aead, const ox_aead_key *key, uint32_t path, ox_aead_job *jobs, uint32_t count) {
    ox_aead_sodium.open(state, aead, key, path, jobs, count);
    for (uint32_t i = 0; i < count; i++) jobs[i].authentic = true;
}

static void open_nothing(void *state, ox_aead aead, const ox_aead_key *key, uint32_t path, ox_aead_job *jobs, uint32_t count) {
    ox_aead_sodium.open(state, aead, key, path, jobs, count);
    for (uint32_t i = 0; i < count; i++) jobs[i].authentic = false;
}

static void a_backend_that_errs_is_not_used(void **state) {
    (void)state;
    ox_aead_backend fakes[5];
    for (int i = 0; i < 5; i++) {
        fakes[i] = ox_aead_sodium;
        fakes[i].start = fake_start;
    }
    fakes[1].seal = seal_wrongly;
    fakes[2].seal = tag_wrongly;
    fakes[3].open = open_anything;
    fakes[4].open = open_nothing;
    ox_aead_try(&fakes[0]);
    assert_string_equal("a fake", ox_aead_provider(OX_AEAD_CHACHA20POLY1305));
    for (int i = 1; i < 5; i++) {
        ox_aead_try(&fakes[i]);
        assert_non_null(strstr(ox_aead_provider(OX_AEAD_CHACHA20POLY1305), "libsodium"));
        assert_non_null(strstr(ox_aead_provider(OX_AEAD_CHACHA20POLY1305), "(the faster library gives wrong answers)"));
    }
    ox_aead_choose();
}

static void a_backend_that_does_not_start_says_why(void **state) {
    (void)state;
    const ox_aead_backend absent = {.start = absent_start};
    ox_aead_try(&absent);
    assert_non_null(strstr(ox_aead_provider(OX_AEAD_AES256GCM), "libsodium"));
    assert_non_null(strstr(ox_aead_provider(OX_AEAD_AES256GCM), "(the fake is not installed)"));
    assert_true(ox_aead_available(OX_AEAD_CHACHA20POLY1305));
    ox_aead_choose();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chacha20poly1305_gives_the_bytes_of_libsodium),
        cmocka_unit_test(aes256gcm_gives_the_bytes_of_libsodium),
        cmocka_unit_test(chacha20poly1305_judges_each_job_alone),
        cmocka_unit_test(aes256gcm_judges_each_job_alone),
        cmocka_unit_test(chacha20poly1305_stays_inside_its_buffers),
        cmocka_unit_test(aes256gcm_stays_inside_its_buffers),
        cmocka_unit_test(libsodium_gives_the_known_answers),
        cmocka_unit_test(a_backend_that_errs_is_not_used),
        cmocka_unit_test(a_backend_that_does_not_start_says_why),
    };
    if (ox_init() != OX_OK) return 1;
    print_message("# with %s\n", ox_aead_provider(OX_AEAD_CHACHA20POLY1305));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
