// A small terminal. There are two kinds: one gives each emoji its columns, the other joins what
// belongs together.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define JOINER "\342\200\215"
#define MAN "\360\237\221\250"
#define WOMAN "\360\237\221\251"
#define GIRL "\360\237\221\247"
#define FAMILY MAN JOINER WOMAN JOINER GIRL
#define THUMB "\360\237\221\215"
#define TONE "\360\237\217\275"
#define FLAG_K "\360\237\207\260"
#define FLAG_R "\360\237\207\267"
#define KOREA FLAG_K FLAG_R
#define HEART "\342\235\244"
#define AS_EMOJI "\357\270\217" // U+FE0F, which makes some terminals show a wide heart

enum { ROWS = 60, COLUMNS_MAX = 140, CELL_BYTES = 32 };

struct screen {
    unsigned columns, row, column;
    bool pending; // the last column has been written, and the next character wraps
    char cells[ROWS][COLUMNS_MAX + 1][CELL_BYTES]; // "" in the right half of a wide character
    unsigned bells, questions, escapes;
};

extern struct screen screen;

// The kind of terminal: joined emoji take the columns of one.
extern bool screen_joins;

// Clears the screen and moves the cursor to the start of that row.
void screen_start(unsigned columns, unsigned row);

// Sends text, which screen_update shows.
void screen_write(const char *text, size_t n);
void screen_update(void);

// Drops what has been sent and not shown.
void screen_drop(void);

// Stores the n bytes of a character in a cell.
void cell_set(char cell[CELL_BYTES], const char *bytes, size_t n);
