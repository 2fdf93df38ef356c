// Measures what work costs when there is more of it, or more of what could be in its way. For each
// point of each curve that is named, a line "scale CURVE SIZE COUNT UNITS ROUNDS" tells in how many
// instructions the hart did so many units of work in the best round. The count is exact in QEMU
// with -icount shift=0, and meaningless without; on several harts, tools/plugin/lockstep.c tells
// the time between each work_begin and work_end instead. tools/bench_scale.py runs all curves.
//
//   scale CURVE:SIZE:SIZE... ...
#include "scale.h"

#include "tool.h"

const char program_name[] = "scale";

// clang-format off
static const struct curve curves[] = {
    // Among so many processes.
    {"fork", fork_round, calls_units, 3},
    {"kill", kill_round, calls_units, 3},
    {"nap", nap_round, calls_units, 1},
    {"wake", wake_round, wake_units, 2},
    // With so many processes or pipes.
    {"crowd", crowd_round, one_unit_each, 2},
    {"sleepers", sleepers_round, one_unit_each, 1},
    {"list", list_round, one_unit_each, 2},
    {"ring", ring_round, ring_units, 1},
    // With so many pages.
    {"fork-first", fork_first_round, one_unit_each, 3},
    {"fork-later", fork_later_round, one_unit_each, 3},
    {"grow", grow_round, one_unit_each, 3},
    {"map", map_round, one_unit_each, 3},
    {"cow", cow_round, one_unit_each, 3},
    {"exit", exit_round, one_unit_each, 3},
    // With so many entries of a directory, or KiB of a file.
    {"lookup", lookup_round, calls_units, 1},
    {"create", create_round, calls_units, 1},
    {"entries", entries_round, one_unit_each, 1},
    {"write", write_round, one_unit_each, 1},
    {"read", read_round, one_unit_each, 1},
    {"end", end_round, end_units, 1},
    // So many streams at once.
    {"fork-streams", fork_streams_round, fork_streams_units, 3},
    {"fault-streams", fault_streams_round, fault_streams_units, 3},
    {"pipe-streams", pipe_streams_round, pipe_streams_units, 3},
    {"read-streams", read_streams_round, read_streams_units, 3},
    {"disk-streams", disk_streams_round, disk_streams_units, 2},
};
// clang-format on

char buffer[64 * KIB];

// ---- Help for rounds ----

void pass_bytes(const int *from, const int *to) {
    close(from[1]);
    while (read(from[0], buffer, 1) == 1)
        write(to[1], buffer, 1);
    exit(0);
}

char *heap_write(int pages) {
    char *start = heap_take(pages * PAGE_BYTES);
    pages_write(start, (unsigned)pages);
    return start;
}

// ---- Counting ----

// An instruction that does nothing but tell the plugin where the program is.
#define MARK(number) __asm__ volatile("slti x0, x0, %0" ::"i"(number) : "memory")

static uint64_t begin_count, begin_idle;

void work_begin(void) {
    begin_idle = idle_count();
    begin_count = instruction_count();
    MARK(1);
}

uint64_t work_end(void) {
    MARK(2);
    uint64_t count = instruction_count() - begin_count;
    return count - (idle_count() - begin_idle);
}

// ---- The program ----

static void measure(const struct curve *curve, int size) {
    uint64_t best = UINT64_MAX;
    for (unsigned i = 0; i < curve->rounds; i++) {
        uint64_t count = curve->round(size);
        best = count < best ? count : best;
    }
    printf("scale %s %d %lu %u %u\n", curve->name, size, (unsigned long)best, curve->units(size),
           curve->rounds);
}

// Measures the points of an argument, CURVE:SIZE:SIZE...
static void measure_points(char *argument) {
    char *sizes = strchr(argument, ':');
    if (sizes != NULL)
        *sizes++ = 0;
    current = argument;
    for (size_t i = 0; i < ARRAY_SIZE(curves) && sizes != NULL; i++) {
        if (strcmp(curves[i].name, argument) != 0)
            continue;
        for (; sizes != NULL; sizes = strchr(sizes, ':')) {
            sizes += *sizes == ':';
            measure(&curves[i], atoi(sizes));
        }
        return;
    }
    usage("scale CURVE:SIZE:SIZE... ..., the curves being those of user/tests/scale.c");
}

int main(int argc, char **argv) {
    memset(buffer, 1, sizeof buffer);
    for (int i = 1; i < argc; i++)
        measure_points(argv[i]);
    printf("scale done\n");
    return 0;
}
