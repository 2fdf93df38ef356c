// What the small programs have in common.

#include "tool.h"

#include <stdarg.h>

#include "cow6.h"

int options_parse(int argc, char **argv, const char *letters, unsigned *options) {
    int i = 1;
    for (; i < argc && argv[i][0] == '-' && argv[i][1] != '\0'; i++) {
        if (strcmp(argv[i], "--") == 0)
            return i + 1;
        for (const char *letter = argv[i] + 1; *letter != '\0'; letter++) {
            const char *place = strchr(letters, *letter);
            if (place == NULL)
                return -1;
            *options |= 1u << (place - letters);
        }
    }
    return i;
}

void usage(const char *text) {
    fprintf(2, "usage: %s\n", text);
    exit(2);
}

int complain(const char *program, const char *subject) {
    fprintf(2, "%s: %s: %s\n", program, subject, strerror(errno));
    return 1;
}

static _Noreturn void put_failed(const char *program) {
    if (errno != EPIPE)
        complain(program, "output");
    exit(1);
}

void put(const char *program, const void *bytes, size_t n) {
    if (write_all(1, bytes, n) < 0)
        put_failed(program);
}

void put_text(const char *program, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int result = vfprintf(1, format, arguments);
    va_end(arguments);
    if (result < 0)
        put_failed(program);
}

int filter_files(const char *program, char **operands, int failed,
                 int (*filter)(int fd, const char *name)) {
    int status = 0;
    if (*operands == NULL)
        return filter(0, "-");
    for (; *operands != NULL; operands++) {
        bool is_input = strcmp(*operands, "-") == 0;
        int fd = is_input ? 0 : open(*operands, O_RDONLY);
        int result = failed;
        if (fd < 0)
            complain(program, *operands);
        else
            result = filter(fd, *operands);
        if (fd > 0)
            close(fd);
        status = result > status ? result : status;
    }
    return status;
}
