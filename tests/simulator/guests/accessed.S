// A page table whose entries have neither the accessed nor the dirty bit: a store through it sets
// both, or faults if these bits are the kernel's.
#include "start.inc"

#define PTE_V 1
#define PTE_R 2
#define PTE_W 4
#define STORE_PAGE_FAULT 15
#define MPRV_S (1 << 17 | 1 << 11) // loads and stores as in supervisor mode

    .globl _start
_start:
    csrr s0, mhartid
    bnez s0, wait
    la t0, trap
    csrw mtvec, t0
    la s1, table
    li t0, (0x80000000 >> 12 << 10) | PTE_V | PTE_R | PTE_W
    sd t0, 16(s1) // 0x80000000 and 1 GiB from there on
    srli t0, s1, 12
    li t1, 8 << 60
    or t0, t0, t1
    csrw satp, t0
    sfence.vma
    li t0, MPRV_S
    csrs mstatus, t0
    la t1, first
    sd t1, 0(t1)
    csrc mstatus, t0
    ld t0, 16(s1)
    andi t0, t0, 0xc0
    xori s6, t0, 0xc0
    finish s6
trap:
    csrr s6, mcause
    addi s6, s6, -STORE_PAGE_FAULT
    snez s6, s6
    j trapped
wait:
    wfi
    j wait
trapped: // status 2: the fault that was to be expected
    bnez s6, 1f
    li t0, FINISHER
    li t1, 0x23333
    sw t1, 0(t0)
1:  finish s6

    words
    .balign 4096
table: .zero 4096
