// Tokens of the shell's language.
#include "token.h"

#include "cow6.h"

static const char *const token_names[] = {
    [REDIRECT] = "redirection",
    [SEMICOLON] = "';'",
    [BACKGROUND] = "'&'",
    [AND] = "'&&'",
    [OR] = "'||'",
    [PIPE] = "'|'",
    [OPEN] = "'('",
    [CLOSE] = "')'",
    [NEWLINE] = "end of line",
    [END] = "end of text",
};

void *parse_fail(struct parser *p, enum parse_result result, const char *message,
                 const char *what) {
    if (parse_is_fine(p)) {
        p->result = result;
        snprintf(p->parse->message, sizeof p->parse->message, "%s%s", message, what);
    }
    return NULL;
}

void *parse_fail_token(struct parser *p) {
    const char *what = p->token == WORD ? p->word : token_names[p->token];
    return parse_fail(p, p->token == END ? PARSE_INCOMPLETE : PARSE_WRONG, "unexpected ", what);
}

void *parse_alloc(struct parser *p, size_t size_bytes) {
    void **block = calloc(1, sizeof(void *) + size_bytes);
    if (block == NULL)
        return parse_fail(p, PARSE_WRONG, "", "out of memory");
    *block = p->parse->blocks;
    p->parse->blocks = block;
    return block + 1;
}

// Reads the quoted part that starts at s with its opening quote. Returns the place after the
// closing quote, or NULL if there is none. Appends the characters without quotes at *out, if that
// is not NULL.
static const char *read_quoted(const char *s, char **out) {
    char quote = *s++;
    for (; *s != quote; s++) {
        if (quote == '"' && *s == '\\' && (s[1] == '"' || s[1] == '\\'))
            s++;
        if (*s == '\0')
            return NULL;
        if (*out != NULL)
            *(*out)++ = *s;
    }
    return s + 1;
}

// As read_quoted, for the word that starts at s.
static const char *read_word(const char *s, char **out) {
    while (*s != '\0' && !char_is_space(*s) && strchr(";&|()<>", *s) == NULL) {
        if (*s == '\'' || *s == '"') {
            s = read_quoted(s, out);
            if (s == NULL)
                return NULL;
            continue;
        }
        if (*s == '\\') {
            if (*++s == '\0' || (s[0] == '\n' && s[1] == '\0'))
                return NULL;
            if (*s == '\n') { // the line continues
                s++;
                continue;
            }
        }
        if (*out != NULL)
            *(*out)++ = *s;
        s++;
    }
    return s;
}

static enum token take_word(struct parser *p) {
    char *out = NULL;
    const char *end = read_word(p->at, &out);
    if (end == NULL) {
        parse_fail(p, PARSE_INCOMPLETE, "unexpected ", "end of text");
        return END;
    }
    p->word = out = parse_alloc(p, (size_t)(end - p->at) + 1);
    if (out == NULL)
        return END;
    p->at = read_word(p->at, &out);
    return WORD;
}

// < > >> >& <&, with the fd before it if there is one.
static enum token take_redirect(struct parser *p) {
    p->redirect.fd = *p->at == '<' ? 0 : 1;
    if (char_is_digit(*p->at))
        p->redirect.fd = *p->at++ - '0';
    p->redirect.kind = *p->at++ == '<' ? REDIRECT_READ : REDIRECT_WRITE;
    if (*p->at == '&')
        p->redirect.kind = REDIRECT_SAME;
    else if (*p->at == '>' && p->redirect.kind == REDIRECT_WRITE)
        p->redirect.kind = REDIRECT_APPEND;
    else
        return REDIRECT;
    p->at++;
    return REDIRECT;
}

static enum token take_operator(struct parser *p) {
    static const struct {
        const char *text;
        enum token token;
    } operators[] = {{"&&", AND}, {"||", OR},  {";", SEMICOLON}, {"&", BACKGROUND},
                     {"|", PIPE}, {"(", OPEN}, {")", CLOSE},     {"\n", NEWLINE}};
    for (size_t i = 0; i < ARRAY_SIZE(operators); i++) {
        size_t length = strlen(operators[i].text);
        if (strncmp(p->at, operators[i].text, length) == 0) {
            p->at += length;
            return operators[i].token;
        }
    }
    return WORD;
}

static const char *skip_blanks(const char *s) {
    for (;;) {
        if (s[0] == '\\' && s[1] == '\n' && s[2] != '\0')
            s += 2;
        else if (*s != '\n' && char_is_space(*s))
            s++;
        else
            break;
    }
    if (*s == '#')
        while (*s != '\0' && *s != '\n')
            s++;
    return s;
}

void token_next(struct parser *p) {
    if (!parse_is_fine(p))
        return;
    p->at = skip_blanks(p->at);
    const char *sign = char_is_digit(*p->at) ? p->at + 1 : p->at;
    if (*p->at == '\0')
        p->token = END;
    else if (*sign == '<' || *sign == '>')
        p->token = take_redirect(p);
    else
        p->token = take_operator(p);
    if (p->token == WORD)
        p->token = take_word(p);
}

void newlines_skip(struct parser *p) {
    while (parse_is_fine(p) && p->token == NEWLINE)
        token_next(p);
}
