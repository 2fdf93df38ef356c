// The shell's parser: recursive descent, a function for each rule of the grammar. The first thing
// that is wrong or missing is kept in the parser, and all functions return at once.

#include "command.h"

#include "cow6.h"

enum { DEPTH_MAX = 64 }; // of nested subshells

enum token { WORD, REDIRECT, SEMICOLON, BACKGROUND, AND, OR, PIPE, OPEN, CLOSE, NEWLINE, END };

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

struct parser {
    const char *at; // behind the token
    enum token token;
    char *word;               // of a WORD
    struct redirect redirect; // of a REDIRECT, without its target
    int depth;
    enum parse_result result;
    struct parse *parse;
};

static bool is_fine(const struct parser *p) {
    return p->result == PARSE_DONE;
}

static void *parse_failed(struct parser *p, enum parse_result result, const char *message,
                          const char *what) {
    if (is_fine(p)) {
        p->result = result;
        snprintf(p->parse->message, sizeof p->parse->message, "%s%s", message, what);
    }
    return NULL;
}

static void *unexpected(struct parser *p) {
    const char *what = p->token == WORD ? p->word : token_names[p->token];
    return parse_failed(p, p->token == END ? PARSE_INCOMPLETE : PARSE_WRONG, "unexpected ", what);
}

// Memory of the tree: zeroed, freed with it.
static void *parse_alloc(struct parser *p, size_t size_bytes) {
    void **block = calloc(1, sizeof(void *) + size_bytes);
    if (block == NULL)
        return parse_failed(p, PARSE_WRONG, "", "out of memory");
    *block = p->parse->blocks;
    p->parse->blocks = block;
    return block + 1;
}

// Returns where the quoted part behind the opening quote at s ends, behind its closing quote, or
// NULL if it does not. Puts what it means at *out, if that is not NULL.
static const char *quoted_read(const char *s, char **out) {
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

// The same for the word at s.
static const char *word_read(const char *s, char **out) {
    while (*s != '\0' && !char_is_space(*s) && strchr(";&|()<>", *s) == NULL) {
        if (*s == '\'' || *s == '"') {
            s = quoted_read(s, out);
            if (s == NULL)
                return NULL;
            continue;
        }
        if (*s == '\\') {
            if (*++s == '\0' || (s[0] == '\n' && s[1] == '\0'))
                return NULL;
            if (*s == '\n') { // the line goes on
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

static enum token word_token(struct parser *p) {
    char *out = NULL;
    const char *end = word_read(p->at, &out);
    if (end == NULL) {
        parse_failed(p, PARSE_INCOMPLETE, "unexpected ", "end of text");
        return END;
    }
    p->word = out = parse_alloc(p, (size_t)(end - p->at) + 1);
    if (out == NULL)
        return END;
    p->at = word_read(p->at, &out);
    return WORD;
}

// < > >> >& <&, with the fd in front if there is one.
static enum token redirect_token(struct parser *p) {
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

static enum token operator_token(struct parser *p) {
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

static const char *blanks_skip(const char *s) {
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

static void token_next(struct parser *p) {
    if (!is_fine(p))
        return;
    p->at = blanks_skip(p->at);
    const char *sign = char_is_digit(*p->at) ? p->at + 1 : p->at;
    if (*p->at == '\0')
        p->token = END;
    else if (*sign == '<' || *sign == '>')
        p->token = redirect_token(p);
    else
        p->token = operator_token(p);
    if (p->token == WORD)
        p->token = word_token(p);
}

static void newlines_skip(struct parser *p) {
    while (is_fine(p) && p->token == NEWLINE)
        token_next(p);
}

static void parse_argument(struct parser *p, struct command *c, size_t *size) {
    if (c->argument_count + 1 >= *size) {
        *size = 2 * *size + 8;
        char **larger = parse_alloc(p, *size * sizeof *larger);
        if (larger == NULL)
            return;
        if (c->argument_count > 0)
            memcpy(larger, c->arguments, c->argument_count * sizeof *larger);
        c->arguments = larger;
    }
    c->arguments[c->argument_count++] = p->word;
}

static void parse_redirect(struct parser *p, struct redirect ***end) {
    struct redirect *r = parse_alloc(p, sizeof *r);
    if (r == NULL)
        return;
    *r = p->redirect;
    token_next(p);
    if (is_fine(p) && p->token != WORD)
        unexpected(p);
    r->target = p->word;
    if (r->kind == REDIRECT_SAME && is_fine(p) &&
        (*p->word < '0' || *p->word > '2' || p->word[1] != '\0'))
        parse_failed(p, PARSE_WRONG, "not 0, 1 or 2: ", p->word);
    if (r->fd > 2)
        parse_failed(p, PARSE_WRONG, "", "only 0, 1 and 2 can be redirected");
    **end = r;
    *end = &r->next;
}

static struct job *parse_jobs(struct parser *p, enum token last);

static void parse_body(struct parser *p, struct command *c) {
    if (++p->depth > DEPTH_MAX)
        parse_failed(p, PARSE_WRONG, "", "too many subshells in each other");
    token_next(p);
    c->body = parse_jobs(p, CLOSE);
    if (is_fine(p) && c->body == NULL)
        unexpected(p);
    token_next(p);
    p->depth--;
}

static struct command *parse_command(struct parser *p) {
    struct command *c = parse_alloc(p, sizeof *c);
    if (c == NULL)
        return NULL;
    if (p->token != WORD && p->token != REDIRECT && p->token != OPEN)
        return unexpected(p);
    size_t size = 0;
    struct redirect **redirects_end = &c->redirects;
    if (p->token == OPEN)
        parse_body(p, c);
    for (; is_fine(p) && (p->token == WORD || p->token == REDIRECT); token_next(p)) {
        if (p->token == REDIRECT)
            parse_redirect(p, &redirects_end);
        else if (c->body == NULL)
            parse_argument(p, c, &size);
        else
            unexpected(p);
    }
    if (is_fine(p) && p->token == OPEN)
        unexpected(p);
    return c;
}

static struct pipeline *parse_pipeline(struct parser *p, enum joint joint) {
    struct pipeline *line = parse_alloc(p, sizeof *line);
    if (line == NULL)
        return NULL;
    line->joint = joint;
    struct command **end = &line->commands;
    while (is_fine(p)) {
        *end = parse_command(p);
        if (!is_fine(p) || p->token != PIPE)
            break;
        end = &(*end)->next;
        token_next(p);
        newlines_skip(p);
    }
    return line;
}

static struct job *parse_job(struct parser *p) {
    struct job *job = parse_alloc(p, sizeof *job);
    if (job == NULL)
        return NULL;
    struct pipeline **end = &job->pipelines;
    enum joint joint = RUN_ALWAYS;
    while (is_fine(p)) {
        *end = parse_pipeline(p, joint);
        if (!is_fine(p) || (p->token != AND && p->token != OR))
            break;
        end = &(*end)->next;
        joint = p->token == AND ? RUN_IF_SUCCEEDED : RUN_IF_FAILED;
        token_next(p);
        newlines_skip(p);
    }
    job->background = p->token == BACKGROUND;
    return job;
}

// Parses jobs up to the token `last`, which is not taken.
static struct job *parse_jobs(struct parser *p, enum token last) {
    struct job *jobs = NULL;
    struct job **end = &jobs;
    newlines_skip(p);
    while (is_fine(p) && p->token != last) {
        *end = parse_job(p);
        if (!is_fine(p))
            break;
        end = &(*end)->next;
        if (p->token == SEMICOLON || p->token == BACKGROUND || p->token == NEWLINE)
            token_next(p);
        else if (p->token != last)
            unexpected(p);
        newlines_skip(p);
    }
    return jobs;
}

enum parse_result command_parse(const char *text, struct parse *parse) {
    *parse = (struct parse){0};
    struct parser p = {.at = text, .parse = parse, .result = PARSE_DONE};
    token_next(&p);
    parse->jobs = parse_jobs(&p, END);
    return p.result;
}

void command_destroy(struct parse *parse) {
    while (parse->blocks != NULL) {
        void **block = parse->blocks;
        parse->blocks = *block;
        free(block);
    }
    parse->jobs = NULL;
}
