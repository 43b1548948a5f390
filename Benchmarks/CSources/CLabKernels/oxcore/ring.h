#include "../../../../include/oxcore/ring.h"
