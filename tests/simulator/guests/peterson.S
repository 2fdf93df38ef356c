// Peterson's algorithm keeps two harts from adding to a counter at the same time. It needs a fence
// between what a hart writes and what it then reads (left out with -DUNFENCED).
#include "start.inc"

    .globl _start
_start:
    csrr s0, mhartid
    la s1, first // s1: my flag, s2: the other's, s3: whose turn it is to wait
    la s2, second
    la s3, results
    mirror s1, s2
    li t0, 1
    sd t0, 0(s1)
    sd s0, 0(s3)
#ifndef UNFENCED
    fence rw, rw
#endif
2:  ld t1, 0(s2)
    ld t2, 0(s3)
    beqz t1, 3f
    beq t2, s0, 2b
3:  fence rw, rw
    ld t0, 8(s3)
    addi t0, t0, 1
    sd t0, 8(s3)
    fence rw, rw
    sd zero, 0(s1)
    li s4, 1
    fence rw, rw
    meet s4
    ld s6, 8(s3)
    addi s6, s6, -2
    conclude s6

    words
