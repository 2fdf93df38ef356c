// Writes files, or its input, one after another.

#include "cow6.h"
#include "tool.h"

const char program_name[] = "cat";

static char buffer[4 * PAGE_BYTES];

static int cat(int fd, const char *name) {
    int n;
    while ((n = read(fd, buffer, sizeof buffer)) > 0)
        put(buffer, (size_t)n);
    return n < 0 ? complain(name) : 0;
}

int main(int argc, char **argv) {
    unsigned options = 0;
    int first = options_parse(argc, argv, "", &options);
    if (first < 0)
        usage("cat [file ...]");
    return filter_files(argv + first, 1, cat);
}
