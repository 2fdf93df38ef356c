// Lists files and the contents of directories, sorted by name. -l: one per line, with type (1
// directory, 2 file, 3 device), inode number and size.

#include "cow6.h"
#include "tool.h"

const char program_name[] = "ls";

enum { OPTION_LONG = 1 << 0, COLUMNS = 80 / (NAME_BYTES + 2) };

static bool long_lines, headings;

static int list_long(const char *path, const char *name) {
    struct stat s;
    if (stat(path, &s) < 0)
        return complain(path);
    put_text("%-14s %d %4u %8lu\n", name, s.type, s.ino, s.size);
    return 0;
}

static int list_names_long(const char *directory, char **names, size_t count) {
    char path[PATH_BYTES];
    int status = path_join(path, sizeof path, directory, ".") < 0 ? complain(directory) : 0;
    status |= list_long(path, ".");
    for (size_t i = 0; i < count; i++) {
        if (path_join(path, sizeof path, directory, names[i]) < 0)
            status = complain(names[i]);
        else
            status |= list_long(path, names[i]);
    }
    return status;
}

// Writes the names column by column.
static void list_names(char **names, size_t count) {
    size_t rows = (count + COLUMNS - 1) / COLUMNS;
    for (size_t row = 0; row < rows; row++) {
        char line[COLUMNS * (NAME_BYTES + 2) + 1];
        int length = 0;
        for (size_t i = row; i < count; i += rows) {
            const char *name_format = i + rows < count ? "%-16s" : "%s";
            length += snprintf(line + length, sizeof line - (size_t)length, name_format, names[i]);
        }
        put_text("%s\n", line);
    }
}

static int list_directory(int fd, const char *path) {
    size_t count;
    char **names = directory_names(fd, &count);
    if (names == NULL)
        return complain(path);
    int status = 0;
    if (long_lines)
        status = list_names_long(path, names, count);
    else
        list_names(names, count);
    free(names);
    return status;
}

static int list(const char *path) {
    struct stat s;
    int status = 0;
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &s) < 0)
        status = complain(path);
    else if (s.type == T_DIR) {
        if (headings)
            put_text("%s:\n", path);
        status = list_directory(fd, path);
    } else if (long_lines)
        status = list_long(path, path);
    else
        put_text("%s\n", path);
    if (fd >= 0)
        close(fd);
    return status;
}

int main(int argc, char **argv) {
    unsigned options = 0;
    int first = options_parse(argc, argv, "l", &options);
    if (first < 0)
        usage("ls [-l] [path ...]");
    long_lines = options & OPTION_LONG;
    if (first == argc)
        return list(".");
    int status = 0;
    headings = argc - first > 1;
    for (int i = first; i < argc; i++)
        status |= list(argv[i]);
    return status;
}
