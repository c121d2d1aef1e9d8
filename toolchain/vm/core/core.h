/*
 * What every file of the core includes. api.h and map.h are declarations only, without guards and includes,
 * because cffi reads them too; this header gives them their types and includes each of them once.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api.h"
#include "map.h"
