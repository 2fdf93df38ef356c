// The tables are made from Unicode 14.0. The wide characters are those that EastAsianWidth.txt
// calls W or F. Characters that combine are those of the general categories Mn, Me and Cf, and the
// medial and final letters of Korean syllables; the table has the ones of the most used scripts. A
// range may include unassigned characters.
#include "lib/utf8.h"

enum { FLAG_A = 0x1f1e6, FLAG_Z = 0x1f1ff };

struct range {
    uint32_t first, last;
};

// clang-format off
static const struct range wide[] = {
    {0x1100, 0x115f}, {0x231a, 0x231b}, {0x2329, 0x232a}, {0x23e9, 0x23ec}, {0x23f0, 0x23f0},
    {0x23f3, 0x23f3}, {0x25fd, 0x25fe}, {0x2614, 0x2615}, {0x2648, 0x2653}, {0x267f, 0x267f},
    {0x2693, 0x2693}, {0x26a1, 0x26a1}, {0x26aa, 0x26ab}, {0x26bd, 0x26be}, {0x26c4, 0x26c5},
    {0x26ce, 0x26ce}, {0x26d4, 0x26d4}, {0x26ea, 0x26ea}, {0x26f2, 0x26f3}, {0x26f5, 0x26f5},
    {0x26fa, 0x26fa}, {0x26fd, 0x26fd}, {0x2705, 0x2705}, {0x270a, 0x270b}, {0x2728, 0x2728},
    {0x274c, 0x274c}, {0x274e, 0x274e}, {0x2753, 0x2755}, {0x2757, 0x2757}, {0x2795, 0x2797},
    {0x27b0, 0x27b0}, {0x27bf, 0x27bf}, {0x2b1b, 0x2b1c}, {0x2b50, 0x2b50}, {0x2b55, 0x2b55},
    {0x2e80, 0x3029}, {0x302e, 0x303e}, {0x3041, 0x3096}, {0x309b, 0x3247}, {0x3250, 0x4dbf},
    {0x4e00, 0xa4c6}, {0xa960, 0xa97c}, {0xac00, 0xd7a3}, {0xf900, 0xfaff}, {0xfe10, 0xfe19},
    {0xfe30, 0xfe6b}, {0xff01, 0xff60}, {0xffe0, 0xffe6}, {0x16fe0, 0x16fe3}, {0x16ff0, 0x1b2fb},
    {0x1f004, 0x1f004}, {0x1f0cf, 0x1f0cf}, {0x1f18e, 0x1f18e}, {0x1f191, 0x1f19a},
    {0x1f200, 0x1f320}, {0x1f32d, 0x1f335}, {0x1f337, 0x1f37c}, {0x1f37e, 0x1f393},
    {0x1f3a0, 0x1f3ca}, {0x1f3cf, 0x1f3d3}, {0x1f3e0, 0x1f3f0}, {0x1f3f4, 0x1f3f4},
    {0x1f3f8, 0x1f43e}, {0x1f440, 0x1f440}, {0x1f442, 0x1f4fc}, {0x1f4ff, 0x1f53d},
    {0x1f54b, 0x1f54e}, {0x1f550, 0x1f567}, {0x1f57a, 0x1f57a}, {0x1f595, 0x1f596},
    {0x1f5a4, 0x1f5a4}, {0x1f5fb, 0x1f64f}, {0x1f680, 0x1f6c5}, {0x1f6cc, 0x1f6cc},
    {0x1f6d0, 0x1f6d2}, {0x1f6d5, 0x1f6df}, {0x1f6eb, 0x1f6ec}, {0x1f6f4, 0x1f6fc},
    {0x1f7e0, 0x1f7f0}, {0x1f90c, 0x1f93a}, {0x1f93c, 0x1f945}, {0x1f947, 0x1f9ff},
    {0x1fa70, 0x1faf6}, {0x20000, 0x3fffd},
};

static const struct range combining[] = {
    {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x05bf, 0x05bf}, {0x05c1, 0x05c2},
    {0x05c4, 0x05c5}, {0x05c7, 0x05c7}, {0x0610, 0x061a}, {0x061c, 0x061c}, {0x064b, 0x065f},
    {0x0670, 0x0670}, {0x06d6, 0x06dd}, {0x06df, 0x06e4}, {0x06e7, 0x06e8}, {0x06ea, 0x06ed},
    {0x0900, 0x0902}, {0x093a, 0x093a}, {0x093c, 0x093c}, {0x0941, 0x0948}, {0x094d, 0x094d},
    {0x0951, 0x0957}, {0x0962, 0x0963}, {0x0e31, 0x0e31}, {0x0e34, 0x0e3a}, {0x0e47, 0x0e4e},
    {0x1160, 0x11ff}, {0x1ab0, 0x1ace}, {0x1dc0, 0x1dff}, {0x200b, 0x200f}, {0x202a, 0x202e},
    {0x2060, 0x206f}, {0x20d0, 0x20f0}, {0x302a, 0x302d}, {0x3099, 0x309a}, {0xd7b0, 0xd7ff},
    {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xfeff, 0xfeff}, {0xe0001, 0xe01ef},
};
// clang-format on

static bool is_in(const struct range *ranges, size_t count, uint32_t character) {
    size_t low = 0;
    size_t high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (character > ranges[middle].last)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && character >= ranges[low].first;
}

unsigned utf8_width(uint32_t character) {
    if (is_in(combining, ARRAY_SIZE(combining), character))
        return 0;
    return is_in(wide, ARRAY_SIZE(wide), character) ? 2 : 1;
}

bool utf8_is_flag_letter(uint32_t character) {
    return character >= FLAG_A && character <= FLAG_Z;
}

char utf8_flag_letter(uint32_t character) {
    return (char)('A' + (character - FLAG_A));
}

bool utf8_is_skin_tone(uint32_t character) {
    return character >= 0x1f3fb && character <= 0x1f3ff;
}

bool utf8_is_variant(uint32_t character) {
    return character >= 0xfe00 && character <= 0xfe0f;
}

// The first character that needs a sequence of that length.
static const uint32_t character_min[] = {0, 0, 0x80, 0x800, 0x10000};

// True unless the sequence is longer than the character needs, or the character is half of a UTF-16
// pair or beyond the last one.
static bool is_valid(uint32_t character, size_t length) {
    bool is_half = character >= 0xd800 && character <= 0xdfff;
    return character >= character_min[length] && !is_half && character <= 0x10ffff;
}

// The length of the sequence that begins with that byte.
static size_t sequence_length(uint8_t first) {
    if (first < 0x80)
        return 1;
    if (first < 0xe0)
        return 2;
    return first < 0xf0 ? 3 : 4;
}

int utf8_decode(const char *text, size_t n, uint32_t *character) {
    if (n == 0)
        return 0;
    uint8_t first = (uint8_t)text[0];
    if ((first >= 0x80 && first < 0xc2) || first > 0xf4)
        return -1;
    size_t length = sequence_length(first);
    *character = length == 1 ? first : first & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if (i == n)
            return 0;
        if ((text[i] & 0xc0) != 0x80)
            return -1;
        *character = *character << 6 | (text[i] & 0x3fu);
    }
    return is_valid(*character, length) ? (int)length : -1;
}

size_t utf8_encode(char to[UTF8_BYTES_MAX], uint32_t character) {
    static const uint8_t marks[] = {0, 0, 0xc0, 0xe0, 0xf0}; // of the first byte
    size_t length = 1;
    while (length < UTF8_BYTES_MAX && character >= character_min[length + 1])
        length++;
    for (size_t i = length - 1; i > 0; i--) {
        to[i] = (char)(0x80 | (character & 0x3f));
        character >>= 6;
    }
    to[0] = (char)(marks[length] | character);
    return length;
}

bool utf8_is_control(uint32_t character) {
    return character < ' ' || (character >= 0x7f && character < 0xa0);
}

bool utf8_is_printable(const char *text, size_t n) {
    uint32_t character;
    for (size_t i = 0; i < n;) {
        int length = utf8_decode(text + i, n - i, &character);
        if (length <= 0 || utf8_is_control(character))
            return false;
        i += (size_t)length;
    }
    return true;
}

size_t utf8_columns(const char *text, size_t n) {
    size_t columns = 0;
    uint32_t character;
    for (size_t i = 0; i < n;) {
        int length = utf8_decode(text + i, n - i, &character);
        columns += length > 0 ? utf8_width(character) : 1;
        i += length > 0 ? (size_t)length : 1;
    }
    return columns;
}
