// The console: a line editor between the serial port and the programs that read lines. Backspace,
// Ctrl-U and Ctrl-W erase; arrows, Home and End (Ctrl-A, Ctrl-E) move and recall lines; Ctrl-D ends
// input, Ctrl-C and Ctrl-P call the owner's hooks.
#pragma once

#include "abi/types.h"
#include "lib/span.h"

struct machine;

// Called without locks. All must be there.
struct console_hooks {
    void (*interrupt)(void); // Ctrl-C
    void (*list)(void);      // Ctrl-P
    void (*reader)(void);    // a process is about to read
};

// The UART and the interrupt controller are ready.
void console_init(const struct machine *m);

// Until the hooks are set, Ctrl-C and Ctrl-P do nothing.
void console_set_hooks(const struct console_hooks *hooks);

// Reads at most one line, or its first part if it is longer than `to`; returns the number of bytes,
// 0 at the end of input (Ctrl-D). May sleep. Errors: -EINTR.
int console_read(struct spans *to);

// Returns the number of bytes. Text of up to 4 KiB is written in one piece.
int console_write(struct spans *from);
