#include "aead.h"

#include <pthread.h>
#include <sodium.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static ox_status result = OX_E_SYSTEM;

static void start(void) {
    if (sodium_init() < 0) return;
    ox_aead_choose();
    result = OX_OK;
}

ox_status ox_init(void) {
    OX_ASSERT(pthread_once(&once, start) == 0);
    return result;
}
