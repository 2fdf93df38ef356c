// Forks whose first moments matter: what parent or child does before any further system call.
#include "probe.h"

long fork_store(volatile uint64_t *word, uint64_t before, uint64_t after) {
    *word = before;
    long pid = system_call0(FORK);
    if (pid > 0)
        *word = after;
    return pid;
}

// The child comes to newborn() before it or its parent has made a system call, and before it stores
// anything. The parent makes none until the word changes in its frame: the grader, which stops the
// child, changes it from outside.
long fork_look(const volatile uint64_t *word, uint64_t old) {
    long pid = system_call0(FORK);
    while (pid > 0 && *word == old)
        parent_waits();
    newborn();
    return pid;
}

// Forks up to `times` times while that fails. Nothing is stored from the fork to the end of the
// child, so that no page is copied: there may be no memory for it. The child looks at the pattern
// and at the last word of the heap that the parent has touched. If all is well it writes a byte to
// the pipe, else it goes to the checkpoint, where the grader does not expect it.
long fork_reap(uint64_t times, uint64_t pipe, uint64_t address, uint64_t words, uint64_t seed) {
    register uint64_t t1 asm("t1") = address, t2 asm("t2") = address + 8 * words;
    register uint64_t t3 asm("t3") = pattern(seed, address), t4 asm("t4") = 8 * PATTERN_STEP;
    register uint64_t t5 asm("t5") = times, s2 asm("s2") = sbrk(0) - PAGE;
    register uint64_t s3 asm("s3") = *(volatile uint64_t *)s2, s4 asm("s4") = pipe;
    register const char *s5 asm("s5") = path_file;
    register long a0 asm("a0");
    asm volatile("1: li a7, 1; ecall\n" // fork
                 "mv t0, a0\n"
                 "addi t5, t5, -1\n"
                 "beqz a0, 2f\n"
                 "bgtz a0, 4f\n"
                 "bgtz t5, 1b\n"
                 "j 5f\n"
                 "2: ld t6, 0(t1)\n" // the child
                 "bne t6, t3, 3f\n"
                 "add t3, t3, t4\n"
                 "addi t1, t1, 8\n"
                 "bltu t1, t2, 2b\n"
                 "ld t6, 0(s2)\n"
                 "bne t6, s3, 3f\n"
                 "mv a0, s4; mv a1, s5; li a2, 1; li a7, 16; ecall\n" // write
                 "li a0, 0; li a7, 2; ecall\n"                        // exit
                 "3: li a2, 0; li a3, 0; call checkpoint\n"
                 "j 3b\n"
                 "4: li a0, 0; li a7, 3; ecall\n" // wait
                 "5: mv a0, t0"
                 : "=r"(a0), "+r"(t1), "+r"(t2), "+r"(t3), "+r"(t4), "+r"(t5), "+r"(s2), "+r"(s3),
                   "+r"(s4), "+r"(s5)
                 :
                 : "a1", "a2", "a3", "a4", "a5", "a6", "a7", "t0", "t6", "ra", "memory");
    return a0;
}

long await(uint64_t fd) {
    char byte = 0;
    if (system_call(READ, fd, (uint64_t)&byte, 1) != 1 || byte == 0)
        leave(0);
    return 0;
}

// Returns in the parent, and in each child that was sent a byte other than 0.
long fork_many(uint64_t fd) {
    for (long children = 0;; children++) {
        long pid = system_call0(FORK);
        if (pid < 0)
            return children;
        if (pid == 0)
            return await(fd);
    }
}

long wait_all(uint64_t n) {
    long bad = 0, status;
    while (n-- > 0)
        bad += wait(&status) < 0 || status != 0;
    return bad;
}
