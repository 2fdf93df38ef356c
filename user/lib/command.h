// The shell's language: turns text into a tree of what to run. Runs nothing itself.
//
//   jobs      pipelines, joined by && and ||, each list ended by ; & or a newline
//   pipeline  command | command | ...
//   command   word ... and redirections, or ( jobs ) and redirections
//   word      may have parts in '...' or "..." and characters after \; # starts a comment
#pragma once

#include "abi/types.h"

enum redirect_kind { REDIRECT_READ, REDIRECT_WRITE, REDIRECT_APPEND, REDIRECT_SAME };

struct redirect {
    enum redirect_kind kind;
    int fd;
    const char *target; // a path; the digit of another fd for REDIRECT_SAME
    struct redirect *next;
};

struct command {
    char **arguments; // ends with NULL; unused if there is a body
    size_t argument_count;
    struct job *body; // of a subshell, or NULL
    struct redirect *redirects;
    struct command *next; // reads what this one writes
    int pid;              // for the caller that runs it
};

enum joint { RUN_ALWAYS, RUN_IF_SUCCEEDED, RUN_IF_FAILED };

struct pipeline {
    struct command *commands;
    enum joint joint; // with the one before
    struct pipeline *next;
};

struct job {
    struct pipeline *pipelines;
    bool background;
    struct job *next;
};

enum parse_result {
    PARSE_DONE,
    PARSE_INCOMPLETE, // correct so far, but more text must follow
    PARSE_WRONG,      // the message says why
};

struct parse {
    struct job *jobs; // NULL if there is nothing to do
    char message[64];
    void *blocks; // memory of the tree
};

// Parses the text and fills *parse, which is to be destroyed whatever the result.
enum parse_result command_parse(const char *text, struct parse *parse);
void command_destroy(struct parse *parse);
