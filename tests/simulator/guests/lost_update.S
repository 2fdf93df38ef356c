// Each hart adds 1 to a counter, once, among other accesses to shared words. Without an atomic
// instruction (-DATOMIC) an addition may be lost, in a window of one instruction.
#include "start.inc"

#define OTHERS 10

    .globl _start
_start:
    csrr s0, mhartid
    la s1, first
    la s2, second
    li s3, 1
    li s4, OTHERS
1:  amoadd.d zero, s3, (s2)
    addi s4, s4, -1
    bnez s4, 1b
#ifdef ATOMIC
    amoadd.d zero, s3, (s1)
#else
    ld t0, 0(s1)
    addi t0, t0, 1
    sd t0, 0(s1)
#endif
    li s4, OTHERS
2:  amoadd.d zero, s3, (s2)
    addi s4, s4, -1
    bnez s4, 2b
    fence rw, rw
    meet s3
    ld s6, 0(s1)
    addi s6, s6, -2
    conclude s6

    words
