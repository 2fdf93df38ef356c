// Which words of memory harts share.
#include "schedule/words.h"
#include "memory/host.h"

#include <string.h>

// ---- Order ----

static void reset_clocks(struct words *w) {
    memset(w->harts, 0, sizeof w->harts);
    memset(w->heard, 0, sizeof w->heard);
    memset(w->fenced, 0, sizeof w->fenced);
    for (unsigned i = 0; i < WORDS_HARTS; i++)
        w->harts[i].of[i] = 1;
}

// Adds what `other` knows.
static void join(struct vector_clock *c, const struct vector_clock *other) {
    for (unsigned i = 0; i < WORDS_HARTS; i++)
        c->of[i] = other->of[i] > c->of[i] ? other->of[i] : c->of[i];
}

static bool is_read(const struct touch *t) {
    return (t->kind & OBSERVED_READ) != 0;
}

static bool is_write(const struct touch *t) {
    return (t->kind & OBSERVED_WRITE) != 0;
}

// True if nothing orders the access after one of another hart that conflicts with it.
static bool is_race(const struct word *word, const struct vector_clock *known,
                    const struct touch *t) {
    unsigned writer = word->written_by;
    if (writer != 0 && writer != t->hart + 1 && word->written_at > known->of[writer - 1])
        return true;
    for (unsigned i = 0; is_write(t) && i < WORDS_HARTS; i++) {
        if (i != t->hart && word->read_at.of[i] > known->of[i])
            return true;
    }
    return false;
}

// Words that harts use to tell each other something order what comes before and after, if the
// access acquires or releases, or with a fence.
static void tell(struct words *w, struct word *word, const struct touch *t) {
    struct vector_clock *known = &w->harts[t->hart];
    if (is_read(t))
        join(&w->heard[t->hart], word->told);
    if (is_read(t) && (t->kind & OBSERVED_ACQUIRE))
        join(known, word->told);
    if (is_write(t))
        join(word->told, t->kind & OBSERVED_RELEASE ? known : &w->fenced[t->hart]);
    if (is_write(t) && (t->kind & OBSERVED_RELEASE))
        known->of[t->hart]++;
}

void words_fence(struct words *w, unsigned hart) {
    struct vector_clock *known = &w->harts[hart];
    join(known, &w->heard[hart]);
    w->fenced[hart] = *known;
    known->of[hart]++;
}

// ---- Words ----

bool words_init(struct words *w, uint64_t page_count) {
    *w = (struct words){.page_count = page_count};
    w->pages = host_alloc((page_count + 1) * sizeof w->pages[0]);
    reset_clocks(w);
    return w->pages != NULL;
}

static void page_destroy(struct word_page *page) {
    for (unsigned i = 0; page != NULL && i < WORDS_PER_PAGE; i++)
        host_free(page->words[i].told);
    host_free(page);
}

void words_destroy(struct words *w) {
    for (uint64_t i = 0; w->pages != NULL && i < w->page_count; i++)
        page_destroy(w->pages[i]);
    host_free(w->pages);
    *w = (struct words){0};
}

bool words_note(struct words *w, const struct touch *t) {
    struct word_page **page = &w->pages[t->word / WORDS_PER_PAGE];
    if (*page == NULL)
        *page = host_alloc(sizeof **page);
    if (*page == NULL)
        return false;
    struct word *word = &(*page)->words[t->word % WORDS_PER_PAGE];
    struct vector_clock *known = &w->harts[t->hart];
    bool races = word->told == NULL && is_race(word, known, t);
    bool is_atomic = is_read(t) && is_write(t);
    word->touched_by |= 1 << t->hart;
    word->is_written |= is_write(t);
    word->is_atomic |= is_atomic;
    word->is_contended |= races;
    if (is_read(t))
        word->read_at.of[t->hart] = known->of[t->hart];
    if (is_write(t)) {
        word->written_by = t->hart + 1;
        word->written_at = known->of[t->hart];
    }
    if ((races || is_atomic) && word->told == NULL)
        word->told = host_alloc(sizeof *word->told);
    if (word->told != NULL)
        tell(w, word, t);
    return word->told != NULL || !(races || is_atomic);
}

static bool is_shared(const struct word *word) {
    bool is_by_several = (word->touched_by & (word->touched_by - 1)) != 0;
    return word->is_contended || (word->is_atomic && word->is_written && is_by_several);
}

static uint64_t learn_page(struct word_page *page) {
    uint64_t before = page->watched;
    for (unsigned i = 0; i < WORDS_PER_PAGE; i++) {
        struct word *word = &page->words[i];
        bool is_watched = word->is_watched || is_shared(word);
        page->watched += is_watched && !word->is_watched;
        host_free(word->told);
        *word = (struct word){.is_watched = is_watched};
    }
    return page->watched - before;
}

uint64_t words_learn(struct words *w) {
    uint64_t found = 0;
    for (uint64_t i = 0; i < w->page_count; i++) {
        struct word_page **page = &w->pages[i];
        found += *page != NULL ? learn_page(*page) : 0;
        if (*page == NULL || (*page)->watched > 0)
            continue;
        page_destroy(*page);
        *page = NULL;
    }
    reset_clocks(w);
    w->watched += found;
    return found;
}
