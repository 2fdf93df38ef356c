// What is typed goes through three buffers: the line under edit, which the terminal shows; the ready
// lines, which wait for a reader; the history, from which the arrows fetch lines back.
//
// All editing is one operation, line_replace, which changes a part of the line and redraws from
// there. It counts on one byte for one column, and on a line that does not wrap.
#include "dev/console.h"

#include "dev/machine.h"
#include "dev/plic.h"
#include "dev/uart.h"
#include "lib/string.h"
#include "sched/wait.h"

#define CTRL(letter) ((letter) - '@')

enum { LINE_BYTES = 256, READY_BYTES = 4096, HISTORY_LINES = 16, ECHO_BYTES = 1024, PIECE_BYTES = 4096 };
enum { ESCAPE = 0x1b, DELETE = 0x7f, END_OF_INPUT = CTRL('D') };

struct line {
    size_t length;
    char text[LINE_BYTES];
};

static struct spinlock lock = SPINLOCK(RANK_CONSOLE); // guards everything here but hooks
static const struct console_hooks *hooks;             // [I] after boot

static struct line line;
static size_t cursor; // offset in the line

static char ready[READY_BYTES];         // lines end with "\n" or, after Ctrl-D, with END_OF_INPUT
static size_t ready_added, ready_taken; // bytes ever
static struct waitq readers = WAITQ(readers);

static struct line history[HISTORY_LINES + 1]; // one of them is the draft that Up leaves
static size_t history_count;                   // lines ever added
static size_t history_back;                    // how far Up has gone; 0: the draft

static enum { PLAIN, AFTER_ESCAPE, IN_SEQUENCE } escape_state;
static unsigned escape_number; // of a sequence like ESC [ 3 ~

static char echo[ECHO_BYTES]; // collected, to be written at once
static size_t echo_length;

static void echo_flush(void)
{
    uart_write(echo, echo_length);
    echo_length = 0;
}

static void echo_add(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (echo_length == ECHO_BYTES)
            echo_flush();
        echo[echo_length++] = text[i] == '\t' ? ' ' : text[i]; // one byte, one column
    }
}

static void echo_repeat(const char *c, size_t n)
{
    while (n-- > 0)
        echo_add(c, 1);
}

// Goes nowhere if there is no such place.
static void cursor_move(size_t to)
{
    if (to > line.length)
        return;
    if (to < cursor)
        echo_repeat("\b", cursor - to);
    else
        echo_add(line.text + cursor, to - cursor);
    cursor = to;
}

// Puts n bytes in place of those from start to end, and the cursor after them.
static void line_replace(size_t start, size_t end, const char *text, size_t n)
{
    size_t tail = line.length - end;
    size_t erased = end - start > n ? end - start - n : 0;
    if (start + n + tail > LINE_BYTES) {
        echo_add("\a", 1);
        return;
    }
    cursor_move(start);
    memmove(line.text + start + n, line.text + end, tail);
    memcpy(line.text + start, text, n);
    line.length = start + n + tail;
    cursor_move(line.length);
    echo_repeat(" ", erased);
    echo_repeat("\b", erased);
    cursor_move(start + n);
}

static size_t word_start(void)
{
    size_t start = cursor;
    while (start > 0 && line.text[start - 1] == ' ')
        start--;
    while (start > 0 && line.text[start - 1] != ' ')
        start--;
    return start;
}

static struct line *history_line(size_t back)
{
    return &history[(history_count - back) % ARRAY_SIZE(history)];
}

static void history_show(size_t back)
{
    if (back > history_count || back > HISTORY_LINES)
        return;
    if (history_back == 0)
        *history_line(0) = line;
    history_back = back;
    line_replace(0, line.length, history_line(back)->text, history_line(back)->length);
}

// Gives the line to the readers, with that end. If too many wait already, it is erased.
static void line_submit(char end)
{
    if (ready_added - ready_taken + line.length + 1 > READY_BYTES) {
        echo_add("\a", 1);
        line_replace(0, line.length, "", 0);
        return;
    }
    cursor_move(line.length);
    echo_add("\n", end == '\n');
    for (size_t i = 0; i < line.length; i++)
        ready[ready_added++ % READY_BYTES] = line.text[i];
    ready[ready_added++ % READY_BYTES] = end;
    wait_wake_all(&readers);
    const struct line *last = history_line(1);
    bool repeated = line.length == last->length && memcmp(line.text, last->text, line.length) == 0;
    if (line.length > 0 && !repeated) {
        *history_line(0) = line;
        history_count++;
    }
    line.length = cursor = history_back = 0;
}

// Goes on with a sequence ESC [ letter, ESC O letter or ESC [ number ~.
static void sequence_continue(uint8_t c)
{
    if (escape_state == AFTER_ESCAPE) {
        escape_state = c == '[' || c == 'O' ? IN_SEQUENCE : PLAIN;
        escape_number = 0;
        return;
    }
    if (c >= '0' && c <= '9')
        escape_number = escape_number * 10 + c - '0';
    if (c < '@')
        return;
    escape_state = PLAIN;
    unsigned number = c == '~' ? escape_number : 0;
    if (c == 'A' || c == 'B')
        history_show(c == 'A' ? history_back + 1 : history_back - 1);
    else if (c == 'C' || c == 'D')
        cursor_move(c == 'C' ? cursor + 1 : cursor - 1);
    else if (c == 'H' || number == 1 || number == 7)
        cursor_move(0);
    else if (c == 'F' || number == 4 || number == 8)
        cursor_move(line.length);
    else if (number == 3 && cursor < line.length)
        line_replace(cursor, cursor + 1, "", 0);
}

static void key_handle(uint8_t c)
{
    if (escape_state != PLAIN && c >= ' ') {
        sequence_continue(c);
        return;
    }
    escape_state = c == ESCAPE ? AFTER_ESCAPE : PLAIN;
    if (c == '\r' || c == '\n') {
        line_submit('\n');
    } else if (c == CTRL('D')) {
        line_submit(END_OF_INPUT);
    } else if (c == CTRL('C')) {
        cursor_move(line.length);
        echo_add("^C\n", 3);
        line.length = cursor = history_back = 0;
    } else if (c == CTRL('A') || c == CTRL('E')) {
        cursor_move(c == CTRL('A') ? 0 : line.length);
    } else if (c == CTRL('U')) {
        line_replace(0, line.length, "", 0);
    } else if (c == CTRL('W')) {
        line_replace(word_start(), cursor, "", 0);
    } else if ((c == CTRL('H') || c == DELETE) && cursor > 0) {
        line_replace(cursor - 1, cursor, "", 0);
    } else if ((c >= ' ' && c != DELETE) || c == '\t') {
        line_replace(cursor, cursor, (char *)&c, 1);
    }
}

// Handles bytes up to the first for which a hook is to be called; returns how many.
static size_t keys_handle(const char *bytes, size_t n)
{
    size_t done = 0;
    spin_lock(&lock);
    do
        key_handle(bytes[done++]);
    while (done < n && bytes[done - 1] != CTRL('C') && bytes[done - 1] != CTRL('P'));
    echo_flush();
    spin_unlock(&lock);
    return done;
}

static void console_interrupt(void)
{
    char bytes[64];
    for (size_t n; (n = uart_read(bytes, sizeof bytes)) > 0;)
        for (size_t done = 0; done < n;) {
            done += keys_handle(bytes + done, n - done);
            if (hooks != NULL && bytes[done - 1] == CTRL('C'))
                hooks->interrupt();
            if (hooks != NULL && bytes[done - 1] == CTRL('P'))
                hooks->list();
        }
}

void console_init(const struct machine *m)
{
    plic_handle(m->uart.irq, console_interrupt);
}

void console_set_hooks(const struct console_hooks *new_hooks)
{
    hooks = new_hooks;
}

// Moves the first ready line, or as much as fits, to the reader; returns the number of bytes.
static size_t ready_take(struct spans *to)
{
    char text[LINE_BYTES + 1], c = '\0';
    size_t n = 0, most = to->size < sizeof text ? to->size : sizeof text;
    while (n < most && ready_taken < ready_added && c != '\n') {
        c = ready[ready_taken % READY_BYTES];
        if (c == END_OF_INPUT)
            break;
        text[n++] = c;
        ready_taken++;
    }
    // The mark goes with the text before it: only alone does it read as the end of input.
    if (c != '\n' && ready_taken < ready_added && ready[ready_taken % READY_BYTES] == END_OF_INPUT)
        ready_taken++;
    spans_fill(to, text, n);
    return n;
}

int console_read(struct spans *to)
{
    if (to->size == 0)
        return 0;
    if (hooks != NULL)
        hooks->reader();
    int result = 0;
    spin_lock(&lock);
    while (result == 0 && ready_added == ready_taken)
        result = wait_sleep_killable(&readers, &lock);
    if (result == 0)
        result = ready_take(to);
    spin_unlock(&lock);
    return result;
}

int console_write(struct spans *from)
{
    size_t n = from->size;
    while (from->size > 0) {
        spin_lock(&lock);
        for (size_t room = PIECE_BYTES; room > 0 && from->size > 0;) {
            struct span piece = spans_take(from, room);
            uart_write(piece.base, piece.size);
            room -= piece.size;
        }
        spin_unlock(&lock);
    }
    return n;
}
