#include "kernels_list.h"
#include "oxcore/wire.h"

enum { HEADERS = 64, SESSION_BYTES = 2, NUMBER_BYTES = 2, PACKETS = 8, PACKET_BYTES = 64 };

static uint8_t headers[HEADERS][OX_HEADER_MAX];
static uint8_t content[PACKETS * (PACKET_BYTES + 8)];
static size_t content_bytes;
static ox_replay replay;
static uint64_t number;

static void write_headers(const lab_kernel *kernel) {
    (void)kernel;
    for (uint32_t i = 0; i < HEADERS; i++) lab_keep(ox_header_write(headers[i], i, SESSION_BYTES, number++, NUMBER_BYTES));
}

static bool open_headers(const lab_kernel *kernel) {
    write_headers(kernel);
    return true;
}

static void read_headers(const lab_kernel *kernel) {
    (void)kernel;
    for (uint32_t i = 0; i < HEADERS; i++) {
        ox_header header;
        lab_keep(ox_header_read(headers[i], sizeof headers[i], SESSION_BYTES, &header));
        lab_keep(ox_number_rebuild(number, header.truncated, header.number_bytes));
    }
}

/* A batch frame of small packets, as the packer writes it. */
static bool open_frames(const lab_kernel *kernel) {
    (void)kernel;
    content_bytes = 0;
    for (uint32_t i = 0; i < PACKETS; i++) {
        content_bytes += ox_frame_write_head(content + content_bytes, OX_FRAME_BATCH, PACKET_BYTES);
        memset(content + content_bytes, 0, PACKET_BYTES);
        content_bytes += PACKET_BYTES;
    }
    return true;
}

static void read_frames(const lab_kernel *kernel) {
    (void)kernel;
    size_t offset = 0;
    while (offset < content_bytes) {
        ox_frame frame;
        if (ox_frame_read(content, content_bytes, &offset, &frame) != OX_PASS) abort();
        lab_keep((uintptr_t)frame.body);
    }
}

static bool open_replay(const lab_kernel *kernel) {
    (void)kernel;
    ox_replay_init(&replay, OX_REPLAY_WINDOW_DEFAULT);
    number = 0;
    return true;
}

static void accept_numbers(const lab_kernel *kernel) {
    (void)kernel;
    for (uint32_t i = 0; i < HEADERS; i++, number++) {
        if (ox_replay_check(&replay, number) == OX_PASS) ox_replay_commit(&replay, number);
    }
}

static void add(lab_kernels *kernels, const char *operation, uint32_t operations, bool (*open)(const lab_kernel *),
                void (*run)(const lab_kernel *)) {
    lab_kernel *kernel = lab_kernels_add(kernels, "scalar", "scalar", "%s", operation);
    kernel->open = open;
    kernel->run = run;
    kernel->operations = operations;
}

void lab_kernels_add_wire(lab_kernels *kernels) {
    add(kernels, "write a data header", HEADERS, NULL, write_headers);
    add(kernels, "read a data header, rebuild its number", HEADERS, open_headers, read_headers);
    add(kernels, "read a frame", PACKETS, open_frames, read_frames);
    add(kernels, "check and commit a number", HEADERS, open_replay, accept_numbers);
}
