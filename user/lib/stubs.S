// A function for each system call of abi/syscall.h. The arguments are already where the kernel
// expects them; a result of -1 means that a1 holds the reason, which is stored in errno.

#include "abi/syscall.h"

// clang-format off
#define STUB(number, name)      \
    .globl name;                \
    .type name, @function;      \
name:                           \
    li t6, -1;                   \
    li a7, number;              \
    ecall;                      \
    beq a0, t6, failed;         \
    ret;                        \
    .size name, . - name;
// clang-format on

    .section .text.stubs, "ax", @progbits
failed:
    la t0, errno
    sw a1, 0(t0)
    ret

SYSCALLS(STUB)

    .section .note.GNU-stack, "", @progbits
