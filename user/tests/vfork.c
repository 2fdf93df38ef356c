// vfork: the child borrows its parent's memory; the parent, and nobody else, sleeps until the child
// executes a program or ends. A function that calls vfork must not return in the child. What both
// sides talk about is static or volatile, so that it lies in memory.
#define TEST_FAMILY "vfork"
#include "test.h"

#include "support.h"

// vfork that must work; it has to be called in the function that stays: 0 in the child.
#define TEST_VFORK() \
    ({ \
        pid_t pid_ = vfork(); \
        if (pid_ < 0) \
            FAIL("expected vfork to work, saw: %s", strerror(errno)); \
        pid_; \
    })

// The statement that follows runs in a child made by vfork, which then exits with status 0.
#define IN_VFORK_CHILD for (; TEST_VFORK() == 0; test_exit())

enum { HEAP_PAGES = 64, PATTERN = 0x5a, SPREAD = 8 * 512 };

static volatile int counter;
static volatile char untouched[8 * PAGE]
    __attribute__((aligned(PAGE))) = {1}; // each page takes a frame when written
static struct memstat before;
static char *heap;
static pid_t middle;

// Who ran, in order.
static char order[16];
static volatile size_t order_length;

static void note(char who) {
    order[order_length++] = who;
}

static void check_order(const char *expected) {
    CHECK_STRING(expected, order);
}

static enum process_state state_of(pid_t pid) {
    struct procinfo info;
    CHECK_EQUAL(pid, procinfo(pid, &info));
    return (enum process_state)info.state;
}

static pid_t parent_of(pid_t pid) {
    struct procinfo info;
    CHECK_EQUAL(pid, procinfo(pid, &info));
    return info.parent;
}

static char *heap_grow(int pages) {
    uintptr_t start = round_to_page(sbrk(0));
    CHECK(sbrk((int)(start - (uintptr_t)sbrk(0)) + pages * PAGE) != (char *)-1);
    return (char *)start;
}

static void check_heap(void) {
    CHECK_BYTES(heap, PATTERN, HEAP_PAGES * PAGE);
}

// A heap with a pattern, and what memory there is then.
static void set_up(void) {
    heap = heap_grow(HEAP_PAGES);
    memset(heap, PATTERN, HEAP_PAGES * PAGE);
    test_own_pages();
    before = test_memstat();
}

// Executes usertests under the name arguments[0] in a child made by vfork.
static struct helper vfork_start(char **arguments) {
    int to[2], from[2];
    CHECK_EQUAL(0, pipe(to));
    CHECK_EQUAL(0, pipe(from));
    pid_t pid = TEST_VFORK();
    if (pid == 0) {
        CHECK_EQUAL(0, close(0));
        CHECK_EQUAL(0, dup(to[0]));
        CHECK_EQUAL(0, close(1));
        CHECK_EQUAL(1, dup(from[1]));
        close(to[0]), close(to[1]), close(from[0]), close(from[1]);
        exec(USERTESTS, arguments);
        FAIL("expected exec to work, saw: %s", strerror(errno));
    }
    CHECK_EQUAL(0, close(to[0]));
    CHECK_EQUAL(0, close(from[1]));
    return (struct helper){.pid = pid, .to = to[1], .from = from[0]};
}

// The same with the helper that reads its text, up to where it waits.
static struct helper waiting_helper(void) {
    struct helper helper = vfork_start((char *[]){"+text_sum", NULL});
    char byte;
    read_fully(helper.from, &byte, 1);
    wait_until_waits(helper.pid, WAITS_FOR_PIPE);
    return helper;
}

static void end_waiting_helper(struct helper *helper) {
    uint64_t sum;
    write_fully(helper->to, "", 1);
    read_fully(helper->from, &sum, sizeof sum);
    helper_finish(helper, 0);
}

TEST(vfork_child_writes_into_the_parent) {
    volatile int local = 1;
    int *volatile word = (int *)heap_grow(1);
    counter = *word = 1;
    pid_t pid = TEST_VFORK();
    if (pid == 0) {
        CHECK_EQUAL(3, counter + local + *word);
        counter = 2;
        local = 3;
        *word = 4;
        exit(5);
    }
    CHECK_EQUAL(2, counter);
    CHECK_EQUAL(3, local);
    CHECK_EQUAL(4, *word);
    int status = 0;
    CHECK_EQUAL(pid, wait(&status));
    CHECK_EQUAL(5, status);
    CHECK_FAILS(wait(&status), ECHILD);
}

// Both have the same pages, unmarked, and nothing was taken or copied.
TEST(vfork_takes_no_frame) {
    set_up();
    IN_VFORK_CHILD {
        CHECK_EQUAL(before.frames_free, test_frames_free());
        CHECK_EQUAL(before.frames_used[FRAME_TABLE], table_frames());
        for (int i = 0; i < HEAP_PAGES; i++) {
            struct pageinfo own = test_page(heap + i * PAGE), theirs;
            CHECK_EQUAL(1, pagemap(parent_of(getpid()), (uintptr_t)heap + i * PAGE, &theirs, 1));
            CHECK_EQUAL(PAGE_PRESENT | PAGE_WRITE,
                        own.flags & (PAGE_PRESENT | PAGE_WRITE | PAGE_COW));
            CHECK_EQUAL(1, own.sharers);
            CHECK_FRAME(theirs.frame, own.frame);
        }
        memset(heap, PATTERN, HEAP_PAGES * PAGE);
        CHECK_EQUAL(before.frames_free, test_frames_free());
    }
    check_heap();
    struct memstat after = test_memstat();
    CHECK_EQUAL(before.frames_free, after.frames_free);
    CHECK_EQUAL(before.faults[FAULT_COW_COPY], after.faults[FAULT_COW_COPY]);
    CHECK_EQUAL(before.faults[FAULT_COW_REUSE], after.faults[FAULT_COW_REUSE]);
    CHECK_CHILD(0);
}

TEST(vfork_child_is_described_like_its_parent) {
    pid_t self = getpid();
    heap_grow(3);
    IN_VFORK_CHILD {
        struct procinfo mine, parents;
        CHECK_EQUAL(getpid(), procinfo(getpid(), &mine));
        CHECK_EQUAL(self, procinfo(self, &parents));
        CHECK(mine.pid != self);
        CHECK_EQUAL(self, mine.parent);
        CHECK_EQUAL(PROCESS_SLEEPING, parents.state);
        CHECK_EQUAL(parents.heap_end, mine.heap_end);
        CHECK_EQUAL(parents.pages_region, mine.pages_region);
        CHECK_EQUAL(parents.pages_resident, mine.pages_resident);
        CHECK_STRING(parents.name, mine.name);
    }
    CHECK_EQUAL(self, getpid());
    CHECK_CHILD(0);
}

TEST(invariants_hold_while_memory_is_borrowed) {
    set_up();
    uint64_t broken = test_memstat().violations;
    IN_VFORK_CHILD {
        struct memstat stat;
        CHECK_EQUAL(0, memstat(&stat, MEMSTAT_CHECK));
        CHECK_EQUAL(broken, stat.violations);
    }
    CHECK_CHILD(0);
}

TEST(parent_sleeps_until_exit) {
    pid_t self = getpid();
    IN_VFORK_CHILD {
        for (int i = 0; i < 3; i++) {
            note('c');
            sleep(1);
            CHECK_EQUAL(PROCESS_SLEEPING, state_of(self));
        }
    }
    note('p');
    check_order("cccp");
    CHECK_CHILD(0);
}

// A process that was there before answers the child while the parent sleeps.
TEST(only_the_parent_sleeps) {
    int to[2], from[2];
    CHECK_EQUAL(0, pipe(to));
    CHECK_EQUAL(0, pipe(from));
    IN_CHILD {
        char byte;
        close(to[1]);
        while (read(to[0], &byte, 1) == 1)
            write_fully(from[1], &byte, 1);
    }
    IN_VFORK_CHILD {
        for (char i = 0; i < 20; i++) {
            char byte = 0;
            write_fully(to[1], &i, 1);
            read_fully(from[0], &byte, 1);
            CHECK_EQUAL(i, byte);
        }
        note('c');
    }
    note('p');
    check_order("cp");
    CHECK_EQUAL(0, close(to[1]));
    CHECK_CHILDREN(2);
}

// From exec on, both run; what the child wrote before is the parent's, and the pages are its alone.
TEST(parent_goes_on_at_exec) {
    int to[2];
    set_up();
    CHECK_EQUAL(0, pipe(to));
    pid_t pid = TEST_VFORK();
    if (pid == 0) {
        counter = 7;
        close(0);
        dup(to[0]);
        close(to[1]);
        exec(USERTESTS, (char *[]){"+take", "1", NULL});
        FAIL("expected exec to work, saw: %s", strerror(errno));
    }
    CHECK(state_of(pid) != PROCESS_ZOMBIE);
    CHECK_EQUAL(7, counter);
    check_heap();
    for (int i = 0; i < HEAP_PAGES; i++) {
        struct pageinfo page = test_page(heap + i * PAGE);
        CHECK_EQUAL(PAGE_WRITE, page.flags & (PAGE_WRITE | PAGE_COW));
        CHECK_EQUAL(1, page.sharers);
    }
    write_fully(to[1], "", 1);
    CHECK_CHILD(0);
}

TEST(exec_after_vfork_gives_fresh_memory) {
    set_up();
    for (int i = 0; i < 3; i++) {
        struct helper helper = vfork_start((char *[]){"+empty", NULL});
        memset(heap, PATTERN, PAGE);
        helper_finish(&helper, 0);
        check_heap();
    }
    CHECK_EQUAL(before.frames_free, test_frames_free());
}

// What a program executed after vfork takes does not depend on its parent's memory.
TEST(vfork_and_exec_take_nothing_for_the_parents_memory) {
    uint64_t taken[2], tables[2];
    for (int large = 0; large < 2; large++) {
        if (large) {
            heap = heap_grow(SPREAD);
            for (int i = 0; i < SPREAD; i += 256)
                heap[i * PAGE] = PATTERN;
        }
        test_own_pages();
        before = test_memstat();
        struct helper helper = waiting_helper();
        struct memstat now = test_memstat();
        taken[large] = before.frames_free - now.frames_free;
        tables[large] = now.frames_used[FRAME_TABLE] - before.frames_used[FRAME_TABLE];
        CHECK_EQUAL(before.faults[FAULT_COW_REUSE], now.faults[FAULT_COW_REUSE]);
        end_waiting_helper(&helper);
        CHECK_EQUAL(before.frames_free, test_frames_free());
    }
    CHECK_EQUAL(tables[0], tables[1]);
    CHECK_EQUAL(taken[0], taken[1]);
    CHECK(tables[0] >= 3 && tables[0] <= 4);
}

// Each exec must fail; the child goes on in its parent's memory.
TEST(failed_exec_leaves_both_intact) {
    static char *too_many[ARGS_MAX + 1];
    for (int i = 0; i < ARGS_MAX; i++)
        too_many[i] = "x";
    file_make("text", "no program", 10);
    set_up();
    IN_VFORK_CHILD {
        CHECK_FAILS(exec("missing", (char *[]){"x", NULL}), ENOENT);
        CHECK_FAILS(exec("text", (char *[]){"x", NULL}), ENOEXEC);
        CHECK_FAILS(exec(".", (char *[]){"x", NULL}), EACCES);
        CHECK_FAILS(exec(USERTESTS, too_many), E2BIG);
        CHECK_FAILS(exec(USERTESTS, NULL), EFAULT);
        CHECK_FAILS(exec((char *)8, (char *[]){"x", NULL}), EFAULT);
        check_heap();
        CHECK_EQUAL(before.frames_free, test_frames_free());
        counter = 11;
        note('c');
        sleep(1);
    }
    note('p');
    check_order("cp");
    CHECK_EQUAL(11, counter);
    check_heap();
    CHECK_EQUAL(before.frames_free, test_frames_free());
    CHECK_CHILD(0);
}

// With everything promised away fork fails, vfork works, and exec in its child fails.
TEST(vfork_works_without_memory) {
    set_up();
    memory_promise_all();
    CHECK_FAILS(fork(), ENOMEM);
    IN_VFORK_CHILD {
        CHECK_FAILS(exec(USERTESTS, (char *[]){"+exit", "0", NULL}), ENOMEM);
        heap[0] = PATTERN + 1;
    }
    CHECK_EQUAL(PATTERN + 1, heap[0]);
    heap[0] = PATTERN;
    check_heap();
    CHECK_CHILD(0);
}

// Where exec has some frames but not enough, or just enough.
TEST(exec_after_vfork_with_little_memory) {
    for (int pages = 0; pages < 24; pages += 2) {
        IN_CHILD {
            set_up();
            memory_promise_all();
            sbrk(-pages * PAGE);
            counter = 0;
            pid_t pid = TEST_VFORK();
            if (pid == 0) {
                counter = 1;
                exec(USERTESTS, (char *[]){"+exit", "0", NULL});
                exit(errno == ENOMEM ? 0 : 1);
            }
            CHECK_EQUAL(1, counter);
            check_heap();
            int status;
            CHECK_EQUAL(pid, wait(&status));
            CHECK(status == 0 || status == TEST_STATUS_KILLED);
        }
        CHECK_CHILD(0);
    }
}

static void die_by_load(void) {
    touch((void *)8, TOUCH_LOAD);
}

static void die_by_store(void) {
    touch((void *)&die_by_load, TOUCH_STORE);
}

static void die_by_jump(void) {
    touch((void *)8, TOUCH_JUMP);
}

static void die_by_instruction(void) {
    __asm__ volatile(".4byte 0xffffffff");
}

static void die_by_itself(void) {
    kill(getpid());
}

// Ends the test unless a child that does that is killed, and its parent has what it wrote before.
static void check_death(void (*die)(void)) {
    counter = 1;
    pid_t pid = TEST_VFORK();
    if (pid == 0) {
        counter = 2;
        die();
        exit(0);
    }
    CHECK_EQUAL(2, counter);
    int status = 0;
    CHECK_EQUAL(pid, wait(&status));
    CHECK_EQUAL(TEST_STATUS_KILLED, status);
}

TEST(parent_outlives_the_childs_faults) {
    static void (*const deaths[])(void) = {die_by_load, die_by_store, die_by_jump,
                                           die_by_instruction, die_by_itself};
    set_up();
    for (size_t i = 0; i < ARRAY_SIZE(deaths); i++)
        check_death(deaths[i]);
    check_heap();
    CHECK_EQUAL(before.frames_free, test_frames_free());
}

static void die_without_memory(void) {
    for (size_t i = 0; i < sizeof untouched; i += PAGE)
        untouched[i] = 1;
}

TEST(parent_outlives_a_child_without_memory) {
    set_up();
    memory_promise_all();
    before = test_memstat();
    check_death(die_without_memory);
    CHECK_EQUAL(before.faults[FAULT_NO_MEMORY] + 1, test_memstat().faults[FAULT_NO_MEMORY]);
    check_heap();
    CHECK(sbrk(-8 * PAGE) != (char *)-1);
    die_without_memory(); // not now
}

static void loop(void) {
    for (;;)
        __asm__ volatile("");
}

static void sleep_long(void) {
    sleep(INT32_MAX);
}

static void read_pipe(void) {
    int fds[2];
    char byte;
    CHECK_EQUAL(0, pipe(fds));
    read(fds[0], &byte, 1);
}

static void wait_long(void) {
    int end[2];
    CHECK_EQUAL(0, pipe(end));
    IN_CHILD {
        char byte;
        close(end[1]);
        read(end[0], &byte, 1);
    }
    wait(NULL);
}

// Starts a process that kills the one whose pid it reads.
static int killer_start(void) {
    int fds[2];
    CHECK_EQUAL(0, pipe(fds));
    IN_CHILD {
        pid_t pid;
        close(fds[1]);
        read_fully(fds[0], &pid, sizeof pid);
        delay(200000);
        CHECK_EQUAL(0, kill(pid));
    }
    CHECK_EQUAL(0, close(fds[0]));
    return fds[1];
}

TEST(parent_outlives_the_killed_child) {
    static void (*const works[])(void) = {loop, sleep_long, read_pipe, wait_long};
    for (volatile size_t i = 0; i < ARRAY_SIZE(works); i++) {
        int killer = killer_start();
        counter = 1;
        pid_t pid = TEST_VFORK();
        if (pid == 0) {
            counter = 2;
            pid = getpid();
            write_fully(killer, &pid, sizeof pid);
            works[i]();
            exit(0);
        }
        CHECK_EQUAL(2, counter);
        CHECK_EQUAL(0, close(killer));
        int first = 5, second = 5;
        CHECK(wait(&first) > 0 && wait(&second) > 0);
        CHECK_EQUAL(0 + TEST_STATUS_KILLED, first + second);
    }
}

TEST(sbrk_in_the_child_moves_the_parents_break) {
    set_up();
    char *end = sbrk(0);
    IN_VFORK_CHILD {
        CHECK(sbrk(3 * PAGE) == end);
        memset(end, 6, 2 * PAGE);
    }
    CHECK_CHILD(0);
    CHECK(sbrk(0) == end + 3 * PAGE);
    CHECK_BYTES(end, 6, 2 * PAGE);
    CHECK_BYTES(end + 2 * PAGE, 0, PAGE);
    CHECK_EQUAL(before.frames_free - 3, test_frames_free());
    CHECK_EQUAL(before.frames_promised, test_memstat().frames_promised);
    IN_VFORK_CHILD CHECK(sbrk(-3 * PAGE) == end + 3 * PAGE);
    CHECK_CHILD(0);
    CHECK(sbrk(0) == end);
    CHECK_EQUAL(before.frames_free, test_frames_free());
    check_touch_kills(end, TOUCH_LOAD);
}

TEST(mappings_of_the_child_are_the_parents) {
    static char *volatile made;
    set_up();
    IN_VFORK_CHILD {
        made = map_pages(2, PROT_READ | PROT_WRITE, MAP_PRIVATE);
        memset(made, 8, 2 * PAGE);
        CHECK_EQUAL(0, munmap(heap, PAGE));
    }
    CHECK_CHILD(0);
    CHECK_BYTES(made, 8, 2 * PAGE);
    check_touch_kills(heap, TOUCH_LOAD);
    CHECK_BYTES(heap + PAGE, PATTERN, (HEAP_PAGES - 1) * PAGE);
    unmap_pages(made, 2);
    CHECK_EQUAL(before.frames_free + 1, test_frames_free());
}

static __attribute__((noinline)) int descend(int left) {
    volatile char room[200];
    room[left % (int)sizeof room] = 1;
    return left == 0 ? room[0] : descend(left - 1) + room[left % (int)sizeof room];
}

TEST(child_may_use_the_stack_below) {
    volatile int local = 12345;
    IN_VFORK_CHILD CHECK(descend(150) > 0);
    CHECK_EQUAL(12345, local);
    CHECK_CHILD(0);
}

// What the child does to its registers is its own affair.
TEST(registers_are_each_ones_own) {
    long result, sum;
    __asm__ volatile(
        "li s2, 2\n li s3, 3\n li s4, 4\n li s5, 5\n li s6, 6\n li s7, 7\n li s8, 8\n li t3, 9\n"
        "li a7, 22\n ecall\n bnez a0, 1f\n"
        "li s2, 99\n mv s3, s2\n mv s4, s2\n mv s5, s2\n mv s6, s2\n mv s7, s2\n mv s8, s2\n mv "
        "t3, s2\n"
        "li a0, 7\n li a7, 2\n ecall\n"
        "1: mv %0, a0\n add s2, s2, s3\n add s2, s2, s4\n add s2, s2, s5\n add s2, s2, s6\n"
        "add s2, s2, s7\n add s2, s2, s8\n add %1, s2, t3\n"
        : "=&r"(result), "=&r"(sum)
        :
        : "memory", "a0", "a1", "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "t3");
    CHECK(result > 0);
    CHECK_EQUAL(44, sum);
    CHECK_CHILD(7);
}

TEST(nested_vfork) {
    set_up();
    IN_VFORK_CHILD {
        IN_VFORK_CHILD {
            CHECK_EQUAL(PROCESS_SLEEPING, state_of(parent_of(getpid())));
            CHECK_EQUAL(PROCESS_SLEEPING, state_of(parent_of(parent_of(getpid()))));
            sleep(1);
            note('c');
            counter = 3;
        }
        CHECK_EQUAL(3, counter);
        sleep(1);
        note('b');
        CHECK_CHILD(0);
        counter = 4;
    }
    note('a');
    check_order("cba");
    CHECK_EQUAL(4, counter);
    check_heap();
    CHECK_CHILD(0);
    CHECK_EQUAL(before.frames_free, test_frames_free());
}

// The inner child executes a program: the middle one goes on, the outer one still sleeps.
TEST(nested_vfork_with_exec) {
    set_up();
    IN_VFORK_CHILD {
        struct helper helper = waiting_helper();
        sleep(1);
        note('b');
        end_waiting_helper(&helper);
        struct helper again = vfork_start((char *[]){"+exit", "4", NULL});
        note('b');
        helper_finish(&again, 4);
        exec(USERTESTS, (char *[]){"+exit", "5", NULL});
        FAIL("expected exec to work, saw: %s", strerror(errno));
    }
    note('a');
    check_order("bba");
    check_heap();
    CHECK_CHILD(5);
    CHECK_EQUAL(before.frames_free, test_frames_free());
}

TEST(deeply_nested_vfork) {
    static volatile int depth;
    while (depth < 20 && TEST_VFORK() == 0)
        depth++;
    // Each process comes here when the one below it has ended.
    if (counter < 20) {
        CHECK_EQUAL(20, depth);
        counter++;
        if (counter > 1)
            CHECK_CHILD(0);
        exit(0);
    }
    CHECK_CHILD(0);
}

// The middle one of three is killed while it waits for the innermost: the outermost may not go on
// while somebody else runs in its memory.
TEST(killed_in_the_middle) {
    set_up();
    IN_VFORK_CHILD {
        middle = getpid();
        IN_VFORK_CHILD {
            CHECK_EQUAL(0, kill(middle));
            for (int i = 0; i < 3; i++) {
                memset(heap, i, HEAP_PAGES * PAGE);
                sleep(1);
                CHECK_BYTES(heap, i, HEAP_PAGES * PAGE);
            }
            note('c');
        }
        note('b');
    }
    note('a');
    check_order("ca");
    memset(heap, PATTERN, HEAP_PAGES * PAGE);
    CHECK_CHILD(TEST_STATUS_KILLED);
    check_heap();
}

// The same, but the innermost one leaves by exec.
TEST(killed_in_the_middle_before_exec) {
    set_up();
    IN_VFORK_CHILD {
        middle = getpid();
        IN_VFORK_CHILD {
            CHECK_EQUAL(0, kill(middle));
            sleep(2);
            note('c');
            exec(USERTESTS, (char *[]){"+exit", "0", NULL});
        }
        note('b');
    }
    note('a');
    check_order("ca");
    CHECK_CHILD(TEST_STATUS_KILLED);
    check_heap();
}

TEST(fork_in_a_vfork_child_copies) {
    set_up();
    counter = 1;
    IN_VFORK_CHILD {
        IN_CHILD {
            CHECK_EQUAL(1, counter);
            counter = 50;
            memset(heap, 50, HEAP_PAGES * PAGE);
        }
        CHECK_CHILD(0);
        CHECK_EQUAL(1, counter);
        check_heap();
        counter = 2;
        heap[0] = 2;
    }
    CHECK_EQUAL(2, counter);
    CHECK_EQUAL(2, heap[0]);
    CHECK_BYTES(heap + 1, PATTERN, HEAP_PAGES * PAGE - 1);
    heap[0] = PATTERN;
    CHECK_CHILD(0);
    test_own_pages();
    CHECK_EQUAL(before.frames_free, test_frames_free());
}

// The copy outlives the child that was forked from, and has its memory for itself.
TEST(fork_in_a_vfork_child_outlives_it) {
    int go[2], result[2];
    char byte = 0;
    CHECK_EQUAL(0, pipe(go));
    CHECK_EQUAL(0, pipe(result));
    set_up();
    IN_VFORK_CHILD {
        IN_CHILD {
            close(go[1]);
            CHECK_EQUAL(0, read(go[0], &byte, 1));
            check_heap();
            write_fully(result[1], "y", 1);
        }
    }
    CHECK_CHILD(0);
    memset(heap, 1, HEAP_PAGES * PAGE);
    close(go[1]);
    read_fully(result[0], &byte, 1);
    CHECK_EQUAL('y', byte);
    CHECK_BYTES(heap, 1, HEAP_PAGES * PAGE);
}

TEST(fork_after_vfork_copies) {
    set_up();
    for (int round = 0; round < 3; round++) {
        IN_VFORK_CHILD counter = round;
        IN_CHILD {
            CHECK_EQUAL(round, counter);
            counter = 99;
            memset(heap, 99, HEAP_PAGES * PAGE);
        }
        CHECK_CHILDREN(2);
        CHECK_EQUAL(round, counter);
        check_heap();
    }
    memset(heap, PATTERN, HEAP_PAGES * PAGE);
    test_own_pages();
    CHECK_EQUAL(before.frames_free, test_frames_free());
}

TEST(vfork_in_a_forked_child) {
    set_up();
    IN_CHILD {
        counter = 1;
        IN_VFORK_CHILD {
            counter = 2;
            heap[0] = 2;
        }
        CHECK_EQUAL(2, counter);
        CHECK_EQUAL(2, heap[0]);
        CHECK_CHILD(0);
    }
    CHECK_CHILD(0);
    CHECK_EQUAL(0, counter);
    check_heap();
}

// A parent that is killed while it waits dies when the child has left its memory, which ends with
// it.
TEST(killed_parent_waits_for_the_child) {
    int report[2], go[2];
    char byte = 0;
    CHECK_EQUAL(0, pipe(report));
    CHECK_EQUAL(0, pipe(go));
    for (int executes = 0; executes < 2; executes++) {
        volatile pid_t parent = TEST_FORK();
        if (parent == 0) {
            set_up();
            IN_VFORK_CHILD {
                write_fully(report[1], "1", 1);
                read_fully(go[0], &byte, 1);
                sleep(1);
                check_heap();
                memset(heap, 4, HEAP_PAGES * PAGE);
                IN_CHILD CHECK_BYTES(heap, 4, HEAP_PAGES * PAGE);
                CHECK_CHILD(0);
                CHECK_EQUAL(PROCESS_SLEEPING, state_of(parent_of(getpid())));
                write_fully(report[1], "2", 1);
                if (executes)
                    exec(USERTESTS, (char *[]){"+exit", "0", NULL});
            }
            FAIL("expected the parent to be killed, saw it go on");
        }
        read_fully(report[0], &byte, 1);
        CHECK_EQUAL(0, kill(parent));
        write_fully(go[1], "", 1);
        read_fully(report[0], &byte, 1);
        CHECK_EQUAL('2', byte);
        CHECK_CHILD(TEST_STATUS_KILLED);
    }
}

static void vfork_rounds(int rounds) {
    for (volatile int i = 0; i < rounds; i++) {
        counter = -1;
        pid_t pid = TEST_VFORK();
        if (pid == 0) {
            counter = i;
            if (i % 4 != 0)
                exit(i);
            exec(USERTESTS, (char *[]){"+exit", "3", NULL});
            exit(1);
        }
        CHECK_EQUAL(i, counter);
        int status;
        CHECK_EQUAL(pid, wait(&status));
        CHECK_EQUAL(i % 4 != 0 ? i : 3, status);
    }
}

// As Ctrl-C does: both are killed, one soon after the other.
TEST(parent_and_child_are_killed) {
    int report[2];
    uint32_t seed = 13;
    CHECK_EQUAL(0, pipe(report));
    for (int round = 0; round < 24; round++) {
        pid_t child;
        volatile pid_t parent = TEST_FORK();
        if (parent == 0) {
            pid_t pid = TEST_VFORK();
            if (pid == 0) {
                pid = getpid();
                write_fully(report[1], &pid, sizeof pid);
                if (round % 3 == 0)
                    loop();
                if (round % 3 == 1)
                    sleep_long();
                for (;;)
                    vfork_rounds(5);
            }
            sleep_long();
        }
        read_fully(report[0], &child, sizeof child);
        delay(random_next(&seed) % 200000);
        CHECK_EQUAL(0, kill(round % 2 == 0 ? child : parent));
        delay(random_next(&seed) % 20000);
        kill(round % 2 == 0 ? parent : child);
        CHECK_CHILD(TEST_STATUS_KILLED);
    }
}

TEST(killed_at_any_moment) {
    uint32_t seed = 29;
    for (int round = 0; round < 40; round++) {
        pid_t pid = TEST_FORK();
        while (pid == 0)
            vfork_rounds(5);
        delay(random_next(&seed) % 300000);
        CHECK_EQUAL(0, kill(pid));
        CHECK_CHILD(TEST_STATUS_KILLED);
    }
}

TEST(many_vfork_at_once) {
    enum { PROCESSES = 12 };
    set_up();
    for (int i = 0; i < PROCESSES; i++)
        IN_CHILD vfork_rounds(40);
    CHECK_CHILDREN(PROCESSES);
}

TEST(files_and_directory_are_each_ones_own) {
    file_make_pattern("file", 100);
    CHECK_EQUAL(0, mkdir("directory"));
    int fd = open("file", O_RDONLY), lowest = lowest_free_fd();
    static char bytes[30];
    IN_VFORK_CHILD {
        read_fully(fd, bytes, 10); // the offset is one
        CHECK_EQUAL(0, chdir("directory"));
        file_make_empty("inside");
        CHECK_EQUAL(lowest, open("inside", O_RDONLY));
        for (int i = 0; i < TEST_FD; i++)
            close(i);
    }
    read_fully(fd, bytes + 10, 10);
    pattern_check(bytes, 0, 20);
    CHECK_EQUAL(lowest, lowest_free_fd());
    CHECK(file_exists("directory/inside") && !file_exists("inside"));
    CHECK_CHILD(0);
}

TEST(vfork_needs_a_free_process) {
    volatile int children = 0;
    int end[2];
    pid_t pid = 0;
    CHECK_EQUAL(0, pipe(end));
    set_up();
    for (; (pid = fork()) > 0; children++)
        ;
    if (pid == 0) {
        char byte;
        close(end[1]);
        exit(read(end[0], &byte, 1));
    }
    if (errno == EAGAIN) {
        CHECK_FAILS(vfork(), EAGAIN);
        CHECK_FAILS(vfork(), EAGAIN);
    }
    check_heap();
    CHECK_EQUAL(0, close(end[1]));
    CHECK_CHILDREN(children);
    IN_VFORK_CHILD {}
    CHECK_CHILD(0);
}

TEST(status_of_vfork_children_reaches_wait) {
    static const int statuses[] = {0, 1, 77, 255, 256, -1, INT32_MAX, INT32_MIN};
    int end[2];
    CHECK_EQUAL(0, pipe(end));
    pid_t other = TEST_FORK();
    if (other == 0) {
        char byte;
        close(end[1]);
        exit(read(end[0], &byte, 1));
    }
    for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
        pid_t pid = TEST_VFORK();
        if (pid == 0) {
            CHECK_FAILS(wait(NULL), ECHILD); // the parent's children are not its own
            exit(statuses[i]);
        }
        int status = 5;
        CHECK(pid != other);
        CHECK_EQUAL(pid, wait(&status));
        CHECK_EQUAL(statuses[i], status);
    }
    CHECK_EQUAL(0, close(end[1]));
    CHECK_CHILD(0);
}

TEST(vfork_children_need_not_be_waited_for) {
    for (int round = 0; round < 5; round++) {
        IN_CHILD {
            for (int i = 0; i < 10; i++)
                IN_VFORK_CHILD {}
        }
        CHECK_CHILD(0);
    }
}

TEST(vfork_many_times_leaks_nothing) {
    set_up();
    vfork_rounds(200);
    test_own_pages();
    CHECK_EQUAL(before.frames_free, test_frames_free());
    CHECK_EQUAL(before.frames_promised, test_memstat().frames_promised);
}
