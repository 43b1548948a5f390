#include "v1.h"

/* A record: what it is, of which list, its key, and its octets. */
enum { RECORD_BYTES = 4 };
typedef enum record_kind {
    RECORD_ITEM = 1,      /* of the translation table; the key is its index */
    RECORD_REFERENCE = 2, /* indices of a list with a gen_id, its key */
    RECORD_CURRENT = 3,   /* indices of the list of the last packet */
} record_kind;

static uint32_t record_bytes(const uint8_t *record) { return RECORD_BYTES + (uint32_t)ox_load_be16(record + 2); }

static uint8_t *find(const v1_store *store, record_kind kind, uint32_t list, uint32_t key) {
    const uint8_t what = (uint8_t)((uint32_t)kind << 4 | list);
    for (uint32_t at = 0; at < store->used; at += record_bytes(store->octets + at))
        if (store->octets[at] == what && store->octets[at + 1] == key) return (uint8_t *)store->octets + at;
    return NULL;
}

static void drop(v1_store *store, uint8_t *record) {
    const uint32_t bytes = record_bytes(record), behind = (uint32_t)(store->octets + store->used - (record + bytes));
    memmove(record, record + bytes, behind);
    store->used = (uint16_t)(store->used - bytes);
}

/* The newest records are last. `content` is not in the store. */
static bool put(v1_store *store, record_kind kind, uint32_t list, uint32_t key, const uint8_t *content, uint32_t bytes) {
    uint8_t *record = find(store, kind, list, key);
    if (record != NULL) drop(store, record);
    if (store->used + RECORD_BYTES + bytes > V1_STORE_BYTES) return false;
    record = store->octets + store->used;
    record[0] = (uint8_t)((uint32_t)kind << 4 | list);
    record[1] = (uint8_t)key;
    ox_store_be16(record + 2, (uint16_t)bytes);
    if (bytes != 0) memcpy(record + RECORD_BYTES, content, bytes);
    store->used = (uint16_t)(store->used + RECORD_BYTES + bytes);
    return true;
}

/* Only as many references as there is room for: the one that was used least recently goes. */
static void make_room(v1_store *store, uint32_t list) {
    const uint8_t what = (uint8_t)(RECORD_REFERENCE << 4 | list);
    uint32_t count = 0;
    uint8_t *oldest = NULL;
    for (uint32_t at = 0; at < store->used; at += record_bytes(store->octets + at)) {
        if (store->octets[at] != what) continue;
        if (count++ == 0) oldest = store->octets + at;
    }
    if (count >= V1_LIST_REFERENCES) drop(store, oldest);
}

/* ---- reading -------------------------------------------------------------------------------------------------- */

typedef struct indices {
    uint8_t index[V1_LIST_ITEMS + 1];
    uint32_t count;
} indices;

/* One list on its way in. */
typedef struct incoming {
    v1_store *store;
    uint32_t list;
    rohc_reader *reader;
    bool wide;        /* PS: XIs of 8 bits */
    uint8_t xi[V1_LIST_ITEMS];
    uint32_t xis;
    uint32_t taken;   /* of them */
    indices result;
} incoming;

static bool append(indices *to, uint8_t index) {
    if (to->count >= V1_LIST_ITEMS) return false;
    to->index[to->count++] = index;
    return true;
}

/* XIs of 4 bits are widened to 8: X in the highest bit. `first` is an XI that came before, or -1. */
static bool read_xis(incoming *in, uint32_t count, int first) {
    if (count > V1_LIST_ITEMS) return false;
    in->xis = count;
    uint32_t i = 0;
    if (first >= 0 && count != 0) in->xi[i++] = (uint8_t)((first & 8) << 4 | (first & 7));
    while (i < count) {
        const uint8_t octet = rohc_read8(in->reader);
        if (in->wide) {
            in->xi[i++] = octet;
            continue;
        }
        in->xi[i++] = (uint8_t)((octet & 0x80) | (octet >> 4 & 7));
        if (i < count) in->xi[i++] = (uint8_t)((octet & 8) << 4 | (octet & 7));
    }
    return !in->reader->short_;
}

/* Octets of the item that comes next, in a list of its kind; 0: it is none. */
static uint32_t item_bytes(const incoming *in) {
    enum { AUTHENTICATION = 51 };
    if (in->list == V1_CSRC_LIST) return 4;
    if (rohc_left(in->reader) < 2) return 0;
    const uint8_t *at = in->reader->at;
    return at[0] == AUTHENTICATION ? 4u * (at[1] + 2u) : 8u * (at[1] + 1u);
}

/* The item of the next XI: from the packet when X is set, else from the table. */
static bool take_item(incoming *in) {
    const uint8_t xi = in->xi[in->taken++], index = xi & 0x7F;
    if ((xi & 0x80) != 0) {
        const uint32_t bytes = item_bytes(in);
        const uint8_t *content = bytes == 0 ? NULL : rohc_read(in->reader, bytes);
        if (content == NULL || !put(in->store, RECORD_ITEM, in->list, index, content, bytes)) return false;
    } else if (find(in->store, RECORD_ITEM, in->list, index) == NULL) {
        return false;
    }
    return append(&in->result, index);
}

/* A mask of 7 or 15 bits, in the high bits of 16 behind its first one. */
static uint32_t read_mask(rohc_reader *reader, uint32_t *bits) {
    const uint32_t first = rohc_read8(reader);
    if ((first & 0x80) == 0) {
        *bits = 7;
        return first << 8 << 1;
    }
    *bits = 15;
    return ((first & 0x7F) << 8 | rohc_read8(reader)) << 1;
}

static bool masked(uint32_t mask, uint32_t i) { return (mask << i & 0x8000) != 0; }

static bool read_reference(incoming *in, indices *reference) {
    const uint8_t id = rohc_read8(in->reader);
    uint8_t *record = find(in->store, RECORD_REFERENCE, in->list, id);
    if (record == NULL) return false;
    reference->count = record_bytes(record) - RECORD_BYTES;
    //= RFC 4815 section 5.7
    //# a list that refers to an empty one is malformed
    if (reference->count == 0) return false;
    memcpy(reference->index, record + RECORD_BYTES, reference->count);
    /* It is used, so it is the last to go. */
    drop(in->store, record);
    return put(in->store, RECORD_REFERENCE, in->list, id, reference->index, reference->count);
}

/* RFC 3095 section 5.8.6.3 */
static bool remove_items(incoming *in, indices *reference) {
    uint32_t bits;
    const uint32_t mask = read_mask(in->reader, &bits);
    indices left = {.count = 0};
    for (uint32_t i = 0; i < reference->count; i++)
        if (i >= bits || !masked(mask, i)) left.index[left.count++] = reference->index[i];
    *reference = left;
    return !in->reader->short_;
}

/* RFC 3095 section 5.8.6.2 */
static bool insert_items(incoming *in, const indices *reference, int first) {
    uint32_t bits, count = 0, from = 0;
    const uint32_t mask = read_mask(in->reader, &bits);
    for (uint32_t i = 0; i < bits; i++) count += masked(mask, i);
    if (!read_xis(in, count, in->wide ? -1 : first)) return false;
    for (uint32_t i = 0; i < bits; i++) {
        if (masked(mask, i)) {
            if (!take_item(in)) return false;
        } else if (from < reference->count) {
            if (!append(&in->result, reference->index[from++])) return false;
        }
    }
    while (from < reference->count)
        if (!append(&in->result, reference->index[from++])) return false;
    return true;
}

bool v1_list_read(v1_store *store, uint32_t list, rohc_reader *reader) {
    incoming in = {.store = store, .list = list, .reader = reader};
    indices reference = {.count = 0};
    const uint8_t first = rohc_read8(reader);
    const bool has_id = (first & 0x20) != 0;
    const uint8_t count = first & 0x0F, id = has_id ? rohc_read8(reader) : 0;
    in.wide = (first & 0x10) != 0;
    bool fine = false;
    switch (first >> 6) {
    case 0:
        fine = read_xis(&in, count, -1);
        while (fine && in.taken < in.xis) fine = take_item(&in);
        break;
    case 1: fine = read_reference(&in, &reference) && insert_items(&in, &reference, count); break;
    case 2:
        fine = read_reference(&in, &reference) && remove_items(&in, &reference);
        in.result = reference;
        break;
    default:
        fine = read_reference(&in, &reference) && remove_items(&in, &reference) && insert_items(&in, &reference, count);
        break;
    }
    if (!fine || reader->short_) return false;
    if (has_id && find(store, RECORD_REFERENCE, list, id) == NULL) {
        make_room(store, list);
        if (!put(store, RECORD_REFERENCE, list, id, in.result.index, in.result.count)) return false;
    }
    return put(store, RECORD_CURRENT, list, 0, in.result.index, in.result.count);
}

uint32_t v1_list_items(const v1_store *store, uint32_t list) {
    if (store->used == 0) return 0;
    const uint8_t *current = find(store, RECORD_CURRENT, list, 0);
    return current == NULL ? 0 : record_bytes(current) - RECORD_BYTES;
}

const uint8_t *v1_list_item(const v1_store *store, uint32_t list, uint32_t index, uint32_t *bytes) {
    const uint8_t *current = find(store, RECORD_CURRENT, list, 0);
    OX_ASSERT(current != NULL && index < record_bytes(current) - RECORD_BYTES);
    const uint8_t *item = find(store, RECORD_ITEM, list, current[RECORD_BYTES + index]);
    *bytes = item == NULL ? 0 : record_bytes(item) - RECORD_BYTES;
    return item == NULL ? NULL : item + RECORD_BYTES;
}
