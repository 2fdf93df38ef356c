// Host stand-in for kernel/arch/thread.h: the running thread is what host_thread points to.
#pragma once

#include "abi/types.h"

struct registers {
    uint64_t pc;
    uint64_t ra, sp, gp, tp, t0, t1, t2, s0, s1, a0, a1, a2, a3, a4, a5, a6, a7;
    uint64_t s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, t3, t4, t5, t6;
};

struct thread {
    struct registers user;
    uint64_t kernel_sp;
    uint64_t switch_sp;
    uint64_t satp;
    unsigned hart;
    uint64_t ranks_held;
};

extern struct thread *host_thread; // part of a struct task

static inline struct thread *thread_self(void) {
    return host_thread;
}

void thread_switch(struct thread *from, struct thread *to);
void thread_prepare(struct thread *t, uint64_t stack_top, void (*entry)(void));
