// Walks through the format and adds to the buffer.
#include "lib/format.h"
#include "lib/string.h"

struct output {
    char *text;
    size_t size;
    size_t length;
    va_list arguments; // the rest
};

struct conversion {
    bool left, zero;
    size_t width;
    bool wide; // 64-bit argument
};

static void put(struct output *o, char c) {
    if (o->length + 1 < o->size)
        o->text[o->length++] = c;
}

// Puts the n characters of text, after a sign if there is one, padded to the width.
static void put_field(struct output *o, const struct conversion *c, const char *sign,
                      const char *text, size_t n) {
    size_t used = n + (*sign != '\0');
    size_t padding = c->width > used ? c->width - used : 0;
    if (!c->left && !c->zero) {
        for (; padding > 0; padding--)
            put(o, ' ');
    }
    if (*sign != '\0')
        put(o, *sign);
    if (!c->left) {
        for (; padding > 0; padding--)
            put(o, '0');
    }
    for (; n > 0; n--)
        put(o, *text++);
    for (; padding > 0; padding--)
        put(o, ' ');
}

static void put_number(struct output *o, const struct conversion *c, const char *sign,
                       uint64_t value, unsigned base) {
    char digits[20];
    size_t n = sizeof digits;
    do {
        digits[--n] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value > 0);
    put_field(o, c, sign, digits + n, sizeof digits - n);
}

// Reads flags, width and size; returns the position of the conversion letter.
static const char *parse(const char *f, struct conversion *c) {
    *c = (struct conversion){0};
    for (;; f++) {
        if (*f == '-')
            c->left = true;
        else if (*f == '0')
            c->zero = true;
        else
            break;
    }
    for (; *f >= '0' && *f <= '9' && c->width < 1000; f++)
        c->width = c->width * 10 + (size_t)(*f - '0');
    for (; *f == 'l' || *f == 'z'; f++)
        c->wide = true;
    return f;
}

static void put_string(struct output *o, const struct conversion *c, const char *string) {
    if (string == NULL)
        string = "(null)";
    put_field(o, c, "", string, strlen(string));
}

static void put_signed(struct output *o, const struct conversion *c, int64_t number) {
    uint64_t magnitude = number < 0 ? -(uint64_t)number : (uint64_t)number;
    put_number(o, c, number < 0 ? "-" : "", magnitude, 10);
}

static uint64_t take_unsigned(struct output *o, const struct conversion *c) {
    return c->wide ? va_arg(o->arguments, uint64_t) : va_arg(o->arguments, unsigned);
}

// Puts the next argument in the form that the letter asks for. An unknown conversion is shown as it
// is.
static void put_conversion(struct output *o, struct conversion *c, char letter) {
    switch (letter) {
    case 'd':
        put_signed(o, c, c->wide ? va_arg(o->arguments, int64_t) : va_arg(o->arguments, int));
        break;
    case 'u':
        put_number(o, c, "", take_unsigned(o, c), 10);
        break;
    case 'x':
        put_number(o, c, "", take_unsigned(o, c), 16);
        break;
    case 'p':
        put(o, '0');
        put(o, 'x');
        put_number(o, c, "", (uintptr_t)va_arg(o->arguments, void *), 16);
        break;
    case 'c':
        letter = (char)va_arg(o->arguments, int);
        put_field(o, c, "", &letter, 1);
        break;
    case '%':
        put_field(o, c, "", &letter, 1);
        break;
    case 's':
        c->zero = false;
        put_string(o, c, va_arg(o->arguments, const char *));
        break;
    default:
        put(o, '%');
        put(o, letter);
    }
}

size_t format_list(char *out, size_t size, const char *format, va_list arguments) {
    struct output o = {.text = out, .size = size};
    struct conversion c;
    va_copy(o.arguments, arguments);
    for (const char *f = format; *f != '\0'; f++) {
        if (*f != '%') {
            put(&o, *f);
            continue;
        }
        f = parse(f + 1, &c);
        if (*f == '\0') {
            put(&o, '%');
            break;
        }
        put_conversion(&o, &c, *f);
    }
    va_end(o.arguments);
    if (size > 0)
        o.text[o.length] = '\0';
    return o.length;
}

size_t format(char *out, size_t size, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    size_t n = format_list(out, size, format, arguments);
    va_end(arguments);
    return n;
}
