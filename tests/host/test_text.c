// Formatted text and byte functions against the C library's, the command line, and checks of
// executables.
#include "test.h"

#include <limits.h>
#include <string.h>

#include "abi/errno.h"
#include "dev/options.h"
#include "proc/elf.h"

// The kernel's functions under names of their own.
#define memcpy kernel_memcpy
#define memmove kernel_memmove
#define memset kernel_memset
#define memcmp kernel_memcmp
#define strlen kernel_strlen
#define strcmp kernel_strcmp
#define strncmp kernel_strncmp
#define string_copy kernel_string_copy
void *kernel_memcpy(void *restrict to, const void *restrict from, size_t n);
void *kernel_memmove(void *to, const void *from, size_t n);
void *kernel_memset(void *to, int byte, size_t n);
int kernel_memcmp(const void *a, const void *b, size_t n);
size_t kernel_strlen(const char *s);
int kernel_strcmp(const char *a, const char *b);
int kernel_strncmp(const char *a, const char *b, size_t n);
char *kernel_string_copy(char *to, const char *from, size_t size);
#include "lib/format.c"
#include "lib/string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef strlen
#undef strcmp
#undef strncmp
#undef string_copy

// ---- Formatted text ----

#define SAME(...) \
    do { \
        char ours_[200], theirs_[200]; \
        size_t n_ = format(ours_, sizeof ours_, __VA_ARGS__); \
        CHECK_EQUAL(snprintf(theirs_, sizeof theirs_, __VA_ARGS__), n_); \
        CHECK_STRING(theirs_, ours_); \
    } while (0)

TEST(format_prints_numbers_like_printf) {
    static const long numbers[] = {0,     1,       -1,      9,        10,       -10,     4095,
                                   65536, INT_MAX, INT_MIN, UINT_MAX, LONG_MAX, LONG_MIN};
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        long n = numbers[i];
        SAME("%d|%u|%x", (int)n, (unsigned)n, (unsigned)n);
        SAME("%ld|%lu|%lx|%zu|%zx", n, (unsigned long)n, (unsigned long)n, (size_t)n, (size_t)n);
        SAME("%lld|%llx", (long long)n, (unsigned long long)n);
        SAME("%5d|%-5d|%05d|%1d|%020ld|%-20ld|%20lx", (int)n, (int)n, (int)n, (int)n, n, n,
             (unsigned long)n);
    }
    SAME("%p %p", (void *)0x1234, (void *)~0ul);
}

TEST(format_prints_text_like_printf) {
    SAME("plain");
    SAME("%s|%5s|%-5s|%2s|%s", "abc", "abc", "abc", "abc", "");
    SAME("%c%c|%3c|%-3c|", 'a', 'b', 'c', 'd');
    SAME("100%% %d%%", 5);
    SAME("%s %x %d %s", "mixed", 0xabcu, -3, "end");
}

TEST(format_survives_odd_formats) {
    char out[32];
    const char *volatile null = NULL;
    const char *unknown = "%q %5y", *cut = "cut %", *cut_width = "%5", *cut_size = "%l";
    format(out, sizeof out, "%s", null);
    CHECK_STRING("(null)", out);
    format(out, sizeof out, unknown, 0);
    CHECK_STRING("%q %y", out);
    format(out, sizeof out, cut, 0);
    CHECK_STRING("cut %", out);
    format(out, sizeof out, cut_width, 0);
    CHECK_STRING("%", out);
    format(out, sizeof out, cut_size, 0);
    CHECK_STRING("%", out);
    CHECK_EQUAL(31, format(out, sizeof out, "%999d", 1));
}

TEST(format_stays_in_its_buffer) {
    for (size_t size = 0; size < 40; size++) {
        char *out = malloc(size + 1); // the sanitizer watches its end
        char wanted[40];
        out[size] = 'x';
        size_t n = format(out, size, "%s %08d %-8s|%x", "text", -42, "ab", 0xdeadbeefu);
        snprintf(wanted, size > 0 ? size : 1, "%s %08d %-8s|%x", "text", -42, "ab", 0xdeadbeefu);
        CHECK_EQUAL(strlen(wanted), n);
        CHECK(size == 0 || strcmp(wanted, out) == 0);
        CHECK_EQUAL('x', out[size]);
        free(out);
    }
}

// ---- Bytes ----

enum { ROOM = 320 };

static void fill_random(uint8_t *a, uint8_t *b, size_t n) {
    for (size_t i = 0; i < n; i++)
        a[i] = b[i] = (uint8_t)host_random(256);
}

// Makes the same move in two equal buffers, by the kernel's function and by the C library's.
static void check_move(size_t to, size_t from, size_t n) {
    static uint8_t ours[ROOM], theirs[ROOM];
    fill_random(ours, theirs, ROOM);
    CHECK(kernel_memmove(ours + to, ours + from, n) == ours + to);
    memmove(theirs + to, theirs + from, n);
    CHECK(memcmp(ours, theirs, ROOM) == 0);
    if (to + n > from && from + n > to)
        return;
    fill_random(ours, theirs, ROOM);
    CHECK(kernel_memcpy(ours + to, ours + from, n) == ours + to);
    memcpy(theirs + to, theirs + from, n);
    CHECK(memcmp(ours, theirs, ROOM) == 0);
}

TEST(memmove_agrees_with_the_library) {
    static const size_t sizes[] = {0, 1, 7, 8, 9, 15, 16, 63, 64, 65, 72, 128, 130};
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
        for (size_t to = 0; to < 18; to++)
            for (size_t from = 0; from < 18; from++) {
                check_move(to, from, sizes[i]);
                check_move(to, from + 150, sizes[i]);
            }
    for (int i = 0; i < 2000; i++)
        check_move(host_random(120), host_random(120), host_random(ROOM - 120));
}

TEST(memset_agrees_with_the_library) {
    static uint8_t ours[ROOM], theirs[ROOM];
    for (size_t at = 0; at < 17; at++)
        for (size_t n = 0; n < ROOM - 17; n++) {
            int byte = (int)host_random(1000) - 500;
            fill_random(ours, theirs, ROOM);
            CHECK(kernel_memset(ours + at, byte, n) == ours + at);
            memset(theirs + at, byte, n);
            CHECK(memcmp(ours, theirs, ROOM) == 0);
        }
}

static int sign(int n) {
    return (n > 0) - (n < 0);
}

TEST(comparisons_agree_with_the_library) {
    char a[12], b[12];
    for (int i = 0; i < 20000; i++) {
        for (size_t at = 0; at < sizeof a; at++) {
            a[at] = (char)(host_random(3) * 127);
            b[at] = host_random(8) ? a[at] : (char)(host_random(3) * 127);
        }
        size_t n = host_random(sizeof a + 1);
        CHECK_EQUAL(sign(memcmp(a, b, n)), sign(kernel_memcmp(a, b, n)));
        CHECK_EQUAL(sign(strncmp(a, b, n)), sign(kernel_strncmp(a, b, n)));
        a[sizeof a - 1] = b[sizeof b - 1] = '\0';
        CHECK_EQUAL(sign(strcmp(a, b)), sign(kernel_strcmp(a, b)));
        CHECK_EQUAL(strlen(a), kernel_strlen(a));
    }
}

TEST(strings_are_copied_with_an_end) {
    for (size_t size = 1; size < 9; size++) {
        char to[9] = "xxxxxxxx";
        CHECK(kernel_string_copy(to, "abcdef", size) == to);
        size_t n = size - 1 < 6 ? size - 1 : 6;
        CHECK(strlen(to) == n && memcmp(to, "abcdef", n) == 0 &&
              to[n + 1 < 8 ? n + 1 : 8] == (n + 1 < 8 ? 'x' : '\0'));
    }
}

// ---- The command line ----

static struct options options;
static char line[2048];

static void read_options(const char *text) {
    snprintf(line, sizeof line, "%s", text);
    options_read(&options, line);
}

TEST(an_empty_line_starts_init) {
    static const char *const lines[] = {"", " ", "     "};
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        read_options(lines[i]);
        CHECK(options.init == NULL && options.argument_count == 1 && options.unknown_count == 0);
        CHECK_STRING("/init", options.arguments[0]);
        CHECK(!options.fork_eagerly && options.frames == 0 && options.fail_frame == 0 &&
              !options.fail_all_frames);
    }
}

TEST(options_are_read) {
    read_options("  init=/cowtest,-v,simple fork=eager  frames=500 failframe=12+ ");
    CHECK_STRING("/cowtest", options.init);
    CHECK_EQUAL(3, options.argument_count);
    CHECK_STRING("/cowtest", options.arguments[0]);
    CHECK_STRING("-v", options.arguments[1]);
    CHECK_STRING("simple", options.arguments[2]);
    CHECK(options.fork_eagerly && options.fail_all_frames && options.unknown_count == 0);
    CHECK_EQUAL(500, options.frames);
    CHECK_EQUAL(12, options.fail_frame);
    read_options("failframe=7 fork=cow init=/a,,b");
    CHECK(options.fail_frame == 7 && !options.fail_all_frames && !options.fork_eagerly);
    CHECK_EQUAL(3, options.argument_count);
    CHECK_STRING("", options.arguments[1]);
    CHECK_STRING("b", options.arguments[2]);
}

TEST(unknown_options_are_kept) {
    static const char *const wrong[] = {
        "quiet",      "init",       "init=",       "fork=",         "fork=fast",
        "frames",     "frames=",    "frames=x",    "frames=1x",     "frames=-1",
        "frames=12+", "failframe=", "failframe=+", "failframe=1++", "frames=99999999999999999999",
        "=",          "=5",         "Fork=cow"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        read_options(wrong[i]);
        CHECK_EQUAL(1, options.unknown_count);
        CHECK_STRING(wrong[i], options.unknown[0]);
        CHECK(options.init == NULL && !options.fork_eagerly && options.frames == 0);
    }
    read_options("a b c frames=3 d e f g h i j k");
    CHECK_EQUAL(8, options.unknown_count);
    CHECK_STRING("h", options.unknown[7]);
    CHECK_EQUAL(3, options.frames);
}

TEST(too_many_arguments_are_cut) {
    char text[400] = "init=/a";
    for (int i = 0; i < 100; i++)
        strcat(text, ",x");
    strcat(text, " frames=9");
    read_options(text);
    CHECK_EQUAL(ARGS_MAX - 1, options.argument_count);
    CHECK_STRING("x", options.arguments[ARGS_MAX - 2]);
    CHECK_EQUAL(9, options.frames);
}

// ---- Executables ----

static struct elf_header good_header(void) {
    return (struct elf_header){.ident = {0x7f, 'E', 'L', 'F', 2, 1, 1},
                               .type = 2,
                               .machine = 243,
                               .version = 1,
                               .segment_offset = 64,
                               .segment_size = sizeof(struct elf_segment),
                               .segment_count = 2};
}

TEST(structures_have_the_sizes_of_the_format) {
    CHECK_EQUAL(64, sizeof(struct elf_header));
    CHECK_EQUAL(56, sizeof(struct elf_segment));
    CHECK_EQUAL(64, sizeof(struct elf_section));
    CHECK_EQUAL(24, sizeof(struct elf_symbol));
}

TEST(headers_must_be_right_in_every_field) {
    struct elf_header h = good_header();
    CHECK_EQUAL(0, elf_check_header(&h));
    for (int i = 0; i < 7; i++) {
        h = good_header();
        h.ident[i] ^= 1;
        CHECK_EQUAL(-ENOEXEC, elf_check_header(&h));
    }
    h = good_header(), h.type = 3;
    CHECK_EQUAL(-ENOEXEC, elf_check_header(&h));
    h = good_header(), h.machine = 62;
    CHECK_EQUAL(-ENOEXEC, elf_check_header(&h));
    h = good_header(), h.segment_size = 32;
    CHECK_EQUAL(-ENOEXEC, elf_check_header(&h));
    h = good_header(), h.segment_count = 0;
    CHECK_EQUAL(-ENOEXEC, elf_check_header(&h));
    h.segment_count = ELF_SEGMENTS_MAX;
    CHECK_EQUAL(0, elf_check_header(&h));
    h.segment_count++;
    CHECK_EQUAL(-ENOEXEC, elf_check_header(&h));
}

TEST(segments_must_be_inside_file_and_memory) {
    static const struct {
        uint64_t offset, address, file_size, memory_size;
        int wanted;
    } cases[] = {
        {0x1000, 0x10000, 0x500, 0x600, 0},
        {0x123, 0x10000, 0x500, 0x600, 0}, // starts a page: may be anywhere in the file
        {0x123, 0x10123, 0x500, 0x600, 0},
        {0x123, 0x10124, 0x500, 0x600, -ENOEXEC},  // neither
        {0x1000, 0x10000, 0x600, 0x500, -ENOEXEC}, // more in the file than in memory
        {0x1b00, 0x10b00, 0x500, 0x500, 0},        // ends with the file
        {0x1b01, 0x10b01, 0x500, 0x500, -ENOEXEC},
        {0, 0, 0x2000, 0x2000, 0},
        {0, 0, 0x2001, 0x2001, -ENOEXEC},
        {0x2000, 0x10000, 0, 0x100, 0},
        {0x3000, 0x10000, 0, 0x100, -ENOEXEC},
        {~0ull - 0xfff, 0x10000, 0x1000, 0x1000, -ENOEXEC}, // wraps around
        {0x1000, 0x10000, ~0ull, ~0ull, -ENOEXEC},
        {0, 0xff000, 0, 0x1000, 0}, // ends with memory
        {0, 0xff000, 0, 0x1001, -ENOEXEC},
        {0, ~0ull - 0xfff, 0, 0x1000, -ENOEXEC},
        {0, ~0ull - 0xfff, 0, 0x2000, -ENOEXEC},
        {0, 0x1000, 0, ~0ull, -ENOEXEC},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct elf_segment s = {.type = 1,
                                .offset = cases[i].offset,
                                .address = cases[i].address,
                                .file_size = cases[i].file_size,
                                .memory_size = cases[i].memory_size};
        CHECK_EQUAL(cases[i].wanted, elf_check_segment(&s, 0x2000, 0x100000));
    }
}
