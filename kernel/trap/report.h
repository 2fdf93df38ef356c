// Messages about faults that end a process, or the kernel: one line that tells what happened, where
// and why.
#pragma once
#include "arch/thread.h"
#include "vm/region.h"

// The running process accessed va, and vm_fault returned `error`. May sleep.
void report_bad_access(vaddr_t va, enum access access, int error);

// The running process caused another exception, with these values of scause and stval. May sleep.
void report_bad_instruction(uint64_t cause, uint64_t value);

// The kernel itself trapped. Panics.
_Noreturn void report_kernel_fault(const struct registers *r, uint64_t cause, uint64_t value);

// For a panic: prints which process was running.
void report_running_process(void);
