#include "oxcore/packet.h"

void ox_list_append(ox_list *list, ox_buf *buf) {
    OX_ASSERT(buf != NULL);
    buf->next = NULL;
    if (list->tail != NULL) {
        list->tail->next = buf;
    } else {
        list->head = buf;
    }
    list->tail = buf;
    list->count++;
}

ox_buf *ox_list_take(ox_list *list) {
    ox_buf *buf = list->head;
    if (buf == NULL) return NULL;
    list->head = buf->next;
    if (list->head == NULL) list->tail = NULL;
    list->count--;
    buf->next = NULL;
    return buf;
}

void ox_list_concat(ox_list *to, ox_list *from) {
    OX_ASSERT(to != from);
    if (from->head == NULL) return;
    if (to->tail != NULL) {
        to->tail->next = from->head;
    } else {
        to->head = from->head;
    }
    to->tail = from->tail;
    to->count += from->count;
    *from = (ox_list){0};
}
