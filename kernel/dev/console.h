// The console: the keys that arrive at the serial port, for programs that read lines and for those
// that read keys. Keys wait until somebody reads, and are not echoed before: what is typed ahead
// appears at the prompt that it is for. Ctrl-C and Ctrl-P are not for readers: they call the
// owner's hooks when they arrive.
#pragma once
#include "abi/terminal.h"
#include "abi/types.h"
#include "lib/span.h"

// All must be there. The first two are called without locks, `reader` with the console's lock.
struct console_hooks {
    bool (*interrupt)(
        void);          // Ctrl-C; false: there was nothing to end, so that readers get it as a key
    void (*list)(void); // Ctrl-P
    int (*reader)(
        bool wants_keys); // the running process reads, or reads on; errors become the read's
};

// The UART, which raises irq, and the interrupt controller are ready.
void console_init(unsigned irq);

// To be called before interrupts are taken and processes run.
void console_set_hooks(const struct console_hooks *hooks);

// Reads at most one line, or its first part if it is longer than `to`; returns the number of bytes,
// 0 at the end of input (Ctrl-D). The line is edited with lib/lineedit.h. May sleep. Errors:
// -EINTR, -EIO (hooks->reader).
int console_read(struct spans *to);

// Returns the next byte of what is typed, unedited and without echo. May sleep, for so many tenths
// of a second, without end if that is negative. Errors: -EAGAIN (none came), -EINTR, -EIO
// (hooks->reader).
int console_getkey(int most_ticks);

// Has all who wait for keys ask hooks->reader again. No lock of a rank from RANK_CONSOLE on is
// held.
void console_wake_readers(void);

// Asks the terminal how wide it is and where its cursor is. May sleep, a second at most. Errors:
// -EINTR.
int console_terminal(struct terminal *t);

// Writes the text, each 512 bytes of it in one piece; returns the number of bytes. May sleep.
int console_write(struct spans *from);
