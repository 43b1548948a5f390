#include "../../../../include/oxcore/rs.h"
