// A hart executes a function, writes another instruction into it, and executes it again: it may
// still see the old one, unless there is a FENCE.I in between (-DFENCE).
#include "start.inc"

#define ADDI_A0_ZERO 0x00000513 // li a0, 0: its immediate operand begins at bit 20
#define ROUNDS 100

    .globl _start
_start:
    csrr s0, mhartid
    bnez s0, wait
    la s1, function
    li s2, 1 // rounds
    li s6, 0 // how often the old instruction was executed
round:
    slli t0, s2, 20
    li t1, ADDI_A0_ZERO
    or t0, t0, t1
    sw t0, 0(s1)
#ifdef FENCE
    fence.i
#endif
    jalr s1
    sub a0, a0, s2
    snez a0, a0
    add s6, s6, a0
    addi s2, s2, 1
    li t0, ROUNDS
    bltu s2, t0, round
    finish s6
wait:
    wfi
    j wait

    .balign 4096
    .option norvc
function:
    li a0, 0
    ret

    words
