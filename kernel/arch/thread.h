// What the assembly code knows about a task: the registers of its user program and its kernel
// stack. While the kernel runs, tp points to the running task's struct thread.
#pragma once
#define REGISTERS_SIZE 256
#define THREAD_KERNEL_SP 256
#define THREAD_SWITCH_SP 264
#define THREAD_SATP 272
#define BOOT_TASK_SIZE 512 // room for the boot hart's first struct task

#ifndef __ASSEMBLER__

#include "abi/types.h"

// Registers in the order of their numbers; x0's place holds the program counter.
struct registers {
    uint64_t pc;
    uint64_t ra, sp, gp, tp, t0, t1, t2, s0, s1, a0, a1, a2, a3, a4, a5, a6, a7;
    uint64_t s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, t3, t4, t5, t6;
};

struct thread {
    struct registers user; // of its user program, at the last trap
    uint64_t kernel_sp;    // top of the kernel stack, where a trap from user mode begins
    uint64_t switch_sp; // while it is not running: its stack pointer; its registers are saved there
    uint64_t satp;      // its page table (arch/mmu.h)
    uint64_t ranks_held; // bit set: ranks of the locks that it holds (sync/spinlock.h)
    unsigned hart;       // index of the hart on which it runs, or ran last
};

static_assert(sizeof(struct registers) == REGISTERS_SIZE, "trap.S knows the size");
static_assert(offsetof(struct thread, kernel_sp) == THREAD_KERNEL_SP, "trap.S knows the offset");
static_assert(offsetof(struct thread, switch_sp) == THREAD_SWITCH_SP, "switch.S knows the offset");
static_assert(offsetof(struct thread, satp) == THREAD_SATP, "entry.S knows the offset");

register struct thread *thread_pointer __asm__("tp");

static inline struct thread *thread_self(void) {
    return thread_pointer;
}

// The context switch: saves the caller's registers in `from` and continues where `to` last called
// thread_switch, or at the entry that thread_prepare gave it. Interrupts are off.
void thread_switch(struct thread *from, struct thread *to);

// Makes the first thread_switch to t call entry on the stack that ends at stack_top.
void thread_prepare(struct thread *t, uint64_t stack_top, void (*entry)(void));

// Continues as t, which has never run, at entry on its empty stack. For the start of a hart.
_Noreturn void thread_become(struct thread *t, void (*entry)(void));

// Continues the running thread's user program with all registers of `user`. The kernel stack is
// empty afterwards. (The return from a trap leaves s0 to s11 as they are: they have not changed.)
_Noreturn void thread_enter_user(void);

#endif
