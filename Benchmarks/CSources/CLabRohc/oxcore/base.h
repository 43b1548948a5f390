#include "../../../../include/oxcore/base.h"
