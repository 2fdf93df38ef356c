// Counts the instructions that system calls and page faults cost, in user mode and in the kernel,
// as the counter instret has them: exact in QEMU with -icount shift=0, meaningless without. Each
// line is the minimum of ROUNDS: "bench NAME COUNT UNIT". Instructions counted while the hart waits
// for the disk are taken off, and so is the loop around the measured calls.
//
//   bench [name ...]     all rows, or those named

#include "cow6.h"
#include "tool.h"

enum {
    ROUNDS = 7,
    KIB = 1024,
    MIB = 1024 * 1024,
    COW_PAGES = 256,
    SBRK_PAGES = 256,
    MAP_PAGES = 256,
    PIPE_TOTAL = MIB,
    FILE_TOTAL = 64 * KIB,
};

// A row of the table. A round makes `calls` calls of `operation`, or does as `round` says, and
// stands for calls * units units.
struct row {
    const char *name;
    const char *unit;
    uint64_t (*round)(const struct row *row); // NULL: calls_round
    void (*operation)(void);
    unsigned calls;
    unsigned units;
    int argument; // of `round`
};

struct counters {
    uint64_t instructions;
    uint64_t idle; // of these, while the hart waited
};

static const char *current; // name of the row, for messages
static char buffer[FILE_TOTAL];
static int to_peer[2], from_peer[2]; // pipes

static uint64_t instret(void) {
    uint64_t count;
    __asm__ volatile("rdinstret %0" : "=r"(count)::"memory");
    return count;
}

// Ends the program if a call failed.
static int must(int result) {
    if (result < 0) {
        fprintf(2, "bench: %s: %s\n", current, strerror(errno));
        exit(1);
    }
    return result;
}

static uint64_t idle_count(void) {
    struct memstat stat;
    must(memstat(&stat, 0));
    return stat.idle_instructions;
}

static struct counters counters_start(void) {
    uint64_t idle = idle_count();
    return (struct counters){instret(), idle};
}

static uint64_t counters_since(struct counters start) {
    uint64_t now = instret();
    return now - start.instructions - (idle_count() - start.idle);
}

// Children.

static void wait_child(int expected_status) {
    int status;
    must(wait(&status));
    if (status != expected_status) {
        fprintf(2, "bench: %s: a child ended with status %d\n", current, status);
        exit(1);
    }
}

// Forks a child that stays until to_peer is closed.
static void fork_idler(void) {
    must(pipe(to_peer));
    if (must(fork()) == 0) {
        close(to_peer[1]);
        read(to_peer[0], buffer, 1);
        exit(0);
    }
    close(to_peer[0]);
}

static void end_idler(void) {
    close(to_peer[1]);
    wait_child(0);
}

// Memory.

static char *heap_take(int size) {
    char *start = sbrk(size);
    if (start == (char *)-1)
        must(-1);
    return start;
}

static void pages_write(char *start, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        ((volatile char *)start)[i * (size_t)PAGE_BYTES] = 1;
}

// Operations.

static __attribute__((noinline)) void nothing(void) {
    __asm__ volatile("");
}

static void op_getpid(void) {
    getpid();
}

static void op_dup_close(void) {
    close(dup(1));
}

static void op_fork(void) {
    if (must(fork()) == 0)
        exit(0);
    wait_child(0);
}

static void op_fork_exec(void) {
    char *arguments[] = {"true", NULL};
    if (must(fork()) == 0) {
        exec("/true", arguments);
        exit(1);
    }
    wait_child(0);
}

static void op_vfork(void) {
    if (must(vfork()) == 0)
        exit(0);
    wait_child(0);
}

static void op_vfork_exec(void) {
    char *arguments[] = {"true", NULL};
    if (must(vfork()) == 0) {
        exec("/true", arguments);
        exit(1);
    }
    wait_child(0);
}

static char *map_take(int flags) {
    char *start = mmap(NULL, MAP_PAGES * PAGE_BYTES, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (start == MAP_FAILED)
        must(-1);
    return start;
}

static void op_mmap(void) {
    char *start = map_take(MAP_PRIVATE | MAP_ANONYMOUS);
    pages_write(start, MAP_PAGES);
    must(munmap(start, MAP_PAGES * PAGE_BYTES));
}

static void op_sbrk(void) {
    pages_write(heap_take(SBRK_PAGES * PAGE_BYTES), SBRK_PAGES);
    sbrk(-SBRK_PAGES * PAGE_BYTES);
}

static void op_pipe_same(void) {
    write(to_peer[1], buffer, 1);
    read(to_peer[0], buffer, 1);
}

static void op_pipe_round_trip(void) {
    write(to_peer[1], buffer, 1);
    read(from_peer[0], buffer, 1);
}

static void op_open_close(void) {
    close(open("/README", O_RDONLY));
}

static void op_create_unlink(void) {
    int fd = open("/bench.tmp", O_CREATE | O_WRONLY);
    write(fd, buffer, 1);
    close(fd);
    unlink("/bench.tmp");
}

// Rounds.

static uint64_t calls_round(const struct row *row) {
    struct counters start = counters_start();
    for (unsigned i = 0; i < row->calls; i++)
        row->operation();
    uint64_t count = counters_since(start);

    start = counters_start();
    for (unsigned i = 0; i < row->calls; i++)
        nothing();
    return count - counters_since(start);
}

// The calls while the program has that many MiB of heap.
static uint64_t heap_round(const struct row *row) {
    int size = row->argument * MIB;
    pages_write(heap_take(size), size / PAGE_BYTES);
    uint64_t count = calls_round(row);
    sbrk(-size);
    return count;
}

// Only what the parent sees of fork.
static uint64_t fork_alone_round(const struct row *row) {
    int size = row->argument * MIB;
    pages_write(heap_take(size), size / PAGE_BYTES);
    struct counters start = counters_start();
    int pid = must(fork());
    if (pid == 0)
        exit(0);
    uint64_t count = counters_since(start);
    wait_child(0);
    sbrk(-size);
    return count;
}

// Writes to pages that a child shares.
static uint64_t cow_break_round(const struct row *row) {
    (void)row;
    char *pages = heap_take(COW_PAGES * PAGE_BYTES);
    pages_write(pages, COW_PAGES);
    fork_idler();
    struct counters start = counters_start();
    pages_write(pages, COW_PAGES);
    uint64_t count = counters_since(start);
    end_idler();
    sbrk(-COW_PAGES * PAGE_BYTES);
    return count;
}

// Writes to pages that a child shared until it ended.
static uint64_t last_owner_round(const struct row *row) {
    (void)row;
    char *pages = heap_take(COW_PAGES * PAGE_BYTES);
    pages_write(pages, COW_PAGES);
    op_fork();
    struct counters start = counters_start();
    pages_write(pages, COW_PAGES);
    uint64_t count = counters_since(start);
    sbrk(-COW_PAGES * PAGE_BYTES);
    return count;
}

// Writes to pages that a child shares for good, and has: what copy-on-write is compared with.
static uint64_t shared_write_round(const struct row *row) {
    (void)row;
    char *pages = map_take(MAP_SHARED | MAP_ANONYMOUS);
    pages_write(pages, MAP_PAGES);
    fork_idler();
    struct counters start = counters_start();
    pages_write(pages, MAP_PAGES);
    uint64_t count = counters_since(start);
    end_idler();
    must(munmap(pages, MAP_PAGES * PAGE_BYTES));
    return count;
}

// First touches of shared pages that a child has touched already.
static uint64_t shared_touch_round(const struct row *row) {
    (void)row;
    char *pages = map_take(MAP_SHARED | MAP_ANONYMOUS);
    if (must(fork()) == 0) {
        pages_write(pages, MAP_PAGES);
        exit(0);
    }
    wait_child(0);
    struct counters start = counters_start();
    pages_write(pages, MAP_PAGES);
    uint64_t count = counters_since(start);
    must(munmap(pages, MAP_PAGES * PAGE_BYTES));
    return count;
}

static uint64_t pipe_same_round(const struct row *row) {
    must(pipe(to_peer));
    uint64_t count = calls_round(row);
    close(to_peer[0]);
    close(to_peer[1]);
    return count;
}

static uint64_t pipe_trip_round(const struct row *row) {
    must(pipe(to_peer));
    must(pipe(from_peer));
    if (must(fork()) == 0) {
        close(to_peer[1]);
        while (read(to_peer[0], buffer, 1) == 1)
            write(from_peer[1], buffer, 1);
        exit(0);
    }
    close(to_peer[0]);
    close(from_peer[1]);
    op_pipe_round_trip(); // the child is there now
    uint64_t count = calls_round(row);
    close(from_peer[0]);
    end_idler();
    return count;
}

// Reads what a child writes in pieces of the argument's size.
static uint64_t pipe_stream_round(const struct row *row) {
    must(pipe(to_peer));
    must(pipe(from_peer));
    if (must(fork()) == 0) {
        read(to_peer[0], buffer, 1);
        for (int done = 0; done < PIPE_TOTAL; done += row->argument)
            must(write(from_peer[1], buffer, row->argument));
        exit(0);
    }
    close(from_peer[1]);
    struct counters start = counters_start();
    write(to_peer[1], buffer, 1);
    for (int done = 0; done < PIPE_TOTAL;)
        done += must(read(from_peer[0], buffer, PAGE_BYTES));
    uint64_t count = counters_since(start);
    close(from_peer[0]);
    close(to_peer[0]);
    end_idler();
    return count;
}

// One write of FILE_TOTAL bytes to an empty file, or the read of it.
static uint64_t file_write_round(const struct row *row) {
    (void)row;
    int fd = must(open("/bench.tmp", O_CREATE | O_TRUNC | O_WRONLY));
    struct counters start = counters_start();
    int written = write(fd, buffer, FILE_TOTAL);
    close(fd);
    uint64_t count = counters_since(start);
    must(written == FILE_TOTAL ? 0 : -1);
    unlink("/bench.tmp");
    return count;
}

static uint64_t file_read_round(const struct row *row) {
    (void)row;
    int fd = must(open("/bench.tmp", O_CREATE | O_RDWR));
    must(write(fd, buffer, FILE_TOTAL));
    close(fd);
    fd = must(open("/bench.tmp", O_RDONLY));
    struct counters start = counters_start();
    int seen = read(fd, buffer, FILE_TOTAL);
    uint64_t count = counters_since(start);
    must(seen == FILE_TOTAL ? 0 : -1);
    close(fd);
    unlink("/bench.tmp");
    return count;
}

// clang-format off
static const struct row rows[] = {
    {"getpid", "call", NULL, op_getpid, 1000, 1, 0},
    {"dup+close", "call", NULL, op_dup_close, 1000, 1, 0},
    {"fork+exit+wait", "call", NULL, op_fork, 10, 1, 0},
    {"fork+exit+wait-1MiB", "call", heap_round, op_fork, 10, 1, 1},
    {"fork+exit+wait-16MiB", "call", heap_round, op_fork, 4, 1, 16},
    {"fork+exit+wait-64MiB", "call", heap_round, op_fork, 2, 1, 64},
    {"fork-16MiB", "call", fork_alone_round, NULL, 1, 1, 16},
    {"fork+exec+exit+wait", "call", NULL, op_fork_exec, 10, 1, 0},
    {"vfork+exit+wait", "call", NULL, op_vfork, 10, 1, 0},
    {"vfork+exec+exit+wait", "call", NULL, op_vfork_exec, 10, 1, 0},
    {"vfork+exec-16MiB", "call", heap_round, op_vfork_exec, 4, 1, 16},
    {"cow-break", "page", cow_break_round, NULL, 1, COW_PAGES, 0},
    {"last-owner", "page", last_owner_round, NULL, 1, COW_PAGES, 0},
    {"sbrk-1MiB", "page", NULL, op_sbrk, 1, SBRK_PAGES, 0},
    {"mmap-1MiB", "page", NULL, op_mmap, 1, MAP_PAGES, 0},
    {"shared-touch", "page", shared_touch_round, NULL, 1, MAP_PAGES, 0},
    {"shared-write", "page", shared_write_round, NULL, 1, MAP_PAGES, 0},
    {"pipe-same", "call", pipe_same_round, op_pipe_same, 1000, 1, 0},
    {"pipe-round-trip", "call", pipe_trip_round, op_pipe_round_trip, 1000, 1, 0},
    {"pipe-512B", "KiB", pipe_stream_round, NULL, 1, PIPE_TOTAL / KIB, 512},
    {"pipe-4KiB", "KiB", pipe_stream_round, NULL, 1, PIPE_TOTAL / KIB, 4096},
    {"open+close", "call", NULL, op_open_close, 1000, 1, 0},
    {"create+write+unlink", "call", NULL, op_create_unlink, 10, 1, 0},
    {"file-write", "KiB", file_write_round, NULL, 1, FILE_TOTAL / KIB, 0},
    {"file-read", "KiB", file_read_round, NULL, 1, FILE_TOTAL / KIB, 0},
};
// clang-format on

static void measure(const struct row *row) {
    current = row->name;
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t count = row->round != NULL ? row->round(row) : calls_round(row);
        if (count < best)
            best = count;
    }
    printf("bench %s %lu %s\n", row->name, (unsigned long)(best / (row->calls * row->units)),
           row->unit);
}

static bool is_named(const char *name, int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], name) == 0)
            return true;
    }
    return argc <= 1;
}

// Ends the program unless each argument is a row's name.
static void check_names(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        size_t row = 0;
        while (row < ARRAY_SIZE(rows) && strcmp(argv[i], rows[row].name) != 0)
            row++;
        if (row == ARRAY_SIZE(rows))
            usage("bench [name ...], the names being those that it prints");
    }
}

int main(int argc, char **argv) {
    uint64_t start = instret();
    current = "start";
    start -= idle_count();
    check_names(argc, argv);
    // Firmware, boot, the shell, and the command that started this program.
    printf("bench start %lu boot\n", (unsigned long)start);
    memset(buffer, 1, sizeof buffer);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (is_named(rows[i].name, argc, argv))
            measure(&rows[i]);
    }
    printf("bench done\n");
    return 0;
}
