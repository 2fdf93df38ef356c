// The editor of one line on a terminal: keys go in byte by byte, what shows their effect comes out.
// The kernel uses it for programs that read lines, and the shell, which adds history and
// completion, for its prompt.
//
// Text is UTF-8; a byte that is not becomes U+FFFD. A character and those that combine with it are
// one for the cursor; so are emoji that are joined (U+200D), an emoji and its skin tone, and the
// two letters of a flag. Terminals differ in how wide these are, so that they are shown in parts:
// the members of a family side by side, a flag as its two letters, no skin tone. A long line wraps
// at the terminal's right edge. Where that is matters only for a move back across it: so the editor
// wants the terminal's width when a line that may have wrapped is changed elsewhere than at its
// end, and not before.
#pragma once
#include "abi/types.h"
#include "lib/keys.h"

enum { LINE_BYTES = 512 }; // of a line's text and one more, for the newline or the zero after it

struct place {
    unsigned row, column; // row 0 is where the line starts
};

struct lineedit {
    char text[LINE_BYTES];
    size_t length, cursor;
    bool too_long;    // something did not fit since the line was last empty
    unsigned columns; // of the terminal, 0: not known
    unsigned start;   // the column where the line starts
    struct place at;  // of the terminal's cursor
    struct keys keys; // under way
    void (*write)(const char *text, size_t n); // to the terminal
    char out[256];                             // collected, to be written at once
    size_t out_length;
};

// Prepares for a first line.
void lineedit_init(struct lineedit *e, void (*write)(const char *text, size_t n));

// Starts with an empty line at that column, the width unknown.
void lineedit_start(struct lineedit *e, unsigned column);

// True if the next byte is to be handled only after lineedit_set_size.
bool lineedit_wants_size(const struct lineedit *e, char byte);

// Says how many columns the terminal has, and in which its cursor was found (-1: not known).
void lineedit_set_size(struct lineedit *e, unsigned columns, int column);

// Handles a byte. Returns KEY_NONE, or the key if it is one that the editor leaves to the caller:
// Enter ("\r" or "\n"), Up, Down and control characters.
int lineedit_key(struct lineedit *e, char byte);

// Puts n bytes, which are valid UTF-8, in place of those from start to end, and the cursor after
// them. If there is no room nothing changes, but the bell rings and the line is too long from then
// on.
void lineedit_replace(struct lineedit *e, size_t start, size_t end, const char *text, size_t n);

// Erases the character at the cursor.
void lineedit_delete(struct lineedit *e);

// Moves the terminal's cursor behind the line.
void lineedit_end(struct lineedit *e);

// Shows the line once more, from where the terminal's cursor is: at that column.
void lineedit_show(struct lineedit *e, unsigned column);

// Writes what was collected; to be called when a key has been handled.
void lineedit_flush(struct lineedit *e);

// Collects something else to be written.
void lineedit_print(struct lineedit *e, const char *text);
