// What is shown of a schedule that has failed: accesses to words that harts share.
#pragma once
#include "debug/symbols.h"
#include "schedule/schedule.h"

// Prints the last accesses of the schedule where the order matters: those for which another hart's
// access to the same word, of which one is a write, comes soon before or after. Where a hart reads
// again what it has read at the same place, and nobody has written it meanwhile, only the first
// time is shown. Without symbols there are addresses in place of names.
void accesses_show(const struct schedule *s, const struct symbols *symbols);
