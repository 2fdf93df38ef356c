// The interrupt puts keys into the key ring; readers take them out. A reader of lines hands them to
// the line editor until a line is complete. All readers of lines share one line: a reader that is
// killed leaves its unfinished line to the next one. A line that is too long is refused as a whole.
#include "dev/console.h"
#include "abi/errno.h"
#include "arch/address.h"
#include "dev/keyring.h"
#include "dev/plic.h"
#include "dev/terminal.h"
#include "dev/uart.h"
#include "lib/lineedit.h"
#include "lib/string.h"
#include "sched/clock.h"
#include "sched/schedule.h"
#include "sched/wait.h"

enum { WRITE_BYTES = 512 }; // at most at a time, so that others get the lock in between

// Locks: [I] set at boot; everything else is guarded by the lock.
static struct spinlock lock = SPINLOCK(RANK_CONSOLE);
static const struct console_hooks *hooks; // [I]
static struct waitq readers = WAITQ(readers);

static unsigned waiting_keys; // how many tasks wait for a key
static struct lineedit line;  // what readers of lines edit
static bool finished;         // the line is complete and waits for a reader
static size_t offset;         // where its unread part begins
static unsigned column;       // of the cursor after the output of programs

// ---- Keys ----

static void put_key(char key) {
    if (!keyring_put(key))
        uart_write("\a", 1);
}

static void reset_line(void) {
    finished = false;
    offset = 0;
    lineedit_start(&line, column);
}

// Takes the next key for a reader of keys. What a reader of lines has left unread of its line comes
// first.
static bool take_key(char *key) {
    if (finished && offset == line.length)
        reset_line();
    if (line.length > 0) {
        *key = line.text[offset++];
        if (offset == line.length)
            reset_line();
        return true;
    }
    if (keyring_is_empty())
        return false;
    *key = keyring_take();
    return true;
}

// ---- The terminal's width ----

// Asks, and waits for the answer. The lock is dropped meanwhile.
static int ask_terminal(struct terminal *t) {
    int error = 0;
    terminal_ask();
    while (error == 0 && terminal_is_asked())
        error = wait_sleep_until(&readers, &lock, terminal_deadline());
    *t = terminal_answer();
    return error;
}

int console_terminal(struct terminal *t) {
    spin_lock(&lock);
    int error = ask_terminal(t);
    spin_unlock(&lock);
    return error;
}

// ---- Interrupts ----

// Ctrl-C: drops what was typed, and ends the foreground job. The lock is dropped meanwhile.
static void handle_interrupt_key(void) {
    keyring_clear();
    lineedit_end(&line);
    lineedit_flush(&line);
    reset_line();
    spin_unlock(&lock);
    bool ended = hooks->interrupt();
    spin_lock(&lock);
    if (ended)
        column = 0;
    else
        put_key(CTRL('C'));
}

// Ctrl-P: lists processes. A reader of keys that waits gets the key, too, so that it can show its
// line again below the list. The lock is dropped meanwhile.
static void handle_list_key(void) {
    spin_unlock(&lock);
    hooks->list();
    spin_lock(&lock);
    if (waiting_keys > 0)
        put_key(CTRL('P'));
}

static void handle_key(char key) {
    if (key == CTRL('C'))
        handle_interrupt_key();
    else if (key == CTRL('P'))
        handle_list_key();
    else if (key != 'R' || !terminal_take_answer())
        put_key(key);
}

static void console_interrupt(void) {
    char bytes[64];
    size_t n;
    spin_lock(&lock);
    while ((n = uart_read(bytes, sizeof bytes)) > 0) {
        for (size_t i = 0; i < n; i++)
            handle_key(bytes[i]);
    }
    wait_wake_all(&readers);
    spin_unlock(&lock);
}

void console_init(unsigned irq) {
    lineedit_init(&line, uart_write);
    plic_handle(irq, console_interrupt);
}

void console_set_hooks(const struct console_hooks *new_hooks) {
    hooks = new_hooks;
}

// ---- Reading ----

// Drops a line that was too long, and says so.
static void refuse_line(void) {
    static_assert(LINE_BYTES - 1 == 511, "the message says how long a line can be");
    lineedit_print(&line, "\nconsole: line not read: it is longer than 511 bytes\n");
    lineedit_flush(&line);
    column = 0;
    reset_line();
}

// Completes the line with that ending, so that readers can have it.
static void finish_line(const char *end) {
    lineedit_end(&line);
    if (line.too_long) {
        refuse_line();
        return;
    }
    lineedit_print(&line, end);
    memcpy(line.text + line.length, end, strlen(end));
    line.length += strlen(end);
    column = strlen(end) > 0 ? 0 : line.at.column;
    finished = true;
}

// Clears the screen and shows the line again. Asks again for a width that is known, because the
// window may have been resized. The lock may be dropped meanwhile.
static void clear_screen(void) {
    struct terminal t;
    lineedit_flush(&line);
    if (line.columns != 0 && ask_terminal(&t) == 0)
        lineedit_set_size(&line, (unsigned)t.columns, -1);
    lineedit_print(&line, "\x1b[H\x1b[J");
    lineedit_show(&line, 0);
}

static void handle_line_key(int key) {
    switch (key) {
    case '\r':
    case '\n':
        finish_line("\n");
        break;
    case CTRL('D'):
        finish_line("");
        break;
    case CTRL('C'):
        // A shell that reads lines gets an empty one, and shows its prompt again.
        lineedit_print(&line, "^C");
        finish_line("\n");
        break;
    case CTRL('L'):
        clear_screen();
        break;
    case '\t':
        lineedit_replace(&line, line.cursor, line.cursor, "\t", 1);
        break;
    }
}

// Handles the next key, or waits for one.
static int continue_line(void) {
    if (keyring_is_empty()) {
        lineedit_flush(&line);
        return wait_sleep_killable(&readers, &lock);
    }
    char key = keyring_first();
    if (line.length == 0)
        lineedit_show(&line, column);
    if (lineedit_wants_size(&line, key)) {
        struct terminal t;
        lineedit_flush(&line);
        int error = ask_terminal(&t);
        if (error == 0 && line.columns == 0)
            lineedit_set_size(&line, (unsigned)t.columns, t.column);
        return error;
    }
    keyring_take();
    handle_line_key(lineedit_key(&line, key));
    return 0;
}

// Waits for a complete line. Whether the reader may have it can change whenever it sleeps.
static int await_line(void) {
    int error = hooks->reader(false);
    while (error == 0 && !finished) {
        error = continue_line();
        if (error == 0)
            error = hooks->reader(false);
    }
    return error;
}

int console_read(struct spans *to) {
    if (to->size == 0)
        return 0;
    spin_lock(&lock);
    int result = await_line();
    lineedit_flush(&line);
    if (result == 0) {
        result = (int)min(line.length - offset, to->size);
        spans_fill(to, line.text + offset, result);
        offset += result;
        if (offset == line.length)
            reset_line();
    }
    spin_unlock(&lock);
    return result;
}

int console_getkey(int max_ticks) {
    char key;
    uint64_t until = max_ticks < 0 ? UINT64_MAX : clock_ticks() + (unsigned)max_ticks;
    spin_lock(&lock);
    int error = hooks->reader(true);
    while (error == 0 && !take_key(&key)) {
        waiting_keys++;
        error = clock_ticks() < until ? wait_sleep_until(&readers, &lock, until) : -EAGAIN;
        waiting_keys--;
        if (error == 0)
            error = hooks->reader(true);
    }
    spin_unlock(&lock);
    return error ? error : (uint8_t)key;
}

void console_wake_readers(void) {
    spin_lock(&lock);
    wait_wake_all(&readers);
    spin_unlock(&lock);
}

static void write_piece(struct span piece) {
    const char *text = piece.base;
    spin_lock(&lock);
    uart_write(text, piece.size);
    for (size_t i = 0; i < piece.size; i++)
        column = keyring_ends_line(text[i]) ? 0 : column + 1;
    spin_unlock(&lock);
}

int console_write(struct spans *from) {
    size_t n = from->size;
    while (from->size > 0 && !task_is_killed()) {
        write_piece(spans_take(from, WRITE_BYTES));
        if (from->size > 0)
            task_preemption_point(); // because the port is slow
    }
    return n - from->size;
}
