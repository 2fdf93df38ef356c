// The editor of one line on a terminal. Keys go in byte by byte; output that shows their effect
// comes out. The kernel uses it for programs that read lines. The shell uses it for its prompt, and
// adds history and completion.
//
// Text is UTF-8; a byte that is not UTF-8 becomes U+FFFD. The cursor steps over clusters
// (lib/cluster.h). Terminals differ in how wide they show these, so they are shown in parts: the
// members of a family side by side, a flag as its two letters, an emoji without its skin tone.
//
// A long line wraps at the terminal's right edge. The editor needs to know where the edge is only
// to move back across it. So it does not ask for the terminal's width before a line that may have
// wrapped is changed elsewhere than at its end.
#pragma once
#include "abi/types.h"
#include "lib/keys.h"

enum { LINE_BYTES = 512 }; // of a line's text, and of the newline or zero after it

struct place {
    unsigned row, column; // row 0 is where the line starts
};

struct lineedit {
    char text[LINE_BYTES];
    size_t length, cursor;
    bool too_long;    // something did not fit since the line was last empty
    unsigned columns; // of the terminal; 0: unknown
    unsigned start;   // the column where the line starts
    struct place at;  // of the terminal's cursor
    struct keys keys; // the unfinished key
    void (*write)(const char *text, size_t n); // to the terminal
    char out[256];                             // output not yet written
    size_t out_length;
};

// ---- Lines ----

// Prepares for a first line.
void lineedit_init(struct lineedit *e, void (*write)(const char *text, size_t n));

// Starts an empty line at that column. The width is unknown again.
void lineedit_start(struct lineedit *e, unsigned column);

// Moves the terminal's cursor to the end of the line.
void lineedit_end(struct lineedit *e);

// Shows the line again from the terminal's cursor, which is in that column.
void lineedit_show(struct lineedit *e, unsigned column);

// ---- Editing ----

// Handles a byte. Returns KEY_NONE, or the key if it is one that the editor leaves to the caller:
// Enter ("\r" or "\n"), Up, Down and control characters.
int lineedit_key(struct lineedit *e, char byte);

// Replaces the bytes from start to end by n bytes of valid UTF-8, and puts the cursor after them.
// If there is no room, nothing changes, but the bell rings and from then on the line counts as too
// long.
void lineedit_replace(struct lineedit *e, size_t start, size_t end, const char *text, size_t n);

// Erases the character at the cursor.
void lineedit_delete(struct lineedit *e);

// ---- The terminal's width ----

// True if the next byte must not be handled before lineedit_set_size is called.
bool lineedit_wants_size(const struct lineedit *e, char byte);

// Sets how many columns the terminal has, and in which of them its cursor was found (-1: unknown).
void lineedit_set_size(struct lineedit *e, unsigned columns, int column);

// ---- Output ----

// Adds text to the output.
void lineedit_print(struct lineedit *e, const char *text);

// Writes the output; call it after each key.
void lineedit_flush(struct lineedit *e);
