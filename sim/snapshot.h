// The machine's whole state: to come back to it, and to compare it.
#pragma once
#include "machine.h"

struct snapshot;

// Keeps the state. Pages of memory and disk are shared with the machine until it writes them, so
// that this costs little. Returns NULL without memory.
struct snapshot *snapshot_take(struct machine *m);

// Brings the machine back to the state, which may be done any number of times, and on any machine
// that was made and loaded in the same way. The run then goes on as it did. Returns false without
// memory; then the machine cannot go on.
bool snapshot_restore(struct machine *m, const struct snapshot *snapshot);

// NULL is allowed.
void snapshot_free(struct snapshot *snapshot);

// Returns a hash of the state.
uint64_t snapshot_hash(const struct machine *m);
