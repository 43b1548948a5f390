#include "capture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LINK_ETHERNET = 1,
    LINK_RAW_OLD = 12,
    LINK_RAW = 101,
    LINK_LINUX_COOKED = 113,
    ETHERNET_HEADER = 14,
    ETHERNET_SHORTEST = 60,
    COOKED_HEADER = 16,
    INTERFACES_MOST = 16,
};

typedef struct cursor {
    uint8_t *at, *end;
    bool swapped; /**< the file was written by a machine of the other byte order */
} cursor;

static uint32_t word(const cursor *c, const uint8_t *at) {
    uint32_t value;
    memcpy(&value, at, 4);
    return c->swapped ? __builtin_bswap32(value) : value;
}

static uint16_t half(const cursor *c, const uint8_t *at) {
    uint16_t value;
    memcpy(&value, at, 2);
    return c->swapped ? __builtin_bswap16(value) : value;
}

static bool append(capture *read, uint8_t *bytes, size_t size, uint32_t link) {
    if ((read->count & (read->count - 1)) == 0) {
        size_t room = read->count ? 2 * read->count : 1;
        capture_record *more = realloc(read->records, room * sizeof *more);
        if (!more) return false;
        read->records = more;
    }
    read->records[read->count++] = (capture_record){bytes, size, link};
    return true;
}

static bool read_pcap(capture *read, cursor c, const char **why) {
    if (c.end - c.at < 24) return *why = "the header of the file is cut off", false;
    uint32_t link = word(&c, c.at + 20);
    c.at += 24;
    while (c.end - c.at >= 16) {
        uint32_t size = word(&c, c.at + 8);
        c.at += 16;
        if (size > (size_t)(c.end - c.at)) size = (uint32_t)(c.end - c.at); // one capture of the corpus is cut off
        if (!append(read, c.at, size, link)) return *why = "no memory", false;
        c.at += size;
    }
    return true;
}

static bool read_pcapng(capture *read, cursor c, const char **why) {
    uint32_t links[INTERFACES_MOST] = {0}, interfaces = 0;
    while (c.end - c.at >= 12) {
        uint32_t type = word(&c, c.at), size;
        if (type == 0x0a0d0d0a) {
            uint32_t magic;
            memcpy(&magic, c.at + 8, 4);
            c.swapped = magic != 0x1a2b3c4d;
            interfaces = 0;
        }
        size = word(&c, c.at + 4);
        if (size < 12 || size > (size_t)(c.end - c.at)) return *why = "a block is cut off", false;
        if (type == 1 && size >= 20 && interfaces < INTERFACES_MOST) links[interfaces++] = half(&c, c.at + 8);
        if (type == 6 && size >= 32) {
            uint32_t interface = word(&c, c.at + 8), bytes = word(&c, c.at + 20);
            if (interface >= interfaces || bytes > size - 32) return *why = "a packet block is not valid", false;
            if (!append(read, c.at + 28, bytes, links[interface])) return *why = "no memory", false;
        }
        if (type == 3 && size >= 16 && interfaces) {
            uint32_t bytes = word(&c, c.at + 8);
            if (bytes > size - 16) bytes = size - 16;
            if (!append(read, c.at + 12, bytes, links[0])) return *why = "no memory", false;
        }
        c.at += size;
    }
    return true;
}

bool capture_read(capture *read, const char *path, const char **why) {
    *read = (capture){0};
    FILE *file = fopen(path, "rb");
    if (!file) return *why = "the file cannot be opened", false;
    bool fine = fseek(file, 0, SEEK_END) == 0;
    long size = ftell(file);
    rewind(file);
    fine = fine && size >= 24 && (read->file = malloc((size_t)size)) && fread(read->file, 1, (size_t)size, file) == (size_t)size;
    fclose(file);
    *why = "the file cannot be read";
    if (fine) {
        cursor c = {read->file, read->file + size, false};
        uint32_t magic = word(&c, c.at);
        c.swapped = magic == 0xd4c3b2a1 || magic == 0x4d3cb2a1;
        if (c.swapped) magic = __builtin_bswap32(magic);
        if (magic == 0xa1b2c3d4 || magic == 0xa1b23c4d) fine = read_pcap(read, c, why);
        else if (magic == 0x0a0d0d0a) fine = read_pcapng(read, c, why);
        else fine = false, *why = "the file is neither pcap nor pcapng";
    }
    if (!fine) capture_free(read);
    return fine;
}

void capture_free(capture *read) {
    free(read->file);
    free(read->records);
    *read = (capture){0};
}

bool capture_strip_link(capture_record *record) {
    size_t header;
    switch (record->link) {
    case LINK_ETHERNET: header = ETHERNET_HEADER; break;
    case LINK_LINUX_COOKED: header = COOKED_HEADER; break;
    case LINK_RAW:
    case LINK_RAW_OLD: header = 0; break;
    default: return false;
    }
    if (record->size < header) return false;
    record->bytes += header;
    record->size -= header;
    return true;
}

void capture_clean_packet(capture_record *record, size_t frame_bytes) {
    uint8_t *ip = record->bytes;
    unsigned version = record->size ? ip[0] >> 4 : 0;
    if (record->link == LINK_ETHERNET && frame_bytes == ETHERNET_SHORTEST && record->size >= 40) {
        size_t length = version == 4 ? (size_t)(ip[2] << 8 | ip[3]) : 40 + (size_t)(ip[4] << 8 | ip[5]);
        if (length < record->size && (version != 4 || length >= 20)) record->size = length;
    }
    if (version == 4 && record->size >= 20 && ip[10] == 0xff && ip[11] == 0xff) ip[10] = ip[11] = 0;
}
