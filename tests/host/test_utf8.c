// Widths of characters, and their encoding.
#include "test.h"

#include "lib/utf8.h"

TEST(utf8_knows_widths) {
    static const struct {
        uint32_t character;
        unsigned width;
    } cases[] = {{'a', 1},    {0xe4, 1},    {0xad, 1},    {0x300, 0},   {0x36f, 0},   {0x370, 1},
                 {0x10ff, 1}, {0x1100, 2},  {0x115f, 2},  {0x1160, 0},  {0x11ff, 0},  {0x200d, 0},
                 {0x2e7f, 1}, {0x2e80, 2},  {0x3042, 2},  {0x3099, 0},  {0x4e00, 2},  {0xabff, 1},
                 {0xac00, 2}, {0xd7a3, 2},  {0xd7a4, 1},  {0xfe0f, 0},  {0xff01, 2},  {0xff61, 1},
                 {0xfffd, 1}, {0x1f600, 2}, {0x20000, 2}, {0x3fffd, 2}, {0x3fffe, 1}, {0x10ffff, 1},
                 {0xe01ef, 0}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        CHECK_EQUAL(cases[i].width, utf8_width(cases[i].character));
    CHECK_EQUAL(7, utf8_columns("a\352\260\200b\353\202\230e\314\201", 11));
}

TEST(utf8_decodes_what_it_encodes) {
    for (uint32_t character = 0; character < 0x110000; character++) {
        char bytes[UTF8_BYTES_MAX];
        uint32_t again = 0;
        size_t n = utf8_encode(bytes, character);
        int length = utf8_decode(bytes, n, &again);
        if (character >= 0xd800 && character < 0xe000) {
            CHECK_EQUAL(-1, length);
            continue;
        }
        CHECK_EQUAL(n, length);
        CHECK_EQUAL(character, again);
        for (size_t part = 0; part < n; part++)
            CHECK_EQUAL(0, utf8_decode(bytes, part, &again));
    }
}
