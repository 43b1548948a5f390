/* The filter that tests with other implementations use: packets in, ROHC packets out, or the other way round. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ends.h"
#include "lab/problem.h"

typedef struct record {
    uint8_t *bytes; /* OX_ROHC_PACKET_MAX and a header of them */
    uint32_t size;
    bool there;
} record;

enum { RECORD_MOST = OX_ROHC_PACKET_MAX + OX_ROHC_HEADER_MAX };

static bool read_u32(FILE *file, uint32_t *value, bool *ended) {
    uint8_t octets[4];
    const size_t got = fread(octets, 1, sizeof octets, file);
    *ended = got == 0 && feof(file);
    *value = got == sizeof octets ? ox_load_be32(octets) : 0;
    return got == sizeof octets || *ended;
}

static bool read_record(FILE *file, record *in) {
    bool ended;
    in->there = false;
    if (!read_u32(file, &in->size, &ended)) return lab_fail("the input ends within the length of a record");
    if (ended) return true;
    if (in->size > RECORD_MOST) return lab_fail("a record has %u bytes, the most is %d: is this a file of records?", in->size, RECORD_MOST);
    if (in->size != 0 && fread(in->bytes, 1, in->size, file) != in->size) return lab_fail("the input ends within a record");
    in->there = true;
    return true;
}

/* Record i follows record i of the input at once, so that the other end may wait for it. */
static bool write_record(const void *first, uint32_t first_bytes, const void *second, uint32_t second_bytes) {
    uint8_t length[4];
    ox_store_be32(length, first_bytes + second_bytes);
    fwrite(length, 1, sizeof length, stdout);
    if (first_bytes != 0) fwrite(first, 1, first_bytes, stdout);
    if (second_bytes != 0) fwrite(second, 1, second_bytes, stdout);
    return fflush(stdout) == 0 || lab_fail("the output cannot be written");
}

/* ---- feedback ------------------------------------------------------------------------------------------------- */

/* Feedback that was read ahead: it follows packet `index`. */
typedef struct feedback_file {
    FILE *file;
    bool pending;
    uint32_t index;
    record elements;
} feedback_file;

static bool read_feedback(feedback_file *feedback) {
    bool ended;
    feedback->pending = false;
    if (!read_u32(feedback->file, &feedback->index, &ended)) return lab_fail("the feedback ends within an index");
    if (ended) return true;
    if (!read_record(feedback->file, &feedback->elements) || !feedback->elements.there)
        return lab_fail("the feedback ends within a record");
    feedback->pending = true;
    return true;
}

/* Hands over what follows packets before this one. */
static bool hear(feedback_file *feedback, ox_rohc_compressor *sender, uint32_t index) {
    while (feedback->pending && feedback->index < index) {
        ox_rohc_feedback(sender, feedback->elements.bytes, feedback->elements.size);
        if (!read_feedback(feedback)) return false;
    }
    return true;
}

static bool say(FILE *file, uint32_t index, const uint8_t *elements, uint32_t bytes) {
    uint8_t head[8];
    if (file == NULL || bytes == 0) return true;
    ox_store_be32(head, index);
    ox_store_be32(head + 4, bytes);
    if (fwrite(head, 1, sizeof head, file) == sizeof head && fwrite(elements, 1, bytes, file) == bytes && fflush(file) == 0) return true;
    return lab_fail("the feedback cannot be written");
}

/* ---- both ways ------------------------------------------------------------------------------------------------ */

static const uint64_t STEP_NS = 20000000; /* between two records; there is no clock in a file */

static bool compress_all(const lab_rohc_options *options, record *in, feedback_file *feedback) {
    static ox_rohc_compressed made;
    const ox_rohc_parameters parameters = ends_parameters(options, false);
    ox_rohc_compressor *sender = ox_rohc_compressor_create(&parameters);
    if (sender == NULL) return lab_fail("no memory for the contexts");
    bool fine = feedback->file == NULL || read_feedback(feedback);
    for (uint32_t i = 0; fine; i++) {
        fine = read_record(stdin, in);
        if (!fine || !in->there) break;
        fine = hear(feedback, sender, i);
        const bool out = in->size <= OX_ROHC_PACKET_MAX && in->size != 0 &&
                         ox_rohc_compress(sender, in->bytes, in->size, i * STEP_NS, &made) == OX_ROHC_COMPRESSED;
        fine = fine && (out ? write_record(made.header, made.header_bytes, in->bytes + made.consumed, in->size - made.consumed)
                            : write_record(NULL, 0, NULL, 0));
    }
    ox_rohc_compressor_destroy(sender);
    return fine;
}

static bool decompress_all(const lab_rohc_options *options, record *in, FILE *feedback) {
    static ox_rohc_decompressed made;
    const ox_rohc_parameters parameters = ends_parameters(options, false);
    ox_rohc_decompressor *receiver = ox_rohc_decompressor_create(&parameters);
    if (receiver == NULL) return lab_fail("no memory for the contexts");
    bool fine = true;
    for (uint32_t i = 0; fine; i++) {
        uint8_t elements[OX_ROHC_FEEDBACK_MAX];
        fine = read_record(stdin, in);
        if (!fine || !in->there) break;
        const ox_rohc_arrival arrival = {0};
        const bool out = ox_rohc_decompress(receiver, in->bytes, in->size, &arrival, &made) == OX_ROHC_PASS;
        const uint32_t bytes = ox_rohc_feedback_take(receiver, elements, sizeof elements);
        fine = say(feedback, i, elements, bytes) &&
               (out ? write_record(made.header, made.header_bytes, made.payload, made.payload_bytes) : write_record(NULL, 0, NULL, 0));
    }
    ox_rohc_decompressor_destroy(receiver);
    return fine;
}

bool lab_rohc_filter(const lab_rohc_options *options, bool decompress, const char *feedback) {
    record in = {.bytes = malloc(RECORD_MOST)};
    feedback_file heard = {.elements.bytes = malloc(RECORD_MOST)};
    FILE *said = NULL;
    bool fine = in.bytes != NULL && heard.elements.bytes != NULL ? true : lab_fail("no memory for a packet");
    if (fine && feedback != NULL) {
        if (decompress) said = fopen(feedback, "wb");
        else heard.file = fopen(feedback, "rb");
        fine = said != NULL || heard.file != NULL || lab_fail("%s cannot be %s", feedback, decompress ? "written" : "opened");
    }
    fine = fine && (decompress ? decompress_all(options, &in, said) : compress_all(options, &in, &heard));
    if (heard.file != NULL) fclose(heard.file);
    if (said != NULL && fclose(said) != 0 && fine) fine = lab_fail("%s cannot be written", feedback);
    free(in.bytes);
    free(heard.elements.bytes);
    return fine;
}

bool lab_rohc_write(const char *name, uint64_t packets, uint64_t seed) {
    static uint8_t packet[LAB_ROHC_PACKET_MAX];
    lab_rohc_flow *flow = lab_rohc_flow_create(name, seed);
    bool fine = flow != NULL;
    for (uint64_t i = 0; fine && i < packets; i++) {
        uint64_t now_ns;
        uint32_t header_bytes;
        const uint32_t bytes = lab_rohc_flow_next(flow, packet, &now_ns, &header_bytes);
        fine = write_record(packet, bytes, NULL, 0);
    }
    lab_rohc_flow_destroy(flow);
    return fine;
}
