// One ring of lines serves readers, editor and arrows alike: the lines that wait for a reader, before them those read
// already, which are the history, and after them the line under edit.
//
// All editing is one operation, line_replace, which changes a part of the line and redraws from there. It counts on one
// byte for one column, and on a line that does not wrap.
#include "dev/console.h"
#include "dev/plic.h"
#include "dev/uart.h"
#include "lib/string.h"
#include "sched/wait.h"

#define CTRL(letter) ((letter) - '@')

enum { LINES = 256, LINE_BYTES = 256, ECHO_BYTES = 1024, ESCAPE = 0x1b, DELETE = 0x7f };

struct line {
    size_t length;
    char text[LINE_BYTES + 1]; // room for the "\n" that a finished line ends with, unless Ctrl-D ended it
};

static struct spinlock lock = SPINLOCK(RANK_CONSOLE); // guards everything here but hooks
static const struct console_hooks *hooks;             // [I] after boot
static struct waitq readers = WAITQ(readers);

static struct line lines[LINES];
static size_t finished, taken;    // lines ever; those between wait for a reader
static size_t offset;             // of what a reader has left of the first line that waits
static struct line *line = lines; // under edit: lines[finished % LINES]
static size_t cursor;             // offset in the line
static size_t back;               // how many lines Up has gone back
static uint8_t sequence;          // last byte of an escape sequence under way; 0: there is none
static char echo[ECHO_BYTES];     // collected, to be written at once
static size_t echo_length;

static void echo_flush(void) {
    uart_write(echo, echo_length);
    echo_length = 0;
}

static void echo_add(char c, size_t times) {
    for (; times > 0; times--) {
        if (echo_length == ECHO_BYTES) echo_flush();
        echo[echo_length++] = c == '\t' ? ' ' : c; // one byte, one column
    }
}

// Goes nowhere if there is no such place.
static void cursor_move(size_t to) {
    if (to > line->length) return;
    if (to < cursor) echo_add('\b', cursor - to);
    for (; cursor < to; cursor++) echo_add(line->text[cursor], 1);
    cursor = to;
}

// Puts n bytes in place of those from start to end, and the cursor after them.
static void line_replace(size_t start, size_t end, const char *text, size_t n) {
    size_t tail = line->length - end;
    size_t erased = end - start > n ? end - start - n : 0;
    if (start + n + tail > LINE_BYTES) {
        echo_add('\a', 1);
        return;
    }
    cursor_move(start);
    memmove(line->text + start + n, line->text + end, tail);
    memcpy(line->text + start, text, n);
    line->length = start + n + tail;
    cursor_move(line->length);
    echo_add(' ', erased);
    echo_add('\b', erased);
    cursor_move(start + n);
}

static size_t word_start(void) {
    size_t start = cursor;
    while (start > 0 && line->text[start - 1] == ' ') start--;
    while (start > 0 && line->text[start - 1] != ' ') start--;
    return start;
}

// Shows the next line, in steps of 1 back or -1 forth, that is not empty; an empty one in front of all.
static void history_show(int step) {
    size_t to = back + step, length = 0;
    while (to > 0 && to < LINES && to <= finished && lines[(finished - to) % LINES].length <= 1) to += step;
    if (to >= LINES || to > finished) return;
    back = to;
    const struct line *shown = &lines[(finished - back) % LINES];
    if (back > 0) length = shown->length - (shown->text[shown->length - 1] == '\n');
    line_replace(0, line->length, shown->text, length);
}

// Gives the line to the readers, with that end. If too many wait already, it is erased.
static void line_submit(const char *end) {
    if (finished - taken == LINES - 1) {
        echo_add('\a', 1);
        line_replace(0, line->length, "", 0);
        return;
    }
    cursor_move(line->length);
    echo_add('\n', strlen(end));
    memcpy(line->text + line->length, end, strlen(end));
    line->length += strlen(end);
    line = &lines[++finished % LINES];
    line->length = cursor = back = 0;
    wait_wake_all(&readers);
}

// Goes on with a sequence: ESC, "[" or "O", parameters, a letter. Only those of arrows mean something.
static void sequence_continue(uint8_t c) {
    bool starts = sequence == ESCAPE, goes_on = starts ? c == '[' || c == 'O' : c < '@';
    sequence = goes_on ? c : 0;
    if (starts || goes_on) return;
    if (c == 'A' || c == 'B')
        history_show(c == 'A' ? 1 : -1);
    else if (c == 'C' || c == 'D')
        cursor_move(c == 'C' ? cursor + 1 : cursor - 1);
}

static void key_handle(uint8_t c) {
    if (sequence != 0 && c >= ' ') {
        sequence_continue(c);
        return;
    }
    sequence = c == ESCAPE ? ESCAPE : 0;
    if (c == '\r' || c == '\n') {
        line_submit("\n");
    } else if (c == CTRL('D')) {
        line_submit("");
    } else if (c == CTRL('C')) {
        cursor_move(line->length);
        line->length = cursor = back = 0;
    } else if (c == CTRL('A') || c == CTRL('E')) {
        cursor_move(c == CTRL('A') ? 0 : line->length);
    } else if (c == CTRL('U')) {
        line_replace(0, line->length, "", 0);
    } else if (c == CTRL('W')) {
        line_replace(word_start(), cursor, "", 0);
    } else if ((c == CTRL('H') || c == DELETE) && cursor > 0) {
        line_replace(cursor - 1, cursor, "", 0);
    } else if ((c >= ' ' && c != DELETE) || c == '\t') {
        line_replace(cursor, cursor, (char *)&c, 1);
    }
}

static void console_interrupt(void) {
    char bytes[64];
    spin_lock(&lock);
    for (size_t n; (n = uart_read(bytes, sizeof bytes)) > 0; echo_flush())
        for (size_t i = 0; i < n; i++) {
            key_handle(bytes[i]);
            if (bytes[i] != CTRL('C') && bytes[i] != CTRL('P')) continue;
            echo_flush();
            if (bytes[i] == CTRL('C')) uart_write("^C\n", 3);
            spin_unlock(&lock);
            (bytes[i] == CTRL('C') ? hooks->interrupt : hooks->list)();
            spin_lock(&lock);
        }
    spin_unlock(&lock);
}

void console_init(unsigned irq) { plic_handle(irq, console_interrupt); }
void console_set_hooks(const struct console_hooks *new_hooks) { hooks = new_hooks; }

int console_read(struct spans *to) {
    if (to->size == 0) return 0;
    hooks->reader();
    spin_lock(&lock);
    int result = 0;
    while (result == 0 && finished == taken) result = wait_sleep_killable(&readers, &lock);
    if (result == 0) {
        const struct line *first = &lines[taken % LINES];
        result = first->length - offset < to->size ? first->length - offset : to->size;
        spans_fill(to, first->text + offset, result);
        offset += result;
        if (offset == first->length) {
            taken++;
            offset = 0;
        }
    }
    spin_unlock(&lock);
    return result;
}

int console_write(struct spans *from) {
    size_t n = from->size;
    spin_lock(&lock);
    while (from->size > 0) {
        struct span piece = spans_take(from, from->size);
        uart_write(piece.base, piece.size);
    }
    spin_unlock(&lock);
    return n;
}
