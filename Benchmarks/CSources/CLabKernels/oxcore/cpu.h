#include "../../../../include/oxcore/cpu.h"
