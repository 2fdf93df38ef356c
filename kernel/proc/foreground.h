// The foreground: whom the console's keys are for. The process that reads keys, which is the shell,
// leads it: Ctrl-C kills the job it runs, all its descendants. A process that reads lines leads if
// there is no other. A process of the background has an ancestor whose own parent has ended, or
// such a parent itself; it can neither lead nor read.
#pragma once
#include "abi/types.h"

// Boot: connects the console. Ctrl-P lists processes. Ctrl-C, when no process reads keys, kills
// everything, unless process 1 is to be spared.
void foreground_init(bool spares_first);
