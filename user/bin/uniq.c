// Writes a line that is repeated several times in a row only once. -c: with the number of
// repetitions.

#include "cow6.h"
#include "reader.h"
#include "tool.h"

const char program_name[] = "uniq";

enum { OPTION_COUNT = 1 << 0 };

static unsigned options;

static void show(const char *line, long count) {
    if (options & OPTION_COUNT)
        put_text("%4ld %s\n", count, line);
    else
        put_text("%s\n", line);
}

static int uniq(int fd, const char *name) {
    struct reader reader = reader_of(fd);
    const char *line;
    char *previous = NULL;
    size_t length;
    long count = 0;
    while ((line = reader_line(&reader, &length)) != NULL) {
        if (previous != NULL && strcmp(line, previous) == 0) {
            count++;
            continue;
        }
        if (previous != NULL)
            show(previous, count);
        free(previous);
        previous = strdup(line);
        if (previous == NULL)
            return complain(name);
        count = 1;
    }
    if (previous != NULL)
        show(previous, count);
    free(previous);
    reader_destroy(&reader);
    return reader.failed ? complain(name) : 0;
}

int main(int argc, char **argv) {
    int first = options_parse(argc, argv, "c", &options);
    if (first < 0 || argc - first > 1)
        usage("uniq [-c] [file]");
    return filter_files(argv + first, 1, uniq);
}
