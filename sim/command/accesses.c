// The accesses of a schedule that has failed.
#include "command/accesses.h"

#include <inttypes.h>
#include <stdio.h>

enum { SHOWN_MAX = 60, LINE_BYTES = 300, KIND_COLUMN = 36, NEAR = 3 };

// The accesses that are still known, the oldest first.
static uint64_t count_of(const struct schedule *s) {
    return s->recorded_count < RECORDED_MAX ? s->recorded_count : RECORDED_MAX;
}

static const struct recorded *access_of(const struct schedule *s, uint64_t i) {
    return &s->recorded[(s->recorded_count - count_of(s) + i) % RECORDED_MAX];
}

static bool is_write(const struct recorded *r) {
    return (r->kind & OBSERVED_WRITE) != 0;
}

// True if one of the next accesses to the same word, or of those before, conflicts with access i:
// another hart has made it, and one of the two is a write.
static bool conflicts_that_way(const struct schedule *s, uint64_t i, int64_t step) {
    const struct recorded *r = access_of(s, i);
    unsigned near = 0;
    for (uint64_t j = i + step; j < count_of(s) && near < NEAR; j += step) {
        const struct recorded *other = access_of(s, j);
        if (other->word != r->word)
            continue;
        if (other->hart != r->hart && (is_write(other) || is_write(r)))
            return true;
        near++;
    }
    return false;
}

static bool conflicts(const struct schedule *s, uint64_t i) {
    return conflicts_that_way(s, i, 1) || conflicts_that_way(s, i, -1);
}

// True if the hart has read the word there before, and nobody has written it since.
static bool is_repeated(const struct schedule *s, uint64_t i) {
    const struct recorded *r = access_of(s, i);
    while (!is_write(r) && i-- > 0) {
        const struct recorded *earlier = access_of(s, i);
        if (earlier->word != r->word)
            continue;
        if (is_write(earlier))
            return false;
        if (earlier->hart == r->hart && earlier->pc == r->pc)
            return true;
    }
    return false;
}

static void add_place(struct text *t, const struct symbols *symbols, uint64_t address) {
    if (!symbols_add_name(symbols, address, t))
        text_add_address(t, address);
}

static void show(const struct recorded *r, const struct symbols *symbols) {
    static const char *const kinds[] = {"", "reads", "writes", "changes"};
    char line[LINE_BYTES];
    struct text t = text_in(line, sizeof line);
    text_add(&t, "hart ");
    text_add_number(&t, r->hart);
    text_add(&t, "  ");
    add_place(&t, symbols, r->pc);
    text_pad(&t, KIND_COLUMN);
    text_add(&t, kinds[r->kind & (OBSERVED_READ | OBSERVED_WRITE)]);
    text_add_byte(&t, ' ');
    add_place(&t, symbols, r->word);
    text_add(&t, ", which was ");
    text_add_address(&t, r->before);
    fprintf(stderr, "%12" PRIu64 "  %s\n", r->time, line);
}

void accesses_show(const struct schedule *s, const struct symbols *symbols) {
    uint64_t shown[SHOWN_MAX], count = 0;
    for (uint64_t i = count_of(s); i-- > 0 && count < SHOWN_MAX;) {
        if (conflicts(s, i) && !is_repeated(s, i))
            shown[count++] = i;
    }
    while (count-- > 0)
        show(access_of(s, shown[count]), symbols);
}
