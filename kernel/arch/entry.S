// Harts enter the kernel here, the boot hart first: in S-mode, with translation off and the hart id
// in a0. They turn translation on with a boot table, and continue at high addresses. All enter at
// _start, whatever address hart_start gives them, because the firmware may send them there in any
// case: OpenSBI 1.1 releases a hart a moment before it stores the address for it.

#include "arch/address.h"
#include "arch/thread.h"

#define PTE_GIGAPAGE 0xcf // dirty, accessed, executable, writable, readable, valid

    .globl kernel_start_in_c // kernel.ld compares it with its own
    .set kernel_start_in_c, KERNEL_START

    .section .text.entry, "ax"
    .globl _start
_start:
    lla t0, boot_begun
    li t1, 1
    amoswap.w.aqrl t1, t1, (t0)
    bnez t1, secondary_start
    lla t0, bss_start // a1: physical address of the device tree
    lla t1, bss_end
1:  sd zero, 0(t0)
    sd zero, 8(t0)
    sd zero, 16(t0)
    sd zero, 24(t0)
    addi t0, t0, 32
    bltu t0, t1, 1b
    lla t0, boot_target
    j turn_on_translation

secondary_start:
    lla t0, harts_started
2:  ld t1, 0(t0)
    ld a1, 8(t0) // the hart's idle thread
    addi t0, t0, 16
    bne t1, a0, 2b
    lla t0, secondary_target

turn_on_translation: // t0: where the high address to continue at is stored
    csrw sie, zero
    csrw sscratch, zero
    ld t0, 0(t0)
    lla t1, boot_table
    srli t1, t1, PAGE_SHIFT
    li t2, 8 << 60 // Sv39
    or t1, t1, t2
    sfence.vma
    csrw satp, t1
    sfence.vma
    jr t0

boot_continue:
    lla tp, boot_task
    lla sp, boot_stack_top
    call main // (hart id, device tree)

secondary_continue:
    mv tp, a1
    ld t0, THREAD_SATP(tp) // its stack is mapped in the final table only
    csrw satp, t0
    sfence.vma
    ld sp, THREAD_KERNEL_SP(tp)
    call main_secondary

    .balign 8
boot_target:
    .quad boot_continue
secondary_target:
    .quad secondary_continue

// The boot table: RAM at its own addresses, for the instructions up to `jr`, and the first 16 GiB
// of all physical addresses at KERNEL_START.
    .section .data
    .balign PAGE_SIZE
boot_table:
    .zero 8 * 2
    .quad (0x80000000 >> 2) | PTE_GIGAPAGE
    .zero 8 * 253
    .set pa, 0
    .rept 16
    .quad (pa >> 2) | PTE_GIGAPAGE
    .set pa, pa + 0x40000000
    .endr
    .zero 8 * 240
boot_begun: .word 0

    .section .bss
    .balign 16
    .zero STACK_SIZE
boot_stack_top:
boot_task: // of main, until the boot hart's idle task takes over
    .zero BOOT_TASK_SIZE
