/** @file  What the two halves of the arrival of trains share. Private to COxTunnel. */
#ifndef COXTUNNEL_TRAIN_H
#define COXTUNNEL_TRAIN_H

#include "state.h"

enum {
    OX_TRAIN_BASE = 2048, /**< offset in the buffer at which car 0 ends and car 1 begins */
    OX_TRAIN_LAST_UNKNOWN = OX_TRAIN_CARS_MAX,
};
_Static_assert((int)OX_TRAIN_BASE - (int)OX_BUF_CONTENT_MAX >= (int)OX_BUF_HEADROOM, "headroom stays in front of car 0");
_Static_assert((int)OX_BUF_LARGE_BYTES - (int)OX_TRAIN_BASE >= UINT16_MAX, "the largest packet fits behind it");

static inline uint64_t ox_train_bit(uint32_t index) { return (uint64_t)1 << index; }

static inline uint8_t *ox_train_content(const ox_train *train) { return train->buf->storage + OX_TRAIN_BASE - train->first_bytes; }
static inline uint32_t ox_train_head_bytes(const ox_train *train) { return OX_TRAIN_META_BYTES + train->header_bytes; }

/** Payload bytes in front of a car that is not car 0. */
static inline uint32_t ox_train_payload_before(const ox_train *train, uint32_t index) {
    return train->first_bytes - ox_train_head_bytes(train) + (index - 1) * train->slice;
}

/* train.c */
ox_train *ox_train_find(const ox_session *session, uint64_t first);
ox_train *ox_train_begin(ox_tunnel *tunnel, ox_session *session, uint64_t first, uint64_t now_ns);
void ox_train_end(ox_tunnel *tunnel, ox_train *train);
bool ox_train_complete(const ox_train *train);

#endif
