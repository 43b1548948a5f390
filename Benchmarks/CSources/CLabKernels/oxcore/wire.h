#include "../../../../include/oxcore/wire.h"
