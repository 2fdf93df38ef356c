// What a terminal sends for keys: characters in UTF-8, control characters, and escape sequences for
// keys such as the arrows.
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
    uint8_t state;                // of the unfinished escape sequence
    uint8_t skip;                 // bytes left of a sequence of fixed length
    bool first;                   // its first parameter is not complete yet
    unsigned parameter;           // the first one
    char introducer;              // "[" or "O"
    char partial[UTF8_BYTES_MAX]; // an unfinished character
    uint8_t partial_length;
};

// Takes the next byte. Returns the character or key that it completes, or KEY_NONE. Unknown
// sequences are dropped whole; a control character ends a sequence that is not complete. Bytes that
// are not UTF-8 become U+FFFD. If the error is in the bytes before this one, *again is true, and
// this byte must be passed again.
int keys_decode(struct keys *k, char byte, bool *again);

// True in the middle of an escape sequence.
bool keys_in_sequence(const struct keys *k);
