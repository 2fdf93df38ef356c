// Moves files: gives each its new name, then takes the old one away. A file that has the new name
// is replaced. Directories cannot be moved, because they cannot have two names.

#include "cow6.h"
#include "tool.h"

static bool is_same_file(const struct stat *a, const struct stat *b) {
    return a->dev == b->dev && a->ino == b->ino;
}

static int move(const char *source, const char *target) {
    char path[PATH_BYTES];
    struct stat from, to;
    if (stat(source, &from) < 0)
        return complain("mv", source);
    if (path_for_copy(path, sizeof path, target, source) < 0)
        return complain("mv", target);
    if (from.type == T_DIR) {
        errno = EISDIR;
        return complain("mv", source);
    }
    if (stat(path, &to) == 0) {
        if (is_same_file(&from, &to)) {
            fprintf(2, "mv: %s and %s are the same file\n", source, path);
            return 1;
        }
        if (unlink(path) < 0)
            return complain("mv", path);
    }
    if (link(source, path) < 0)
        return complain("mv", path);
    return unlink(source) < 0 ? complain("mv", source) : 0;
}

int main(int argc, char **argv) {
    struct stat s;
    int status = 0;
    if (argc < 3)
        usage("mv file new-name, or mv file ... directory");
    if (argc > 3 && (stat(argv[argc - 1], &s) < 0 || s.type != T_DIR)) {
        errno = ENOTDIR;
        return complain("mv", argv[argc - 1]);
    }
    for (int i = 1; i < argc - 1; i++)
        status |= move(argv[i], argv[argc - 1]);
    return status;
}
