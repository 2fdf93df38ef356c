// The run of a machine under a debugger.
#pragma once
#include "machine.h"

// Opens the socket at which the debugger connects. Returns NULL, or what is wrong.
const char *debugger_open(const char *where);

// Waits for a debugger and does what it asks for, until that time, or until the machine ends or is
// left; returns why. When a debugger leaves, the machine runs on, and another one may come.
enum machine_stop debugger_run(struct machine *m, uint64_t end);
