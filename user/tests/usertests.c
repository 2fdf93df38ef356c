// The regression suite: every system call with good, bad and malicious arguments, in families of
// one or more files each. It may also run as process 1: then a child runs the tests while it waits
// for orphans, as a first process must.
#include "support.h"
#include "test.h"

static int run_tests(int argc, char **argv) {
    return test_main(argc, argv,
                     &(struct test_program){
                         .path = USERTESTS, .last_line = "ALL TESTS PASSED", .scratch = true});
}

static int run_as_first_process(int argc, char **argv) {
    pid_t pid, runner = TEST_FORK();
    if (runner == 0)
        exit(run_tests(argc, argv));
    int status;
    do
        pid = wait(&status);
    while (pid != runner);
    return status;
}

int main(int argc, char **argv) {
    if (argc == 0)
        return STATUS_NO_ARGUMENTS;
    if (argv[0][0] == '+')
        return helper_main(argc, argv);
    return getpid() == 1 ? run_as_first_process(argc, argv) : run_tests(argc, argv);
}
