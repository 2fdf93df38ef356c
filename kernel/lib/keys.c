// The sequences are ECMA-48's: ESC [ parameters letter, or ESC O letter; strings end with ESC \.
// ESC [ [ begins the keys F1 to F5 of the Linux console, and ESC [ M a mouse click, of three bytes,
// on old terminals.
#include "lib/keys.h"

enum { PLAIN, ESCAPED, PARAMETERS, STRING, SKIPPING };
enum { PARAMETER_MAX = 1000, LINUX_KEY_BYTES = 1, MOUSE_BYTES = 3 };

bool keys_in_sequence(const struct keys *k) {
    return k->state != PLAIN;
}

// After ESC.
static void begin_sequence(struct keys *k, char c) {
    bool more = c >= ' ' && c < '0';
    k->state = more ? ESCAPED : PLAIN; // Alt and a key are two bytes
    if (c == '[' || c == 'O') {
        k->state = PARAMETERS;
        k->introducer = c;
        k->parameter = 0;
        k->first = true;
    } else if (c == ']' || c == 'P' || c == 'X' || c == '^' || c == '_') {
        k->state = STRING;
    }
}

static int numbered_key(unsigned number) {
    switch (number) {
    case 1:
    case 7:
        return KEY_HOME;
    case 3:
        return KEY_DELETE;
    case 4:
    case 8:
        return KEY_END;
    default:
        return KEY_NONE;
    }
}

static int end_sequence(struct keys *k, char c) {
    bool bare = k->introducer == '[' && k->first && k->parameter == 0;
    k->skip = 0;
    if (bare && c == '[')
        k->skip = LINUX_KEY_BYTES;
    else if (bare && c == 'M')
        k->skip = MOUSE_BYTES;
    k->state = k->skip > 0 ? SKIPPING : PLAIN;
    switch (c) {
    case 'A':
        return KEY_UP;
    case 'B':
        return KEY_DOWN;
    case 'C':
        return KEY_RIGHT;
    case 'D':
        return KEY_LEFT;
    case 'H':
        return KEY_HOME;
    case 'F':
        return KEY_END;
    case '~':
        return numbered_key(k->parameter);
    default:
        return KEY_NONE;
    }
}

static int continue_sequence(struct keys *k, char c) {
    if (k->state == ESCAPED) {
        begin_sequence(k, c);
    } else if (k->state == SKIPPING) {
        k->state = --k->skip > 0 ? SKIPPING : PLAIN;
    } else if (k->state == PARAMETERS && c >= '@') {
        return end_sequence(k, c);
    } else if (k->state == PARAMETERS) {
        k->first &= c >= '0' && c <= '9';
        if (k->first && k->parameter < PARAMETER_MAX)
            k->parameter = k->parameter * 10 + (unsigned)(c - '0');
    }
    return KEY_NONE;
}

// Adds a byte to the unfinished character.
static int continue_character(struct keys *k, char c) {
    uint32_t character;
    k->partial[k->partial_length++] = c;
    int length = utf8_decode(k->partial, k->partial_length, &character);
    if (length == 0)
        return KEY_NONE;
    k->partial_length = 0;
    if (length < 0)
        return UTF8_UNKNOWN;
    return utf8_is_control(character) ? KEY_NONE : (int)character;
}

int keys_decode(struct keys *k, char byte, bool *again) {
    uint8_t c = (uint8_t)byte;
    bool ascii = c >= ' ' && c < KEY_BACKSPACE;
    *again = k->partial_length > 0 && (c & 0xc0) != 0x80;
    if (*again) {
        k->partial_length = 0;
        return UTF8_UNKNOWN;
    }
    if (k->state != PLAIN && (ascii || (c >= 0x80 && (k->state == STRING || k->state == SKIPPING))))
        return continue_sequence(k, byte);
    k->state = c == KEY_ESCAPE ? ESCAPED : PLAIN;
    if (c >= 0x80)
        return continue_character(k, byte);
    return c == KEY_ESCAPE ? KEY_NONE : c;
}
