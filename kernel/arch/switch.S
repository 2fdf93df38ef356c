// The context switch, from one kernel stack to another. The registers that a C function must
// preserve are saved on the old stack.

#include "arch/thread.h"

#define SAVED_SIZE 112

.macro each_saved op
    \op ra, 0(sp)
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
    \op s\n, 8+8*\n(sp)
    .endr
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
