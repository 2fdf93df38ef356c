// The one list of system calls: X(number, name). The kernel's dispatch table and the user library's
// stubs are generated from it. Numbers 1 to 21 are xv6's.
//
// The number is in a7, the arguments are in a0 to a5, the result is in a0. After a failure a0 is -1
// and a1 the error number.
#pragma once
// clang-format off
#define SYSCALLS(X) \
    X(1, fork) \
    X(2, exit) \
    X(3, wait) \
    X(4, pipe) \
    X(5, read) \
    X(6, kill) \
    X(7, exec) \
    X(8, fstat) \
    X(9, chdir) \
    X(10, dup) \
    X(11, getpid) \
    X(12, sbrk) \
    X(13, sleep) \
    X(14, uptime) \
    X(15, open) \
    X(16, write) \
    X(17, mknod) \
    X(18, unlink) \
    X(19, link) \
    X(20, mkdir) \
    X(21, close) \
    X(22, vfork) \
    X(23, mmap) \
    X(24, munmap) \
    X(25, memstat) \
    X(26, pagemap) \
    X(27, procinfo) \
    X(28, poweroff) \
    X(29, getkey) \
    X(30, terminal)
// clang-format on
