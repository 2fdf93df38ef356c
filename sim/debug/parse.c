// Words and numbers in a packet.
#include "debug/parse.h"

bool parse_word(const char **at, const char *word) {
    const char *text = *at;
    for (; *word != '\0'; word++, text++) {
        if (*text != *word)
            return false;
    }
    *at = text;
    return true;
}

// Returns a digit's value, or one that is too large for any base.
static unsigned digit(char byte) {
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    if (byte >= 'A' && byte <= 'F')
        return byte - 'A' + 10;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : 16;
}

static bool parse_digits(const char **at, unsigned base, uint64_t *number) {
    const char *text = *at;
    *number = 0;
    for (; digit(*text) < base; text++)
        *number = *number * base + digit(*text);
    bool is_number = text != *at;
    *at = text;
    return is_number;
}

bool parse_hex(const char **at, uint64_t *number) {
    return parse_digits(at, 16, number);
}

bool parse_number(const char **at, uint64_t *number) {
    return parse_digits(at, 10, number);
}

size_t parse_bytes(const char **at, uint8_t *bytes, size_t most) {
    size_t count = 0;
    for (; count < most && digit((*at)[0]) < 16 && digit((*at)[1]) < 16; count++, *at += 2)
        bytes[count] = digit((*at)[0]) << 4 | digit((*at)[1]);
    return count;
}
