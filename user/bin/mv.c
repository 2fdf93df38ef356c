// Moves files: gives each its new name, then removes the old one. An existing file of the new name
// is replaced. Directories cannot be moved, because they cannot have two names.

#include "cow6.h"
#include "tool.h"

const char program_name[] = "mv";

static bool is_same_file(const struct stat *a, const struct stat *b) {
    return a->dev == b->dev && a->ino == b->ino;
}

static int move(const char *source, const char *target) {
    char path[PATH_BYTES];
    struct stat from, to;
    if (stat(source, &from) < 0)
        return complain(source);
    if (path_for_copy(path, sizeof path, target, source) < 0)
        return complain(target);
    if (from.type == T_DIR) {
        errno = EISDIR;
        return complain(source);
    }
    if (stat(path, &to) == 0) {
        if (is_same_file(&from, &to))
            return warn("%s and %s are the same file", source, path);
        if (unlink(path) < 0)
            return complain(path);
    }
    if (link(source, path) < 0)
        return complain(path);
    return unlink(source) < 0 ? complain(source) : 0;
}

int main(int argc, char **argv) {
    struct stat s;
    int status = 0;
    if (argc < 3)
        usage("mv file new-name, or mv file ... directory");
    if (argc > 3 && (stat(argv[argc - 1], &s) < 0 || s.type != T_DIR)) {
        errno = ENOTDIR;
        return complain(argv[argc - 1]);
    }
    for (int i = 1; i < argc - 1; i++)
        status |= move(argv[i], argv[argc - 1]);
    return status;
}
