// Editing is one operation, lineedit_replace, which changes a part of the line and redraws from
// there. The place of the terminal's cursor is computed. Once the width is known, text that ends at
// the right edge is followed by a newline: terminals differ in where their cursor is there.
#include "lib/lineedit.h"
#include "lib/cluster.h"
#include "lib/format.h"
#include "lib/string.h"
#include "lib/utf8.h"

enum {
    COLUMNS_MIN = 10, // a smaller width is not believed
    COLUMNS_DEFAULT = 80,
    SHORT_COLUMNS = 18, // a shorter line with one more character wraps on no usual terminal
};

// ---- Output ----

void lineedit_flush(struct lineedit *e) {
    if (e->out_length > 0)
        e->write(e->out, e->out_length);
    e->out_length = 0;
}

static void out(struct lineedit *e, char c, size_t times) {
    for (; times > 0; times--) {
        if (e->out_length == sizeof e->out)
            lineedit_flush(e);
        e->out[e->out_length++] = c;
    }
}

void lineedit_print(struct lineedit *e, const char *text) {
    for (; *text != '\0'; text++)
        out(e, *text, 1);
}

// Puts out a control sequence, ESC [ number letter, or nothing if the number is 0.
static void out_move(struct lineedit *e, unsigned number, char letter) {
    char sequence[16];
    if (number == 0)
        return;
    format(sequence, sizeof sequence, "\x1b[%u%c", number, letter);
    lineedit_print(e, sequence);
}

// ---- Places and drawing ----

static struct text text_of(const struct lineedit *e) {
    return (struct text){e->text, e->length};
}

static size_t previous(const struct lineedit *e, size_t i) {
    return cluster_previous(text_of(e), i);
}

// Returns where the character at that offset is shown.
static struct place place_of(const struct lineedit *e, size_t offset) {
    struct place p = {0, e->start};
    unsigned width;
    for (size_t i = 0; i < offset;) {
        i = cluster_part_end(text_of(e), i, &width);
        if (e->columns != 0 && p.column + width > e->columns)
            p = (struct place){p.row + 1, 0};
        p.column += width;
        if (e->columns != 0 && p.column == e->columns)
            p = (struct place){p.row + 1, 0};
    }
    return p;
}

static void out_newline(struct lineedit *e) {
    out(e, '\n', 1);
    e->at.row++;
    e->at.column = 0;
}

static void out_text(struct lineedit *e, size_t from, size_t to) {
    char bytes[UTF8_BYTES_MAX];
    uint32_t character;
    while (from < to) {
        from = cluster_show(text_of(e), from, &character);
        size_t n = character != 0 ? utf8_encode(bytes, character) : 0;
        for (size_t i = 0; i < n; i++)
            out(e, bytes[i], 1);
    }
}

// Shows the characters of that range, the first one at the terminal's cursor.
static void draw(struct lineedit *e, size_t from, size_t to) {
    unsigned width;
    while (from < to) {
        size_t end = cluster_part_end(text_of(e), from, &width);
        if (e->columns != 0 && e->at.column + width > e->columns) {
            out(e, ' ', e->columns - e->at.column);
            out_newline(e);
        }
        out_text(e, from, end);
        from = end;
        e->at.column += width;
        if (e->columns != 0 && e->at.column == e->columns)
            out_newline(e);
    }
}

static void move(struct lineedit *e, struct place to) {
    if (to.row < e->at.row)
        out_move(e, e->at.row - to.row, 'A');
    else
        out_move(e, to.row - e->at.row, 'B');
    if (to.column < e->at.column)
        out(e, '\b', e->at.column - to.column);
    else
        out_move(e, to.column - e->at.column, 'C');
    e->at = to;
}

static void move_cursor(struct lineedit *e, size_t to) {
    if (to > e->cursor)
        draw(e, e->cursor, to);
    else
        move(e, place_of(e, to));
    e->cursor = to;
}

// Erases what the terminal shows from its cursor to `end`, where the line ended before.
static void erase(struct lineedit *e, struct place end) {
    if (end.row > e->at.row) {
        lineedit_print(e, "\x1b[J");
    } else if (end.row == e->at.row && end.column > e->at.column) {
        out(e, ' ', end.column - e->at.column);
        out(e, '\b', end.column - e->at.column);
    }
}

// ---- Operations ----

void lineedit_init(struct lineedit *e, void (*write)(const char *, size_t)) {
    *e = (struct lineedit){.write = write};
}

void lineedit_start(struct lineedit *e, unsigned column) {
    e->length = e->cursor = 0;
    e->too_long = false;
    e->columns = 0;
    e->keys = (struct keys){0};
    e->start = column;
    e->at = (struct place){0, column};
}

// True if the first character combines, and so needs one before it.
static bool starts_badly(const char *text, size_t n) {
    uint32_t character;
    return utf8_decode(text, n, &character) > 0 && utf8_width(character) == 0;
}

void lineedit_replace(struct lineedit *e, size_t start, size_t end, const char *text, size_t n) {
    if (start == end && n == 0)
        return;
    size_t tail = e->length - end;
    bool fits = start + n + tail < LINE_BYTES;
    if (!fits || (start == 0 && starts_badly(text, n))) {
        out(e, '\a', 1);
        e->too_long |= !fits;
        return;
    }
    struct place old_end = place_of(e, e->length);
    memmove(e->text + start + n, e->text + end, tail);
    memcpy(e->text + start, text, n);
    e->length = start + n + tail;
    e->cursor = start + n;
    // Redraws from the cluster before, with which the new text may combine.
    size_t from = start < e->length ? previous(e, start + 1) : start;
    if (e->columns == 0 && tail == 0)
        from = start;
    unsigned width;
    move(e, place_of(e, from));
    draw(e, from, e->length);
    erase(e, old_end);
    while (tail > 0 && cluster_combines(text_of(e), e->cursor))
        e->cursor = cluster_part_end(text_of(e), e->cursor, &width);
    move(e, place_of(e, e->cursor));
    if (e->length == 0)
        e->too_long = false;
}

void lineedit_delete(struct lineedit *e) {
    if (e->cursor < e->length)
        lineedit_replace(e, e->cursor, cluster_next(text_of(e), e->cursor), "", 0);
}

void lineedit_end(struct lineedit *e) {
    move_cursor(e, e->length);
}

void lineedit_show(struct lineedit *e, unsigned column) {
    e->start = column;
    e->at = (struct place){0, column};
    draw(e, 0, e->length);
    move(e, place_of(e, e->cursor));
}

// ---- The terminal's width ----

bool lineedit_wants_size(const struct lineedit *e, char byte) {
    uint8_t c = (uint8_t)byte;
    bool at_end = e->cursor == e->length;
    bool is_text = c >= ' ' && c != KEY_BACKSPACE;
    bool ends = c == '\r' || c == '\n' || c == CTRL('C') || (c == CTRL('D') && at_end);
    if (e->columns != 0 || keys_in_sequence(&e->keys) || ends || (is_text && at_end))
        return false;
    return place_of(e, e->length).column >= SHORT_COLUMNS || (c == '\t' && !at_end);
}

// True if the terminal can have reported its cursor in that column. After the last column of a row
// the cursor may still be there, or in the next row.
static bool is_found(const struct lineedit *e, unsigned column) {
    struct place p = place_of(e, e->cursor);
    return p.column == column || (p.column == 0 && p.row > 0 && column == e->columns - 1);
}

void lineedit_set_size(struct lineedit *e, unsigned columns, int column) {
    e->columns = columns < COLUMNS_MIN ? COLUMNS_DEFAULT : columns;
    e->start %= e->columns;
    unsigned start = e->start;
    for (unsigned s = 0; column >= 0 && s < e->columns && !is_found(e, (unsigned)column); s++)
        e->start = s;
    if (column >= 0 && !is_found(e, (unsigned)column))
        e->start = start; // the report was wrong
    e->at = place_of(e, e->cursor);
    if (e->at.row > 0 && e->at.column == 0)
        out(e, '\n', 1);
}

// ---- Keys ----

static size_t word_start(const struct lineedit *e) {
    size_t start = e->cursor;
    while (start > 0 && e->text[previous(e, start)] == ' ')
        start = previous(e, start);
    while (start > 0 && e->text[previous(e, start)] != ' ')
        start = previous(e, start);
    return start;
}

static void insert(struct lineedit *e, uint32_t character) {
    char bytes[UTF8_BYTES_MAX];
    lineedit_replace(e, e->cursor, e->cursor, bytes, utf8_encode(bytes, character));
}

static int handle(struct lineedit *e, int key) {
    switch (key) {
    case KEY_LEFT:
        move_cursor(e, previous(e, e->cursor));
        break;
    case KEY_RIGHT:
        move_cursor(e, cluster_next(text_of(e), e->cursor));
        break;
    case KEY_HOME:
    case CTRL('A'):
        move_cursor(e, 0);
        break;
    case KEY_END:
    case CTRL('E'):
        move_cursor(e, e->length);
        break;
    case KEY_BACKSPACE:
    case CTRL('H'):
        lineedit_replace(e, previous(e, e->cursor), e->cursor, "", 0);
        break;
    case KEY_DELETE:
        lineedit_delete(e);
        break;
    case CTRL('K'):
        lineedit_replace(e, e->cursor, e->length, "", 0);
        break;
    case CTRL('U'):
        lineedit_replace(e, 0, e->length, "", 0);
        break;
    case CTRL('W'):
        lineedit_replace(e, word_start(e), e->cursor, "", 0);
        break;
    default:
        if (key < ' ' || key == KEY_UP || key == KEY_DOWN)
            return key;
        insert(e, (uint32_t)key);
    }
    return KEY_NONE;
}

int lineedit_key(struct lineedit *e, char byte) {
    bool again;
    int key = keys_decode(&e->keys, byte, &again);
    if (again) {
        handle(e, key);
        key = keys_decode(&e->keys, byte, &again);
    }
    return handle(e, key);
}
