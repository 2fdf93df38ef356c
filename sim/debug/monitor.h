// Commands to the simulator that a user gives in a debugger: `monitor COMMAND`.
#pragma once
#include "debug/session.h"

// Serves qRcmd: the command in hexadecimal digits. What it prints goes before the answer.
void monitor_command(struct remote *r, const char *digits, struct text *out);
