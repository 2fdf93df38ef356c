// The kernel's command line, which is cut into words in place.
#include "dev/options.h"
#include "lib/string.h"

// Cuts the text up to the separator off *rest, and returns it. *rest is NULL after the last piece.
static char *take_word(char **rest, char separator) {
    char *word = *rest, *end = word;
    while (*end != '\0' && *end != separator)
        end++;
    *rest = *end == '\0' ? NULL : end + 1;
    *end = '\0';
    return word;
}

// Reads a decimal number followed by `end`. Returns false if the text differs or the number is too
// large.
static bool read_number(const char *text, const char *end, size_t *number) {
    size_t n = 0;
    const char *digit = text;
    for (; *digit >= '0' && *digit <= '9' && n < SIZE_MAX / 100; digit++)
        n = n * 10 + (size_t)(*digit - '0');
    if (digit == text || strcmp(digit, end) != 0)
        return false;
    *number = n;
    return true;
}

static void set_init(struct options *o, char *rest) {
    o->argument_count = 0;
    while (rest != NULL && o->argument_count < ARGS_MAX - 1)
        o->arguments[o->argument_count++] = take_word(&rest, ',');
    o->init = o->arguments[0];
}

// Returns what follows the prefix in the word, or NULL if the word does not begin with it.
static char *rest_after(const char *prefix, char *word) {
    size_t n = strlen(prefix);
    return strncmp(word, prefix, n) == 0 ? word + n : NULL;
}

static bool set_fork(struct options *o, const char *value) {
    bool eager = strcmp(value, "eager") == 0;
    if (!eager && strcmp(value, "cow") != 0)
        return false;
    o->fork_eagerly = eager;
    return true;
}

static bool set_fail_frame(struct options *o, const char *value) {
    o->fail_all_frames = read_number(value, "+", &o->fail_frame);
    return o->fail_all_frames || read_number(value, "", &o->fail_frame);
}

// Returns false if the word is not an option; then it is unchanged.
static bool set_option(struct options *o, char *word) {
    char *value = rest_after("init=", word);
    if (value != NULL && *value != '\0') {
        set_init(o, value);
        return true;
    }
    if ((value = rest_after("fork=", word)) != NULL)
        return set_fork(o, value);
    if ((value = rest_after("frames=", word)) != NULL)
        return read_number(value, "", &o->frames);
    if ((value = rest_after("failframe=", word)) != NULL)
        return set_fail_frame(o, value);
    return false;
}

void options_read(struct options *o, char *line) {
    *o = (struct options){.argument_count = 1, .arguments = {"/init"}};
    while (line != NULL) {
        char *word = take_word(&line, ' ');
        if (*word != '\0' && !set_option(o, word) && o->unknown_count < ARRAY_SIZE(o->unknown))
            o->unknown[o->unknown_count++] = word;
    }
}
