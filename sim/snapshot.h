// The machine's whole state: to come back to it, and to compare it.
#pragma once
#include "machine.h"

struct snapshot;

// Keeps the state. Pages of memory and disk are shared with the machine until it writes them, so
// that this costs little. Returns NULL without memory.
struct snapshot *snapshot_take(struct machine *m);

// Brings the machine back to the state, which may be done any number of times, and on any machine
// that was made and loaded in the same way. Translations that harts know are forgotten when a
// snapshot is taken or restored, which a guest notices only if it changes page tables without a
// fence. Returns false without memory; then nothing has changed.
bool snapshot_restore(struct machine *m, const struct snapshot *snapshot);

// NULL is allowed.
void snapshot_free(struct snapshot *snapshot);

// Returns a hash of the state.
uint64_t snapshot_hash(const struct machine *m);
