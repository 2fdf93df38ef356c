// The interrupt puts keys into a ring; readers take them out. A reader of lines hands them to the
// line editor until a line is finished. There is one line for all such readers: one that is killed
// leaves its half to the next. A line that is too long is refused whole.
#include "dev/console.h"
#include "abi/errno.h"
#include "dev/plic.h"
#include "dev/uart.h"
#include "lib/lineedit.h"
#include "lib/string.h"
#include "sched/clock.h"
#include "sched/schedule.h"
#include "sched/wait.h"

enum { KEYS_BYTES = 65536, ANSWER_TICKS = 10, ANSWERS = 2, NUMBER_DIGITS = 4, COLUMNS_USUAL = 80 };
enum { WRITE_BYTES = 512 }; // at most, while others wait for the lock

// "Where is the cursor?", there and at the right edge; the cursor returns.
#define QUESTION "\x1b[6n\x1b\x37\x1b[999C\x1b[6n\x1b\x38"

static struct spinlock lock = SPINLOCK(RANK_CONSOLE); // guards everything here but hooks
static const struct console_hooks *hooks;             // [I] after boot
static struct waitq readers = WAITQ(readers);

static char keys[KEYS_BYTES];
static size_t put, taken;     // keys ever; those between wait for a reader
static bool refusing;         // the rest of a line for which there was no room
static unsigned waiting_keys; // how many wait for a key
static struct lineedit line;  // what readers of lines edit
static bool finished;         // the line waits for a reader
static size_t offset;         // of what is left of it
static unsigned column;       // where the programs' output ends
static uint64_t asked_until;  // the terminal may answer until then
static unsigned answer_count; // that came since it was asked
static int answers[ANSWERS];  // columns, from 1

// ---- Keys ----

static char key_at(size_t i) {
    return keys[i % KEYS_BYTES];
}
static bool ends_line(char key) {
    return key == '\n' || key == '\r';
}

// When the ring is full the key's whole line is refused, so that none is run shortened.
static void key_put(char key) {
    if (!refusing && put - taken < KEYS_BYTES) {
        keys[put++ % KEYS_BYTES] = key;
        return;
    }
    while (!refusing && put > taken && !ends_line(key_at(put - 1)))
        put--;
    refusing = !ends_line(key);
    uart_write("\a", 1);
}

static void line_reset(void) {
    finished = false;
    offset = 0;
    lineedit_start(&line, column);
}

// What a reader of lines left of its line comes first.
static bool key_take(char *key) {
    if (finished && offset == line.length)
        line_reset();
    if (line.length > 0) {
        *key = line.text[offset++];
        if (offset == line.length)
            line_reset();
        return true;
    }
    if (taken == put)
        return false;
    *key = key_at(taken++);
    return true;
}

// ---- The terminal's width ----

static bool is_asked(void) {
    return answer_count < ANSWERS && clock_ticks() < asked_until;
}

// The number that the keys before `end` write; returns where it starts.
static size_t number_before(size_t end, int *number) {
    size_t start = end;
    *number = 0;
    for (int unit = 1; start > taken && end - start < NUMBER_DIGITS; unit *= 10) {
        char digit = key_at(start - 1);
        if (digit < '0' || digit > '9')
            break;
        *number += unit * (digit - '0');
        start--;
    }
    return start;
}

// Takes an answer, ESC [ row ; column R, from the end of the keys, where only its R is missing.
static bool answer_take(void) {
    int row;
    size_t place = number_before(put, &answers[answer_count]);
    if (place == put || place == taken || key_at(place - 1) != ';')
        return false;
    size_t start = number_before(place - 1, &row);
    if (start == place - 1 || start - taken < 2 || key_at(start - 1) != '[')
        return false;
    if (key_at(start - 2) != KEY_ESCAPE)
        return false;
    put = start - 2;
    answer_count++;
    return true;
}

// With the lock, which is dropped meanwhile.
static int terminal_ask(struct terminal *t) {
    int error = 0;
    *t = (struct terminal){.columns = COLUMNS_USUAL, .column = -1};
    if (!is_asked()) {
        answer_count = 0;
        asked_until = clock_ticks() + ANSWER_TICKS;
        uart_write(QUESTION, strlen(QUESTION));
    }
    while (error == 0 && is_asked())
        error = wait_sleep_until(&readers, &lock, asked_until);
    if (error)
        return error;
    if (answer_count == ANSWERS)
        *t = (struct terminal){.columns = answers[1], .column = answers[0] - 1};
    return 0;
}

int console_terminal(struct terminal *t) {
    spin_lock(&lock);
    int error = terminal_ask(t);
    spin_unlock(&lock);
    return error;
}

// ---- Interrupts ----

// Drops what was typed, ends what runs.
static void handle_interrupt_key(void) {
    taken = put;
    refusing = false;
    lineedit_end(&line);
    lineedit_flush(&line);
    line_reset();
    spin_unlock(&lock);
    bool ended = hooks->interrupt();
    spin_lock(&lock);
    if (ended)
        column = 0;
    else
        key_put(CTRL('C'));
}

// A reader of keys that waits gets the key, too, and can show its line again below the list.
static void handle_list_key(void) {
    spin_unlock(&lock);
    hooks->list();
    spin_lock(&lock);
    if (waiting_keys > 0)
        key_put(CTRL('P'));
}

static void console_interrupt(void) {
    char bytes[64];
    spin_lock(&lock);
    for (size_t n; (n = uart_read(bytes, sizeof bytes)) > 0;)
        for (size_t i = 0; i < n; i++) {
            if (bytes[i] == CTRL('C'))
                handle_interrupt_key();
            else if (bytes[i] == CTRL('P'))
                handle_list_key();
            else if (bytes[i] != 'R' || !is_asked() || !answer_take())
                key_put(bytes[i]);
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

// Drops a line of which a part is missing, and says so.
static void line_refuse(void) {
    _Static_assert(LINE_BYTES - 1 == 511, "the message says how long a line can be");
    lineedit_print(&line, "\nconsole: not read: a line can have 511 bytes\n");
    lineedit_flush(&line);
    column = 0;
    line_reset();
}

// Gives the line to the readers, with that end.
static void line_finish(const char *end) {
    lineedit_end(&line);
    if (line.too_long) {
        line_refuse();
        return;
    }
    lineedit_print(&line, end);
    memcpy(line.text + line.length, end, strlen(end));
    line.length += strlen(end);
    column = strlen(end) > 0 ? 0 : line.at.column;
    finished = true;
}

// The window may have another width than when it was asked. With the lock, which may be dropped
// meanwhile.
static void screen_clear(void) {
    struct terminal t;
    lineedit_flush(&line);
    if (line.columns != 0 && terminal_ask(&t) == 0)
        lineedit_set_size(&line, (unsigned)t.columns, -1);
    lineedit_print(&line, "\x1b[H\x1b[J");
    lineedit_show(&line, 0);
}

static void handle_line_key(int key) {
    switch (key) {
    case '\r':
    case '\n':
        line_finish("\n");
        break;
    case CTRL('D'):
        line_finish("");
        break;
    case CTRL(
        'C'): // a shell that does not read keys gets an empty line, and shows its prompt again
        lineedit_print(&line, "^C");
        line_finish("\n");
        break;
    case CTRL('L'):
        screen_clear();
        break;
    case '\t':
        lineedit_replace(&line, line.cursor, line.cursor, "\t", 1);
        break;
    }
}

// Handles the next key, or waits for one.
static int line_continue(void) {
    if (taken == put) {
        lineedit_flush(&line);
        return wait_sleep_killable(&readers, &lock);
    }
    char key = key_at(taken);
    if (line.length == 0)
        lineedit_show(&line, column);
    if (lineedit_wants_size(&line, key)) {
        struct terminal t;
        lineedit_flush(&line);
        int error = terminal_ask(&t);
        if (error == 0 && line.columns == 0)
            lineedit_set_size(&line, (unsigned)t.columns, t.column);
        return error;
    }
    taken++;
    handle_line_key(lineedit_key(&line, key));
    return 0;
}

// Waits for a whole line. Whether the reader may have it can change whenever it sleeps.
static int line_await(void) {
    int error = hooks->reader(false);
    while (error == 0 && !finished) {
        error = line_continue();
        if (error == 0)
            error = hooks->reader(false);
    }
    return error;
}

int console_read(struct spans *to) {
    if (to->size == 0)
        return 0;
    spin_lock(&lock);
    int result = line_await();
    lineedit_flush(&line);
    if (result == 0) {
        result = line.length - offset < to->size ? line.length - offset : to->size;
        spans_fill(to, line.text + offset, result);
        offset += result;
        if (offset == line.length)
            line_reset();
    }
    spin_unlock(&lock);
    return result;
}

int console_getkey(int most_ticks) {
    char key;
    uint64_t until = most_ticks < 0 ? UINT64_MAX : clock_ticks() + (unsigned)most_ticks;
    spin_lock(&lock);
    int error = hooks->reader(true);
    while (error == 0 && !key_take(&key)) {
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
        column = ends_line(text[i]) ? 0 : column + 1;
    spin_unlock(&lock);
}

int console_write(struct spans *from) {
    size_t n = from->size;
    while (from->size > 0 && !task_is_killed()) {
        write_piece(spans_take(from, WRITE_BYTES));
        if (from->size > 0)
            task_preemption_point(); // the port is slow
    }
    return n - from->size;
}
