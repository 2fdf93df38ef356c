// The user's terminal: what the guest prints, and what is typed.
#pragma once
#include <stdbool.h>
#include <stdint.h>

// Lets each key reach the guest, until the program ends. With a file's name, that file is typed
// instead. Returns false if it cannot be read.
bool console_open(const char *input);

// For struct machine_settings.
void console_put(void *owner, uint8_t byte);

// Shows what was put, if it is not yet seen.
void console_flush(void);

enum { CONSOLE_NOTHING = -1, CONSOLE_END = -2, CONSOLE_LEAVE = -3 };

// Returns the next byte that is typed, for which it waits so many milliseconds, or for ever with
// CONSOLE_FOREVER. CONSOLE_NOTHING: there was none; CONSOLE_END: none will come; CONSOLE_LEAVE: the
// user wants to leave. A file is typed as fast as the guest reads it, so that there is no waiting.
enum { CONSOLE_FOREVER = -1 };
int console_get(int milliseconds);

// From now on, console_get and console_wait also return when that descriptor can be read.
void console_wait_for(int descriptor);

// Waits until something is typed, or that descriptor can be read.
void console_wait(void);

// Reads ahead what has been typed at the terminal, so that commands are heard also while the guest
// does not read. Returns true if the user wants to leave.
bool console_leaves(void);
