// Two processes talk through a page of memory and nothing else: once through a private page, of which each soon has its
// own, and once through a shared one. Both columns come from the same code; only mmap's flag differs. Status 1 if the
// numbers or the frames are not what they should be.

#include "cow6.h"
#include "tool.h"

enum { PAGE = 4096, PATIENCE_TICKS = 2 * TICKS_PER_SECOND };

// What is in the page.
enum { FROM_START = 1, FROM_CHILD = 2, FROM_PARENT = 3 };

// A column.
struct talk {
    int flags;
    struct pageinfo before;      // the page before the fork
    struct pageinfo own, childs; // the same after both have written to it
    int parent_read, child_read; // after the other one has written
};

static void must(bool well, const char *what) {
    if (!well) exit(complain("shmdemo", what));
}

static struct pageinfo page_of(int pid, volatile int *word) {
    struct pageinfo info;
    must(pagemap(pid, (uintptr_t)word, &info, 1) == 1, "pagemap");
    return info;
}

// Writes, and waits for the answer; its status is what it reads at last.
static _Noreturn void child_run(volatile int *word) {
    int start = uptime();
    *word = FROM_CHILD;
    while (*word != FROM_PARENT && uptime() - start < PATIENCE_TICKS) sleep(1);
    exit(*word);
}

// Waits until the child has written: to this page, or to a copy of its own, which shows in its page table.
static void child_await(int pid, volatile int *word) {
    while (*word == FROM_START && page_of(pid, word).frame == page_of(0, word).frame) sleep(1);
}

static void talk(struct talk *t) {
    volatile int *word = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, t->flags | MAP_ANONYMOUS, -1, 0);
    must(word != MAP_FAILED, "mmap");
    *word = FROM_START;
    t->before = page_of(0, word);
    int pid = fork();
    must(pid >= 0, "fork");
    if (pid == 0) child_run(word);
    child_await(pid, word);
    t->parent_read = *word;
    *word = FROM_PARENT;
    t->own = page_of(0, word);
    t->childs = page_of(pid, word);
    must(wait(&t->child_read) == pid, "wait");
    must(munmap((void *)word, PAGE) == 0, "munmap");
}

static bool is_well(const struct talk *private, const struct talk *shared) {
    return private->parent_read == FROM_START && private->child_read == FROM_CHILD &&
           private->own.frame != private->childs.frame && shared->parent_read == FROM_CHILD &&
           shared->child_read == FROM_PARENT && shared->own.frame == shared->childs.frame;
}

static void numbers_print(const char *what, int in_private, int in_shared) {
    put_text("shmdemo", "%-38s %-14d %d\n", what, in_private, in_shared);
}

static void frames_print(const char *what, const struct pageinfo *in_private, const struct pageinfo *in_shared) {
    put_text("shmdemo", "%-38s frame %-8lx frame %lx\n", what, in_private->frame, in_shared->frame);
}

int main(int argc, char **argv) {
    struct talk private = {.flags = MAP_PRIVATE}, shared = {.flags = MAP_SHARED};
    if (argc != 1) usage("shmdemo");
    talk(&private);
    talk(&shared);
    put_text("shmdemo", "%-38s %-14s %s\n", "A page of memory, mapped", "MAP_PRIVATE", "MAP_SHARED");
    frames_print("The parent writes 1, and forks.", &private.before, &shared.before);
    numbers_print("The child writes 2. The parent reads", private.parent_read, shared.parent_read);
    numbers_print("The parent writes 3. The child reads", private.child_read, shared.child_read);
    frames_print("Now the parent has", &private.own, &shared.own);
    frames_print("and the child has", &private.childs, &shared.childs);
    if (is_well(&private, &shared))
        put_text("shmdemo", "Private memory became two pages, shared memory stayed one.\n");
    else
        put_text("shmdemo", "This is NOT what private and shared memory are for.\n");
    return !is_well(&private, &shared);
}
