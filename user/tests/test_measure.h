// What the programs that count instructions share: bench and scale.
#pragma once

#include "cow6.h"

enum { KIB = 1024, MIB = 1024 * 1024 };

extern const char *current; // what is measured, for messages

// Ends the program if a call failed, else returns its result.
int must(int result);

// Waits for a child; ends the program unless its status is the expected one.
void wait_child(int expected_status);

// Makes a child that exits at once, and waits for it.
void fork_once(void);

// Returns new heap.
char *heap_take(int size);

// Writes to each of the pages.
void pages_write(char *start, unsigned count);

// Returns how many instructions this hart has executed.
uint64_t instruction_count(void);

// Returns how many of them harts have executed while they waited.
uint64_t idle_count(void);
