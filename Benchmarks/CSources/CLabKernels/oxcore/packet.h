#include "../../../../include/oxcore/packet.h"
