// One hart writes a message, and then a flag; the other waits for the flag, and reads the message.
// A store buffer writes in order, so the message is there even without a fence.
#include "start.inc"

#define ROUNDS 500

    .globl _start
_start:
    csrr s0, mhartid
    la s1, first
    la s2, second
    li s4, 0 // rounds
    li s6, 0 // messages that were missing

round:
    addi s4, s4, 1
    bnez s0, receive
    sd s4, 0(s1)
    sd s4, 0(s2)
    j next
receive:
    ld t0, 0(s2)
    bne t0, s4, receive
    ld t1, 0(s1)
    sub t1, t1, s4
    snez t1, t1
    add s6, s6, t1
next:
    fence rw, rw
    meet s4
    li t0, ROUNDS
    bltu s4, t0, round
    beqz s0, wait // the receiver knows
    finish s6
wait:
    wfi
    j wait

    words
