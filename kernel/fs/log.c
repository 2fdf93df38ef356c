// The write-ahead log. Once no transaction of a group is open, one of the tasks that wait in
// log_end commits the group: it appends one record with all blocks that the group changed. From
// then on these are dirty: they are in the log, but not yet at home, and are kept in the cache.
// When the area has no room for another group, all dirty blocks are written home, which is called a
// checkpoint, and the area starts again.
#include "fs/log.h"
#include "abi/errno.h"
#include "abi/logformat.h"
#include "arch/address.h"
#include "fs/logarea.h"
#include "lib/panic.h"
#include "lib/print.h"
#include "sched/task.h"
#include "sched/wait.h"

// The blocks that a transaction changes besides the bitmap, which it may change as a whole.
enum {
    FILE_BLOCKS = TRANSACTION_BYTES / BLOCK_SIZE + 1, // the bytes may begin inside a block
    POINTER_BLOCKS = 3,
    INODE_BLOCKS = 1,
    RESERVE = FILE_BLOCKS + POINTER_BLOCKS + INODE_BLOCKS,
};

static_assert(2 * (RESERVE + 1 + 1) <= LOG_BLOCKS_MIN,
              "half of the smallest log is a header and what a transaction may change");

static struct spinlock lock = SPINLOCK(RANK_LOG);
static struct waitq waiters = WAITQ(waiters);    // [lock] for room, or for the end of a group
static struct list changed = LIST_INIT(changed); // [lock] blocks that the group changed
static struct list dirty = LIST_INIT(dirty);     // [lock] blocks that are not at home
static unsigned changed_count, open_count;       // [lock] changed blocks; open transactions
static bool closing;                // [lock] no new transactions; the group will be committed
static bool paused;                 // [lock] no transaction may begin
static unsigned tickets, served;    // [lock] transactions and pauses begin in ticket order
static bool committing;             // [lock] a task writes; no transaction is open
static bool failed;                 // [lock] nothing reaches the disk any more
static uint64_t commit_count;       // [lock] groups that are durable
static unsigned reserve, group_max; // [I] blocks of a transaction, of a group

void log_abort(void) {
    spin_lock(&lock);
    if (!failed)
        print("log: the disk failed or is damaged; files cannot be changed until the next boot\n");
    failed = true;
    wait_wake_all(&waiters);
    spin_unlock(&lock);
}

// ---- Commit ----

// Changes the block's state, and moves it to the list of that state, if there is one.
static void set_state(struct block *b, enum block_logged state) {
    assert(spin_held(&lock));
    if (b->logged == BLOCK_CHANGED)
        changed_count--;
    if (state == BLOCK_CHANGED)
        changed_count++;
    b->logged = state;
    list_remove(&b->link);
    if (state != BLOCK_HOME)
        list_add_tail(state == BLOCK_CHANGED ? &changed : &dirty, &b->link);
}

// Notes that the log need not keep the block, and drops its reference if it has one.
static void block_release(struct block *b) {
    spin_lock(&lock);
    bool was_kept = b->logged != BLOCK_HOME;
    set_state(b, BLOCK_HOME);
    spin_unlock(&lock);
    if (was_kept)
        cache_put_logged(b);
}

// Writes all dirty blocks home and starts the area again.
static int checkpoint(void) {
    int error = logarea_write_home(&dirty);
    if (error)
        return error;
    LIST_EACH (e, &dirty)
        block_release(block_of(e));
    return logarea_restart();
}

// The changed blocks are in the log now, so they become dirty.
static void changed_become_dirty(void) {
    assert(spin_held(&lock));
    changed_count = 0;
    LIST_EACH (e, &changed) {
        list_remove(e);
        list_add_tail(&dirty, e);
        block_of(e)->logged = BLOCK_DIRTY;
    }
}

// Commits the group, in which no transaction is open. Drops the lock while it writes.
static void group_commit(void) {
    assert(spin_held(&lock) && open_count == 0);
    committing = true;
    spin_unlock(&lock);
    int error = logarea_append(&changed, changed_count);
    if (error == 0) {
        spin_lock(&lock);
        commit_count++;
        changed_become_dirty();
        wait_wake_all(&waiters);
        spin_unlock(&lock);
        if (!logarea_has_room(group_max))
            error = checkpoint();
    }
    if (error)
        log_abort();
    spin_lock(&lock);
    committing = closing = false;
}

// ---- Transactions ----

// Lets the next ticket begin. Without tickets, a task that begins one transaction after another
// would starve a task that has to be woken first.
static void serve_next(void) {
    assert(spin_held(&lock));
    served++;
    if (served != tickets)
        wait_wake_all(&waiters);
}

static bool may_begin(void) {
    return !closing && !paused && changed_count + (open_count + 1) * reserve <= group_max;
}

static bool may_pause(void) {
    return !paused;
}

// Waits until it is the task's turn and may_act() is true. Returns false if the log has failed. In
// either case the caller acts accordingly and then calls serve_next.
static bool await_turn(bool (*may_act)(void)) {
    assert(spin_held(&lock));
    unsigned ticket = tickets++;
    while (!failed && (ticket != served || !may_act()))
        wait_sleep(&waiters, &lock);
    return !failed;
}

int log_begin(void) {
    struct task *self = task_self();
    if (self->log_depth++ > 0)
        return 0;
    spin_lock(&lock);
    bool begins = await_turn(may_begin);
    if (begins)
        open_count++;
    serve_next();
    spin_unlock(&lock);
    if (!begins) {
        self->log_depth = 0;
        return -EIO;
    }
    rank_take(RANK_TRANSACTION);
    return 0;
}

int log_end(void) {
    struct task *self = task_self();
    assert(self->log_depth > 0);
    if (--self->log_depth > 0)
        return 0;
    assert(!rank_held(RANK_DIRECTORY) && !rank_held(RANK_INODE));
    bool has_changed = self->log_changed;
    self->log_changed = false;
    spin_lock(&lock);
    uint64_t group = commit_count;
    open_count--;
    if (has_changed)
        closing = true;
    while (has_changed && commit_count == group && !failed) {
        if (open_count == 0 && !committing)
            group_commit();
        else
            wait_sleep(&waiters, &lock);
    }
    int error = has_changed && commit_count == group ? -EIO : 0;
    wait_wake_all(&waiters);
    spin_unlock(&lock);
    rank_drop(RANK_TRANSACTION);
    return error;
}

// The log can keep the block unless it has failed, or the disk is damaged: then programs may be
// able to change pointer blocks, and with them how many blocks a transaction changes. The log fails
// before it keeps more than its share of the cache.
void log_write(struct block *b) {
    assert(task_self()->log_depth > 0);
    task_self()->log_changed = true;
    spin_lock(&lock);
    enum block_logged before = b->logged;
    bool is_full = before != BLOCK_CHANGED && changed_count >= group_max;
    bool is_new = before != BLOCK_CHANGED && !is_full && !failed;
    if (is_new)
        set_state(b, BLOCK_CHANGED);
    spin_unlock(&lock);
    if (is_full)
        log_abort();
    if (is_new && before == BLOCK_HOME)
        rank_drop(RANK_BLOCK); // the log has the reference now
    else
        cache_put(b);
}

void log_discard(uint32_t number) {
    struct block *b = cache_find(number);
    if (b == NULL)
        return;
    block_release(b);
    cache_discard(b);
}

// ---- Pausing ----

int log_pause(void) {
    spin_lock(&lock);
    bool pauses = await_turn(may_pause);
    if (pauses)
        paused = true;
    serve_next();
    while (pauses && (open_count > 0 || committing))
        wait_sleep(&waiters, &lock);
    spin_unlock(&lock);
    if (!pauses)
        return -EIO;
    rank_take(RANK_TRANSACTION);
    return 0;
}

void log_resume(void) {
    spin_lock(&lock);
    paused = false;
    wait_wake_all(&waiters);
    spin_unlock(&lock);
    rank_drop(RANK_TRANSACTION);
}

// ---- Start ----

int log_mount(const struct superblock *super, bool *was_used) {
    uint32_t kept_max = (uint32_t)cache_size() / CACHE_ALL * CACHE_LOGGED;
    uint32_t area_blocks = min(super->log_blocks, kept_max);
    group_max = log_record_capacity(area_blocks / 2);
    reserve = RESERVE + super->bitmap_blocks;
    if (group_max < reserve) {
        print("log: %u blocks, too few for this disk\n", area_blocks);
        return -EINVAL;
    }
    return logarea_recover(super, area_blocks, was_used);
}
