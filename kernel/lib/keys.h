// What a terminal sends for keys: characters in UTF-8, control characters, and escape sequences for
// the keys that move.
#pragma once
#include "abi/types.h"
#include "lib/utf8.h"

#define CTRL(letter) ((letter) - '@')

// Keys that are not characters.
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
    uint8_t state;                // of the escape sequence that is not complete
    uint8_t skip;                 // how many bytes are left of one that has no end of its own
    bool first;                   // its parameter so far is the first
    unsigned parameter;           // the first one
    char introducer;              // "[" or "O"
    char partial[UTF8_BYTES_MAX]; // a character that is not complete
    uint8_t partial_length;
};

// Takes the next byte. Returns the character or key that it completes, or KEY_NONE. Unknown
// sequences are dropped whole; a control character ends a sequence that is not complete. U+FFFD
// takes the place of bytes that are not UTF-8. If the byte is not one of these, *again is true, and
// the byte must be given again.
int keys_decode(struct keys *k, char byte, bool *again);

// True in the middle of a sequence.
bool keys_in_sequence(const struct keys *k);
