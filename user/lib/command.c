// The shell's parser: recursive descent, a function for each rule of the grammar.
#include "command.h"

#include "cow6.h"
#include "token.h"

enum { DEPTH_MAX = 64 }; // of nested subshells

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
    if (parse_is_fine(p) && p->token != WORD)
        parse_fail_token(p);
    r->target = p->word;
    if (r->kind == REDIRECT_SAME && parse_is_fine(p) &&
        (*p->word < '0' || *p->word > '2' || p->word[1] != '\0'))
        parse_fail(p, PARSE_WRONG, "not 0, 1 or 2: ", p->word);
    if (r->fd > 2)
        parse_fail(p, PARSE_WRONG, "", "only 0, 1 and 2 can be redirected");
    **end = r;
    *end = &r->next;
}

static struct job *parse_jobs(struct parser *p, enum token last);

static void parse_body(struct parser *p, struct command *c) {
    if (++p->depth > DEPTH_MAX)
        parse_fail(p, PARSE_WRONG, "", "too many nested subshells");
    token_next(p);
    c->body = parse_jobs(p, CLOSE);
    if (parse_is_fine(p) && c->body == NULL)
        parse_fail_token(p);
    token_next(p);
    p->depth--;
}

static struct command *parse_command(struct parser *p) {
    struct command *c = parse_alloc(p, sizeof *c);
    if (c == NULL)
        return NULL;
    if (p->token != WORD && p->token != REDIRECT && p->token != OPEN)
        return parse_fail_token(p);
    size_t size = 0;
    struct redirect **redirects_end = &c->redirects;
    if (p->token == OPEN)
        parse_body(p, c);
    for (; parse_is_fine(p) && (p->token == WORD || p->token == REDIRECT); token_next(p)) {
        if (p->token == REDIRECT)
            parse_redirect(p, &redirects_end);
        else if (c->body == NULL)
            parse_argument(p, c, &size);
        else
            parse_fail_token(p);
    }
    if (parse_is_fine(p) && p->token == OPEN)
        parse_fail_token(p);
    return c;
}

static struct pipeline *parse_pipeline(struct parser *p, enum joint joint) {
    struct pipeline *line = parse_alloc(p, sizeof *line);
    if (line == NULL)
        return NULL;
    line->joint = joint;
    struct command **end = &line->commands;
    while (parse_is_fine(p)) {
        *end = parse_command(p);
        if (!parse_is_fine(p) || p->token != PIPE)
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
    while (parse_is_fine(p)) {
        *end = parse_pipeline(p, joint);
        if (!parse_is_fine(p) || (p->token != AND && p->token != OR))
            break;
        end = &(*end)->next;
        joint = p->token == AND ? RUN_IF_SUCCEEDED : RUN_IF_FAILED;
        token_next(p);
        newlines_skip(p);
    }
    job->background = p->token == BACKGROUND;
    return job;
}

// Parses jobs up to the token `last`, which is not consumed.
static struct job *parse_jobs(struct parser *p, enum token last) {
    struct job *jobs = NULL;
    struct job **end = &jobs;
    newlines_skip(p);
    while (parse_is_fine(p) && p->token != last) {
        *end = parse_job(p);
        if (!parse_is_fine(p))
            break;
        end = &(*end)->next;
        if (p->token == SEMICOLON || p->token == BACKGROUND || p->token == NEWLINE)
            token_next(p);
        else if (p->token != last)
            parse_fail_token(p);
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
