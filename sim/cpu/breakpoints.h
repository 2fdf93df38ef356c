// Stopping a machine at its breakpoints.
#pragma once
#include "cpu/hart.h"

// Add or remove one. Adding returns false if there is no room, or the address is odd; removing, if
// there is none.
bool breakpoints_add(struct system *s, uint64_t pc);
bool breakpoints_remove(struct system *s, uint64_t pc);
bool breakpoints_watch(struct system *s, struct watchpoint w);
bool breakpoints_unwatch(struct system *s, struct watchpoint w);
void breakpoints_remove_all(struct system *s);

// The hart's next instruction will not stop the machine, if it is executed now.
void breakpoints_pass(const struct hart *h);

// True if some breakpoint has that place in a page, so that the instruction there is to be looked
// at each time.
bool breakpoints_may_be_at(const struct breakpoints *b, uint64_t pc);

// Called before the instruction at pc is fetched. Returns true if it must not be executed.
bool breakpoints_stop(struct hart *h, uint64_t pc);

// Called for each access to such a page: ends the hart's turn if the data is watched.
void breakpoints_accessed(struct hart *h, uint64_t va, unsigned bytes, unsigned kind);

// Returns how many of these instructions the hart may execute in its turn.
uint64_t breakpoints_limit(const struct hart *h, uint64_t instructions);

// Called after a turn in which the hart has executed at least one instruction.
void breakpoints_turn_ended(const struct hart *h);
