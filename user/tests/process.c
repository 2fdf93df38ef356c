// Processes: fork, exit, wait, kill, sleep, preemption, orphans, and the ways to die.
#define TEST_FAMILY "process"
#include "test.h"

#include "support.h"

TEST(exit_status_reaches_wait) {
    static const int odd[] = {-1, -2, -128, 256, 747, 65536, INT32_MAX, INT32_MIN};
    for (int i = 0; i < 256 + (int)ARRAY_SIZE(odd); i++) {
        int expected = i < 256 ? i : odd[i - 256];
        pid_t pid = TEST_FORK();
        if (pid == 0)
            exit(expected);
        int status = 12345;
        CHECK_EQUAL(pid, wait(&status));
        CHECK_EQUAL(expected, status);
    }
}

TEST(wait_works_without_status) {
    pid_t pid = TEST_FORK();
    if (pid == 0)
        exit(5);
    CHECK_EQUAL(pid, wait(NULL));
}

TEST(wait_without_children_fails) {
    int status = 77;
    CHECK_FAILS(wait(&status), ECHILD);
    CHECK_FAILS(wait(NULL), ECHILD);
    CHECK_EQUAL(77, status);
}

TEST(wait_with_bad_pointer_keeps_the_child) {
    pid_t pid = TEST_FORK();
    if (pid == 0)
        exit(5);
    for (size_t i = 0; i < BAD_ADDRESS_COUNT; i++)
        CHECK_FAILS(wait((int *)bad_addresses[i]), EFAULT);
    CHECK_FAILS(wait((int *)&text_sum), EFAULT);
    CHECK_FAILS(wait((int *)sbrk(0)), EFAULT);
    int status = 0;
    CHECK_EQUAL(pid, wait(&status));
    CHECK_EQUAL(5, status);
}

TEST(wait_stores_at_any_alignment) {
    static char bytes[3 * PAGE];
    char *page = (char *)round_to_page(bytes + 64);
    for (int i = -5; i < 5; i++) {
        memset(bytes, 0x55, sizeof bytes);
        pid_t pid = TEST_FORK();
        if (pid == 0)
            exit(0x01020304);
        CHECK_EQUAL(pid, wait((int *)(page + i)));
        CHECK(memcmp(page + i, "\4\3\2\1", 4) == 0);
        CHECK_EQUAL(0x55, page[i - 1]);
        CHECK_EQUAL(0x55, page[i + 4]);
    }
}

TEST(wait_takes_children_in_the_order_they_end) {
    enum { CHILDREN = 5 };
    int end[CHILDREN][2];
    pid_t pids[CHILDREN];
    for (int i = 0; i < CHILDREN; i++) {
        CHECK_EQUAL(0, pipe(end[i]));
        pids[i] = TEST_FORK();
        if (pids[i] == 0) {
            char byte;
            read_fully(end[i][0], &byte, 1);
            exit(i);
        }
    }
    for (int i = CHILDREN - 1; i >= 0; i--) {
        int status;
        write_fully(end[i][1], "", 1);
        CHECK_EQUAL(pids[i], wait(&status));
        CHECK_EQUAL(i, status);
    }
}

TEST(wait_finds_each_child_once) {
    enum { CHILDREN = 40 };
    pid_t pids[CHILDREN];
    for (int i = 0; i < CHILDREN; i++) {
        pids[i] = TEST_FORK();
        if (pids[i] == 0)
            exit(100 + i);
    }
    for (int waited = 0; waited < CHILDREN; waited++) {
        int status, i = 0;
        pid_t pid = wait(&status);
        while (i < CHILDREN && pids[i] != pid)
            i++;
        CHECK(i < CHILDREN);
        CHECK_EQUAL(100 + i, status);
        pids[i] = 0;
    }
    CHECK_FAILS(wait(NULL), ECHILD);
}

TEST(wait_does_not_find_grandchildren) {
    int end[2];
    CHECK_EQUAL(0, pipe(end));
    pid_t pid = TEST_FORK();
    if (pid == 0) {
        IN_CHILD {
            close(end[1]);
            char byte;
            read(end[0], &byte, 1);
        }
        exit(3);
    }
    int status;
    CHECK_EQUAL(pid, wait(&status));
    CHECK_EQUAL(3, status);
    CHECK_FAILS(wait(NULL), ECHILD);
}

TEST(fork_gives_unique_pids) {
    enum { CHILDREN = 50 };
    pid_t pids[CHILDREN];
    int end[2], report[2];
    CHECK_EQUAL(0, pipe(end));
    CHECK_EQUAL(0, pipe(report));
    for (int i = 0; i < CHILDREN; i++) {
        pids[i] = TEST_FORK();
        if (pids[i] == 0) {
            close(end[1]);
            pid_t self = getpid();
            write_fully(report[1], &self, sizeof self);
            char byte;
            exit(read(end[0], &byte, 1));
        }
        pid_t seen;
        read_fully(report[0], &seen, sizeof seen);
        CHECK_EQUAL(pids[i], seen);
        CHECK(seen > 1 && seen != getpid());
        for (int k = 0; k < i; k++)
            CHECK(pids[k] != seen);
    }
    CHECK_EQUAL(0, close(end[1]));
    CHECK_CHILDREN(CHILDREN);
}

TEST(two_children_may_end_at_once) {
    for (int round = 0; round < 100; round++) {
        IN_CHILD {}
        IN_CHILD {}
        CHECK_CHILDREN(2);
    }
}

TEST(children_may_fork_too) {
    for (int i = 0; i < 4; i++) {
        IN_CHILD {
            for (int k = 0; k < 40; k++) {
                IN_CHILD {}
                CHECK_CHILD(0);
            }
        }
    }
    CHECK_CHILDREN(4);
}

TEST(deep_line_of_descendants) {
    int depth = 0;
    while (depth < 40 && TEST_FORK() == 0)
        depth++;
    if (depth < 40)
        CHECK_CHILD(0);
    if (depth > 0)
        exit(0);
}

TEST(orphans_get_process_one_as_parent) {
    int report[2];
    CHECK_EQUAL(0, pipe(report));
    IN_CHILD {
        IN_CHILD {
            struct procinfo info = {0};
            for (; info.parent != 1; sleep(1))
                CHECK_EQUAL(getpid(), procinfo(getpid(), &info));
            write_fully(report[1], &info.parent, sizeof info.parent);
        }
    }
    CHECK_CHILD(0);
    int parent;
    read_fully(report[0], &parent, sizeof parent);
    CHECK_EQUAL(1, parent);
}

TEST(orphaned_zombies_are_freed) {
    for (int round = 0; round < 10; round++) {
        IN_CHILD {
            for (int i = 0; i < 10; i++)
                IN_CHILD {}
        }
        CHECK_CHILD(0);
    }
}

TEST(parents_and_children_may_end_at_once) {
    uint32_t seed = 11;
    for (int round = 0; round < 100; round++) {
        unsigned parent_delay = random_next(&seed) % 4096, child_delay = random_next(&seed) % 4096;
        IN_CHILD {
            IN_CHILD {
                IN_CHILD {}
                delay(child_delay);
            }
            IN_CHILD {}
            delay(parent_delay);
        }
        CHECK_CHILD(0);
    }
}

TEST(process_table_full) {
    int end[2];
    pid_t pid = 0;
    CHECK_EQUAL(0, pipe(end));
    int children = 0;
    for (; (pid = fork()) > 0; children++)
        ;
    if (pid == 0) {
        close(end[1]);
        char byte;
        exit(read(end[0], &byte, 1));
    }
    CHECK(errno == EAGAIN || (errno == ENOMEM && test_frames_free() < 64));
    CHECK(children > 60 && children < PROCS_MAX);
    CHECK_EQUAL(-1, fork());
    CHECK_EQUAL(0, close(end[1]));
    CHECK_CHILDREN(children);
    for (int i = 0; i < 10; i++)
        IN_CHILD {}
    CHECK_CHILDREN(10);
}

// Everybody forks until the table is full; whoever notices makes the file that stops all.
TEST_SLOW(fork_bomb_ends) {
    IN_CHILD {
        while (!file_exists("stop")) {
            if (fork() < 0)
                file_make_empty("stop");
        }
    }
    CHECK_CHILD(0);
    while (test_orphan_lives())
        sleep(1);
    IN_CHILD {}
    CHECK_CHILD(0);
}

static void run_forever(void) {
    for (;;)
        __asm__ volatile("");
}

static void sleep_forever(void) {
    sleep(INT32_MAX);
}

static void wait_forever(void) {
    int end[2];
    CHECK_EQUAL(0, pipe(end));
    IN_CHILD {
        close(end[1]);
        char byte;
        read(end[0], &byte, 1);
    }
    wait(NULL);
}

static void read_pipe_forever(void) {
    int fds[2];
    char byte;
    CHECK_EQUAL(0, pipe(fds));
    read(fds[0], &byte, 1);
}

static void write_pipe_forever(void) {
    static const char bytes[PAGE];
    int fds[2];
    CHECK_EQUAL(0, pipe(fds));
    for (;;)
        write(fds[1], bytes, sizeof bytes);
}

static void read_console_forever(void) {
    CHECK_EQUAL(0, mknod("console", DEVICE_CONSOLE, 0));
    int fd = open("console", O_RDONLY);
    char byte;
    for (;;)
        read(fd, &byte, 1);
}

enum { NO_WAIT = -1 };

// Ends the test unless a process that does that can be killed at it, once it waits for what it
// shall wait for.
static void check_kill(void (*work)(void), int wait_kind) {
    int started[2];
    CHECK_EQUAL(0, pipe(started));
    pid_t pid = TEST_FORK();
    if (pid == 0) {
        write_fully(started[1], "", 1);
        work();
        exit(0);
    }
    char byte;
    read_fully(started[0], &byte, 1);
    if (wait_kind != NO_WAIT)
        wait_until_waits(pid, (enum process_wait)wait_kind);
    CHECK_EQUAL(0, kill(pid));
    int status = 0;
    CHECK_EQUAL(pid, wait(&status));
    CHECK_EQUAL(TEST_STATUS_KILLED, status);
    CHECK_EQUAL(0, close(started[0]));
    CHECK_EQUAL(0, close(started[1]));
}

TEST(kill_ends_a_loop) {
    check_kill(run_forever, NO_WAIT);
}

TEST(kill_ends_sleep) {
    check_kill(sleep_forever, WAITS_FOR_TIME);
}

TEST(kill_ends_wait) {
    check_kill(wait_forever, WAITS_FOR_CHILD);
}

TEST(kill_ends_reading_a_pipe) {
    check_kill(read_pipe_forever, WAITS_FOR_PIPE);
}

TEST(kill_ends_writing_a_pipe) {
    check_kill(write_pipe_forever, WAITS_FOR_PIPE);
}

TEST(kill_ends_reading_the_console) {
    check_kill(read_console_forever, WAITS_FOR_KEYS);
}

static void getkey_forever(void) {
    for (;;)
        getkey(-1);
}

TEST(kill_ends_waiting_for_a_key) {
    check_kill(getkey_forever, WAITS_FOR_KEYS);
}

// A reader whose parent ends while it waits is in the background then: it gets no key, and does not
// wait on.
TEST(background_begins_while_a_reader_waits) {
    int said[2];
    CHECK_EQUAL(0, pipe(said));
    IN_CHILD {
        pid_t reader = TEST_FORK();
        if (reader == 0) {
            char byte;
            CHECK_EQUAL(0, mknod("console", DEVICE_CONSOLE, 0));
            int error = read(open("console", O_RDONLY), &byte, 1) < 0 ? errno : 0;
            write_fully(said[1], &error, sizeof error);
            exit(0);
        }
        wait_until_waits(reader, WAITS_FOR_KEYS);
    }
    CHECK_CHILD(0);
    int error = 0;
    read_fully(said[0], &error, sizeof error);
    CHECK_EQUAL(EIO, error);
}

// Nobody can, not even itself if it runs the tests.
TEST(kill_spares_the_first_process) {
    CHECK_FAILS(kill(1), EPERM);
    struct procinfo info;
    CHECK_EQUAL(1, procinfo(1, &info));
}

TEST(kill_itself) {
    pid_t pid = TEST_FORK();
    if (pid == 0) {
        kill(getpid());
        FAIL("expected kill of the process itself not to return, saw it return");
    }
    CHECK_CHILD(TEST_STATUS_KILLED);
}

TEST(kill_keeps_the_status_of_what_ended) {
    pid_t pid = TEST_FORK();
    if (pid == 0)
        exit(9);
    wait_until_state(pid, PROCESS_ZOMBIE);
    CHECK_EQUAL(0, kill(pid));
    CHECK_CHILD(9);
    CHECK_FAILS(kill(pid), ESRCH);
}

TEST(kill_bad_pids) {
    static const int bad[] = {0, -1, -2, INT32_MIN, INT32_MAX};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        CHECK_FAILS(kill(bad[i]), ESRCH);
    CHECK_FAILS(kill(-getpid()), ESRCH);
}

TEST(kill_twice) {
    pid_t pid = TEST_FORK();
    if (pid == 0)
        run_forever();
    CHECK_EQUAL(0, kill(pid));
    kill(pid);
    CHECK_CHILD(TEST_STATUS_KILLED);
}

TEST(kill_many_at_once) {
    static void (*const works[])(void) = {run_forever, sleep_forever, wait_forever,
                                          read_pipe_forever, write_pipe_forever};
    enum { CHILDREN = 20 };
    pid_t pids[CHILDREN];
    for (int i = 0; i < CHILDREN; i++) {
        pids[i] = TEST_FORK();
        if (pids[i] == 0)
            works[i % ARRAY_SIZE(works)]();
    }
    for (int i = CHILDREN - 1; i >= 0; i--)
        CHECK_EQUAL(0, kill(pids[i]));
    for (int i = 0; i < CHILDREN; i++)
        CHECK_CHILD(TEST_STATUS_KILLED);
}

// A round of everything that sleeps, allocates or frees in the kernel.
static void work_in_the_kernel(void) {
    static char bytes[3 * PAGE];
    int fds[2];
    pid_t pid = fork();
    if (pid == 0)
        exit(0);
    int fd = open("work", O_CREATE | O_RDWR);
    write(fd, bytes, sizeof bytes);
    if (pipe(fds) == 0) {
        write(fds[1], bytes, 100);
        read(fds[0], bytes, 100);
        close(fds[0]);
        close(fds[1]);
    }
    char *heap = sbrk(3 * PAGE);
    if (heap != (char *)-1)
        memset(heap, 1, 3 * PAGE);
    sbrk(-3 * PAGE);
    unlink("work");
    close(fd);
    exec("missing", (char *[]){"missing", NULL});
    if (pid > 0)
        wait(NULL);
}

TEST(kill_at_any_moment) {
    uint32_t seed = 23;
    for (int round = 0; round < 60; round++) {
        pid_t pid = TEST_FORK();
        while (pid == 0)
            work_in_the_kernel();
        delay(random_next(&seed) % 300000);
        CHECK_EQUAL(0, kill(pid));
        CHECK_CHILD(TEST_STATUS_KILLED);
    }
}

TEST(kill_in_exec) {
    uint32_t seed = 37;
    for (int round = 0; round < 30; round++) {
        pid_t pid = TEST_FORK();
        if (pid == 0)
            exec(USERTESTS, (char *[]){"+again", "1000", NULL});
        delay(random_next(&seed) % 200000);
        CHECK_EQUAL(0, kill(pid));
        CHECK_CHILD(TEST_STATUS_KILLED);
    }
}

static void fork_forever(int told) {
    char *heap = sbrk(64 * PAGE); // so that fork takes its time
    if (heap != (char *)-1)
        memset(heap, 1, 64 * PAGE);
    for (;;) {
        if (fork() == 0)
            exit(0);
        write(told, "f", 1);
        wait(NULL);
    }
}

// Otherwise a child could escape when a whole job is killed. On two harts most kills come in the
// middle of a fork.
TEST(killed_processes_fork_no_more) {
    char bytes[8];
    int fds[2];
    CHECK(pipe(fds) == 0);
    for (int i = 0; i < 100; i++) {
        pid_t child = TEST_FORK();
        if (child == 0)
            fork_forever(fds[1]);
        CHECK(read(fds[0], bytes, 1 + i % sizeof bytes) > 0);
        CHECK(kill(child) == 0);
        uint64_t before = test_memstat().forks;
        CHECK_CHILD(TEST_STATUS_KILLED);
        CHECK_EQUAL(before, test_memstat().forks);
    }
}

TEST(spinning_processes_do_not_block_others) {
    enum { SPINNERS = 9 };
    pid_t pids[SPINNERS];
    for (int i = 0; i < SPINNERS; i++) {
        pids[i] = TEST_FORK();
        if (pids[i] == 0)
            run_forever();
    }
    CHECK_EQUAL(7, helper_run((char *[]){"+exit", "7", NULL}));
    CHECK_EQUAL(0, sleep(1));
    for (int i = 0; i < SPINNERS; i++)
        CHECK_EQUAL(0, kill(pids[i]));
    for (int i = 0; i < SPINNERS; i++)
        CHECK_CHILD(TEST_STATUS_KILLED);
}

TEST(sleep_takes_its_time) {
    for (int ticks = 0; ticks <= 3; ticks++) {
        int start = uptime();
        CHECK_EQUAL(0, sleep(ticks));
        CHECK(uptime() - start >= ticks);
    }
}

TEST(negative_sleep_is_none) {
    sleep(-1);
    sleep(INT32_MIN);
}

// Those whose time has come wake up, whoever fell asleep earlier and sleeps on.
TEST(sleepers_wake_at_their_time) {
    static const int ticks[] = {INT32_MAX, 3, 1, INT32_MAX, 4, 2, INT32_MAX};
    enum { SLEEPERS = sizeof ticks / sizeof *ticks, LONG_SLEEPERS = 3 };
    pid_t pids[SLEEPERS];
    for (int i = 0; i < SLEEPERS; i++) {
        pids[i] = TEST_FORK();
        if (pids[i] == 0) {
            int start = uptime();
            CHECK_EQUAL(0, sleep(ticks[i]));
            CHECK(uptime() - start >= ticks[i]);
            exit(0);
        }
        if (ticks[i] == INT32_MAX)
            wait_until_waits(pids[i], WAITS_FOR_TIME);
    }
    CHECK_CHILDREN(SLEEPERS - LONG_SLEEPERS);
    for (int i = 0; i < SLEEPERS; i++) {
        if (ticks[i] != INT32_MAX)
            continue;
        CHECK_EQUAL(0, kill(pids[i]));
        CHECK_CHILD(TEST_STATUS_KILLED);
    }
}

TEST(procinfo_describes) {
    struct procinfo info, child;
    CHECK_EQUAL(getpid(), procinfo(getpid(), &info));
    CHECK_EQUAL(getpid(), info.pid);
    CHECK_EQUAL(PROCESS_RUNNING, info.state);
    CHECK_STRING("usertests", info.name);
    CHECK_EQUAL(sbrk(0), info.heap_end);
    CHECK(info.pages_resident > 3 && info.pages_region >= info.pages_resident);
    pid_t pid = TEST_FORK();
    if (pid == 0)
        read_pipe_forever();
    wait_until_waits(pid, WAITS_FOR_PIPE);
    CHECK_EQUAL(pid, procinfo(pid, &child));
    CHECK_EQUAL(getpid(), child.parent);
    CHECK_EQUAL(info.pages_region, child.pages_region);
    CHECK_EQUAL(0, kill(pid));
    CHECK_CHILD(TEST_STATUS_KILLED);
    CHECK(procinfo(pid, &child) != pid);
}

// Ends the test unless the process that does that is killed.
static void check_crash(void (*crash)(void)) {
    pid_t pid = TEST_FORK();
    if (pid == 0) {
        crash();
        exit(0);
    }
    CHECK_CHILD(TEST_STATUS_KILLED);
}

#define CRASH(name, code) \
    static void name(void) { \
        __asm__ volatile(code ::: "memory", "t0"); \
    }

CRASH(crash_null_load, "lb t0, 0(zero)")
CRASH(crash_null_store, "sb zero, 0(zero)")
CRASH(crash_null_jump, "jalr t0, 0(zero)")
CRASH(crash_zero_instruction, ".2byte 0")
CRASH(crash_illegal_instruction, ".4byte 0xffffffff")
CRASH(crash_read_supervisor_register, "csrr t0, sstatus")
CRASH(crash_write_supervisor_register, "csrw satp, zero")
CRASH(crash_read_machine_register, "csrr t0, mstatus")
CRASH(crash_write_counter, "csrw cycle, zero")
CRASH(crash_supervisor_return, "sret")
CRASH(crash_flush, "sfence.vma")
CRASH(crash_breakpoint, "ebreak")
CRASH(crash_floating_point, ".4byte 0xf2050053") // fmv.d.x ft0, a0

TEST(crashes_kill) {
    check_crash(crash_null_load);
    check_crash(crash_null_store);
    check_crash(crash_null_jump);
    check_crash(crash_zero_instruction);
    check_crash(crash_illegal_instruction);
    check_crash(crash_breakpoint);
}

TEST(privileged_instructions_kill) {
    check_crash(crash_read_supervisor_register);
    check_crash(crash_write_supervisor_register);
    check_crash(crash_read_machine_register);
    check_crash(crash_write_counter);
    check_crash(crash_supervisor_return);
    check_crash(crash_flush);
}

// Nobody saves floating-point registers for a process, so it must not have any.
TEST(floating_point_kills) {
    check_crash(crash_floating_point);
}

TEST(counters_can_be_read) {
    uint64_t cycle, time, instret, later;
    __asm__ volatile("rdcycle %0; rdtime %1; rdinstret %2"
                     : "=r"(cycle), "=r"(time), "=r"(instret));
    delay(1000);
    __asm__ volatile("rdinstret %0" : "=r"(later));
    CHECK(later > instret + 1000);
}

TEST(wait_for_interrupt_does_no_harm) {
    pid_t pid = TEST_FORK();
    if (pid == 0) {
        __asm__ volatile("wfi");
        exit(0);
    }
    int status;
    CHECK_EQUAL(pid, wait(&status));
    CHECK(status == 0 || status == TEST_STATUS_KILLED);
}

#define SAVED_REGISTERS(X) \
    X(s2) \
    X(s3) \
    X(s4) X(s5) X(s6) X(s7) X(s8) X(s9) X(s10) X(s11) X(t1) X(t2) X(t3) X(t4) X(t5) X(t6) X(ra)
#define SET(name) \
    "addi " #name ", %1, 1\n slli " #name ", " #name ", 17\n xor " #name ", " #name ", %1\n"
#define ADD(name) "add %0, %0, " #name "\n"
#define CLOBBER(name) , #name

// Gives every register a value, counts down, makes a system call, and returns the sum of the
// registers.
static uint64_t registers_sum(uint64_t seed, uint64_t delay_rounds) {
    register uint64_t sum __asm__("s1") = 0;
    register uint64_t base __asm__("a3") = seed;
    register uint64_t left __asm__("a4") = delay_rounds;
    __asm__ volatile(SAVED_REGISTERS(SET) "1: addi %2, %2, -1\n"
                                          "bgtz %2, 1b\n"
                                          "li a7, 11\n" // getpid
                                          "ecall\n" SAVED_REGISTERS(ADD)
                     : "+r"(sum), "+r"(base), "+r"(left)
                     :
                     : "memory", "a0", "a1", "a7" SAVED_REGISTERS(CLOBBER));
    return sum;
}

TEST(registers_survive_traps) {
    enum { CHILDREN = 12, REGISTERS = 17 };
    for (uint64_t child = 0; child < CHILDREN; child++) {
        IN_CHILD {
            uint64_t seed = child * 0x123456789abc;
            for (uint64_t rounds = 1; rounds < 3000000; rounds *= 4)
                CHECK(registers_sum(seed, rounds) == REGISTERS * (((seed + 1) << 17) ^ seed));
        }
    }
    CHECK_CHILDREN(CHILDREN);
}

TEST(wild_registers_do_no_harm) {
    uint64_t result;
    __asm__ volatile("mv s2, sp\n mv s3, tp\n mv s4, gp\n"
                     "li sp, -1\n li tp, -64\n li gp, -4096\n"
                     "li s5, 2000000\n 1: addi s5, s5, -1\n bnez s5, 1b\n"
                     "li a7, 11\n ecall\n mv %0, a0\n"
                     "mv sp, s2\n mv tp, s3\n mv gp, s4\n"
                     : "=r"(result)
                     :
                     : "memory", "a0", "a1", "a7", "s2", "s3", "s4", "s5");
    CHECK_EQUAL(getpid(), result);
}

TEST(wild_stack_pointer_kills) {
    IN_CHILD {
        pid_t pid = TEST_FORK();
        if (pid == 0)
            __asm__ volatile("li sp, -4096\n sd zero, 0(sp)" ::: "memory");
        CHECK_CHILD(TEST_STATUS_KILLED);
    }
    CHECK_CHILD(0);
}
