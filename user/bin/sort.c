// Sorts the lines of files, or of its input. -r: in reverse order; -n: by the number at the start
// of each line; -u: each line once.

#include "cow6.h"
#include "reader.h"
#include "tool.h"

const char program_name[] = "sort";

enum { OPTION_REVERSE = 1 << 0, OPTION_NUMBERS = 1 << 1, OPTION_UNIQUE = 1 << 2 };

static unsigned options;
static char **lines;
static size_t line_count, lines_size;

static int compare(const void *a, const void *b) {
    int order = 0;
    if (options & OPTION_NUMBERS) {
        long x = number_at(a), y = number_at(b);
        order = (x > y) - (x < y);
    }
    if (order == 0)
        order = strcmp(a, b);
    return options & OPTION_REVERSE ? -order : order;
}

static int add_line(const char *line) {
    if (line_count == lines_size) {
        lines_size = 2 * lines_size + 256;
        char **larger = realloc(lines, lines_size * sizeof *lines);
        if (larger == NULL)
            return -1;
        lines = larger;
    }
    lines[line_count] = strdup(line);
    return lines[line_count++] == NULL ? -1 : 0;
}

static int read_lines(int fd, const char *name) {
    struct reader reader = reader_of(fd);
    const char *line;
    size_t length;
    while ((line = reader_line(&reader, &length)) != NULL)
        if (add_line(line) < 0)
            exit(complain(name));
    reader_destroy(&reader);
    return reader.failed ? complain(name) : 0;
}

int main(int argc, char **argv) {
    int first = options_parse(argc, argv, "rnu", &options);
    if (first < 0)
        usage("sort [-rnu] [file ...]");
    int status = filter_files(argv + first, 1, read_lines);
    pointers_sort((void **)lines, line_count, compare);
    for (size_t i = 0; i < line_count; i++)
        if (!(options & OPTION_UNIQUE) || i == 0 || strcmp(lines[i], lines[i - 1]) != 0)
            put_text("%s\n", lines[i]);
    return status;
}
