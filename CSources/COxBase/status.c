#include "oxcore/base.h"

const char *ox_status_name(ox_status status) {
    switch (status) {
    case OX_OK: return "OX_OK";
    case OX_E_AGAIN: return "OX_E_AGAIN";
    case OX_E_SHORT: return "OX_E_SHORT";
    case OX_E_LIMIT: return "OX_E_LIMIT";
    case OX_E_FORMAT: return "OX_E_FORMAT";
    case OX_E_AUTH: return "OX_E_AUTH";
    case OX_E_MEMORY: return "OX_E_MEMORY";
    case OX_E_SYSTEM: return "OX_E_SYSTEM";
    case OX_E_UNSUPPORTED: return "OX_E_UNSUPPORTED";
    }
    ox_assertion_failed("a status outside its enum", __FILE__, __LINE__);
}

const char *ox_verdict_name(ox_verdict verdict) {
    static const char *const names[OX_VERDICT_COUNT] = {
#define X(symbol, name) [symbol] = name,
        OX_VERDICTS(X)
#undef X
    };
    OX_ASSERT((unsigned)verdict < OX_VERDICT_COUNT);
    return names[verdict];
}
