#include "screen.h"

#include <string.h>

#include "lib/utf8.h"
#include "test.h"

struct screen screen;
bool screen_joins;
static char sent[65536];
static size_t sent_length;

void cell_set(char cell[CELL_BYTES], const char *bytes, size_t n) {
    memset(cell, 0, CELL_BYTES);
    memcpy(cell, bytes, n);
}

static void clear_from(unsigned row, unsigned column) {
    for (; row < ROWS; row++, column = 0) {
        for (; column < screen.columns; column++)
            cell_set(screen.cells[row][column], " ", 1);
    }
}

void screen_start(unsigned columns, unsigned row) {
    memset(&screen, 0, sizeof screen);
    screen.columns = columns;
    screen.row = row;
    clear_from(0, 0);
}

static void line_feed(void) {
    if (screen.row + 1 < ROWS) {
        screen.row++;
        return;
    }
    memmove(screen.cells[0], screen.cells[1], sizeof screen.cells - sizeof screen.cells[0]);
    clear_from(ROWS - 1, 0);
}

// Removes a wide character of which one half is overwritten.
static void cell_break(unsigned column) {
    char(*row)[CELL_BYTES] = screen.cells[screen.row];
    if (column > 0 && column < screen.columns && row[column][0] == '\0') {
        cell_set(row[column - 1], " ", 1);
        cell_set(row[column], " ", 1);
    }
}

static bool ends_with(const char *text, const char *end) {
    size_t n = strlen(text);
    return n >= strlen(end) && strcmp(text + n - strlen(end), end) == 0;
}

static bool is_tone(const char *bytes) {
    return strncmp(bytes, TONE, 3) == 0 && (uint8_t)bytes[3] >= 0xbb;
}

static bool is_flag_letter(const char *bytes) {
    return strncmp(bytes, FLAG_K, 3) == 0 && (uint8_t)bytes[3] >= 0xa6;
}

// True if a terminal that joins puts these bytes into the cell before them.
static bool is_joined(const char *cell, bool is_wide, const char *bytes) {
    if (!screen_joins)
        return false;
    if (is_flag_letter(bytes) && is_flag_letter(cell))
        return strlen(cell) == 4;
    return ends_with(cell, JOINER) || (is_tone(bytes) && is_wide);
}

// Adds to the cell before the cursor. A flag and a character with U+FE0F become wide.
static void cell_join(char (*row)[CELL_BYTES], const char *bytes, size_t n) {
    unsigned column = screen.column - !screen.pending;
    bool is_wide = row[column][0] == '\0';
    column -= is_wide;
    strncat(row[column], bytes, n);
    bool widens = is_flag_letter(bytes) || strncmp(bytes, AS_EMOJI, n) == 0;
    if (!screen_joins || !widens || is_wide || screen.column + 1 >= screen.columns)
        return;
    cell_set(row[++screen.column - 1], "", 0);
}

// The character before the cursor, and whether it is wide.
static const char *cell_before(bool *is_wide) {
    unsigned column = screen.column - !screen.pending;
    *is_wide = screen.column > 0 && screen.cells[screen.row][column][0] == '\0';
    return screen.column > 0 ? screen.cells[screen.row][column - *is_wide] : "";
}

static void put_character(const char *bytes, size_t n, unsigned width) {
    char(*row)[CELL_BYTES] = screen.cells[screen.row];
    bool is_wide;
    const char *cell = cell_before(&is_wide);
    if (width == 0 || is_joined(cell, is_wide, bytes)) {
        CHECK(screen.column > 0);
        cell_join(row, bytes, n);
        return;
    }
    if (screen.pending || screen.column + width > screen.columns) {
        screen.column = 0;
        line_feed();
        row = screen.cells[screen.row];
    }
    cell_break(screen.column);
    cell_break(screen.column + width);
    cell_set(row[screen.column], bytes, n);
    if (width == 2)
        cell_set(row[screen.column + 1], "", 0);
    screen.column += width;
    screen.pending = screen.column == screen.columns;
    screen.column -= screen.pending;
}

static const char *put_sequence(const char *text) {
    unsigned number = 0;
    CHECK_EQUAL('[', text[1]);
    for (text += 2; *text >= '0' && *text <= '9'; text++)
        number = number * 10 + (unsigned)(*text - '0');
    CHECK(*text == 'J' || number > 0);
    screen.escapes++;
    if (*text == 'A')
        screen.row -= number;
    else if (*text == 'B')
        screen.row += number;
    else if (*text == 'C')
        screen.column += number;
    else if (*text == 'J' && number == 0)
        clear_from(screen.row, screen.column);
    else
        test_fail(__FILE__, __LINE__, "expected no other sequence, saw one that ends with %c",
                  *text);
    // Terminals differ in what these do when the cursor is at the right edge or would leave the
    // screen.
    CHECK(!screen.pending);
    CHECK(screen.row < ROWS && screen.column < screen.columns);
    return text + 1;
}

void screen_write(const char *text, size_t n) {
    CHECK(sent_length + n < sizeof sent);
    memcpy(sent + sent_length, text, n);
    sent_length += n;
}

static const char *put_other(const char *text, const char *end) {
    uint32_t character;
    int length = utf8_decode(text, (size_t)(end - text), &character);
    CHECK(length > 0 && !utf8_is_control(character));
    put_character(text, (size_t)length, utf8_width(character));
    return text + length;
}

void screen_update(void) {
    const char *text = sent, *end = sent + sent_length;
    while (text < end) {
        if (*text == '\033') {
            text = put_sequence(text);
            continue;
        }
        if ((uint8_t)*text >= ' ') {
            text = put_other(text, end);
            continue;
        }
        CHECK(*text == '\a' || *text == '\b' || *text == '\n');
        screen.bells += *text == '\a';
        if (*text == '\b') {
            CHECK(!screen.pending && screen.column > 0);
            screen.column--;
        } else if (*text == '\n') { // as the console sends it
            screen.column = screen.pending = 0;
            line_feed();
        }
        text++;
    }
    sent_length = 0;
}

void screen_drop(void) {
    sent_length = 0;
}
