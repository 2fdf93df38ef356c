// Writes the first lines of files, or of its input: 10, or as many as -n says.

#include "cow6.h"
#include "reader.h"
#include "tool.h"

static long lines = 10;

static int head(int fd, const char *name) {
    struct reader reader = reader_of(fd);
    char *line;
    size_t length;
    for (long i = 0; i < lines && (line = reader_line(&reader, &length)) != NULL; i++) {
        line[length] = '\n';
        put("head", line, length + 1);
    }
    int status = reader.failed ? complain("head", name) : 0;
    reader_destroy(&reader);
    return status;
}

int main(int argc, char **argv) {
    int first = 1;
    if (argc > 2 && strcmp(argv[1], "-n") == 0) {
        if (number_parse(argv[2], &lines) < 0 || lines < 0) usage("head [-n lines] [file ...]");
        first = 3;
    }
    if (first < argc && argv[first][0] == '-' && argv[first][1] != '\0') usage("head [-n lines] [file ...]");
    return filter_files("head", argv + first, 1, head);
}
