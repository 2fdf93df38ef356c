// Where a program starts: the kernel enters _start with the number of arguments in a0 and the
// argument vector in a1, where main expects them. Uses no memory but the stack.

    .section .text.start, "ax", @progbits
    .globl _start
    .type _start, @function
_start:
    call main
    call exit
    .size _start, . - _start

    .section .note.GNU-stack, "", @progbits
