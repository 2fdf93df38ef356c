// The keys that have arrived and wait for a reader. The console's lock is held at every call.
#pragma once
#include "abi/types.h"

// Adds a key; returns false if there is no room. Then the whole line to which the key belongs is
// refused, so that no truncated line is ever run.
bool keyring_put(char key);

bool keyring_is_empty(void);

// Returns the oldest key; there must be one.
char keyring_first(void);

// Removes the oldest key and returns it.
char keyring_take(void);

// Drops all keys.
void keyring_clear(void);

// Call it when the key "R" arrives. If it completes a terminal's report of its cursor position,
// removes the report's other keys, ESC [ row ; column, stores the column (from 1) and returns true.
bool keyring_take_report(int *column);

// True if the key ends a line.
static inline bool keyring_ends_line(char key) {
    return key == '\n' || key == '\r';
}
