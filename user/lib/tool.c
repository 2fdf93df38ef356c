// What the small programs have in common.

#include "tool.h"

#include <stdarg.h>

#include "cow6.h"
#include "lib/format.h"

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

int complain(const char *subject) {
    fprintf(2, "%s: %s: %s\n", program_name, subject, strerror(errno));
    return 1;
}

int warn(const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    format_list(text, sizeof text, format, arguments);
    va_end(arguments);
    fprintf(2, "%s: %s\n", program_name, text);
    return 1;
}

static _Noreturn void end_without_output(void) {
    if (errno != EPIPE)
        complain("output");
    exit(1);
}

void put(const void *bytes, size_t n) {
    if (write_all(1, bytes, n) < 0)
        end_without_output();
}

void put_text(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int result = vfprintf(1, format, arguments);
    va_end(arguments);
    if (result < 0)
        end_without_output();
}

int filter_files(char **operands, int failed, int (*filter)(int fd, const char *name)) {
    int status = 0;
    if (*operands == NULL)
        return filter(0, "-");
    for (; *operands != NULL; operands++) {
        int fd = strcmp(*operands, "-") == 0 ? 0 : open(*operands, O_RDONLY);
        int result = failed;
        if (fd < 0)
            complain(*operands);
        else
            result = filter(fd, *operands);
        if (fd > 0)
            close(fd);
        if (result > status)
            status = result;
    }
    return status;
}
