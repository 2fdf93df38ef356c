// What kernel code needs from the machine when it runs on the host, and the program that runs
// tests. Each test runs in a process of its own, so that it finds the kernel's variables as at
// boot.
#include "test.h"

#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arch/address.h"
#include "lib/format.h"
#include "lib/panic.h"
#include "lib/print.h"
#include "lib/string.h"
#include "sched/task.h"

static struct task first_task;
struct thread *host_thread = &first_task.thread;
jmp_buf *host_panic_return;
char host_printed[4096];
char *host_ram;
static size_t host_ram_bytes;
static size_t printed_length;
static uint64_t random_state = 1;
static struct test *first_test, **last_test = &first_test;
static struct test *running;

void test_register(struct test *t) {
    *last_test = t;
    last_test = &t->next;
}

static void printed_add(const char *format, va_list arguments) {
    char text[1024];
    vsnprintf(text, sizeof text, format, arguments);
    size_t n = strlen(text), room = sizeof host_printed - 1;
    if (getenv("V"))
        fputs(text, stderr);
    if (printed_length + n > room) {
        size_t cut = printed_length + n - room;
        memmove(host_printed, host_printed + cut, printed_length - cut);
        printed_length -= cut;
    }
    memcpy(host_printed + printed_length, text, n + 1);
    printed_length += n;
}

void host_printed_clear(void) {
    printed_length = 0;
    host_printed[0] = 0;
}

__attribute__((weak)) void print(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    printed_add(format, arguments);
    va_end(arguments);
}

void test_fail(const char *file, int line, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    printf("%s: FAIL ", running ? running->name : "?");
    vprintf(format, arguments);
    va_end(arguments);
    printf(" (%s:%d)\n", file, line);
    fflush(stdout);
    _exit(1);
}

__attribute__((weak)) void panic(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    printed_add(format, arguments);
    va_end(arguments);
    if (host_panic_return)
        longjmp(*host_panic_return, 1);
    test_fail("kernel", 0, "expected no panic, saw \"%s\"", host_printed);
}

__attribute__((weak)) size_t format(char *out, size_t size, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    size_t n = (size_t)vsnprintf(out, size, format, arguments);
    va_end(arguments);
    return n < size ? n : size - 1;
}

__attribute__((weak)) char *string_copy(char *to, const char *from, size_t size) {
    snprintf(to, size, "%s", from);
    return to;
}

void host_ram_init(size_t bytes) {
    if (host_ram)
        munmap(host_ram, host_ram_bytes);
    host_ram = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    host_ram_bytes = bytes;
    memset(host_ram, 0xa5, bytes);
}

void host_random_seed(uint64_t seed) {
    random_state = seed * 0x9e3779b97f4a7c15u + 1;
}

uint32_t host_random(uint32_t n) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)((random_state * 0x2545f4914f6cdd1du) >> 33) % n;
}

const char *__asan_default_options(void);
const char *__asan_default_options(void) {
    return "exitcode=99:detect_leaks=0";
}

const char *__ubsan_default_options(void);
const char *__ubsan_default_options(void) {
    return "exitcode=99:print_stacktrace=1";
}

static bool is_wanted(const char *name, int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        if (strcmp(name, argv[i]) == 0)
            return true;
    return argc < 2;
}

// Runs the test; returns whether it succeeded. A test that fails has printed why.
static bool test_passes(const struct test *t) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        host_random_seed(1);
        t->body();
        _exit(0);
    }
    int status = -1;
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status))
        printf("%s: FAIL expected a normal end, saw signal %d (%s)\n", t->name, WTERMSIG(status),
               __FILE__);
    else if (WEXITSTATUS(status) > 1)
        printf("%s: FAIL expected a normal end, saw a sanitizer's message (%s)\n", t->name,
               __FILE__);
    return status == 0;
}

int main(int argc, char **argv) {
    int passed_count = 0, failed_count = 0;
    for (running = first_test; running != NULL; running = running->next) {
        if (!is_wanted(running->name, argc, argv))
            continue;
        bool passes = test_passes(running);
        if (passes)
            printf("%s: ok\n", running->name);
        passed_count += passes;
        failed_count += !passes;
    }
    printf("%d passed, %d failed\n", passed_count, failed_count);
    return failed_count != 0;
}
