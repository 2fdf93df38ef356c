// UTF-8, and how wide its characters are on a terminal.
#pragma once
#include "abi/types.h"

enum {
    UTF8_BYTES_MAX = 4,
    UTF8_UNKNOWN = 0xfffd, // shown in place of bytes that are not UTF-8
    UTF8_JOINER = 0x200d,  // joins the emoji around it
};

// Decodes the character at the start of n bytes and returns its length; 0 if it is valid so far but
// not complete, -1 if it is not valid.
int utf8_decode(const char *text, size_t n, uint32_t *character);

// Encodes a character; returns its length in bytes.
size_t utf8_encode(char to[UTF8_BYTES_MAX], uint32_t character);

bool utf8_is_control(uint32_t character);

// Returns how many columns a character takes on a terminal: 2 for wide East Asian characters and
// emoji, 0 for those that combine with the one before.
unsigned utf8_width(uint32_t character);

// True for the letters of which two make a flag. The second function says which letter it is, "A"
// to "Z".
bool utf8_is_flag_letter(uint32_t character);
char utf8_flag_letter(uint32_t character);

// True for a modifier that gives the emoji before it a skin tone.
bool utf8_is_skin_tone(uint32_t character);

// True for a variation selector, which chooses a form, wide or narrow, of the character before it.
bool utf8_is_variant(uint32_t character);

// True if the bytes are valid UTF-8 without control characters.
bool utf8_is_printable(const char *text, size_t n);

// Returns how many columns such a text takes.
size_t utf8_columns(const char *text, size_t n);
