// The machine's memory in a file, for a program that observes the machine while it stands still.
#pragma once
#include "machine.h"

// Opens a file, and makes it that large if it is smaller. Returns false, with errno set, if that
// fails.
bool memory_file_open(const char *name, uint64_t bytes);

// Writes to the file what has changed in memory since the last time. Returns false without memory.
bool memory_file_update(struct machine *m);
