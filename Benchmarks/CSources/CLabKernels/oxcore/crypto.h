#include "../../../../include/oxcore/crypto.h"
