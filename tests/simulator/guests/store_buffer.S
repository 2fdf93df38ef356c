// Each hart writes one word and reads the other's. If loads overtake stores, both may read 0; a
// fence between store and load (-DFENCE) rules that out.
#include "start.inc"

#define ROUNDS 10

    .globl _start
_start:
    csrr s0, mhartid
    la s1, first
    la s2, second
    mirror s1, s2
    la s3, results
    slli t0, s0, 3
    add s3, s3, t0
    li s4, 0 // meetings
    li s5, 0 // rounds
    li s6, 0 // in how many both have read 0

round:
    sd zero, 0(s1)
    addi s4, s4, 1
    fence rw, rw
    meet s4
    li t0, 1
    sd t0, 0(s1)
#ifdef FENCE
    fence rw, rw
#endif
    ld t1, 0(s2)
    sd t1, 0(s3)
    addi s4, s4, 1
    fence rw, rw
    meet s4
    la t0, results
    ld t1, 0(t0)
    ld t2, 8(t0)
    or t1, t1, t2
    seqz t1, t1
    add s6, s6, t1
    addi s4, s4, 1
    fence rw, rw
    meet s4
    addi s5, s5, 1
    li t0, ROUNDS
    bltu s5, t0, round
    conclude s6

    words
