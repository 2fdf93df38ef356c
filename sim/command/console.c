// The user's terminal, with QEMU's habits: Ctrl-A begins a command to the simulator.
#include "command/console.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

enum { ESCAPE = 'A' - '@', OUTPUT_BYTES = 4096, AHEAD_BYTES = 4096 };

static const char help[] =
    "\r\nCtrl-A H: this help; Ctrl-A X: leave; Ctrl-A Ctrl-A: type Ctrl-A\r\n";

static int input = STDIN_FILENO, other = -1;
static bool is_file, is_terminal, is_escaped, is_at_end;
static struct termios before;

// What was typed while the guest did not read.
static uint8_t ahead[AHEAD_BYTES];
static size_t ahead_first, ahead_count;

static char output[OUTPUT_BYTES];
static size_t output_used;

static void restore(void) {
    tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

bool console_open(const char *name) {
    if (name != NULL) {
        input = open(name, O_RDONLY);
        is_file = true;
        return input >= 0;
    }
    is_terminal = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &before) == 0;
    if (!is_terminal)
        return true;
    struct termios raw = before;
    raw.c_iflag &= ~(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
    raw.c_lflag &= ~(ECHO | ECHONL | ICANON | IEXTEN | ISIG);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    atexit(restore);
    return tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

void console_flush(void) {
    for (size_t done = 0; done < output_used;) {
        ssize_t written = write(STDOUT_FILENO, output + done, output_used - done);
        if (written <= 0)
            exit(1); // nobody reads it
        done += written;
    }
    output_used = 0;
}

void console_put(void *owner, uint8_t byte) {
    output[output_used++] = byte;
    if (output_used == sizeof output || (byte == '\n' && is_terminal))
        console_flush();
}

void console_wait_for(int descriptor) {
    other = descriptor;
}

// Returns true if there is something to read.
static bool wait_for_byte(int milliseconds) {
    struct pollfd ready[] = {
        {.fd = is_at_end ? -1 : input, .events = POLLIN},
        {.fd = other, .events = POLLIN},
    };
    return poll(ready, 2, milliseconds) > 0 && ready[0].revents != 0;
}

void console_wait(void) {
    struct pollfd ready[] = {
        {.fd = is_terminal && !is_at_end ? input : -1, .events = POLLIN},
        {.fd = other, .events = POLLIN},
    };
    poll(ready, 2, -1);
}

static int read_byte(int milliseconds) {
    uint8_t byte;
    if (is_at_end) {
        if (!is_file && milliseconds > 0)
            wait_for_byte(milliseconds);
        return CONSOLE_END;
    }
    if (!is_file && !wait_for_byte(milliseconds))
        return CONSOLE_NOTHING;
    is_at_end = read(input, &byte, 1) != 1;
    return is_at_end ? CONSOLE_END : byte;
}

// The byte after Ctrl-A.
static int escaped(int byte) {
    switch (byte) {
    case 'x':
    case 'X':
        return CONSOLE_LEAVE;
    case ESCAPE:
        return ESCAPE;
    case 'h':
    case 'H':
        fputs(help, stderr);
    }
    return CONSOLE_NOTHING;
}

static int get(int milliseconds) {
    int byte = read_byte(milliseconds);
    if (!is_terminal || byte < 0)
        return byte;
    if (is_escaped) {
        is_escaped = false;
        return escaped(byte);
    }
    is_escaped = byte == ESCAPE;
    return is_escaped ? CONSOLE_NOTHING : byte;
}

int console_get(int milliseconds) {
    if (ahead_count == 0)
        return get(milliseconds);
    uint8_t byte = ahead[ahead_first];
    ahead_first = (ahead_first + 1) % AHEAD_BYTES;
    ahead_count--;
    return byte;
}

bool console_leaves(void) {
    for (int byte; is_terminal && (byte = get(0)) != CONSOLE_NOTHING && byte != CONSOLE_END;) {
        if (byte == CONSOLE_LEAVE)
            return true;
        if (ahead_count < AHEAD_BYTES) // more is lost
            ahead[(ahead_first + ahead_count++) % AHEAD_BYTES] = byte;
    }
    return false;
}
