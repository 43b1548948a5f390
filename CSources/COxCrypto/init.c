#include "oxcore/crypto.h"

#include <sodium.h>

ox_status ox_init(void) { return sodium_init() < 0 ? OX_E_SYSTEM : OX_OK; }
