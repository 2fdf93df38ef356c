// What a terminal sends for keys: characters in UTF-8, control characters, and escape sequences for
// the keys that move.
#pragma once
#include "abi/types.h"
#include "lib/utf8.h"

#define CTRL(letter) ((letter) - '@')

// Keys that are no characters.
enum key {
    KEY_NONE = 0,
    KEY_ESCAPE = 0x1b,
    KEY_BACKSPACE = 0x7f,
    KEY_UP = 0x110000,
    KEY_DOWN,
    KEY_RIGHT,
    KEY_LEFT,
    KEY_HOME,
    KEY_END,
    KEY_DELETE,
};

struct keys {
    uint8_t state;                // of an escape sequence under way
    uint8_t skip;                 // bytes left of one that has no end of its own
    bool first;                   // its parameter under way is the first
    unsigned parameter;           // the first one
    char introducer;              // "[" or "O"
    char partial[UTF8_BYTES_MAX]; // a character under way
    uint8_t partial_length;
};

// Takes the next byte. Returns the character or key that it completes, or KEY_NONE. Sequences that
// mean nothing are swallowed whole; a control character ends one that is not complete. In place of
// bytes that are not UTF-8 comes U+FFFD; if the byte is not one of them it is to be given again,
// and *again is true.
int keys_decode(struct keys *k, char byte, bool *again);

// True in the middle of a sequence.
bool keys_in_sequence(const struct keys *k);
