// Where the fuzzer's guest starts, and where traps arrive. The program's registers are kept in
// `frame`: the pc, then x1 to x31.
#include "layout.h"

// Loads or stores all registers but sp, which points to the frame.
.macro for_most access
.irp n, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25
    \access x\n, 8 * \n(sp)
.endr
.irp n, 26, 27, 28, 29, 30, 31
    \access x\n, 8 * \n(sp)
.endr
.endm

.section .text.entry, "ax"
.option norelax
.globl _start
_start:
    j start
.org 0x20000 // 1 << 31 is an address that programs have in registers, and write to
start:
    csrr t0, mhartid
1:  beqz t0, 1f
    wfi
    j 1b
1:  la sp, stack_top
    la t0, trap_entry
    csrw mtvec, t0
    call run_all
1:  j 1b

// void enter(void): runs the program in the frame until it ends. The caller has set mstatus, with
// machine mode as the previous mode if MPRV is set, and mepc.
.globl enter
enter:
    addi sp, sp, -112
    sd ra, 0(sp)
.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
    sd s\n, 8 + 8 * \n(sp)
.endr
    la t0, frame
    sd sp, FRAME_STACK(t0)
resume:
    la sp, frame
    for_most ld
    ld sp, 16(sp)
    mret

// QEMU 7.2 leaves MPRV set in modes that have none, so it is cleared before memory is used, and set
// again only for machine mode. sscratch keeps the program's mstatus until then.
.balign 4
trap_entry:
    csrw mscratch, sp
    lui sp, MPRV >> 12
    csrrc sp, mstatus, sp
    csrw sscratch, sp
    la sp, frame
    for_most sd
    csrr t0, mepc
    sd t0, FRAME_PC(sp)
    csrr t0, mscratch
    sd t0, 16(sp)
    mv a0, sp
    ld sp, FRAME_STACK(sp)
    call trap
    la t0, frame
    ld t1, FRAME_PC(t0)
    csrw mepc, t1
    bnez a0, resume
.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
    ld s\n, 8 + 8 * \n(sp)
.endr
    ld ra, 0(sp)
    addi sp, sp, 112
    ret

// What is delegated arrives here, in supervisor mode: machine mode notes it, and returns to the
// second instruction.
.balign 4
.globl delegated_entry
delegated_entry:
    ecall
    sret

.section .bss
.balign 16
stack:
    .space 16384
stack_top:
