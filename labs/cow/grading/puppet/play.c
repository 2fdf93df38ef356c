// The probe: a puppet that the grader plays. It runs as process 1. At a checkpoint it stops in a
// hardware breakpoint of the grader's, which reads what it wants to know from registers and memory,
// and answers by writing the next command into the argument registers. The probe decides nothing,
// prints nothing, and uses system calls 1 to 21 by number, so that it runs on every kernel that has
// xv6's. Commands that must not be interrupted by a stop are loops of its own. A race brings its
// processes to the checkpoint, too, in the rounds in which the grader is to look at them.
//
// Memory: text (R X) at 0, data (R W), one page of code that can be written (R W X), then what the
// kernel adds: the stack, of which one page must suffice, and the heap.
#include "probe.h"

// Four pages of data for tests, two from the file and two that exec fills with zeroes (probe.ld).
uint64_t data_pages[2][WORDS_OF_PAGE] __attribute__((aligned(PAGE))) = {{1}, {2}};
uint64_t zero_pages[2][WORDS_OF_PAGE] __attribute__((aligned(PAGE)));
const char path_program[] = "/init", path_file[] = "/probe.out";
const char text_target[PAGE] __attribute__((section(".target"), aligned(PAGE))) =
    "Tests try to write here, which is program text.";
const char *const program_arguments[] = {path_program, 0};
const char *const last_arguments[] = {path_program, path_program, path_program, 0};
enum { LAST_ARGUMENTS = sizeof last_arguments / sizeof *last_arguments - 1 };

asm(".section .text.start, \"ax\"\n"
    ".globl _start\n"
    "_start: call play\n"
    "1: j 1b\n"
    // A function that returns 11, on a page that is data, too.
    ".section .code, \"awx\"\n"
    ".globl code_page\n"
    ".balign 4096\n"
    "code_page: .option push\n"
    ".option norvc\n"
    "li a0, 11\n"
    "ret\n"
    ".option pop\n"
    ".balign 4096\n"
    ".text\n");

// Where the grader stops processes: at the load of a word that nothing else loads. It lets them
// continue behind the three instructions; fence.i ends what QEMU executes without a look around.
// The words have a page of their own, because loads from the page of a watched word are slow. The
// code is on the page of its callers, so that it needs no page that they do not need.
#define PLACE(name, then) \
    ".globl " name ", " name "_word, " name "_stop, " name "_end\n" \
    ".pushsection .words, \"a\"\n" name "_word: .dword 0\n.popsection\n" \
    ".balign 4\n" name ": lla t0, " name "_word\n" name "_stop: ld t0, 0(t0)\nfence.i\nnop\n" name \
    "_end: " then "\nret\n"
asm(".section .words, \"a\"\n"
    ".balign 4096\n"
    ".skip 2048\n" // some firmware loads words at 0x1000
    ".section .text.places, \"ax\"\n" PLACE("checkpoint", "") PLACE("newborn", "")
        PLACE("parent_waits", "") PLACE("page_begins", "") PLACE("writing_begins", "")
            PLACE("race_write", "sd a1, 0(a0)") ".text\n");

enum { DONE, MEETING }; // what brings a process to the checkpoint

// Shows the grader two results, the pid and why it is here, and gets the next command.
//
// It writes to its stack before the system call, so that the page is its own then: from there to a
// loop that makes no system call nothing is to fault.
static void next_command(struct command *next, long result, long more, long why) {
    *(volatile uint64_t *)&next->operation = 0;
    register long a2 asm("a2") = system_call0(GETPID);
    register long a0 asm("a0") = result, a1 asm("a1") = more, a3 asm("a3") = why, a4 asm("a4");
    asm volatile("call checkpoint"
                 : "+r"(a0), "+r"(a1), "+r"(a2), "+r"(a3), "=r"(a4)
                 :
                 : "ra", "t0", "t1", "t2", "t3", "t4", "t5", "t6", "a5", "a6", "a7", "memory");
    *next = (struct command){(uint64_t)a0, (uint64_t)a1, (uint64_t)a2, (uint64_t)a3, (uint64_t)a4};
}

// Commands that concern children and races.
static long perform_together(const struct command *c, long *more) {
    struct race race = {c->a, c->b, c->c & 0xffff, c->d, c->c >> 16 & 0xffff, c->c >> 32};
    switch (c->operation) {
    case OP_WAIT:
        return wait(more);
    case OP_FORK_STORE:
        return fork_store((volatile uint64_t *)c->a, c->b, c->c);
    case OP_FORK_REAP:
        return fork_reap(c->a & 0xffff, c->a >> 16, c->b, c->c, c->d);
    case OP_FORK_MANY:
        return fork_many(c->a);
    case OP_FORK_LOOK:
        return fork_look((const volatile uint64_t *)c->a, c->b);
    case OP_AWAIT:
        return await(c->a);
    case OP_REAP:
        return wait_all(c->a);
    case OP_CYCLE:
        return cycle(c->a, c->b, c->c, c->d);
    case OP_RACE_WRITERS:
        return run_writers(&race);
    case OP_RACE_OWNERS:
        return run_owners(&race);
    case OP_RACE_CHURN:
        return run_churn(&race);
    default:
        return -1;
    }
}

// Performs a command; returns its result, and a second one in `more` where it has one.
static long perform(const struct command *c, long *more) {
    switch (c->operation) {
    case OP_PAUSE:
        return system_call(SLEEP, c->a, 0, 0);
    case OP_CALL:
        return system_call(c->a, c->b, c->c, c->d);
    case OP_FILL:
        fill(c->a, c->b, c->c);
        return 0;
    case OP_CHECK:
        return count_wrong(c->a, c->b, c->c, more);
    case OP_STORE:
        store(c->a, c->b, c->c);
        return 0;
    case OP_LOAD:
        return (long)load(c->a, c->b);
    case OP_ADD:
        return (long)add_atomically(c->a, c->b);
    case OP_JUMP:
        return jump(c->a);
    case OP_TOUCH:
        touch(c->a, (long)c->b);
        return 0;
    case OP_SUM:
        return (long)sum_pages(c->a, c->b);
    case OP_HOARD:
        return hoard((long)c->a, (long)c->b, (long)c->c, (long)c->d);
    case OP_READ_LOAD:
        return read_load(c->a, c->b, c->c, more);
    default:
        return perform_together(c, more);
    }
}

void meet(void) {
    struct command command = {OP_PAUSE, 0, 0, 0, 0};
    long result = 0, more = 0;
    while (command.operation != OP_GO) {
        next_command(&command, result, more, MEETING);
        more = 0;
        result = perform(&command, &more);
    }
}

_Noreturn void play(long arguments) {
    struct command command;
    long result = 0, more = 0;
    if (arguments == LAST_ARGUMENTS)
        leave(0);
    for (;;) {
        next_command(&command, result, more, DONE);
        more = 0;
        result = perform(&command, &more);
    }
}
