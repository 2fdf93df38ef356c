// The regression suite: every system call with good, bad and malicious arguments, by families, each
// of which has a file of its own. Run it from a shell, or as the first process.

#include "support.h"
#include "test.h"

int main(int argc, char **argv)
{
    if (argc == 0)
        return STATUS_NO_ARGUMENTS;
    if (argv[0][0] == '+')
        return helper_main(argc, argv);
    return test_main(argc, argv, &(struct test_program){.last_line = "ALL TESTS PASSED", .scratch = true});
}
