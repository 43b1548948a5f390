#include "../../../../include/oxcore/rohc.h"
