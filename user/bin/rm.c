// Removes files and empty directories. -r: also directories with everything in them; -f: a missing
// file is not an error.

#include "cow6.h"
#include "tool.h"

const char program_name[] = "rm";

enum { OPTION_RECURSIVE = 1 << 0, OPTION_FORCE = 1 << 1 };

// Removes everything in the current directory. Descends by chdir, so that a tree may be deeper than
// the longest path.
static int empty_directory(void) {
    size_t count;
    int status = 0;
    int fd = open(".", O_RDONLY);
    char **names = fd < 0 ? NULL : directory_names(fd, &count);
    if (names == NULL)
        status = complain("directory");
    close(fd);
    if (names == NULL)
        return status;
    for (size_t i = 0; i < count; i++) {
        if (unlink(names[i]) == 0)
            continue;
        if ((errno == ENOTEMPTY || errno == EISDIR) && chdir(names[i]) == 0) {
            status |= empty_directory();
            if (chdir("..") < 0)
                exit(complain(".."));
            if (unlink(names[i]) == 0)
                continue;
        }
        status = complain(names[i]);
    }
    free(names);
    return status;
}

// Empties a directory in a child process, which need not find the way back to the current one.
static int empty_tree(const char *path) {
    int status;
    int pid = fork();
    if (pid < 0)
        return complain(path);
    if (pid > 0)
        return wait(&status) == pid ? status : 1;
    if (chdir(path) < 0)
        exit(complain(path));
    exit(empty_directory());
}

static int remove(const char *path, unsigned options) {
    if (unlink(path) == 0 || (errno == ENOENT && (options & OPTION_FORCE)))
        return 0;
    if (!(options & OPTION_RECURSIVE) || (errno != ENOTEMPTY && errno != EISDIR))
        return complain(path);
    if (empty_tree(path) != 0)
        return 1;
    return unlink(path) < 0 ? complain(path) : 0;
}

int main(int argc, char **argv) {
    unsigned options = 0;
    int status = 0;
    int first = options_parse(argc, argv, "rf", &options);
    if (first < 0 || first == argc)
        usage("rm [-rf] path ...");
    for (int i = first; i < argc; i++)
        status |= remove(argv[i], options);
    return status;
}
