// Traps. From user mode: saves the user's registers in the running thread and calls trap_from_user
// on the thread's kernel stack. A trap from the kernel is always a bug: saves all registers for a
// report, on a stack of its own, because the running one may have overflowed.
//
// sscratch holds the running thread while user mode runs, and 0 while the kernel does.

#include "arch/address.h"
#include "arch/thread.h"

// Stores or loads s0 to s11, which C functions preserve, in the struct registers at \base.
.macro each_preserved op, base
    .irp n, 8, 9, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27
    \op x\n, \n*8(\base)
    .endr
.endm

// The same for all others but zero, sp, tp and t0.
.macro each_other op, base
    .irp n, 1, 3, 6, 7, 10, 11, 12, 13, 14, 15, 16, 17, 28, 29, 30, 31
    \op x\n, \n*8(\base)
    .endr
.endm

    .text
    .balign 4
    .globl trap_entry
trap_entry:
    csrrw tp, sscratch, tp
    beqz tp, from_kernel
    sd sp, 2*8(tp)
    sd t0, 5*8(tp)
    each_preserved sd, tp
    each_other sd, tp
    csrrw t0, sscratch, zero
    csrr t1, sepc
    sd t0, 4*8(tp)
    sd t1, 0(tp)
    ld sp, THREAD_KERNEL_SP(tp)
    call trap_from_user // which leaves the user's values in s0 to s11

return_to_user:
    ld t0, 0(tp)
    csrw sepc, t0
    csrw sscratch, tp
    each_other ld, tp
    ld sp, 2*8(tp)
    ld t0, 5*8(tp)
    ld tp, 4*8(tp)
    sret

    .globl thread_enter_user
thread_enter_user:
    each_preserved ld, tp
    j return_to_user

from_kernel:
    csrrw tp, sscratch, sp // sscratch was 0 and held tp for a moment
    lla sp, fault_in_progress
    amoswap.w.aq sp, sp, (sp) // any value but 0 marks it taken
    bnez sp, park
    lla sp, fault_stack_top - REGISTERS_SIZE
    sd t0, 5*8(sp)
    each_preserved sd, sp
    each_other sd, sp
    csrrw t0, sscratch, zero
    csrr t1, sepc
    sd t0, 2*8(sp)
    sd tp, 4*8(sp)
    sd t1, 0(sp)
    mv a0, sp
    mv s0, zero // the backtrace starts from the registers
    call trap_from_kernel

park: // another hart is reporting a fault, or this one's report failed
    wfi
    j park

    .section .bss
    .balign 16
    .zero STACK_SIZE
fault_stack_top:
fault_in_progress:
    .zero 8
