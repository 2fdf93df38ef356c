// The run of a machine that a program observes, such as a grader. The program speaks gdb's protocol
// and reads memory in a file. Nothing is known about the past, so the machine cannot go back.
#pragma once
#include "command/memory_file.h"

// Serves the program that is at the other end of this socket until it leaves; returns why the
// machine has stopped.
enum machine_stop observed_run(struct machine *m, int socket);
