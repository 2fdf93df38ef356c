// Gives a file another name.

#include "cow6.h"
#include "tool.h"

const char program_name[] = "ln";

int main(int argc, char **argv) {
    char path[PATH_BYTES];
    if (argc != 3)
        usage("ln file new-name-or-directory");
    if (path_for_copy(path, sizeof path, argv[2], argv[1]) < 0)
        return complain(argv[2]);
    if (link(argv[1], path) == 0)
        return 0;
    return complain(errno == ENOENT ? argv[1] : path);
}
