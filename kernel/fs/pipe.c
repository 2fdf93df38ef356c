// Pipes. The counts of bytes ever written and read only grow; their difference is what is in the ring.
#include "fs/pipe.h"

#include "abi/errno.h"
#include "arch/address.h"
#include "mem/frame.h"
#include "mem/pool.h"
#include "sched/wait.h"

enum { PIPES_MAX = 512 };

struct pipe {
    struct spinlock lock;
    struct frame *frame;         // [I]
    char *bytes;                 // [I] PAGE_SIZE of them
    size_t written, read;        // [lock]
    bool has_reader, has_writer; // [lock]
    struct waitq readers;        // [lock]
    struct waitq writers;        // [lock]
};

static struct pool pool;

void pipe_init(void)
{
    pool_init(&pool, sizeof(struct pipe), PIPES_MAX);
}

struct pipe *pipe_alloc(void)
{
    struct frame *f = frame_alloc(FRAME_PIPE);
    struct pipe *p = f != NULL ? pool_alloc(&pool) : NULL;
    if (p == NULL) {
        if (f != NULL)
            frame_put(f);
        return NULL;
    }
    p->lock.rank = RANK_PIPE;
    p->frame = f;
    p->bytes = frame_ptr(f);
    p->has_reader = p->has_writer = true;
    waitq_init(&p->readers);
    waitq_init(&p->writers);
    return p;
}

// Marks an end closed and wakes whoever waits for the other.
static void end_close(struct pipe *p, bool *end)
{
    spin_lock(&p->lock);
    *end = false;
    wait_wake_all(&p->readers);
    wait_wake_all(&p->writers);
    bool is_last = !p->has_reader && !p->has_writer;
    spin_unlock(&p->lock);
    if (!is_last)
        return;
    frame_put(p->frame);
    pool_free(&pool, p);
}

void pipe_close_reader(struct pipe *p)
{
    end_close(p, &p->has_reader);
}

void pipe_close_writer(struct pipe *p)
{
    end_close(p, &p->has_writer);
}

// Returns how many bytes from `position` on, at most `most`, lie in one piece of the ring.
static size_t piece(size_t position, size_t most)
{
    size_t to_end = PAGE_SIZE - position % PAGE_SIZE;
    return most < to_end ? most : to_end;
}

int64_t pipe_read(struct pipe *p, struct spans *to)
{
    int64_t done = 0;
    int error = 0;
    spin_lock(&p->lock);
    while (p->read == p->written && p->has_writer && error == 0)
        error = wait_sleep_killable(&p->readers, &p->lock);
    while (p->read != p->written && to->size > 0 && error == 0) {
        size_t in_ring = p->written - p->read;
        size_t n = piece(p->read, to->size < in_ring ? to->size : in_ring);
        spans_fill(to, p->bytes + p->read % PAGE_SIZE, n);
        p->read += n;
        done += (int64_t)n;
    }
    wait_wake_all(&p->writers);
    spin_unlock(&p->lock);
    return error ? error : done;
}

int64_t pipe_write(struct pipe *p, struct spans *from)
{
    int64_t done = 0;
    int error = 0;
    spin_lock(&p->lock);
    while (from->size > 0 && error == 0) {
        size_t room = PAGE_SIZE - (p->written - p->read);
        size_t n = piece(p->written, from->size < room ? from->size : room);
        if (!p->has_reader) {
            error = -EPIPE;
        } else if (room == 0) {
            error = wait_sleep_killable(&p->writers, &p->lock);
        } else {
            spans_drain(from, p->bytes + p->written % PAGE_SIZE, n);
            p->written += n;
            done += (int64_t)n;
            wait_wake_all(&p->readers);
        }
    }
    spin_unlock(&p->lock);
    return done > 0 ? done : error;
}
