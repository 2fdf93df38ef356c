// Messages about faults that end a process, or the kernel. One line says what happened, where and
// why.
#pragma once
#include "arch/thread.h"
#include "vm/region.h"

// The running process accessed va, and vm_fault said `error`. May sleep.
void report_bad_access(vaddr_t va, enum access access, int error);
// It executed something that it cannot, for which scause is `cause` and stval is `value`. May
// sleep.
void report_bad_instruction(uint64_t cause, uint64_t value);
// The kernel itself trapped.
_Noreturn void report_kernel_fault(const struct registers *r, uint64_t cause, uint64_t value);
// For a panic: who was running.
void report_running_process(void);
