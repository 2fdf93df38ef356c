// The console: a line editor between the serial port and the programs that read lines. Backspace, Ctrl-U and Ctrl-W
// erase, the arrows, Ctrl-A and Ctrl-E move and recall lines, Ctrl-D ends input; Ctrl-C and Ctrl-P call the owner's
// hooks.
#pragma once
#include "abi/types.h"
#include "lib/span.h"

// Called without locks. All must be there.
struct console_hooks {
    void (*interrupt)(void); // Ctrl-C
    void (*list)(void);      // Ctrl-P
    void (*reader)(void);    // a process is about to read
};

// The UART, which raises irq, and the interrupt controller are ready.
void console_init(unsigned irq);
// To be called before interrupts are taken and processes run.
void console_set_hooks(const struct console_hooks *hooks);
// Reads at most one line, or its first part if it is longer than `to`; returns the number of bytes, 0 at the end of
// input (Ctrl-D). May sleep. Errors: -EINTR.
int console_read(struct spans *to);
// Writes the text in one piece; returns the number of bytes.
int console_write(struct spans *from);
