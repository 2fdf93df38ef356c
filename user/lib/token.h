// The tokens of the shell's language (command.h), and the parser's state. The first thing that is
// wrong or missing is kept there; then no more tokens are read, and all functions return at once.
#pragma once

#include "command.h"

enum token { WORD, REDIRECT, SEMICOLON, BACKGROUND, AND, OR, PIPE, OPEN, CLOSE, NEWLINE, END };

struct parser {
    const char *at; // after the token
    enum token token;
    char *word;               // of a WORD
    struct redirect redirect; // of a REDIRECT, without its target
    int depth;                // of nested subshells
    enum parse_result result;
    struct parse *parse;
};

// True as long as nothing is wrong or missing.
static inline bool parse_is_fine(const struct parser *p) {
    return p->result == PARSE_DONE;
}

// Keep what is wrong, if nothing was before, and return NULL. The second one says that the token is
// not expected.
void *parse_fail(struct parser *p, enum parse_result result, const char *message, const char *what);
void *parse_fail_token(struct parser *p);

// Memory of the tree: zeroed, and freed with it. NULL if there is none.
void *parse_alloc(struct parser *p, size_t size_bytes);

// Reads the next token; newlines_skip reads on to one that is no newline.
void token_next(struct parser *p);
void newlines_skip(struct parser *p);
