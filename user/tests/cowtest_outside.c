// Three pages, from fork to the last owner's write, seen from outside: the test looks at the page
// tables of two processes that it has not forked itself. So it can say what is wrong with a fork
// that is so broken that a process which calls it fails at once. Parent and child store nothing but
// what they are told to: from the fork on they use registers alone.
//
//   page 0: the parent stores to it as soon as fork returns, through the TLB of its hart
//   page 1: the child stores to it when it is told to, and then the parent
//   page 2: neither stores to it
#include "cowtest.h"

#include "abi/syscall.h"
#include "cow6.h"

enum { AT_ONCE, TOLD, NEVER, PAGES };
enum { PARENT, CHILD, BOTH, STOPS }; // PARENT and CHILD are places in arrays, too
enum { FIRST_STOP = 3 };             // fd of the first stop in the two processes

enum { RIGHTS = PAGE_READ | PAGE_WRITE | PAGE_EXEC };

#define NOT_ITS_RIGHTS \
    "after a write the entry of a heap page allows something other than reading and writing: its " \
    "rights must be exactly those of the region (r->protection)"
#define SYSCALL_NUMBER(number, name) CALL_##name = number,
enum { SYSCALLS(SYSCALL_NUMBER) };

// The two processes. They stop by writing more to a pipe than it holds, which blocks until the
// reader has gone: parent and child at a stop of their own before they store a byte, and both at
// the last one before they exit.
struct subject {
    pid_t pid[2];
    int stop[STOPS]; // the read ends
    int said;        // where each says after its store whether the rest of the page is as before
    uintptr_t pages;
    struct pageinfo before[2], now[2]; // what the last two looks at a page saw
};

static uint64_t sum_without_second(const char *page) {
    const uint64_t *word = (const uint64_t *)page;
    uint64_t sum = 0;
    for (size_t i = 0; i < PAGE_BYTES / sizeof *word; i++)
        sum += i == 1 ? 0 : word[i];
    return sum;
}

// cowtest --subject: writes its pages, says where page 1 is, and forks. Below its pages is one that
// it never touches.
int subject_run(void) {
    heap_grow(1);
    char *pages = heap_grow_filled(PAGES, 1), *told = pages + TOLD * PAGE_BYTES;
    write(1, &told, sizeof told);
    register long stop __asm__("s2") = FIRST_STOP + PARENT;
    register long child_stop __asm__("s3") = FIRST_STOP + CHILD;
    register long last_stop __asm__("s4") = FIRST_STOP + BOTH;
    register char *start __asm__("s5") = pages;
    register char *place __asm__("s6") = told;
    register long size __asm__("s7") = 2 * PAGE_BYTES;
    register uint64_t sum __asm__("s8") = sum_without_second(told);
    register const char *answers __asm__("s9") = "yn";
    __asm__ volatile(
        "sb zero, 0(s5)\n li a7, %8\n ecall\n bnez a0, 1f\n" // fork
        "mv s2, s3\n j 2f\n1: sb a7, 0(s5)\n"
        "2: mv a0, s2\n mv a1, s5\n mv a2, s7\n li a7, %9\n ecall\n" // the first stop
        "sb a7, 8(s6)\n"
        // The sum of the page's words but the second.
        "mv t0, s6\n mv t1, s7\n srli t1, t1, 4\n li t2, 0\n"
        "3: ld t3, 0(t0)\n add t2, t2, t3\n addi t0, t0, 8\n addi t1, t1, -1\n bnez t1, 3b\n"
        "ld t3, 8(s6)\n sub t2, t2, t3\n"
        "mv a1, s9\n beq t2, s8, 4f\n addi a1, a1, 1\n"
        "4: li a0, 1\n li a2, 1\n li a7, %9\n ecall\n"            // says whether it is as before
        "mv a0, s4\n mv a1, s5\n mv a2, s7\n li a7, %9\n ecall\n" // the last stop
        "li a0, 0\n li a7, %10\n ecall\n"                         // exit
        :
        : "r"(stop), "r"(child_stop), "r"(last_stop), "r"(start), "r"(place), "r"(size), "r"(sum),
          "r"(answers), "i"(CALL_fork), "i"(CALL_write), "i"(CALL_exit)
        : "a0", "a1", "a2", "a7", "t0", "t1", "t2", "t3", "memory");
    __builtin_unreachable();
}

// In the vfork child: executes the subject, with the stops as fd 3 to 5 and nothing else open but 0
// to 2.
static _Noreturn void execute_subject(int stop[STOPS][2], int said) {
    enum { FIRST_SPARE = TEST_FD - STOPS };
    close(TEST_FD - 1);
    close(1);
    dup(said);
    for (int i = 0; i < STOPS; i++) {
        while (dup(stop[i][1]) < FIRST_SPARE + i) {
        }
    }
    for (int fd = FIRST_STOP; fd < FIRST_SPARE; fd++)
        close(fd);
    for (int i = 0; i < STOPS; i++)
        dup(FIRST_SPARE + i);
    for (int fd = FIRST_STOP + STOPS; fd < TEST_FD; fd++)
        close(fd);
    exec(PROGRAM, (char *[]){"cowtest", "--subject", NULL});
    exit(1);
}

// Starts the parent and waits until it has written its pages.
static void start_subject(struct subject *s) {
    int stop[STOPS][2], said[2];
    for (int i = 0; i < STOPS; i++)
        pipe_open(stop[i]);
    pipe_open(said);
    s->pid[PARENT] = vfork();
    if (s->pid[PARENT] == 0)
        execute_subject(stop, said[1]);
    close(said[1]);
    for (int i = 0; i < STOPS; i++) {
        close(stop[i][1]);
        s->stop[i] = stop[i][0];
    }
    TEST_WAITS("a process to write its pages");
    CHECK_EQUAL(sizeof s->pages, read(said[0], &s->pages, sizeof s->pages),
                "a program that exec started has died");
    s->pages -= TOLD * PAGE_BYTES;
    s->said = said[0];
}

// The state of a process; a zombie if there is none.
static struct procinfo state_of(pid_t pid) {
    struct procinfo info;
    if (procinfo(pid, &info) != pid)
        info.state = PROCESS_ZOMBIE;
    return info;
}

// Waits until the process is at a stop; false if it is dead.
static bool reaches_stop(pid_t pid) {
    for (;; sleep(0)) {
        struct procinfo info = state_of(pid);
        if (info.state == PROCESS_ZOMBIE)
            return false;
        if (info.state == PROCESS_SLEEPING && info.waits_for == WAITS_FOR_PIPE)
            return true;
    }
}

static void let_fork(struct subject *s) {
    struct procinfo info;
    TEST_WAITS("a process to fork");
    CHECK(reaches_stop(s->pid[PARENT]), "fork kills the process that calls it");
    s->pid[CHILD] = procinfo(s->pid[PARENT] + 1, &info);
    CHECK(s->pid[CHILD] > 0 && info.parent == s->pid[PARENT],
          "fork fails, though there is memory enough");
    TEST_WAITS("the child to return from fork");
    CHECK(reaches_stop(s->pid[CHILD]),
          "the child dies as soon as it runs: the kernel's line above says where");
}

// Lets one of the two continue and store a byte.
static void let_write(struct subject *s, int who, const char *killed, const char *changed) {
    char answer = 0;
    TEST_WAITS("a process to store a byte");
    close(s->stop[who]);
    if (!reaches_stop(s->pid[who]))
        FAIL("%s [expected the process at its next stop, saw it dead]", killed);
    CHECK_EQUAL(1, read(s->said, &answer, 1), PIPE_FAILS);
    if (answer != 'y')
        FAIL("%s [expected the rest of the page as before, saw something else]", changed);
}

static void look_at(struct subject *s, int page) {
    const void *address = (const void *)(s->pages + (uintptr_t)page * PAGE_BYTES);
    memcpy(s->before, s->now, sizeof s->now);
    s->now[PARENT] = page_of(s->pid[PARENT], address);
    s->now[CHILD] = page_of(s->pid[CHILD], address);
}

static void check_shared(struct subject *s, int page) {
    look_at(s, page);
    const struct pageinfo *parent = &s->now[PARENT], *child = &s->now[CHILD];
    bool both = parent->flags & child->flags & PAGE_WRITE;
    CHECK(parent->flags & PAGE_PRESENT, "fork takes a page away from the parent");
    CHECK(child->flags & PAGE_PRESENT,
          "the child lacks a page that its parent has: does the loop of cow_share, or of what it "
          "calls, visit every present page of the region?");
    CHECK_FRAME(parent->frame, child->frame,
                "fork has copied a page: the child's entry must map the parent's frame; nothing is "
                "copied yet");
    CHECK(!both, "parent and child can both write to the page that they share: W must be cleared "
                 "in both entries, and the parent's TLB flushed");
    CHECK(!(parent->flags & PAGE_WRITE),
          "the parent can still write to the page that it shares with its child: was W cleared in "
          "its entry, and the TLB flushed? Or has cow_break changed more than the page at va?");
    CHECK(!(child->flags & PAGE_WRITE), "the child can write to the page that it shares with its "
                                        "parent: its entry must not have W either");
    CHECK(parent->flags & PAGE_COW,
          "the parent's entry lacks the copy-on-write bit: its next write would be refused");
    CHECK(child->flags & PAGE_COW,
          "the child's entry lacks the copy-on-write bit: its next write would be refused");
    CHECK(parent->sharers >= 2, "the frame's count is too low: two entries map it, so fork must "
                                "take a reference for the child's (frame_get)");
    CHECK_EQUAL(2, parent->sharers,
                "the frame's count is too high: two entries map it; a reference is taken twice");
}

static void check_copied(struct subject *s) {
    look_at(s, TOLD);
    const struct pageinfo *parent = &s->now[PARENT], *child = &s->now[CHILD];
    CHECK(child->flags & PAGE_PRESENT, "after its write the child's page is gone");
    CHECK_FRAME(
        s->before[PARENT].frame, parent->frame,
        "the child's write gave the parent another frame: only the writer's entry may change");
    CHECK(child->frame != parent->frame,
          "the child's write went to the frame that the parent still has: cow_break must copy "
          "while another entry maps the frame (frame_is_shared)");
    CHECK(child->flags & PAGE_WRITE,
          "after the copy the child's entry still does not allow writing");
    CHECK_EQUAL(PAGE_READ | PAGE_WRITE, child->flags & RIGHTS, NOT_ITS_RIGHTS);
    CHECK(!(child->flags & PAGE_COW),
          "after the copy the child's entry still has the copy-on-write bit");
    CHECK_EQUAL(1, child->sharers,
                "the copy's count is wrong: frame_alloc already counts the one entry that maps it");
    CHECK(parent->sharers < 2,
          "the old frame's count is too high: after the copy, the reference of the child's entry "
          "must be dropped (frame_put; pt_replace does it)");
    CHECK_EQUAL(1, parent->sharers, "the old frame has been freed though the parent still has it");
    CHECK(!(parent->flags & PAGE_WRITE), "the child's write made the parent's entry writable");
}

static void check_reused(struct subject *s) {
    look_at(s, TOLD);
    const struct pageinfo *parent = &s->now[PARENT];
    CHECK_FRAME(s->before[PARENT].frame, parent->frame,
                "the last owner has got a copy: if no other entry maps the frame, cow_break must "
                "only set W again");
    CHECK(parent->flags & PAGE_WRITE,
          "after its write the last owner's entry still does not allow writing");
    CHECK_EQUAL(PAGE_READ | PAGE_WRITE, parent->flags & RIGHTS, NOT_ITS_RIGHTS);
    CHECK(!(parent->flags & PAGE_COW),
          "after its write the last owner's entry still has the copy-on-write bit");
    CHECK_EQUAL(1, parent->sharers, "the last owner's write has changed the frame's count");
}

// The parent stored when its hart could still have a stale entry that allowed it.
static void check_flushed(struct subject *s) {
    look_at(s, AT_ONCE);
    bool is_writable = s->now[PARENT].flags & PAGE_WRITE;
    CHECK(!is_writable || s->now[PARENT].frame != s->now[CHILD].frame, STILL_SHARED);
    CHECK(s->now[PARENT].frame != s->now[CHILD].frame,
          "the parent stored right after the fork without a page fault: its TLB still had a stale "
          "entry that allowed it. When W is cleared, the TLB must be flushed");
}

void check_page_step_by_step(void) {
    struct subject s;
    start_subject(&s);
    let_fork(&s);
    check_shared(&s, NEVER);
    check_shared(&s, TOLD);
    check_flushed(&s);
    look_at(&s, TOLD);
    let_write(&s, CHILD,
              "the child's write to a shared page killed it: does the page fault reach "
              "cow_break, and is the copy-on-write bit in the entry?",
              "the child's copy is not the page that was shared: frame_copy must copy the "
              "whole old frame to the new one");
    check_copied(&s);
    let_write(&s, PARENT,
              "the parent's write to a page that was shared killed it: does the page fault reach "
              "cow_break, and is the copy-on-write bit in the entry?",
              "the child's write is in the parent's page, or the last owner has lost its page");
    check_reused(&s);
    check_shared(&s, NEVER);
    close(s.stop[BOTH]);
    CHECK_CHILD(0);
}
