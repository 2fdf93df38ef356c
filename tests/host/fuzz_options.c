// Feeds options_read with random command lines: all its results must point into the line, and no
// number may be out of bounds.
#include <stdlib.h>
#include <string.h>

#include "dev/options.h"

#define REQUIRE(condition) ((condition) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_word(const char *word, const char *line, size_t size) {
    REQUIRE(word >= line && word <= line + size && word + strlen(word) <= line + size);
    REQUIRE(strchr(word, ' ') == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct options o;
    // A copy of its own, so that the sanitizer notices a read past its end.
    char *line = malloc(size + 1);
    if (size > 0)
        memcpy(line, data, size);
    line[size] = '\0';
    options_read(&o, line);
    REQUIRE(o.argument_count >= 1 && o.argument_count < ARGS_MAX &&
            o.unknown_count <= ARRAY_SIZE(o.unknown));
    for (unsigned i = 0; i < o.argument_count && o.init != NULL; i++)
        check_word(o.arguments[i], line, size);
    for (unsigned i = 0; i < o.unknown_count; i++)
        check_word(o.unknown[i], line, size);
    REQUIRE(o.init == NULL || o.init == o.arguments[0]);
    REQUIRE(o.init != NULL || (o.argument_count == 1 && strcmp(o.arguments[0], "/init") == 0));
    free(line);
    return 0;
}
