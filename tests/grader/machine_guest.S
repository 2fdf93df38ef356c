// A guest for the tests of the observed machine, without firmware or kernel. Machine mode sets up a
// page of program and one of data for user mode, and answers a few calls. The page of the
// checkpoint is mapped when it is first reached, so that the first fetch at the breakpoint faults.
// MODE says what the program does.
.equ UART, 0x10000000
.equ FINISHER, 0x100000
.equ ROOT, 0x80010000
.equ LEVEL1, 0x80011000
.equ LEVEL0, 0x80012000
.equ CHECKPOINT, 0x80013000
.equ DATA, 0x80014000
.equ PROGRAM, 0x80015000
.equ MESSAGE, 0x3800
.equ TABLE, 1            // V
.equ PROGRAM_BITS, 0x5b  // V R X U A
.equ DATA_BITS, 0xd7     // V R W U A D
.equ MODE_COUNT, 0
.equ MODE_WAIT, 1
.equ MODE_LOOP, 2
.equ MODE_PRINT, 3
.equ MODE_PANIC, 4
.equ MODE_OFF, 5
.equ MODE_RESET, 6
.equ MODE_ANSWER, 7
.equ MODE_TRIGGERS, 8
.equ MODE_WATCHED, 9
.equ CALL_OFF, 1
.equ CALL_PRINT, 2
.equ CALL_STOP, 3
.equ CALL_RESET, 4
.equ HITS, 40

.macro entry table, index, target, bits
    li t0, \table + 8 * \index
    li t1, (\target >> 12 << 10) | \bits
    sd t1, 0(t0)
.endm

.section .text
.option norelax
.globl _start
_start:
    li t0, -1
    csrw pmpaddr0, t0
    li t0, 0x1f
    csrw pmpcfg0, t0
    la t0, trap
    csrw mtvec, t0
.if MODE == MODE_TRIGGERS
    csrw tselect, zero
.endif
    entry ROOT, 0, LEVEL1, TABLE
    entry LEVEL1, 0, LEVEL0, TABLE
    entry LEVEL0, 2, DATA, DATA_BITS
    entry LEVEL0, 3, PROGRAM, PROGRAM_BITS
    li t0, (8 << 60) | (ROOT >> 12)
    csrw satp, t0
    sfence.vma
    li t0, 0x3000
    csrw mepc, t0
    li t0, 0x1800
    csrc mstatus, t0
    csrr s0, mhartid
    mret

.balign 4
trap:
    csrr t0, mcause
    li t1, 8
    beq t0, t1, call
    entry LEVEL0, 1, CHECKPOINT, PROGRAM_BITS
    sfence.vma
    mret
call:
    csrr t0, mepc
    addi t0, t0, 4
    csrw mepc, t0
    li t0, FINISHER
    li t1, CALL_PRINT
    beq a7, t1, print
    li t1, CALL_OFF
    beq a7, t1, off
    li t1, CALL_RESET
    beq a7, t1, reset
stop:
    wfi
    j stop
print:
    li t0, UART
    sb a0, 0(t0)
    mret
off:
    slli a0, a0, 16
    li t1, 0x3333
    or a0, a0, t1
    sw a0, 0(t0)
    j stop
reset:
    li t1, 0x7777
    sw t1, 0(t0)
    j stop

// The checkpoint: at 0x1000 in user mode, where physical memory has the machine's reset vector.
.org 0x13000
    nop
    ret
// Another one, which loads a word that is watched: harts are sent to its last instruction.
.org 0x13800
word:
    .dword 0
    lla t0, word
    ld t0, 0(t0)
    fence.i
    nop
    ret
// The program: at 0x3000 in user mode.
.org 0x15000
.if MODE == MODE_COUNT || MODE == MODE_WATCHED
    li s1, 0
1:  li a0, 1
    mv a1, s0
    mv a2, s1
.if MODE == MODE_COUNT
    li t6, 0x1000
.else
    li t6, 0x1808
.endif
    jalr t6
    addi s1, s1, 1
    li t0, HITS
    bne s1, t0, 1b
    li t0, 0x2000
    li t1, 1
    amoadd.d t2, t1, 0(t0)
    addi t2, t2, 1
    ld t3, 8(t0)
    li a0, 7
    li a7, CALL_STOP
    bne t2, t3, 2f
    li a7, CALL_OFF
2:  ecall
.else
    li t6, 0x1000
    li a0, 2
    jalr t6
.if MODE == MODE_WAIT
    li a7, CALL_STOP
    ecall
.elseif MODE == MODE_LOOP
1:  j 1b
.elseif MODE == MODE_PRINT
1:  li a0, 'x'
    li a7, CALL_PRINT
    ecall
    j 1b
.elseif MODE == MODE_PANIC
    li s1, MESSAGE
1:  lbu a0, 0(s1)
    beqz a0, 2f
    li a7, CALL_PRINT
    ecall
    addi s1, s1, 1
    j 1b
2:  li a7, CALL_STOP
    ecall
.elseif MODE == MODE_OFF
    li a0, 5
    li a7, CALL_OFF
    ecall
.elseif MODE == MODE_RESET
    li a7, CALL_RESET
    ecall
.elseif MODE == MODE_ANSWER
    li a7, CALL_OFF
    ecall
.endif
.endif
.org 0x15800
    .asciz "hello\npanic: test\nmore\n"
