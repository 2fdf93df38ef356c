// Includes itself twice, with no #pragma once.
#include "vm/twice.h"
#include "vm/twice.h"

