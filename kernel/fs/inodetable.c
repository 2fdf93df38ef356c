// The table of inodes in memory, found by a hash of their number. An inode without references stays
// in the table until its place is needed, so opening it again does not read it again; the one that
// was used least recently goes first.
#include "fs/inodetable.h"
#include "abi/errno.h"
#include "arch/address.h"
#include "fs/allocate.h"
#include "fs/filemap.h"
#include "fs/log.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "mem/pool.h"

enum { INODES_IN_MEMORY = 512, BUCKETS = 256 };

static struct spinlock lock = SPINLOCK(RANK_INODES);
static struct pool pool;
static struct inode *buckets[BUCKETS];         // [lock]
static struct list unused = LIST_INIT(unused); // [lock]
static struct waitq waiters = WAITQ(waiters);  // [lock] for the end of loading, or of emptying

void inode_init(void) {
    pool_init(&pool, sizeof(struct inode), INODES_IN_MEMORY);
}

// ---- The table ----

static struct inode *table_find(uint32_t number) {
    assert(spin_held(&lock));
    struct inode *ip = buckets[number % BUCKETS];
    while (ip != NULL && ip->number != number)
        ip = ip->next;
    return ip;
}

// Removes from the table an inode without references.
static void table_remove(struct inode *ip) {
    assert(ip->references == 0);
    struct inode **link = &buckets[ip->number % BUCKETS];
    while (*link != ip)
        link = &(*link)->next;
    *link = ip->next;
    pool_free(&pool, ip);
}

// Adds the inode to the table, without references; returns NULL if all in the table have some.
static struct inode *table_add(uint32_t number) {
    struct inode *ip = pool_alloc_zeroed(&pool);
    if (ip == NULL && !list_is_empty(&unused)) {
        struct inode *oldest = CONTAINER_OF(unused.next, struct inode, link);
        list_remove(&oldest->link);
        table_remove(oldest);
        ip = pool_alloc_zeroed(&pool);
    }
    if (ip == NULL)
        return NULL;
    struct inode **bucket = &buckets[number % BUCKETS];
    ip->number = number;
    ip->next = *bucket;
    list_init(&ip->link);
    mutex_init(&ip->mutex);
    *bucket = ip;
    return ip;
}

// Returns the inode with a reference, perhaps not loaded; NULL if the table is full.
static struct inode *table_get(uint32_t number) {
    struct inode *ip = table_find(number);
    if (ip == NULL)
        ip = table_add(number);
    if (ip != NULL && ip->references++ == 0)
        list_remove(&ip->link);
    return ip;
}

// Drops a reference. Without references, only an inode that has a name stays in the table.
static void table_put(struct inode *ip) {
    assert(spin_held(&lock) && ip->references > 0);
    if (--ip->references > 0)
        return;
    if (ip->valid && ip->disk.nlink > 0)
        list_add_tail(&unused, &ip->link);
    else
        table_remove(ip);
}

// ---- The record on the disk ----

int inode_update(struct inode *ip) {
    struct block *b;
    struct disk_inode *record;
    assert(mutex_held(&ip->mutex) && rank_held(RANK_TRANSACTION));
    int error = inode_record_get(ip->number, &b, &record);
    if (error) {
        log_abort();
        return error;
    }
    *record = ip->disk;
    log_write(b);
    return 0;
}

// ---- References ----

static void end_loading(struct inode *ip, bool is_valid) {
    spin_lock(&lock);
    ip->valid = is_valid;
    ip->loading = false;
    wait_wake_all(&waiters);
    spin_unlock(&lock);
}

// Reads the inode if that has not been done yet; it counts as valid if it has at least links_min
// links. Returns whether it is valid. Drops the lock meanwhile.
static bool load_once(struct inode *ip, unsigned links_min) {
    assert(spin_held(&lock));
    while (ip->loading)
        wait_sleep(&waiters, &lock);
    if (!ip->valid) {
        ip->loading = true;
        spin_unlock(&lock);
        bool is_sane = inode_read_record(ip->number, &ip->disk, &ip->parent);
        end_loading(ip, is_sane && ip->disk.nlink >= links_min);
        spin_lock(&lock);
    }
    return ip->valid;
}

// Opens an inode; when it is read, it must have at least links_min links.
static int open(uint32_t number, unsigned links_min, struct inode **opened) {
    int error = 0;
    spin_lock(&lock);
    struct inode *ip = table_get(number);
    if (ip == NULL) {
        error = -ENFILE;
    } else if (!load_once(ip, links_min)) {
        table_put(ip);
        error = -EIO;
    }
    spin_unlock(&lock);
    *opened = error ? NULL : ip;
    return error;
}

int inode_open(uint32_t number, struct inode **opened) {
    return open(number, 1, opened);
}

int inode_open_unnamed(uint32_t number, struct inode **opened) {
    return open(number, 0, opened);
}

struct inode *inode_get(struct inode *ip) {
    spin_lock(&lock);
    ip->references++;
    spin_unlock(&lock);
    return ip;
}

bool inode_is_open(uint32_t number) {
    spin_lock(&lock);
    const struct inode *ip = table_find(number);
    bool is_open = ip != NULL && ip->references > 0;
    spin_unlock(&lock);
    return is_open;
}

// ---- Locks ----

void inode_lock(struct inode *ip) {
    mutex_lock(&ip->mutex, RANK_INODE);
}

void inode_lock_directory(struct inode *ip) {
    mutex_lock(&ip->mutex, RANK_DIRECTORY);
}

void inode_lock_shared(struct inode *ip) {
    mutex_lock_shared(&ip->mutex, RANK_INODE);
}

void inode_unlock(struct inode *ip) {
    if (mutex_held(&ip->mutex))
        mutex_unlock(&ip->mutex);
    else
        mutex_unlock_shared(&ip->mutex, RANK_INODE);
}

// ---- Emptying and freeing ----

// Frees the last blocks of the locked inode, as many as a transaction may.
static int truncate_some(struct inode *ip) {
    uint64_t before = filemap_blocks(&ip->disk), left = before;
    uint64_t left_min = before - min(before, TRANSACTION_FREES);
    struct block_run run = {0};
    int error = 0;
    while (left > left_min && error == 0) {
        error = filemap_shrink(&ip->disk, left - 1, &run);
        if (error == 0)
            left--;
    }
    block_run_end(&run);
    if (left < before)
        ip->disk.size = left * BLOCK_SIZE;
    int update_error = inode_update(ip);
    return error ? error : update_error;
}

// Frees the number of the locked inode, which is empty. It is `loading` meanwhile: a task that
// finds the number in a damaged directory and opens it has to wait, so that it does not read the
// old record again.
static void free_number(struct inode *ip) {
    assert(mutex_held(&ip->mutex) && ip->disk.size == 0);
    spin_lock(&lock);
    ip->valid = false;
    ip->loading = true;
    spin_unlock(&lock);
    memset(&ip->disk, 0, sizeof ip->disk);
    nameindex_forget(&ip->names); // the number may be that of a new directory at once
    inode_number_free(ip->number);
    end_loading(ip, false);
}

// Frees all contents, in as many transactions as needed. Calls when_empty, unless it is NULL, in
// the last of them.
static int empty_inode(struct inode *ip, void (*when_empty)(struct inode *ip)) {
    for (;;) {
        int error = log_begin();
        if (error)
            return error;
        inode_lock(ip);
        if (ip->disk.size > 0)
            error = truncate_some(ip);
        bool is_empty = ip->disk.size == 0;
        if (is_empty && when_empty != NULL)
            when_empty(ip);
        inode_unlock(ip);
        int end_error = log_end();
        if (error || end_error)
            return error ? error : end_error;
        if (is_empty)
            return 0;
    }
}

int inode_truncate(struct inode *ip) {
    assert(!rank_held(RANK_TRANSACTION));
    spin_lock(&lock);
    while (ip->emptying)
        wait_sleep(&waiters, &lock);
    bool is_mapped = ip->mappings > 0;
    ip->emptying = !is_mapped;
    spin_unlock(&lock);
    if (is_mapped)
        return -EBUSY;
    int error = empty_inode(ip, NULL);
    spin_lock(&lock);
    ip->emptying = false;
    wait_wake_all(&waiters);
    spin_unlock(&lock);
    return error;
}

void inode_count_mapping(struct inode *ip, int change) {
    spin_lock(&lock);
    while (ip->emptying)
        wait_sleep(&waiters, &lock);
    ip->mappings += change;
    assert(ip->mappings >= 0);
    spin_unlock(&lock);
}

void inode_free_unused(struct inode *ip) {
    assert(mutex_held(&ip->mutex) && rank_held(RANK_TRANSACTION));
    spin_lock(&lock);
    bool is_last = ip->references == 1;
    spin_unlock(&lock);
    if (!is_last || ip->disk.nlink > 0 || ip->disk.size > TRANSACTION_BYTES)
        return;
    if (ip->disk.size == 0 || truncate_some(ip) == 0)
        free_number(ip);
}

void inode_put(struct inode *ip) {
    int error = 0; // if there is one, the next start of the machine frees the inode
    spin_lock(&lock);
    // This is a loop because freeing sleeps: afterwards the number may belong to a new file, which
    // may have lost its links meanwhile.
    while (ip->references == 1 && ip->valid && ip->disk.nlink == 0 && error == 0) {
        spin_unlock(&lock);
        assert(!rank_held(RANK_TRANSACTION));
        error = empty_inode(ip, free_number);
        spin_lock(&lock);
    }
    table_put(ip);
    spin_unlock(&lock);
}
