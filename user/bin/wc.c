// Counts lines, words and bytes of files, or of its input. -l, -w, -c: only these.

#include "cow6.h"
#include "tool.h"

const char program_name[] = "wc";

enum { OPTION_LINES = 1 << 0, OPTION_WORDS = 1 << 1, OPTION_BYTES = 1 << 2, OPTION_ALL = 7 };

struct counts {
    uint64_t lines, words, bytes;
};

static char buffer[4 * PAGE_BYTES];
static unsigned options;
static struct counts total;

static void show(const struct counts *c, const char *name) {
    char line[3 * 24] = "";
    int length = 0;
    const uint64_t numbers[] = {c->lines, c->words, c->bytes};
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        if (options & 1u << i)
            length += snprintf(line + length, sizeof line - (size_t)length, "%lu ", numbers[i]);
    if (*name == '\0') // no name after the last blank
        line[length - 1] = '\0';
    put_text("%s%s\n", line, name);
}

static int wc(int fd, const char *name) {
    struct counts c = {0};
    bool in_word = false;
    int n;
    while ((n = read(fd, buffer, sizeof buffer)) > 0) {
        c.bytes += (uint64_t)n;
        for (int i = 0; i < n; i++) {
            c.lines += buffer[i] == '\n';
            c.words += !in_word && !char_is_space(buffer[i]);
            in_word = !char_is_space(buffer[i]);
        }
    }
    if (n < 0)
        return complain(name);
    show(&c, strcmp(name, "-") == 0 ? "" : name);
    total.lines += c.lines;
    total.words += c.words;
    total.bytes += c.bytes;
    return 0;
}

int main(int argc, char **argv) {
    int first = options_parse(argc, argv, "lwc", &options);
    if (first < 0)
        usage("wc [-lwc] [file ...]");
    if (options == 0)
        options = OPTION_ALL;
    int status = filter_files(argv + first, 1, wc);
    if (argc - first > 1)
        show(&total, "total");
    return status;
}
