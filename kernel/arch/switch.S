// From one kernel stack to another. The registers that C expects a call to keep are saved on the
// stack that is left.

#include "arch/thread.h"

#define SAVED_SIZE 112

.macro each_saved op
    \op ra, 0(sp)
    \op s0, 8(sp)
    \op s1, 16(sp)
    \op s2, 24(sp)
    \op s3, 32(sp)
    \op s4, 40(sp)
    \op s5, 48(sp)
    \op s6, 56(sp)
    \op s7, 64(sp)
    \op s8, 72(sp)
    \op s9, 80(sp)
    \op s10, 88(sp)
    \op s11, 96(sp)
.endm

    .text
    .globl thread_switch
thread_switch: // (from, to)
    addi sp, sp, -SAVED_SIZE
    each_saved sd
    sd sp, THREAD_SWITCH_SP(a0)
    mv tp, a1
    ld sp, THREAD_SWITCH_SP(tp)
    each_saved ld
    addi sp, sp, SAVED_SIZE
    ret

    .globl thread_prepare
thread_prepare: // (thread, stack top, entry)
    sd a1, THREAD_KERNEL_SP(a0)
    addi a1, a1, -SAVED_SIZE
    sd a2, 0(a1)   // ra
    sd zero, 8(a1) // s0: the end of a backtrace
    sd a1, THREAD_SWITCH_SP(a0)
    ret

    .globl thread_become
thread_become: // (thread, entry)
    mv tp, a0
    ld sp, THREAD_KERNEL_SP(tp)
    mv s0, zero
    jr a1
