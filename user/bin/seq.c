// Prints the numbers from first (1 if not given) to last, one per line.

#include "cow6.h"
#include "tool.h"

const char program_name[] = "seq";

int main(int argc, char **argv) {
    long first = 1, last;
    if (argc < 2 || argc > 3 || number_parse(argv[argc - 1], &last) < 0)
        usage("seq [first] last");
    if (argc == 3 && number_parse(argv[1], &first) < 0)
        usage("seq [first] last");
    for (long i = first; i <= last; i++)
        put_text("%ld\n", i);
    return 0;
}
