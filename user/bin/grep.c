// Writes the lines that match a pattern (lib/regex.h). -v: those that do not; -n: with line
// numbers; -i: ignores case; -c: only how many. Status 0 if there are any, 1 if not, 2 if something
// failed.

#include "cow6.h"
#include "reader.h"
#include "regex.h"
#include "tool.h"

const char program_name[] = "grep";

enum {
    OPTION_OTHERS = 1 << 0,
    OPTION_NUMBERS = 1 << 1,
    OPTION_ANY_CASE = 1 << 2,
    OPTION_COUNT = 1 << 3
};

static struct regex regex;
static unsigned options;
static bool several_files;
static long matches;

static void show(const char *name, long number, const char *line) {
    if (several_files)
        put_text("%s:", name);
    if (options & OPTION_NUMBERS)
        put_text("%ld:", number);
    put_text("%s\n", line);
}

static int grep(int fd, const char *name) {
    struct reader reader = reader_of(fd);
    const char *line;
    size_t length;
    long before = matches;
    for (long number = 1; (line = reader_line(&reader, &length)) != NULL; number++) {
        if (regex_matches(&regex, line, length) == !!(options & OPTION_OTHERS))
            continue;
        matches++;
        if (!(options & OPTION_COUNT))
            show(name, number, line);
    }
    if (reader.failed)
        complain(name);
    if (options & OPTION_COUNT)
        put_text(several_files ? "%s:%ld\n" : "%s%ld\n", several_files ? name : "",
                 matches - before);
    int status = reader.failed ? 2 : 0;
    reader_destroy(&reader);
    return status;
}

int main(int argc, char **argv) {
    int first = options_parse(argc, argv, "vnic", &options);
    if (first < 0 || first == argc)
        usage("grep [-vnic] pattern [file ...]");
    const char *wrong = regex_init(&regex, argv[first], options & OPTION_ANY_CASE);
    if (wrong != NULL) {
        warn("%s: %s", argv[first], wrong);
        return 2;
    }
    several_files = argc - first > 2;
    int status = filter_files(argv + first + 1, 2, grep);
    return status != 0 ? status : matches == 0;
}
