// Counters of what page faults did, for memstat.
#pragma once
#include "abi/memory.h"

// Counts one fault.
void fault_count(enum fault_kind kind);

// Fills in the field `faults`.
void fault_stat(struct memstat *stat);
