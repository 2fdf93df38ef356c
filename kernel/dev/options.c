// The kernel's command line.
#include "dev/options.h"
#include "lib/string.h"

// Cuts the text off *rest that ends at the separator; *rest is NULL when that was all.
static char *word_take(char **rest, char separator) {
    char *word = *rest, *end = word;
    while (*end != '\0' && *end != separator)
        end++;
    *rest = *end == '\0' ? NULL : end + 1;
    *end = '\0';
    return word;
}

// Reads a decimal number that `end` follows; false: there is none, or it is too large.
static bool number_read(const char *text, const char *end, size_t *number) {
    size_t n = 0;
    const char *digit = text;
    for (; *digit >= '0' && *digit <= '9' && n < SIZE_MAX / 100; digit++)
        n = n * 10 + (size_t)(*digit - '0');
    if (digit == text || strcmp(digit, end) != 0)
        return false;
    *number = n;
    return true;
}

// False if the word means nothing; it then stays as it is.
static bool option_set(struct options *o, char *word) {
    if (strncmp(word, "init=", 5) == 0 && word[5] != '\0') {
        char *rest = word + 5;
        for (o->argument_count = 0; rest != NULL && o->argument_count < ARGS_MAX - 1;
             o->argument_count++)
            o->arguments[o->argument_count] = word_take(&rest, ',');
        o->init = o->arguments[0];
        return true;
    }
    if (strncmp(word, "fork=", 5) == 0) {
        o->fork_eagerly = strcmp(word + 5, "eager") == 0;
        return o->fork_eagerly || strcmp(word + 5, "cow") == 0;
    }
    if (strncmp(word, "frames=", 7) == 0)
        return number_read(word + 7, "", &o->frames);
    if (strncmp(word, "failframe=", 10) == 0) {
        o->fail_all_frames = number_read(word + 10, "+", &o->fail_frame);
        return o->fail_all_frames || number_read(word + 10, "", &o->fail_frame);
    }
    return false;
}

void options_read(struct options *o, char *line) {
    *o = (struct options){.argument_count = 1, .arguments = {"/init"}};
    while (line != NULL) {
        char *word = word_take(&line, ' ');
        if (*word != '\0' && !option_set(o, word) && o->unknown_count < ARRAY_SIZE(o->unknown))
            o->unknown[o->unknown_count++] = word;
    }
}
