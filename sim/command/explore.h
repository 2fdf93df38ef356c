// Many schedules of one run, to find one that goes wrong.
#pragma once
#include "command/options.h"
#include "debug/symbols.h"

// Runs the schedules, or the one that the options name; prints those that fail. Returns the exit
// status: 1 if one fails. The symbols, which may be NULL, are for names of what went wrong.
int explore(struct machine *m, const struct options *o, const struct symbols *symbols);
