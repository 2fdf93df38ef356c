// Death while memory is borrowed: the child's, the parent's, and that of the middle one of three.
// No process may run in memory that another one still uses.
#define TEST_FAMILY "vfork"
#include "test.h"

#include "forever.h"
#include "vfork.h"

static volatile char untouched[8 * PAGE_BYTES]
    __attribute__((aligned(PAGE_BYTES))) = {1}; // each page takes a frame when it is written
static pid_t middle;

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

// Ends the test unless a vfork child is killed when it does this, and its parent sees what it wrote
// before.
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
    vfork_set_up();
    for (size_t i = 0; i < ARRAY_SIZE(deaths); i++)
        check_death(deaths[i]);
    check_heap();
    CHECK_EQUAL(before.frames_free, test_frames_free());
}

static void die_without_memory(void) {
    for (size_t i = 0; i < sizeof untouched; i += PAGE_BYTES)
        untouched[i] = 1;
}

TEST(parent_outlives_a_child_without_memory) {
    vfork_set_up();
    memory_reserve_all();
    before = test_memstat();
    check_death(die_without_memory);
    CHECK_EQUAL(before.faults[FAULT_NO_MEMORY] + 1, test_memstat().faults[FAULT_NO_MEMORY]);
    check_heap();
    CHECK(sbrk(-8 * PAGE_BYTES) != (char *)-1);
    die_without_memory(); // now there is memory
}

// Starts a process that kills the one whose pid it reads. Returns the fd to write that to.
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
    static void (*const works[])(void) = {run_forever, sleep_forever, read_pipe_forever,
                                          wait_forever};
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

// The middle one of three is killed while it waits for the innermost: the outermost may not resume
// while the innermost still runs in its memory.
TEST(middle_of_three_is_killed) {
    vfork_set_up();
    IN_VFORK_CHILD {
        middle = getpid();
        IN_VFORK_CHILD {
            CHECK_EQUAL(0, kill(middle));
            for (int i = 0; i < 3; i++) {
                memset(heap, i, HEAP_PAGES * PAGE_BYTES);
                sleep(1);
                CHECK_BYTES(heap, i, HEAP_PAGES * PAGE_BYTES);
            }
            note('c');
        }
        note('b');
    }
    note('a');
    check_order("ca");
    memset(heap, PATTERN, HEAP_PAGES * PAGE_BYTES);
    CHECK_CHILD(TEST_STATUS_KILLED);
    check_heap();
}

// As in the test before, but the innermost one leaves by exec.
TEST(middle_is_killed_before_exec) {
    vfork_set_up();
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

// A parent that is killed while it waits dies when the child has left its memory, which is freed
// then.
TEST(killed_parent_waits_for_the_child) {
    int report[2], go[2];
    char byte = 0;
    CHECK_EQUAL(0, pipe(report));
    CHECK_EQUAL(0, pipe(go));
    for (int executes = 0; executes < 2; executes++) {
        volatile pid_t parent = TEST_FORK();
        if (parent == 0) {
            vfork_set_up();
            IN_VFORK_CHILD {
                write_fully(report[1], "1", 1);
                read_fully(go[0], &byte, 1);
                sleep(1);
                check_heap();
                memset(heap, 4, HEAP_PAGES * PAGE_BYTES);
                IN_CHILD CHECK_BYTES(heap, 4, HEAP_PAGES * PAGE_BYTES);
                CHECK_CHILD(0);
                CHECK_EQUAL(PROCESS_SLEEPING, state_of(parent_of(getpid())));
                write_fully(report[1], "2", 1);
                if (executes)
                    exec(USERTESTS, (char *[]){"+exit", "0", NULL});
            }
            FAIL("expected the parent to be killed, saw it continue");
        }
        read_fully(report[0], &byte, 1);
        CHECK_EQUAL(0, kill(parent));
        write_fully(go[1], "", 1);
        read_fully(report[0], &byte, 1);
        CHECK_EQUAL('2', byte);
        CHECK_CHILD(TEST_STATUS_KILLED);
    }
}

// As with Ctrl-C: both are killed, one soon after the other.
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
                    run_forever();
                if (round % 3 == 1)
                    sleep_forever();
                for (;;)
                    vfork_rounds(5);
            }
            sleep_forever();
        }
        read_fully(report[0], &child, sizeof child);
        delay(random_next(&seed) % 200000);
        CHECK_EQUAL(0, kill(round % 2 == 0 ? child : parent));
        delay(random_next(&seed) % 20000);
        kill(round % 2 == 0 ? parent : child);
        CHECK_CHILD(TEST_STATUS_KILLED);
    }
}

TEST(vfork_killed_at_any_moment) {
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
