// Copies its input to its output and into files.

#include "cow6.h"
#include "tool.h"

const char program_name[] = "tee";

static char buffer[4 * PAGE_BYTES];

int main(int argc, char **argv) {
    unsigned options = 0;
    int first = options_parse(argc, argv, "", &options);
    if (first < 0 || argc - first > OPEN_MAX - 3)
        usage("tee [file ...], at most 13 files");
    int files[OPEN_MAX];
    int status = 0;
    for (int i = first; i < argc; i++) {
        files[i - first] = open(argv[i], O_WRONLY | O_CREATE | O_TRUNC);
        if (files[i - first] < 0)
            status = complain(argv[i]);
    }
    int n;
    while ((n = read(0, buffer, sizeof buffer)) > 0) {
        for (int i = first; i < argc; i++) {
            int *fd = &files[i - first];
            if (*fd >= 0 && write_all(*fd, buffer, (size_t)n) < 0) {
                status = complain(argv[i]);
                *fd = -1;
            }
        }
        put(buffer, (size_t)n);
    }
    return n < 0 ? complain("input") : status;
}
