// Counts the instructions that system calls and page faults cost, in user mode and in the kernel,
// with the counter instret: exact in QEMU with -icount shift=0, meaningless without. Each line is
// the median of ROUNDS: "bench NAME COUNT UNIT UNITS", COUNT for each of the UNITS of a round.
// Instructions while the hart waits for the disk are subtracted, and so is the loop around the
// measured calls.
//
//   bench [name ...]     all rows, or the named ones
#include "bench.h"

#include "tool.h"

const char program_name[] = "bench";

enum { ROUNDS = 7 };

// clang-format off
static const struct row rows[] = {
    {"getpid", "call", NULL, op_getpid, 1000, 1, 0},
    {"dup+close", "call", NULL, op_dup_close, 1000, 1, 0},
    {"fork+exit+wait", "call", NULL, fork_once, 10, 1, 0},
    {"fork+exit+wait-1MiB-first", "call", heap_first_round, fork_once, 1, 1, 1},
    {"fork+exit+wait-1MiB", "call", heap_round, fork_once, 10, 1, 1},
    {"fork+exit+wait-16MiB-first", "call", heap_first_round, fork_once, 1, 1, 16},
    {"fork+exit+wait-16MiB", "call", heap_round, fork_once, 4, 1, 16},
    {"fork+exit+wait-64MiB-first", "call", heap_first_round, fork_once, 1, 1, 64},
    {"fork+exit+wait-64MiB", "call", heap_round, fork_once, 2, 1, 64},
    {"fork-16MiB-first", "call", fork_alone_first_round, NULL, 1, 1, 16},
    {"fork-16MiB", "call", fork_alone_round, NULL, 1, 1, 16},
    {"fork+exec+exit+wait", "call", NULL, op_fork_exec, 10, 1, 0},
    {"vfork+exit+wait", "call", NULL, op_vfork, 10, 1, 0},
    {"vfork+exec+exit+wait", "call", NULL, op_vfork_exec, 10, 1, 0},
    {"vfork+exec-16MiB", "call", heap_round, op_vfork_exec, 4, 1, 16},
    {"cow-break", "page", cow_break_round, NULL, 1, COW_PAGES, 0},
    {"last-owner", "page", last_owner_round, NULL, 1, COW_PAGES, 0},
    {"sbrk-1MiB", "page", NULL, op_sbrk, 1, SBRK_PAGES, 0},
    {"sbrk-page", "cycle", NULL, op_sbrk_page, 100, 1, 0},
    {"mmap-1MiB", "page", NULL, op_mmap, 1, MAP_PAGES, 0},
    {"shared-touch", "page", shared_touch_round, NULL, 1, MAP_PAGES, 0},
    {"shared-write", "page", shared_write_round, NULL, 1, MAP_PAGES, 0},
    {"pipe-same", "call", pipe_same_round, op_pipe_same, 1000, 1, 0},
    {"pipe-round-trip", "call", pipe_trip_round, op_pipe_round_trip, 1000, 1, 0},
    {"pipe-512B", "KiB", pipe_stream_round, NULL, 1, PIPE_TOTAL / KIB, 512},
    {"pipe-4KiB", "KiB", pipe_stream_round, NULL, 1, PIPE_TOTAL / KIB, 4096},
    {"open+close", "call", NULL, op_open_close, 1000, 1, 0},
    {"create+write+unlink", "call", NULL, op_create_unlink, 10, 1, 0},
    {"file-write", "KiB", file_write_round, NULL, 1, FILE_TOTAL / KIB, FILE_TOTAL},
    {"file-write-8KiB", "KiB", file_life_round, NULL, 1, FILE_TOTAL / KIB, 8 * KIB},
    {"rewrite-8KiB", "KiB", file_rewrite_round, NULL, 1, 8, 8 * KIB},
    {"file-read", "KiB", file_read_round, NULL, 1, FILE_TOTAL / KIB, FILE_TOTAL},
    {"file-read-8KiB", "KiB", file_open_read_round, NULL, 1, FILE_TOTAL / KIB, 8 * KIB},
};
// clang-format on

// Puts the count in its place among the first n, which are sorted.
static void insert(uint64_t *counts, unsigned n, uint64_t count) {
    for (; n > 0 && counts[n - 1] > count; n--)
        counts[n] = counts[n - 1];
    counts[n] = count;
}

static void measure(const struct row *row) {
    current = row->name;
    uint64_t counts[ROUNDS] = {0};
    for (unsigned i = 0; i < ROUNDS; i++)
        insert(counts, i, row->round != NULL ? row->round(row) : calls_round(row));
    uint64_t median = counts[ROUNDS / 2];
    unsigned units = row->calls * row->units;
    printf("bench %s %lu %s %u\n", row->name, (unsigned long)(median / units), row->unit, units);
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

// Returns the instructions executed so far, without idling. The pages that this touches first may
// have to be read from the disk, so the hart must not have waited between the two counts.
static uint64_t start_count(void) {
    uint64_t idle, count;
    do {
        idle = idle_count();
        count = count_end();
    } while (idle_count() != idle);
    return count - idle;
}

int main(int argc, char **argv) {
    current = "start";
    uint64_t start = start_count();
    check_names(argc, argv);
    // Firmware, boot, the shell, and the command that started this program.
    printf("bench start %lu boot 1\n", (unsigned long)start);
    memset(buffer, 1, sizeof buffer);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (is_named(rows[i].name, argc, argv))
            measure(&rows[i]);
    }
    printf("bench done\n");
    return 0;
}
