// Making processes.
#pragma once

#include "abi/types.h"

// Makes a copy of the running process whose fork returns 0; returns the child's pid.
// Errors: -EAGAIN (too many processes), -ENOMEM; nothing has changed.
int proc_fork(void);
