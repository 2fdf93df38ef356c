// System calls with arguments that no good program would give: bad pointers, buffers that end in
// the middle, wild numbers, and all of that at random. Each must be refused with the right error
// and change nothing.
#define TEST_FAMILY "hostile"
#include "test.h"

#include "abi/syscall.h"
#include "support.h"

enum { NUMBERS_MAX = 200 };

#define KNOWN(number, name) [number] = true,
static const bool known_numbers[NUMBERS_MAX] = {SYSCALLS(KNOWN)};

#define NUMBER(number, name) SYSCALL_##name = (number),
enum { SYSCALLS(NUMBER) };

static const char constants[PAGE] = "constants";

// Pointers at which nothing can be read, and those at which nothing can be written.
static uintptr_t unreadable[BAD_ADDRESS_COUNT + 3];
static uintptr_t unwritable[BAD_ADDRESS_COUNT + 5];
static char *edge; // the first byte after the heap, which has some pages
static int file, ends[2];

// Makes the tables, an open file of the pattern and a pipe that holds 100 bytes.
static void set_up(void) {
    char *start = (char *)round_to_page(sbrk(0));
    edge = start + 8 * PAGE;
    CHECK(sbrk((int)(edge - sbrk(0))) != (char *)-1);
    memset(start, 'e', 8 * PAGE);
    memcpy(unreadable, bad_addresses, sizeof bad_addresses);
    uintptr_t more[] = {(uintptr_t)edge, (uintptr_t)edge + 77, (uintptr_t)edge + 100 * PAGE,
                        (uintptr_t)constants, (uintptr_t)&set_up};
    memcpy(unreadable + BAD_ADDRESS_COUNT, more, 3 * sizeof more[0]);
    memcpy(unwritable, bad_addresses, sizeof bad_addresses);
    memcpy(unwritable + BAD_ADDRESS_COUNT, more, sizeof more);
    file_make_pattern("file", 3 * PAGE);
    file = open("file", O_RDWR);
    CHECK(file >= 0);
    CHECK_EQUAL(0, pipe(ends));
    write_fully(ends[1], buffer, 100);
}

// Ends the test if what set_up made has changed.
static void check_unchanged(void) {
    CHECK_EQUAL(ends[1] + 1, lowest_free_fd());
    file_check_pattern("file", 3 * PAGE);
    CHECK_EQUAL(100, read(ends[0], buffer, sizeof buffer));
    CHECK_STRING("constants", constants);
}

TEST(unknown_numbers_are_refused) {
    static const long odd[] = {
        -1, -2, NUMBERS_MAX, 1000, 1 << 20, 1ll << 32, (1ll << 32) + 11, INT64_MAX, INT64_MIN};
    for (long number = 0; number < NUMBERS_MAX; number++) {
        if (!known_numbers[number])
            CHECK_REFUSED(raw_syscall(number, 1, 2, 3, 4), ENOSYS);
    }
    for (size_t i = 0; i < ARRAY_SIZE(odd); i++)
        CHECK_REFUSED(raw_syscall(odd[i], 1, 2, 3, 4), ENOSYS);
}

TEST(wild_arguments_of_simple_calls) {
    struct syscall_result self = raw_syscall(SYSCALL_getpid, -1, -1, -1, -1);
    CHECK_EQUAL(getpid(), self.value);
    CHECK(raw_syscall(SYSCALL_uptime, INT64_MIN, -1, 8, 8).value >= 0);
    CHECK_REFUSED(raw_syscall(SYSCALL_kill, -1, 0, 0, 0), ESRCH);
    CHECK_REFUSED(raw_syscall(SYSCALL_kill, 0, 0, 0, 0), ESRCH);
    CHECK_REFUSED(raw_syscall(SYSCALL_kill, INT32_MAX, 0, 0, 0), ESRCH);
    CHECK_EQUAL(0, raw_syscall(SYSCALL_sleep, 0, -1, -1, -1).value);
    pid_t pid = TEST_FORK();
    if (pid == 0)
        raw_syscall(SYSCALL_exit, 0x123400000007, -1, -1, -1);
    CHECK_CHILD(7);
}

TEST(bad_pointers_to_write_from) {
    set_up();
    for (size_t i = 0; i < ARRAY_SIZE(unreadable); i++) {
        const void *bad = (const void *)unreadable[i];
        CHECK_FAILS(write(file, bad, 1), EFAULT);
        CHECK_FAILS(write(file, bad, 3 * PAGE), EFAULT);
        CHECK_FAILS(write(ends[1], bad, 10), EFAULT);
        CHECK_FAILS(write(1, bad, 10), EFAULT);
    }
    check_unchanged();
}

TEST(bad_pointers_to_read_to) {
    set_up();
    for (size_t i = 0; i < ARRAY_SIZE(unwritable); i++) {
        void *bad = (void *)unwritable[i];
        CHECK_FAILS(read(file, bad, 1), EFAULT);
        CHECK_FAILS(read(file, bad, 3 * PAGE), EFAULT);
        CHECK_FAILS(read(ends[0], bad, 10), EFAULT);
        CHECK_FAILS(fstat(file, bad), EFAULT);
        CHECK_FAILS(pipe(bad), EFAULT);
        CHECK_FAILS(memstat(bad, 0), EFAULT);
        CHECK_FAILS(procinfo(1, bad), EFAULT);
        CHECK_FAILS(terminal(bad), EFAULT);
        CHECK_FAILS(pagemap(getpid(), TEXT_START, bad, 4), EFAULT);
    }
    read_fully(file, buffer, 10);
    pattern_check(buffer, 0, 10);
    check_unchanged();
}

TEST(bad_pointers_to_paths) {
    set_up();
    for (size_t i = 0; i < ARRAY_SIZE(unreadable); i++) {
        const char *bad = (const char *)unreadable[i];
        CHECK_FAILS(open(bad, O_RDONLY), EFAULT);
        CHECK_FAILS(open(bad, O_CREATE | O_RDWR), EFAULT);
        CHECK_FAILS(chdir(bad), EFAULT);
        CHECK_FAILS(mkdir(bad), EFAULT);
        CHECK_FAILS(mknod(bad, 1, 1), EFAULT);
        CHECK_FAILS(unlink(bad), EFAULT);
        CHECK_FAILS(link(bad, "other"), EFAULT);
        CHECK_FAILS(link("file", bad), EFAULT);
        CHECK_FAILS(exec(bad, (char *[]){"x", NULL}), EFAULT);
    }
    CHECK_EQUAL(1, file_stat("file").nlink);
    check_unchanged();
}

TEST(bad_pointers_to_arguments) {
    set_up();
    for (size_t i = 0; i < ARRAY_SIZE(unreadable); i++) {
        char *bad = (char *)unreadable[i];
        CHECK_FAILS(exec(USERTESTS, (char **)bad), EFAULT);
        CHECK_FAILS(exec(USERTESTS, (char *[]){bad, NULL}), EFAULT);
        CHECK_FAILS(exec(USERTESTS, (char *[]){"+exit", "0", bad, NULL}), EFAULT);
    }
    CHECK_FAILS(exec(USERTESTS, NULL), EFAULT);
    char **last = (char **)edge - 2; // no final null pointer before the end of memory
    last[0] = last[1] = "x";
    CHECK_FAILS(exec(USERTESTS, last), EFAULT);
    CHECK_FAILS(exec(USERTESTS, (char **)(edge - 3)), EFAULT);
    check_unchanged();
}

TEST(bad_exec_arguments_leak_nothing) {
    char *arguments[] = {(char *)0xffffffff, NULL};
    for (int i = 0; i < 3000; i++)
        CHECK_EQUAL(-1, exec("echo", arguments));
    CHECK_FAILS(exec(USERTESTS, arguments), EFAULT);
}

TEST(strings_at_the_end_of_memory) {
    set_up();
    memcpy(edge - 5, "file", 5);
    CHECK_EQUAL(0, close(open(edge - 5, O_RDONLY)));
    memcpy(edge - 4, "file", 4);
    CHECK_FAILS(open(edge - 4, O_RDONLY), EFAULT);
    CHECK_FAILS(open(edge - 1, O_RDONLY), EFAULT);
    CHECK_FAILS(open(edge - (PATH_BYTES - 1), O_RDONLY), EFAULT);
    CHECK_FAILS_EITHER(open(edge - PATH_BYTES, O_RDONLY), EFAULT, ENAMETOOLONG);
    CHECK_FAILS(open(edge - PATH_BYTES - 1, O_RDONLY), ENAMETOOLONG);
    CHECK_FAILS(open(edge - 4 * PAGE, O_RDONLY), ENAMETOOLONG);
    memcpy(edge - PAGE - 2, "./file", 7); // across pages
    CHECK_EQUAL(0, close(open(edge - PAGE - 2, O_RDONLY)));
    char **arguments = (char **)edge - 2;
    arguments[0] = "+exit";
    arguments[1] = NULL;
    CHECK_EQUAL(1, helper_run(arguments));
    check_unchanged();
}

TEST(results_at_the_end_of_memory) {
    set_up();
    struct stat *stat = (struct stat *)(edge - sizeof *stat);
    CHECK_EQUAL(0, fstat(file, stat));
    CHECK_EQUAL(3 * PAGE, stat->size);
    memset(edge - PAGE, 'e', PAGE);
    CHECK_FAILS(fstat(file, (struct stat *)(edge - sizeof *stat + 1)), EFAULT);
    CHECK_FAILS(pipe((int *)(edge - 4)), EFAULT);
    CHECK_FAILS(pipe((int *)(edge - 7)), EFAULT);
    CHECK_FAILS(memstat((struct memstat *)(edge - 50), 0), EFAULT);
    CHECK_FAILS(procinfo(1, (struct procinfo *)(edge - 20)), EFAULT);
    CHECK_FAILS(pagemap(getpid(), TEXT_START, (struct pageinfo *)(edge - 24), 2), EFAULT);
    pid_t pid = TEST_FORK();
    if (pid == 0)
        exit(3);
    CHECK_FAILS(wait((int *)(edge - 2)), EFAULT);
    CHECK_BYTES(edge - PAGE, 'e', PAGE - 24);
    CHECK_EQUAL(pid, wait((int *)(edge - 4)));
    CHECK_EQUAL(3, ((int *)edge)[-1]);
    check_unchanged();
}

TEST(buffers_that_end_too_early) {
    set_up();
    static const int sizes[] = {1, 2, 100, PAGE - 1, PAGE, PAGE + 1};
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        char *start = edge - sizes[i];
        memset(edge - 2 * PAGE, 'e', 2 * PAGE);
        CHECK_FAILS(write(file, start, sizes[i] + 1), EFAULT);
        CHECK_FAILS(write(file, start, sizes[i] + PAGE), EFAULT);
        CHECK_FAILS(write(ends[1], start, sizes[i] + 1), EFAULT);
        int again = open("file", O_RDONLY);
        CHECK_FAILS(read(again, start, sizes[i] + 1), EFAULT);
        CHECK_EQUAL(0, close(again));
        again = open("file", O_RDONLY);
        CHECK_EQUAL(sizes[i], read(again, start, sizes[i]));
        pattern_check(start, 0, (size_t)sizes[i]);
        CHECK_EQUAL(0, close(again));
        CHECK_EQUAL('e', start[-1]);
    }
    check_unchanged();
}

TEST(long_buffers_that_end_too_early) {
    enum { VALID = 100 * 1024, WANTED = 200 * 1024 };
    set_up();
    char *start = edge;
    CHECK(sbrk(VALID) == start);
    file_make_pattern("long", WANTED);
    int fd = open("long", O_RDWR), moved = read(fd, start, WANTED);
    CHECK(moved <= VALID && (moved > 0 || errno == EFAULT));
    CHECK_EQUAL(0, close(fd));
    fd = open("long", O_RDWR);
    moved = write(fd, start, WANTED);
    CHECK(moved <= VALID && (moved > 0 || errno == EFAULT));
    CHECK_EQUAL(0, close(fd));
    CHECK_EQUAL(WANTED, file_stat("long").size);
    CHECK_EQUAL(0, unlink("long"));
    check_unchanged();
}

TEST(huge_and_negative_counts) {
    static const int counts[] = {-1, -100, -PAGE, INT32_MIN};
    set_up();
    for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
        CHECK_FAILS(read(file, buffer, counts[i]), EINVAL);
        CHECK_FAILS(write(file, buffer, counts[i]), EINVAL);
        CHECK_FAILS(read(ends[0], buffer, counts[i]), EINVAL);
        CHECK_FAILS(write(ends[1], buffer, counts[i]), EINVAL);
        CHECK_FAILS(pagemap(getpid(), 0, (struct pageinfo *)buffer, counts[i]), EINVAL);
    }
    CHECK_FAILS(write(file, edge - 10, INT32_MAX), EFAULT);
    CHECK_FAILS(read(file, edge - 10, INT32_MAX), EFAULT);
    CHECK_FAILS(write(ends[1], (void *)-8, 100), EFAULT); // the end wraps around
    CHECK_FAILS(write(file, (void *)-1, 2), EFAULT);
    CHECK_FAILS(read(file, (void *)-8, 100), EFAULT);
    CHECK_FAILS(fstat(file, (struct stat *)-8), EFAULT);
    check_unchanged();
}

TEST(wild_counts_in_whole_registers) {
    static const long counts[] = {1ll << 32, (1ll << 32) + 1, INT64_MIN,
                                  INT64_MAX, 1ll << 47,       -(1ll << 32)};
    set_up();
    for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
        long most = sizeof buffer;
        CHECK(raw_syscall(SYSCALL_read, file, (long)buffer, counts[i], 0).value <= most);
        CHECK(raw_syscall(SYSCALL_write, ends[1], (long)buffer, counts[i] & ~0xffl, 0).value <= 0);
        CHECK(raw_syscall(SYSCALL_pagemap, getpid(), 0, (long)buffer, counts[i]).value <= most);
        raw_syscall(SYSCALL_close, counts[i] | 99, 0, 0, 0);
        raw_syscall(SYSCALL_sbrk, counts[i] & ~0xffffffffl, 0, 0, 0);
    }
    check_unchanged();
}

TEST(wild_descriptors) {
    static const long bad[] = {-1,      OPEN_MAX,  OPEN_MAX + 1, 1000,
                               1 << 20, INT32_MAX, INT32_MIN,    99 | 1l << 33};
    set_up();
    int closed = lowest_free_fd();
    for (size_t i = 0; i <= ARRAY_SIZE(bad); i++) {
        long fd = i < ARRAY_SIZE(bad) ? bad[i] : closed;
        CHECK_REFUSED(raw_syscall(SYSCALL_read, fd, (long)buffer, 10, 0), EBADF);
        CHECK_REFUSED(raw_syscall(SYSCALL_write, fd, (long)buffer, 10, 0), EBADF);
        CHECK_REFUSED(raw_syscall(SYSCALL_fstat, fd, (long)buffer, 0, 0), EBADF);
        CHECK_REFUSED(raw_syscall(SYSCALL_dup, fd, 0, 0, 0), EBADF);
        CHECK_REFUSED(raw_syscall(SYSCALL_close, fd, 0, 0, 0), EBADF);
    }
    check_unchanged();
}

TEST(kernel_writes_no_text) {
    uint64_t sum = text_sum();
    set_up();
    for (uintptr_t page = TEXT_START; page < TEXT_START + TEXT_PAGES * PAGE; page += PAGE) {
        CHECK_FAILS(read(file, (void *)page, 100), EFAULT);
        CHECK_FAILS(fstat(file, (struct stat *)page), EFAULT);
    }
    CHECK(text_sum() == sum);
    CHECK_EQUAL(9, helper_run((char *[]){"+exit", "9", NULL}));
    check_unchanged();
}

TEST(pagemap_and_procinfo_refuse) {
    struct pageinfo pages[4];
    struct procinfo info;
    CHECK_FAILS(pagemap(INT32_MAX, 0, pages, 4), ESRCH);
    CHECK_FAILS(pagemap(-1, 0, pages, 4), ESRCH);
    CHECK_FAILS(pagemap(getpid(), 1, pages, 4), EINVAL);
    CHECK_FAILS(procinfo(INT32_MAX, &info), ESRCH);
    CHECK_EQUAL(1, procinfo(-5, &info));
    CHECK_EQUAL(0, pagemap(getpid(), 0, pages, 0));
    CHECK(pagemap(getpid(), 0x4000000000, pages, 4) <= 0);
    CHECK(pagemap(getpid(), 0xffffffc080200000, pages, 4) <= 0);
    CHECK(pagemap(getpid(), (uint64_t)-PAGE, pages, 4) <= 0);
    CHECK_EQUAL(1, pagemap(getpid(), 0x3ffffff000, pages, 4));
    pid_t pid = TEST_FORK();
    if (pid == 0)
        exit(0);
    wait_until_state(pid, PROCESS_ZOMBIE);
    CHECK_FAILS(pagemap(pid, 0, pages, 4), ESRCH);
    CHECK_CHILD(0);
    CHECK_FAILS(memstat((struct memstat *)buffer, -1), EINVAL);
}

TEST(other_processes_can_be_watched) {
    int end[2];
    CHECK_EQUAL(0, pipe(end));
    for (int i = 0; i < 5; i++) {
        IN_CHILD {
            close(end[1]);
            for (int k = 0; k < 20; k++)
                IN_CHILD {}
            for (int k = 0; k < 20; k++)
                wait(NULL);
            exec(USERTESTS, (char *[]){"+again", "5", NULL});
        }
    }
    for (int round = 0; round < 4; round++) {
        struct procinfo info = {0};
        struct pageinfo pages[20];
        for (int pid = 1; (pid = procinfo(pid, &info)) > 0; pid++)
            pagemap(pid, TEXT_START, pages, 20);
    }
    CHECK_CHILDREN(5);
}

// What the storms draw their arguments from.
static const char *const storm_paths[] = {
    "a",      "b", "d", "d/a", "d/b", "d/d",       "./a",
    "d/../b", "",  ".", "d/.", "a/x", "missing/x", "aVeryLongNameIndeed",
    "d//a/"};

static long storm_pointer(uint32_t *seed) {
    uint32_t r = random_next(seed);
    switch (r % 4) {
    case 0:
        return (long)unwritable[r / 4 % ARRAY_SIZE(unwritable)];
    case 1:
        return (long)edge - (long)(r / 4 % 300);
    default:
        return (long)buffer + (long)(r / 4 % sizeof buffer);
    }
}

static long storm_path(uint32_t *seed) {
    uint32_t r = random_next(seed);
    if (r % 8 == 0)
        return (long)unreadable[r / 8 % ARRAY_SIZE(unreadable)];
    return (long)storm_paths[r / 8 % ARRAY_SIZE(storm_paths)];
}

static long storm_number(uint32_t *seed) {
    static const long numbers[] = {0,       1,         -1,        2,         3,         15,
                                   16,      17,        100,       4096,      65536,     100000,
                                   1 << 20, INT32_MAX, INT32_MIN, 1ll << 32, INT64_MAX, INT64_MIN};
    uint32_t r = random_next(seed);
    return r % 2 == 0 ? (long)(r / 2 % 20) : numbers[r / 2 % ARRAY_SIZE(numbers)];
}

// Mappings that replace nothing, and what becomes of a part of them.
static void storm_mapping(uint32_t *seed) {
    uint32_t r = random_next(seed);
    long flags =
        r % 4 == 0 ? storm_number(seed) & ~(long)MAP_FIXED : (r % 8 < 6 ? MAP_PRIVATE : MAP_SHARED);
    if (r % 3 != 0)
        flags |= MAP_ANONYMOUS;
    struct syscall_result mapped =
        raw_syscall6(SYSCALL_mmap, storm_pointer(seed), storm_number(seed), r / 8 % 8, flags,
                     r / 64 % OPEN_MAX, storm_number(seed) * PAGE);
    if (mapped.value == -1)
        return;
    raw_syscall(SYSCALL_memstat, mapped.value, 0, 0, 0);
    if (r % 16 != 0)
        raw_syscall(SYSCALL_munmap, mapped.value, storm_number(seed), 0, 0);
}

// Calls about processes and memory; none can make the storm wait for long or harm others.
static void storm_process_call(uint32_t *seed) {
    static const int pids[] = {0, -1, INT32_MAX, INT32_MIN};
    uint32_t r = random_next(seed);
    switch (r % 10) {
    case 0:
        if (raw_syscall(SYSCALL_fork, storm_number(seed), 0, 0, 0).value == 0)
            exit(0);
        break;
    case 1:
        raw_syscall(SYSCALL_wait, storm_pointer(seed), 0, 0, 0);
        break;
    case 2:
        raw_syscall(SYSCALL_kill, pids[r / 8 % ARRAY_SIZE(pids)], 0, 0, 0);
        break;
    case 3:
        sbrk((int)(r / 8 % (16 * PAGE)));
        break;
    case 4:
        if (sbrk(0) > edge)
            sbrk(-(int)(r / 8 % (uint64_t)(sbrk(0) - edge)));
        break;
    case 5:
        raw_syscall(SYSCALL_exec, storm_path(seed), storm_pointer(seed), 0, 0);
        break;
    case 6:
        raw_syscall(SYSCALL_pagemap, r / 8 % 4 == 0 ? storm_number(seed) : 0,
                    storm_number(seed) * PAGE, storm_pointer(seed), storm_number(seed));
        break;
    case 7:
        raw_syscall(r / 8 % 2 == 0 ? SYSCALL_procinfo : SYSCALL_memstat, storm_pointer(seed),
                    storm_pointer(seed), 0, 0);
        break;
    case 8:
        storm_mapping(seed);
        break;
    case 9:
        if (raw_syscall(SYSCALL_vfork, storm_number(seed), 0, 0, 0).value == 0)
            exit(0);
        break;
    }
}

// A pipe of which one end is closed, so that nobody waits for it.
static void storm_pipe(uint32_t *seed) {
    int *fds = (int *)storm_pointer(seed), first = 0, second = 0;
    if (raw_syscall(SYSCALL_pipe, (long)fds, 0, 0, 0).value != 0)
        return;
    memcpy(&first, fds, sizeof first);
    memcpy(&second, (char *)fds + sizeof first, sizeof second);
    close(random_next(seed) % 2 == 0 ? first : second);
}

static void storm_descriptor_call(uint32_t *seed) {
    uint32_t r = random_next(seed);
    long fd = r / 8 % 8 == 0 ? storm_number(seed) : (long)(r / 64 % OPEN_MAX);
    switch (r % 8) {
    case 0:
    case 1:
        raw_syscall(SYSCALL_read, fd, storm_pointer(seed), storm_number(seed), 0);
        break;
    case 2:
    case 3:
        raw_syscall(SYSCALL_write, fd, storm_pointer(seed), storm_number(seed), 0);
        break;
    case 4:
        raw_syscall(SYSCALL_fstat, fd, storm_pointer(seed), 0, 0);
        break;
    case 5:
        raw_syscall(SYSCALL_dup, fd, 0, 0, 0);
        break;
    case 6:
        raw_syscall(SYSCALL_close, fd, 0, 0, 0);
        break;
    case 7:
        storm_pipe(seed);
        break;
    }
}

static void storm_name_call(uint32_t *seed) {
    uint32_t r = random_next(seed);
    switch (r % 8) {
    case 0:
    case 1:
    case 2:
        raw_syscall(SYSCALL_open, storm_path(seed),
                    r / 8 % 2 == 0 ? O_CREATE | O_RDWR : storm_number(seed), 0, 0);
        break;
    case 3:
        raw_syscall(SYSCALL_mkdir, storm_path(seed), 0, 0, 0);
        break;
    case 4: // any device but the console
        raw_syscall(SYSCALL_mknod, storm_path(seed), DEVICE_CONSOLE + 1 + (r / 8 & 0xff),
                    storm_number(seed), 0);
        break;
    case 5:
        raw_syscall(SYSCALL_link, storm_path(seed), storm_path(seed), 0, 0);
        break;
    case 6:
        raw_syscall(SYSCALL_unlink, storm_path(seed), 0, 0, 0);
        break;
    case 7:
        raw_syscall(SYSCALL_chdir, (long)(r / 8 % 2 == 0 ? "." : ""), 0, 0, 0);
        break;
    }
}

// Makes that many random system calls, without the descriptors of the test.
static _Noreturn void storm(uint32_t seed, int calls) {
    for (int fd = 0; fd < OPEN_MAX; fd++)
        close(fd);
    for (int i = 0; i < calls; i++) {
        uint32_t r = random_next(&seed);
        if (r % 8 == 0)
            storm_process_call(&seed);
        else if (r % 8 == 1)
            raw_syscall(NUMBERS_MAX + storm_number(&seed), storm_pointer(&seed),
                        storm_number(&seed), 0, 0);
        else if (r % 2 == 0)
            storm_descriptor_call(&seed);
        else
            storm_name_call(&seed);
    }
    exit(0);
}

static void check_storms(uint32_t seed, int storms, int calls) {
    set_up();
    for (int i = 0; i < storms; i++) {
        pid_t pid = TEST_FORK();
        if (pid == 0)
            storm(seed + (uint32_t)i, calls);
    }
    for (int i = 0; i < storms; i++) {
        int status = 0;
        CHECK(wait(&status) > 0);
        if (status != 0)
            FAIL("expected status 0 of the storms from seed %u on, saw %d", seed, status);
    }
    CHECK_STRING("constants", constants);
}

TEST(storm_of_calls) {
    check_storms(1, 1, 3000);
}

TEST(storms_at_once) {
    check_storms(1000, 4, 1000);
}

TEST_SLOW(long_storms) {
    for (uint32_t round = 0; round < 3; round++)
        check_storms(100000 + round * 100, 4, 4000);
}
