// What the programs in this folder share. They run in machine mode, on two harts, without firmware.
#define FINISHER 0x100000
#define PASS 0x5555
#define FAIL 0x13333 // with status 1

// Waits until both harts have been here `round` times, which is in a register.
.macro meet round
    la t0, meetings
    li t1, 1
    amoadd.d.aqrl zero, t1, (t0)
    slli t1, \round, 1
1:  ld t2, 0(t0)
    bltu t2, t1, 1b
.endm

// Ends the machine: with status 1 if the register is not 0.
.macro finish wrong
    li t0, FINISHER
    li t1, PASS
    beqz \wrong, 1f
    li t1, FAIL
1:  sw t1, 0(t0)
2:  wfi
    j 2b
.endm

.macro words
    .bss
    .balign 4096
meetings: .dword 0
    .balign 64
first: .dword 0
    .balign 64
second: .dword 0
    .balign 64
results: .dword 0, 0
.endm
