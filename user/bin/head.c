// Writes the first lines of files, or of its input: 10, or as many as an option says: -n 5, -n5 or
// -5.

#include "cow6.h"
#include "reader.h"
#include "tool.h"

const char program_name[] = "head";

static long lines = 10;

static int head(int fd, const char *name) {
    struct reader reader = reader_of(fd);
    char *line;
    size_t length;
    for (long i = 0; i < lines && (line = reader_line(&reader, &length)) != NULL; i++) {
        line[length] = '\n';
        put(line, length + 1);
    }
    int status = reader.failed ? complain(name) : 0;
    reader_destroy(&reader);
    return status;
}

// Reads the number of lines if the first argument, or the first two, give it. Returns the index of
// the next one.
static int parse_lines(int argc, char **argv) {
    if (argc < 2 || argv[1][0] != '-' || argv[1][1] == '\0')
        return 1;
    bool is_apart = strcmp(argv[1], "-n") == 0;
    const char *number = argv[1] + (argv[1][1] == 'n' ? 2 : 1);
    if (is_apart)
        number = argc > 2 ? argv[2] : "";
    if (!char_is_digit(number[0]) || number_parse(number, &lines) < 0)
        usage("head [-n lines] [file ...]");
    return is_apart ? 3 : 2;
}

int main(int argc, char **argv) {
    int first = parse_lines(argc, argv);
    if (first < argc && argv[first][0] == '-' && argv[first][1] != '\0')
        usage("head [-n lines] [file ...]");
    return filter_files(argv + first, 1, head);
}
