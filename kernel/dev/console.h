// The console brings the keys that arrive at the serial port to programs that read lines, and to
// programs that read keys. Keys wait, without an echo, until a program reads them. So text typed
// ahead appears at the prompt that it answers. Ctrl-C and Ctrl-P do not wait for a reader: they
// call hooks as soon as they arrive.
#pragma once
#include "abi/terminal.h"
#include "abi/types.h"
#include "lib/span.h"

// All must be set. The first two are called without locks, `reader` with the console's lock held.
struct console_hooks {
    // Ctrl-C. Returns false if there was nothing to end; then readers get it as a key.
    bool (*interrupt)(void);

    // Ctrl-P.
    void (*list)(void);

    // Called when the running process begins to read, and after each wake-up before it waits again.
    // An error becomes the result of its read.
    int (*reader)(bool wants_keys);
};

// ---- Boot ----

// Call it when the UART, which raises irq, and the interrupt controller are ready.
void console_init(unsigned irq);

// Call it before interrupts are taken and processes run.
void console_set_hooks(const struct console_hooks *hooks);

// ---- Reading ----

// Reads at most one line, or its first part if it is longer than `to`; returns the number of bytes,
// 0 at the end of input (Ctrl-D). The line is edited with lib/lineedit.h. May sleep. Errors:
// -EINTR, -EIO (hooks->reader).
int console_read(struct spans *to);

// Returns the next byte that is typed, unedited and without echo. May sleep, for at most max_ticks
// tenths of a second, or without limit if max_ticks is negative. Errors: -EAGAIN (no byte came),
// -EINTR, -EIO (hooks->reader).
int console_getkey(int max_ticks);

// Makes all tasks that wait for keys ask hooks->reader again. The caller holds no lock of rank
// CONSOLE or higher.
void console_wake_readers(void);

// Asks the terminal how wide it is and where its cursor is. May sleep, for at most a second.
// Errors: -EINTR.
int console_terminal(struct terminal *t);

// ---- Writing ----

// Writes the text in pieces of 512 bytes, between which other output may appear. Returns the number
// of bytes written. May sleep.
int console_write(struct spans *from);
