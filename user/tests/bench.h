// What the parts of bench share: its rows (bench.c), the operations that rows count
// (bench_operation.c) and the rounds in which they do (bench_round.c, bench_file.c).
#pragma once

#include "test_measure.h"

enum {
    COW_PAGES = 256,
    SBRK_PAGES = 256,
    MAP_PAGES = 256,
    PIPE_TOTAL = MIB,
    FILE_TOTAL = 64 * KIB,
};

// A row of the table. A round makes `calls` calls of `operation`, or does what `round` does, and
// covers calls * units units.
struct row {
    const char *name;
    const char *unit;
    uint64_t (*round)(const struct row *row); // NULL: calls_round
    void (*operation)(void);
    unsigned calls;
    unsigned units;
    int argument; // of `round`
};

extern char buffer[FILE_TOTAL];
extern int to_peer[2], from_peer[2]; // pipes

// Forks a child that stays until to_peer is closed, and ends it.
void fork_idler(void);
void end_idler(void);

// Returns MAP_PAGES pages that are mapped with these flags.
char *map_take(int flags);

// ---- Operations ----

void op_getpid(void);
void op_dup_close(void);
void op_fork_exec(void);
void op_vfork(void);
void op_vfork_exec(void);
void op_mmap(void);
void op_sbrk(void);
void op_sbrk_page(void);
void op_pipe_same(void);
void op_pipe_round_trip(void);
void op_open_close(void);
void op_create_unlink(void);

// ---- Rounds: each returns how many instructions it counted ----

// As instruction_count. What is counted ends here, where tools/profiler.py stops the machine.
uint64_t count_end(void);

// Both counts at the start of a measurement.
struct counters {
    uint64_t instructions;
    uint64_t idle;
};

struct counters start_counters(void);

// Returns the instructions executed since, without those while the hart waited.
uint64_t counters_since(struct counters start);

uint64_t calls_round(const struct row *row);
uint64_t heap_first_round(const struct row *row);
uint64_t heap_round(const struct row *row);
uint64_t fork_alone_first_round(const struct row *row);
uint64_t fork_alone_round(const struct row *row);
uint64_t cow_break_round(const struct row *row);
uint64_t last_owner_round(const struct row *row);
uint64_t shared_write_round(const struct row *row);
uint64_t shared_touch_round(const struct row *row);
uint64_t pipe_same_round(const struct row *row);
uint64_t pipe_trip_round(const struct row *row);
uint64_t pipe_stream_round(const struct row *row);
uint64_t file_write_round(const struct row *row);
uint64_t file_life_round(const struct row *row);
uint64_t file_rewrite_round(const struct row *row);
uint64_t file_read_round(const struct row *row);
uint64_t file_open_read_round(const struct row *row);
