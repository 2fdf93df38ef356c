// Job control: which processes the console's keys are for. The process that reads keys, which is
// the shell, is the leader. Ctrl-C kills the job that it runs: all its descendants that are not in
// the background. If no process reads keys, one that reads lines is the leader. A process is in the
// background if its parent, or the parent of one of its ancestors, has ended; it can neither lead
// nor read.
#pragma once
#include "abi/types.h"

// Boot: connects job control to the console. Ctrl-P lists the processes. When no process reads
// keys, Ctrl-C kills all processes, process 1 included, unless spares_first is set.
void foreground_init(bool spares_first);
