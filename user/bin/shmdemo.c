// Two processes communicate through a page of memory: once through a private page, of which each
// soon has its own copy, and once through a shared one. Both columns come from the same code; only
// mmap's flag differs. Pipes say whose turn it is, so that the result does not depend on timing.
// Status 1 if the numbers or the frames are not what they should be.

#include "cow6.h"
#include "tool.h"

const char program_name[] = "shmdemo";

enum { READ_END = 0, WRITE_END = 1 };

// What is in the page.
enum { FROM_START = 1, FROM_CHILD = 2, FROM_PARENT = 3 };

// A column of the table.
struct talk {
    int flags;
    int to_parent[2], to_child[2]; // pipes: a byte ends the writer's turn
    struct pageinfo before;        // the page before the fork
    struct pageinfo own, childs;   // the page after both have written to it
    int parent_read, child_read;   // after the other one has written
};

static void must(bool well, const char *what) {
    if (!well)
        exit(complain(what));
}

static struct pageinfo page_of(int pid, volatile int *word) {
    struct pageinfo info;
    must(pagemap(pid, (uintptr_t)word, &info, 1) == 1, "pagemap");
    return info;
}

static void end_turn(const int *ends) {
    must(write(ends[WRITE_END], "", 1) == 1, "write");
}

static void await_turn(const int *ends) {
    char byte;
    must(read(ends[READ_END], &byte, 1) == 1, "read");
}

// Writes, waits for the answer, and exits with what it reads then.
static _Noreturn void run_child(const struct talk *t, volatile int *word) {
    close(t->to_child[WRITE_END]); // so that the wait ends if the parent dies
    *word = FROM_CHILD;
    end_turn(t->to_parent);
    await_turn(t->to_child);
    exit(*word);
}

static void talk(struct talk *t) {
    volatile int *word =
        mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, t->flags | MAP_ANONYMOUS, -1, 0);
    must(word != MAP_FAILED, "mmap");
    must(pipe(t->to_parent) == 0 && pipe(t->to_child) == 0, "pipe");
    *word = FROM_START;
    t->before = page_of(0, word);
    int pid = fork();
    must(pid >= 0, "fork");
    if (pid == 0)
        run_child(t, word);
    close(t->to_parent[WRITE_END]);
    await_turn(t->to_parent);
    t->parent_read = *word;
    *word = FROM_PARENT;
    t->own = page_of(0, word);
    t->childs = page_of(pid, word);
    end_turn(t->to_child);
    must(wait(&t->child_read) == pid, "wait");
    must(munmap((void *)word, PAGE_BYTES) == 0, "munmap");
    close(t->to_parent[READ_END]);
    close(t->to_child[READ_END]);
    close(t->to_child[WRITE_END]);
}

static bool is_well(const struct talk *private, const struct talk *shared) {
    return private->parent_read == FROM_START && private->child_read == FROM_CHILD &&
           private->own.frame != private->childs.frame && shared->parent_read == FROM_CHILD &&
           shared->child_read == FROM_PARENT && shared->own.frame == shared->childs.frame;
}

static void print_numbers(const char *what, int in_private, int in_shared) {
    put_text("%-38s %-14d %d\n", what, in_private, in_shared);
}

static void print_frames(const char *what, const struct pageinfo *in_private,
                         const struct pageinfo *in_shared) {
    put_text("%-38s frame 0x%-6lx frame 0x%lx\n", what, in_private->frame, in_shared->frame);
}

int main(int argc, char **argv) {
    struct talk private = {.flags = MAP_PRIVATE}, shared = {.flags = MAP_SHARED};
    if (argc != 1)
        usage("shmdemo");
    talk(&private);
    talk(&shared);
    put_text("%-38s %-14s %s\n", "A page of memory, mapped", "MAP_PRIVATE", "MAP_SHARED");
    print_frames("The parent writes 1, and forks.", &private.before, &shared.before);
    print_numbers("The child writes 2. The parent reads", private.parent_read, shared.parent_read);
    print_numbers("The parent writes 3. The child reads", private.child_read, shared.child_read);
    print_frames("Now the parent has", &private.own, &shared.own);
    print_frames("and the child has", &private.childs, &shared.childs);
    if (is_well(&private, &shared))
        put_text("Private memory became two pages, shared memory stayed one.\n");
    else
        put_text("This is NOT how private and shared memory should behave.\n");
    return !is_well(&private, &shared);
}
