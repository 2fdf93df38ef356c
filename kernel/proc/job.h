// What the console asks of the process table: Ctrl-C and Ctrl-P.
#pragma once

// Connects the console. Ctrl-C kills the foreground job: all descendants of the console's leader,
// the first process that reads from it, which is the shell. A job in the background has no
// ancestor but process 1 and is left alone.
void job_init(void);
