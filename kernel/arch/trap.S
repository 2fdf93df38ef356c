// Traps. From user mode: saves the user's registers in the running thread and calls trap_from_user
// on the thread's kernel stack. From the kernel: always a fault of the kernel's, so everything is
// saved on a stack of its own (the running one may have overflowed) for a report.
//
// sscratch holds the running thread while user mode runs, 0 while the kernel does.

#include "arch/address.h"
#include "arch/thread.h"

// Stores or loads all registers but zero, sp and tp in the struct registers at \base.
.macro each_register op, base
    \op ra, 1*8(\base)
    \op gp, 3*8(\base)
    \op t1, 6*8(\base)
    \op t2, 7*8(\base)
    \op s0, 8*8(\base)
    \op s1, 9*8(\base)
    \op a0, 10*8(\base)
    \op a1, 11*8(\base)
    \op a2, 12*8(\base)
    \op a3, 13*8(\base)
    \op a4, 14*8(\base)
    \op a5, 15*8(\base)
    \op a6, 16*8(\base)
    \op a7, 17*8(\base)
    \op s2, 18*8(\base)
    \op s3, 19*8(\base)
    \op s4, 20*8(\base)
    \op s5, 21*8(\base)
    \op s6, 22*8(\base)
    \op s7, 23*8(\base)
    \op s8, 24*8(\base)
    \op s9, 25*8(\base)
    \op s10, 26*8(\base)
    \op s11, 27*8(\base)
    \op t3, 28*8(\base)
    \op t4, 29*8(\base)
    \op t5, 30*8(\base)
    \op t6, 31*8(\base)
.endm

    .text
    .balign 4
    .globl trap_entry
trap_entry:
    csrrw tp, sscratch, tp
    beqz tp, from_kernel
    sd sp, 2*8(tp)
    sd t0, 5*8(tp)
    each_register sd, tp
    csrrw t0, sscratch, zero
    csrr t1, sepc
    sd t0, 4*8(tp)
    sd t1, 0(tp)
    ld sp, THREAD_KERNEL_SP(tp)
    call trap_from_user

    .globl thread_enter_user
thread_enter_user:
    ld t0, 0(tp)
    csrw sepc, t0
    csrw sscratch, tp
    each_register ld, tp
    ld sp, 2*8(tp)
    ld t0, 5*8(tp)
    ld tp, 4*8(tp)
    sret

from_kernel:
    csrrw tp, sscratch, sp // sscratch was 0 and held tp for a moment
    lla sp, fault_in_progress
    amoswap.w.aq sp, sp, (sp) // any value but 0 marks it taken
    bnez sp, park
    lla sp, fault_stack_top - REGISTERS_SIZE
    sd t0, 5*8(sp)
    each_register sd, sp
    csrrw t0, sscratch, zero
    csrr t1, sepc
    sd t0, 2*8(sp)
    sd tp, 4*8(sp)
    sd t1, 0(sp)
    mv a0, sp
    mv s0, zero // the backtrace starts from the registers
    call trap_from_kernel

park: // another hart reports a fault already, or this one's report failed
    wfi
    j park

    .section .bss
    .balign 16
    .zero STACK_SIZE
fault_stack_top:
fault_in_progress:
    .zero 8
