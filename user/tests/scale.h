// What the parts of scale share: its curves (scale.c) and the rounds in which a point is measured
// (scale_*.c).
#pragma once

#include "test_measure.h"

// A line of a plot. A round prepares something of the given size, returns how many instructions the
// work took, and tidies up.
struct curve {
    const char *name;
    uint64_t (*round)(int size);
    unsigned (*units)(int size); // of work in a round
    unsigned rounds;
};

extern char buffer[64 * KIB];

// In a child: passes each byte on from one pipe to the other, until nobody writes any more.
_Noreturn void pass_bytes(const int *from, const int *to);

// Returns new heap, to which it has written.
char *heap_write(int pages);

// ---- Counting ----

// Begin and end what is measured; work_end returns the instructions that this hart has executed in
// between, without those while it waited. They also mark the two places for
// tools/plugin/lockstep.c.
void work_begin(void);
uint64_t work_end(void);

// ---- Units of work in a round ----

unsigned one_unit_each(int size); // as many as the size says
unsigned calls_units(int size);

// ---- Rounds among processes, or with so many processes or pipes ----

uint64_t fork_round(int size);
uint64_t kill_round(int size);
uint64_t nap_round(int size);
uint64_t wake_round(int size);
uint64_t crowd_round(int size);
uint64_t sleepers_round(int size);
uint64_t list_round(int size);
uint64_t ring_round(int size);
unsigned wake_units(int size);
unsigned ring_units(int size);

// ---- Rounds with so many pages ----

uint64_t fork_first_round(int size);
uint64_t fork_later_round(int size);
uint64_t grow_round(int size);
uint64_t map_round(int size);
uint64_t cow_round(int size);
uint64_t exit_round(int size);

// ---- Rounds with so many entries of a directory, or KiB of a file ----

uint64_t lookup_round(int size);
uint64_t create_round(int size);
uint64_t entries_round(int size);
uint64_t write_round(int size);
uint64_t read_round(int size);
uint64_t end_round(int size);
unsigned end_units(int size);

// ---- Rounds with so many independent streams of the same work, which run at once ----

uint64_t fork_streams_round(int size);
uint64_t fault_streams_round(int size);
uint64_t pipe_streams_round(int size);
uint64_t read_streams_round(int size);
uint64_t disk_streams_round(int size);
unsigned fork_streams_units(int size);
unsigned fault_streams_units(int size);
unsigned pipe_streams_units(int size);
unsigned read_streams_units(int size);
unsigned disk_streams_units(int size);
