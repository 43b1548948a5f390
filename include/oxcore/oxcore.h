/** @file  All of the C core. */
#ifndef OXCORE_H
#define OXCORE_H

#include "base.h"
#include "crypto.h"
#include "io.h"
#include "packet.h"
#include "path.h"
#include "process.h"
#include "ring.h"
#include "tunnel.h"
#include "wire.h"
#include "worker.h"

#endif
