// The run of a machine in the user's terminal.
#pragma once
#include "debug/trace.h"

// Runs until that time, or until the machine ends, is at a breakpoint, or is left; returns why.
// While all harts wait, time passes as it does for the user. The trace may be NULL.
enum machine_stop run(struct machine *m, struct trace *trace, uint64_t end);
