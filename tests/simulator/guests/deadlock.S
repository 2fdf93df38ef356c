// Two spin locks. One hart takes the first, then the second; the other takes them in the other
// order, or in the same (-DORDERED).
#include "start.inc"

.macro take lock
    li t1, 1
1:  amoswap.d.aq t0, t1, (\lock)
    bnez t0, 1b
.endm

    .globl _start
_start:
    csrr s0, mhartid
    la s1, first
    la s2, second
#ifndef ORDERED
    mirror s1, s2
#endif
    take s1
    take s2
    amoswap.d.rl zero, zero, (s2)
    amoswap.d.rl zero, zero, (s1)
    li s3, 1
    meet s3
    conclude zero

    words
