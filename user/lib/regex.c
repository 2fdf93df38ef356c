// Patterns as state machines (Thompson's method): a pattern is a row of atoms, each a set of
// characters, perhaps repeated. State i means that the first i atoms have matched so far. All
// possible states are followed at the same time, so there is no backtracking.

#include "regex.h"

#include "heap.h"
#include "lib/string.h"
#include "text.h"

struct regex_atom {
    uint32_t set[8]; // a bit for each character
    bool repeated;
};

static void add_to_set(struct regex_atom *a, uint8_t c) {
    a->set[c / 32] |= 1u << c % 32;
}

static bool set_has(const struct regex_atom *a, uint8_t c) {
    return a->set[c / 32] >> c % 32 & 1;
}

// Puts the other form of each letter into the set.
static void add_other_case(struct regex_atom *a) {
    for (int lower = 'a', upper = 'A'; lower <= 'z'; lower++, upper++) {
        if (!set_has(a, (uint8_t)lower) && !set_has(a, (uint8_t)upper))
            continue;
        add_to_set(a, (uint8_t)lower);
        add_to_set(a, (uint8_t)upper);
    }
}

static void invert_set(struct regex_atom *a) {
    for (size_t i = 0; i < ARRAY_SIZE(a->set); i++)
        a->set[i] = ~a->set[i];
}

// Reads the part of [...] after the bracket and any ^. Returns where it ends, or NULL.
static const char *read_bracket(const char *p, struct regex_atom *a) {
    const char *start = p;
    for (; *p != ']' || p == start; p++) {
        if (*p == '\0')
            return NULL;
        uint8_t first = (uint8_t)*p, last = first;
        if (p[1] == '-' && p[2] != ']' && p[2] != '\0') {
            last = (uint8_t)p[2];
            p += 2;
        }
        for (int c = first; c <= last; c++)
            add_to_set(a, (uint8_t)c);
    }
    return p + 1;
}

// Reads one atom without its star. Returns where it ends, or NULL.
static const char *read_atom(const char *p, struct regex_atom *a, bool any_case) {
    bool others = p[0] == '.' || (p[0] == '[' && p[1] == '^');
    if (*p == '[') {
        p = read_bracket(others ? p + 2 : p + 1, a);
    } else if (*p == '.') {
        p++;
    } else {
        if (*p == '\\' && *++p == '\0')
            return NULL;
        add_to_set(a, (uint8_t)*p++);
    }
    if (any_case)
        add_other_case(a);
    if (others)
        invert_set(a);
    return p;
}

const char *regex_init(struct regex *r, const char *pattern, bool any_case) {
    size_t most = strlen(pattern) + 1;
    *r = (struct regex){.from_start = *pattern == '^'};
    r->atoms = calloc(most, sizeof *r->atoms);
    r->now = calloc(most, 1);
    r->next = calloc(most, 1);
    if (r->atoms == NULL || r->now == NULL || r->next == NULL)
        return "out of memory";
    const char *p = r->from_start ? pattern + 1 : pattern;
    while (*p != '\0') {
        if (p[0] == '$' && p[1] == '\0') {
            r->to_end = true;
            break;
        }
        struct regex_atom *a = &r->atoms[r->count++];
        bool bracket = *p == '[';
        p = read_atom(p, a, any_case);
        if (p == NULL)
            return bracket ? "[ without ]" : "nothing after \\";
        a->repeated = *p == '*';
        if (a->repeated)
            p++;
    }
    return NULL;
}

void regex_destroy(struct regex *r) {
    free(r->atoms);
    free(r->now);
    free(r->next);
}

// Adds a state, and those that follow from it without a character, because repeated atoms may match
// none.
static void add_state(const struct regex *r, bool *states, size_t i) {
    states[i] = true;
    while (i < r->count && r->atoms[i].repeated)
        states[++i] = true;
}

// Advances the machine by one character.
static void advance_states(struct regex *r, uint8_t c) {
    memset(r->next, 0, r->count + 1);
    for (size_t i = 0; i < r->count; i++)
        if (r->now[i] && set_has(&r->atoms[i], c))
            add_state(r, r->next, r->atoms[i].repeated ? i : i + 1);
    bool *swap = r->now;
    r->now = r->next;
    r->next = swap;
}

bool regex_matches(struct regex *r, const char *text, size_t length) {
    memset(r->now, 0, r->count + 1);
    add_state(r, r->now, 0);
    for (size_t i = 0; i < length && (r->to_end || !r->now[r->count]); i++) {
        advance_states(r, (uint8_t)text[i]);
        if (!r->from_start)
            add_state(r, r->now, 0);
    }
    return r->now[r->count];
}
