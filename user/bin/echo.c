// Writes its arguments, separated by blanks. -n: without the newline at the end.

#include "cow6.h"
#include "tool.h"

const char program_name[] = "echo";

int main(int argc, char **argv) {
    int first = argc > 1 && strcmp(argv[1], "-n") == 0 ? 2 : 1;
    size_t length = 1;
    for (int i = first; i < argc; i++)
        length += strlen(argv[i]) + 1;
    char *line = malloc(length);
    if (line == NULL)
        return complain("arguments");
    char *end = line;
    for (int i = first; i < argc; i++) {
        strcpy(end, argv[i]);
        end += strlen(end);
        *end++ = ' ';
    }
    if (argc > first)
        end--;
    if (first == 1)
        *end++ = '\n';
    put(line, (size_t)(end - line));
    return 0;
}
