/**
 * @file  Runs the corpus of ROHC captures (INDEX.md there tells what it holds) through the codec, and prints how many packets
 *        of each profile were exact.
 *
 * expected    the streams of the reference library, decompressed by us, against the packets that they were made of
 * interop     streams by other implementers, likewise
 * own         every source, compressed by us for all profile sets, CID kinds and modes, and decompressed by us
 * malformed   input that must be refused or survived, to be run with sanitizers
 *
 * The exit status is 0 when every packet was exact, 1 when one was not, 2 when the corpus cannot be read.
 */
#include "capture.h"
#include "codec.h"

#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PACKET_MOST = 66000, PROFILES = 0x110, GROWTH_MOST = 12 };

/* Two streams of the corpus that the library which made them cannot decompress either (INDEX.md). */
static const char *const stale[] = {
    "icmp-same-ipv6ext-different-content/rohc_maxcontexts0_wlsb4_largecid.pcap",
    "icmp-same-ipv6ext-different-content/rohc_maxcontexts1_wlsb4_smallcid.pcap",
};

typedef struct tally {
    uint64_t streams, streams_exact, packets, packets_exact, packets_left, header_bytes;
    uint64_t profile_packets[PROFILES], profile_exact[PROFILES];
} tally;

typedef struct run {
    const char *root, *part, *match;
    bool loud;
    int reported;
    tally sums[CODEC_VERSIONS];
} run;

static bool is_named(const char *path, const char *name) {
    size_t path_length = strlen(path), length = strlen(name);
    return path_length >= length && strcmp(path + path_length - length, name) == 0;
}

static const char *within(const run *r, const char *path) {
    size_t length = strlen(r->root);
    return strncmp(path, r->root, length) == 0 ? path + length + (path[length] == '/') : path;
}

static void report(run *r, const char *path, size_t record, const char *what) {
    if (r->loud || r->reported++ < 200) printf("  %s [%zu]: %s\n", within(r, path), record, what);
}

/** Where two packets differ, as a sentence. NULL when they are equal. */
static const char *difference(const uint8_t *got, size_t got_size, const uint8_t *want, size_t want_size) {
    static char sentence[160];
    size_t least = got_size < want_size ? got_size : want_size, at = 0;
    while (at < least && got[at] == want[at]) at++;
    if (at == least && got_size == want_size) return NULL;
    snprintf(sentence, sizeof sentence, "WRONG: %zu bytes for %zu, first difference at %zu (%02x for %02x)", got_size, want_size,
             at, at < got_size ? got[at] : 0u, at < want_size ? want[at] : 0u);
    return sentence;
}

static void count_packet(tally *sum, unsigned profile, bool exact) {
    sum->packets++;
    sum->packets_exact += exact;
    if (profile < PROFILES) {
        sum->profile_packets[profile]++;
        sum->profile_exact[profile] += exact;
    }
}

/* ---- streams of others ----------------------------------------------------------------------------------------- */

/** Record i of the stream is packet i / `flows` of the source, and each flow has its own decompressor. */
static void decompress_stream(run *r, const char *path, const char *source_path, codec_kind kind, size_t flows) {
    static uint8_t packet[PACKET_MOST];
    capture stream, source;
    const char *why;
    if (!capture_read(&stream, path, &why)) {
        report(r, path, 0, why);
        return;
    }
    if (!capture_read(&source, source_path, &why)) {
        report(r, source_path, 0, why);
        capture_free(&stream);
        return;
    }
    tally *sum = &r->sums[kind.version];
    codec *sides[2] = {codec_open(kind), flows > 1 ? codec_open(kind) : NULL};
    bool exact = true;
    for (size_t i = 0; i < stream.count; i++) {
        capture_record in = stream.records[i], want = {0};
        bool have = capture_strip_link(&in) && i / flows < source.count;
        if (have) {
            want = source.records[i / flows];
            size_t frame_bytes = want.size;
            have = capture_strip_link(&want);
            capture_clean_packet(&want, frame_bytes);
        }
        codec_outcome outcome = {.profile = PROFILES};
        const char *problem = "the source has no such packet";
        if (have) {
            size_t size = codec_decompress(sides[i % flows], in.bytes, in.size, packet, sizeof packet, &outcome);
            problem = outcome.refused ? outcome.refused : difference(packet, size, want.bytes, want.size);
        }
        if (problem) report(r, path, i, problem);
        count_packet(sum, outcome.profile, !problem);
        exact = exact && !problem;
    }
    sum->streams++;
    sum->streams_exact += exact;
    for (size_t i = 0; i < flows; i++) codec_close(sides[i]);
    capture_free(&stream);
    capture_free(&source);
}

static void beside(char *out, size_t room, const char *path, const char *name) {
    const char *slash = strrchr(path, '/');
    snprintf(out, room, "%.*s%s", (int)(slash - path + 1), path, name);
}

static void expected_case(run *r, const char *path) {
    const char *name = strrchr(path, '/') + 1;
    bool second = strncmp(name, "rohcv2_", 7) == 0;
    if (!strstr(path, "/non_regression/") || (strncmp(name, "rohc_", 5) != 0 && !second)) return;
    for (size_t i = 0; i < sizeof stale / sizeof stale[0]; i++)
        if (is_named(path, stale[i])) return;
    codec_kind kind = {.version = second, .large_cids = strstr(name, "largecid") != NULL};
    kind.max_cid = strstr(name, "maxcontexts1") ? 0 : kind.large_cids ? 16383 : 15;
    char source[4096];
    beside(source, sizeof source, path, "source.pcap");
    decompress_stream(r, path, source, kind, 2);
}

static void interop_case(run *r, const char *path) {
    if (!is_named(path, "/source_rohc.pcap")) return;
    char source[4096];
    beside(source, sizeof source, path, "ref_uncomp.pcap");
    decompress_stream(r, path, source, (codec_kind){.max_cid = 15}, 1);
}

/* ---- our own streams ------------------------------------------------------------------------------------------- */

/** One packet there and, with feedback, what the decompressor has to say back. NULL when it arrived as it was. */
static const char *pass(codec *sender, codec *receiver, const capture_record *packet, tally *sum, codec_outcome *outcome) {
    static uint8_t wire[PACKET_MOST + 64], arrived[PACKET_MOST];
    size_t size = codec_compress(sender, packet->bytes, packet->size, wire, sizeof wire, outcome);
    if (outcome->refused) return outcome->refused;
    if (outcome->left) {
        sum->packets_left++;
        return NULL;
    }
    if (size > packet->size + GROWTH_MOST) return "GREW: by more than an IR and a CID can";
    codec_outcome back = {0};
    size_t got = codec_decompress(receiver, wire, size, arrived, sizeof arrived, &back);
    codec_feed_back(receiver, sender);
    return back.refused ? back.refused : difference(arrived, got, packet->bytes, packet->size);
}

static void own_stream(run *r, const char *path, const capture *source, codec_kind kind) {
    codec *sender = codec_open(kind), *receiver = codec_open(kind);
    tally *sum = &r->sums[kind.version];
    bool exact = true;
    for (size_t i = 0; i < source->count; i++) {
        capture_record packet = source->records[i];
        size_t frame_bytes = packet.size;
        if (!capture_strip_link(&packet) || packet.size == 0) continue;
        capture_clean_packet(&packet, frame_bytes);
        codec_outcome outcome = {0};
        const char *problem = pass(sender, receiver, &packet, sum, &outcome);
        if (problem) {
            char text[256];
            snprintf(text, sizeof text, "v%d, %s CIDs, MAX_CID %u, %s-mode, profile %04x: %s", kind.version + 1,
                     kind.large_cids ? "large" : "small", kind.max_cid, kind.feedback ? "O" : "U", outcome.profile, problem);
            report(r, path, i, text);
        }
        count_packet(sum, outcome.profile, !problem);
        exact = exact && !problem;
    }
    sum->streams++;
    sum->streams_exact += exact;
    codec_close(sender);
    codec_close(receiver);
}

static void own_case(run *r, const char *path) {
    const char *name = strrchr(path, '/') + 1;
    bool foreign = strstr(path, "/malformed_rohc_packets/") || strstr(path, "/feedback2/") || strncmp(name, "rohc", 4) == 0;
    if (foreign || is_named(path, "/source_rohc.pcap") || !is_named(path, ".pcap")) return;
    capture source;
    const char *why;
    if (!capture_read(&source, path, &why)) {
        report(r, path, 0, why);
        return;
    }
    static const unsigned max_cids[] = {0, 15, 0, 300};
    for (int version = 0; version < CODEC_VERSIONS; version++)
        for (int shape = 0; shape < 4; shape++)
            for (int feedback = 0; feedback < 2; feedback++)
                for (unsigned ratio = 0; ratio < (version ? 4 : 1); ratio++)
                    own_stream(r, path, &source,
                               (codec_kind){version, shape >= 2, max_cids[shape], feedback, ratio});
    capture_free(&source);
}

/* ---- malformed input ------------------------------------------------------------------------------------------- */

static void malformed_case(run *r, const char *path) {
    static uint8_t packet[PACKET_MOST];
    if (!strstr(path, "/malformed_rohc_packets/") && !strstr(path, "/feedback2/")) return;
    capture stream;
    const char *why;
    if (!capture_read(&stream, path, &why)) {
        report(r, path, 0, why);
        return;
    }
    for (int version = 0; version < CODEC_VERSIONS; version++)
        for (int large = 0; large < 2; large++) {
            codec *one = codec_open((codec_kind){version, large, large ? 16383 : 15, true, 0});
            for (size_t i = 0; i < stream.count; i++) {
                capture_record in = stream.records[i];
                if (!capture_strip_link(&in)) continue;
                codec_outcome outcome = {.profile = PROFILES};
                codec_decompress(one, in.bytes, in.size, packet, sizeof packet, &outcome);
                count_packet(&r->sums[version], outcome.profile, outcome.refused != NULL);
                codec_feed_back(one, one);
            }
            codec_close(one);
        }
    r->sums[0].streams++;
    capture_free(&stream);
}

/* ---- the walk -------------------------------------------------------------------------------------------------- */

static int by_name(const FTSENT **a, const FTSENT **b) { return strcmp((*a)->fts_name, (*b)->fts_name); }

static bool walk(run *r, void (*each)(run *, const char *)) {
    char *roots[] = {(char *)(uintptr_t)r->root, NULL};
    FTS *tree = fts_open(roots, FTS_LOGICAL | FTS_NOCHDIR, by_name);
    if (!tree) return false;
    for (FTSENT *entry; (entry = fts_read(tree));)
        if (entry->fts_info == FTS_F && is_named(entry->fts_path, ".pcap") && (!r->match || strstr(entry->fts_path, r->match)))
            each(r, entry->fts_path);
    fts_close(tree);
    return true;
}

/** Prints the sums; whether all is as it has to be. */
static bool print(const run *r) {
    bool fine = true, refusal = strcmp(r->part, "malformed") == 0;
    for (int version = 0; version < CODEC_VERSIONS; version++) {
        const tally *sum = &r->sums[version];
        if (sum->packets == 0) continue;
        if (refusal) {
            printf("%s v%d: %llu packets, %llu refused\n", r->part, version + 1, (unsigned long long)sum->packets,
                   (unsigned long long)sum->packets_exact);
            continue;
        }
        printf("%s v%d: streams %llu of %llu, packets %llu of %llu", r->part, version + 1, (unsigned long long)sum->streams_exact,
               (unsigned long long)sum->streams, (unsigned long long)sum->packets_exact, (unsigned long long)sum->packets);
        if (sum->packets_left) printf(" (%llu left as they are)", (unsigned long long)sum->packets_left);
        printf("\n");
        for (unsigned profile = 0; profile < PROFILES; profile++)
            if (sum->profile_packets[profile])
                printf("    profile 0x%04x: %llu of %llu\n", profile, (unsigned long long)sum->profile_exact[profile],
                       (unsigned long long)sum->profile_packets[profile]);
        fine = fine && sum->streams_exact == sum->streams;
    }
    return fine;
}

int main(int count, char **arguments) {
    static const struct {
        const char *name;
        void (*each)(run *, const char *);
    } parts[] = {{"expected", expected_case}, {"interop", interop_case}, {"own", own_case}, {"malformed", malformed_case}};
    if (count < 2) {
        fprintf(stderr, "usage: rohc_corpus DATA [expected|interop|own|malformed|all] [PART-OF-PATH] [-v]\n");
        return 2;
    }
    const char *wanted = count > 2 ? arguments[2] : "all";
    bool fine = true, any = false;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (strcmp(wanted, "all") != 0 && strcmp(wanted, parts[i].name) != 0) continue;
        run r = {.root = arguments[1], .part = parts[i].name, .loud = count > 4};
        if (count > 3 && strcmp(arguments[3], "-v") != 0) r.match = arguments[3];
        if (!walk(&r, parts[i].each)) return 2;
        fine = print(&r) && fine;
        for (int version = 0; version < CODEC_VERSIONS; version++) any = any || r.sums[version].packets;
        if (r.reported > 200) printf("  ... and %d more\n", r.reported - 200);
    }
    if (!any) {
        fprintf(stderr, "rohc_corpus: no captures under %s\n", arguments[1]);
        return 2;
    }
    return fine ? 0 : 1;
}
