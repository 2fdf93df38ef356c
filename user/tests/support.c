// Help for the tests: see the header.
#include "support.h"

#include "test.h"

const uintptr_t bad_addresses[BAD_ADDRESS_COUNT] = {
    8,         // in the null page
    0x2000000, // devices and RAM by their physical addresses
    0x10000000,
    0x80000000,
    0x80200000,
    0x3fffffe000, // the last pages of the user half
    0x3ffffffff8,
    0x4000000000, // just above it
    0x4000001000,
    0x8000000000, // in no half
    0xfffffff000000,
    0x8000000000000000,
    0xffffffbffffffff8, // below the kernel's half, in it, and its end
    0xffffffc000000000,
    0xffffffc080200000,
    0xffffffffffffff00,
};

char buffer[16 * PAGE];

uint8_t pattern_byte(size_t place) {
    return (uint8_t)(place * 131 + (place >> 8) * 7 + (place >> 16));
}

void pattern_fill(void *bytes, size_t place, size_t n) {
    uint8_t *byte = bytes;
    for (size_t i = 0; i < n; i++)
        byte[i] = pattern_byte(place + i);
}

void pattern_check(const void *bytes, size_t place, size_t n) {
    const uint8_t *byte = bytes;
    for (size_t i = 0; i < n; i++) {
        if (byte[i] != pattern_byte(place + i))
            FAIL("expected byte %zu to be %d, saw %d", place + i, pattern_byte(place + i), byte[i]);
    }
}

void write_fully(int fd, const void *bytes, size_t n) {
    for (size_t done = 0; done < n;) {
        int moved = write(fd, (const char *)bytes + done, (int)(n - done));
        if (moved <= 0)
            FAIL("expected to write %zu bytes, saw %d after %zu (errno %d)", n, moved, done, errno);
        done += (size_t)moved;
    }
}

void read_fully(int fd, void *bytes, size_t n) {
    for (size_t done = 0; done < n;) {
        int moved = read(fd, (char *)bytes + done, (int)(n - done));
        if (moved <= 0)
            FAIL("expected to read %zu bytes, saw %d after %zu (errno %d)", n, moved, done, errno);
        done += (size_t)moved;
    }
}

static char chunk[4 * PAGE];

void file_make_pattern(const char *name, size_t size) {
    int fd = open(name, O_CREATE | O_TRUNC | O_WRONLY);
    CHECK(fd >= 0);
    for (size_t n, place = 0; place < size; place += n) {
        n = size - place < sizeof chunk ? size - place : sizeof chunk;
        pattern_fill(chunk, place, n);
        write_fully(fd, chunk, n);
    }
    CHECK_EQUAL(0, close(fd));
}

void file_check_pattern(const char *name, size_t size) {
    int fd = open(name, O_RDONLY);
    CHECK(fd >= 0);
    for (size_t n, place = 0; place < size; place += n) {
        n = size - place < sizeof chunk ? size - place : sizeof chunk;
        read_fully(fd, chunk, n);
        pattern_check(chunk, place, n);
    }
    CHECK_EQUAL(0, read(fd, chunk, 1));
    CHECK_EQUAL(0, close(fd));
}

void file_make(const char *name, const void *bytes, size_t size) {
    int fd = open(name, O_CREATE | O_TRUNC | O_WRONLY);
    CHECK(fd >= 0);
    write_fully(fd, bytes, size);
    CHECK_EQUAL(0, close(fd));
}

void file_make_empty(const char *name) {
    file_make(name, "", 0);
}

bool file_exists(const char *name) {
    int fd = open(name, O_RDONLY);
    if (fd < 0)
        CHECK_EQUAL(ENOENT, errno);
    else
        CHECK_EQUAL(0, close(fd));
    return fd >= 0;
}

struct stat file_stat(const char *name) {
    struct stat stat;
    int fd = open(name, O_RDONLY);
    CHECK(fd >= 0);
    CHECK_EQUAL(0, fstat(fd, &stat));
    CHECK_EQUAL(0, close(fd));
    return stat;
}

char *name_with(char *out, const char *name, unsigned number) {
    snprintf(out, NAME_BYTES + 1, "%s%u", name, number);
    return out;
}

int lowest_free_fd(void) {
    int fd = dup(TEST_FD);
    CHECK(fd >= 0);
    CHECK_EQUAL(0, close(fd));
    return fd;
}

uint32_t random_next(uint32_t *state) {
    *state ^= *state << 13; // Marsaglia, Xorshift RNGs (2003)
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

void delay(unsigned rounds) {
    for (unsigned i = 0; i < rounds; i++)
        __asm__ volatile("");
}

static struct procinfo process_info(pid_t pid) {
    struct procinfo info;
    CHECK_EQUAL(pid, procinfo(pid, &info));
    return info;
}

void wait_until_state(pid_t pid, enum process_state state) {
    delay(100000); // mostly long enough
    while (process_info(pid).state != (int)state)
        sleep(1);
}

void wait_until_waits(pid_t pid, enum process_wait wait) {
    delay(100000);
    for (;; sleep(1)) {
        struct procinfo info = process_info(pid);
        if (info.state == PROCESS_SLEEPING && info.waits_for == (int)wait)
            return;
    }
}

void touch(const void *address, enum touch how) {
    if (how == TOUCH_LOAD)
        (void)*(const volatile char *)address;
    else if (how == TOUCH_STORE)
        *(volatile char *)(uintptr_t)address = 1;
    else
        ((void (*)(void))(uintptr_t)address)();
}

bool touch_works(const void *address, enum touch how) {
    pid_t pid = TEST_FORK();
    if (pid == 0) {
        touch(address, how);
        exit(0);
    }
    int status = 0;
    CHECK_EQUAL(pid, wait(&status));
    CHECK(status == 0 || status == TEST_STATUS_KILLED);
    return status == 0;
}

void check_touch_kills(const void *address, enum touch how) {
    if (touch_works(address, how))
        FAIL("expected touching %p in way %d to kill, saw it work", address, how);
}

uint64_t user_frames(void) {
    return test_memstat().frames_used[FRAME_USER];
}

uint64_t table_frames(void) {
    return test_memstat().frames_used[FRAME_TABLE];
}

char *map_pages(size_t page_count, int protection, int flags) {
    char *start = mmap(NULL, page_count * PAGE, protection, flags | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED)
        FAIL("expected to map %zu pages, saw: %s", page_count, strerror(errno));
    CHECK_EQUAL(0, (uintptr_t)start % PAGE);
    return start;
}

char *map_file(int fd, size_t offset, size_t bytes, int protection, int flags) {
    char *start = mmap(NULL, bytes, protection, flags, fd, (long)offset);
    if (start == MAP_FAILED)
        FAIL("expected to map %zu bytes of a file, saw: %s", bytes, strerror(errno));
    CHECK_EQUAL(0, (uintptr_t)start % PAGE);
    return start;
}

void unmap_pages(void *start, size_t page_count) {
    if (munmap(start, page_count * PAGE) != 0)
        FAIL("expected to unmap %zu pages, saw: %s", page_count, strerror(errno));
}

void memory_promise_all(void) {
    test_own_pages();
    for (int step = 1 << 30; step >= PAGE; step /= 2) {
        while (sbrk(step) != (char *)-1)
            ;
        CHECK_EQUAL(ENOMEM, errno);
    }
}

struct helper helper_start(char **arguments) {
    return program_start(USERTESTS, arguments);
}

struct helper program_start(const char *path, char **arguments) {
    int to[2], from[2];
    CHECK_EQUAL(0, pipe(to));
    CHECK_EQUAL(0, pipe(from));
    pid_t pid = TEST_FORK();
    if (pid == 0) {
        CHECK_EQUAL(0, close(0));
        CHECK_EQUAL(0, dup(to[0]));
        CHECK_EQUAL(0, close(1));
        CHECK_EQUAL(1, dup(from[1]));
        for (int i = 0; i < 2; i++) {
            CHECK_EQUAL(0, close(to[i]));
            CHECK_EQUAL(0, close(from[i]));
        }
        exec(path, arguments);
        FAIL("expected exec to work, saw errno %d", errno);
    }
    CHECK_EQUAL(0, close(to[0]));
    CHECK_EQUAL(0, close(from[1]));
    return (struct helper){.pid = pid, .to = to[1], .from = from[0]};
}

void helper_finish(struct helper *helper, int expected_status) {
    CHECK_EQUAL(0, close(helper->to));
    CHECK_EQUAL(0, close(helper->from));
    int status = 0;
    CHECK_EQUAL(helper->pid, wait(&status));
    CHECK_EQUAL(expected_status, status);
}

int helper_run(char **arguments) {
    pid_t pid = TEST_FORK();
    if (pid == 0) {
        exec(USERTESTS, arguments);
        FAIL("expected exec to work, saw errno %d", errno);
    }
    int status = 0;
    CHECK_EQUAL(pid, wait(&status));
    return status;
}
