// The names of what a machine does that is not kind.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define PROFILE_NAMES "kind, tlb, svade, icache, stores, timing, all"

// Reads names with commas between them; stores the bits of enum profile. Returns false if there is
// no such name.
bool profiles_read(const char *text, uint32_t *bits);
