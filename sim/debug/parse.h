// Reading a packet from its beginning to its end. Each function moves *at behind what it has read,
// and leaves it alone if that is not there.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool parse_word(const char **at, const char *word);

// Reads a number of hexadecimal digits; of more than 16, the last count.
bool parse_hex(const char **at, uint64_t *number);

// Reads a decimal number.
bool parse_number(const char **at, uint64_t *number);

// Reads up to `most` bytes, two digits each; returns how many there were.
size_t parse_bytes(const char **at, uint8_t *bytes, size_t most);
