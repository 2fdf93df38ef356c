// The kernel's command line.
#include "dev/options.h"

#include "lib/string.h"

// Cuts the next word off *rest; NULL: there is none. Separators other than spaces end words too but
// are not skipped, so that two of them enclose an empty word.
static char *next_word(char **rest, char separator)
{
    char *word = *rest;
    while (separator == ' ' && *word == ' ')
        word++;
    if (*word == '\0')
        return NULL;
    char *end = word;
    while (*end != '\0' && *end != separator)
        end++;
    *rest = *end == '\0' ? end : end + 1;
    *end = '\0';
    return word;
}

static void set_init(struct options *o, char *value)
{
    char *word;
    while (o->argument_count < ARGS_MAX - 1 && (word = next_word(&value, ',')) != NULL)
        o->arguments[o->argument_count++] = word;
    o->init = o->arguments[0];
}

// Reads a decimal number that fills the text up to `end`; false: it is none.
static bool read_number(const char *text, char end, size_t *number)
{
    size_t n = 0;
    const char *digit = text;
    for (; *digit >= '0' && *digit <= '9' && n < SIZE_MAX / 100; digit++)
        n = n * 10 + (size_t)(*digit - '0');
    if (digit == text || *digit != end || (end != '\0' && digit[1] != '\0'))
        return false;
    *number = n;
    return true;
}

static bool set(struct options *o, const char *name, char *value)
{
    if (strcmp(name, "init") == 0 && *value != '\0') {
        o->argument_count = 0;
        set_init(o, value);
        return true;
    }
    if (strcmp(name, "fork") == 0) {
        o->fork_eagerly = strcmp(value, "eager") == 0;
        return o->fork_eagerly || strcmp(value, "cow") == 0;
    }
    if (strcmp(name, "frames") == 0)
        return read_number(value, '\0', &o->frames);
    if (strcmp(name, "failframe") == 0) {
        o->fail_all_frames = read_number(value, '+', &o->fail_frame);
        return o->fail_all_frames || read_number(value, '\0', &o->fail_frame);
    }
    return false;
}

void options_read(struct options *o, char *line)
{
    *o = (struct options){.argument_count = 1, .arguments = {"/init"}};
    for (char *word; (word = next_word(&line, ' ')) != NULL;) {
        char *value = word;
        while (*value != '\0' && *value != '=')
            value++;
        bool has_value = *value == '=';
        *value = '\0';
        bool known = has_value && set(o, word, value + 1);
        if (has_value)
            *value = '=';
        if (!known && o->unknown_count < ARRAY_SIZE(o->unknown))
            o->unknown[o->unknown_count++] = word;
    }
}
