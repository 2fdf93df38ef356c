// Inodes: the table of those in memory, and their contents, whose blocks fs/filemap.c finds.
#include "fs/inode.h"
#include "abi/errno.h"
#include "fs/allocate.h"
#include "fs/filemap.h"
#include "fs/log.h"
#include "lib/panic.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mem/frame.h"
#include "mem/pool.h"

enum { INODES_IN_MEMORY = 512, BUCKETS = 256 };

static struct spinlock lock = SPINLOCK(RANK_INODES);
static struct pool pool;
static struct inode *buckets[BUCKETS];        // [lock]
static struct waitq waiters = WAITQ(waiters); // [lock] for the end of inode_load or inode_truncate

void inode_init(void) {
    pool_init(&pool, sizeof(struct inode), INODES_IN_MEMORY);
}

bool inode_is_sane(const struct disk_inode *disk) {
    uint64_t most = disk->type == T_DIR ? DIRECTORY_BYTES_MAX : FILE_BLOCKS_MAX * BLOCK_SIZE;
    return disk->type >= T_DIR && disk->type <= T_DEVICE && disk->nlink <= LINKS_MAX &&
           disk->size <= most &&
           disk->size / BLOCK_SIZE < block_count() && // without holes, none is larger than the disk
           (disk->type != T_DIR || disk->size % sizeof(struct dirent) == 0);
}

// Returns the inode that a directory's ".." names, which is its second entry; 0 if it cannot be
// read.
static uint32_t read_parent(const struct inode *ip) {
    struct block *b;
    if (ip->disk.size < 2 * sizeof(struct dirent) || filemap_get(&ip->disk, 0, &b) != 0)
        return 0;
    const struct dirent *e = (const struct dirent *)b->data + 1;
    uint32_t parent = memcmp(e->name, "..", 3) == 0 ? e->inum : 0;
    cache_put(b);
    return parent;
}

// Reads the inode from the disk; returns whether it is in use and good.
static bool inode_load(struct inode *ip) {
    struct block *b;
    struct disk_inode *record;
    if (inode_record_get(ip->number, &b, &record) != 0)
        return false;
    ip->disk = *record;
    cache_put(b);
    bool is_good = inode_is_sane(&ip->disk);
    if (!is_good && ip->disk.type != 0)
        print("disk: inode %u is damaged\n", ip->number);
    ip->parent = is_good && ip->disk.type == T_DIR ? read_parent(ip) : 0;
    return is_good;
}

static struct inode *table_find(uint32_t number) {
    struct inode *ip = buckets[number % BUCKETS];
    while (ip != NULL && ip->number != number)
        ip = ip->next;
    return ip;
}

// Returns the inode with a reference, perhaps not loaded; NULL if the table is full.
static struct inode *table_get(uint32_t number) {
    struct inode **bucket = &buckets[number % BUCKETS], *ip = table_find(number);
    if (ip == NULL && (ip = pool_alloc(&pool)) != NULL) {
        ip->number = number;
        ip->next = *bucket;
        mutex_init(&ip->mutex);
        *bucket = ip;
    }
    if (ip != NULL)
        ip->references++;
    return ip;
}

static void table_remove(struct inode *ip) {
    struct inode **link = &buckets[ip->number % BUCKETS];
    while (*link != ip)
        link = &(*link)->next;
    *link = ip->next;
    pool_free(&pool, ip);
}

static void end_loading(struct inode *ip, bool is_good) {
    spin_lock(&lock);
    ip->valid = is_good;
    ip->loading = false;
    wait_wake_all(&waiters);
    spin_unlock(&lock);
}

// Opens an inode that has, when it is read, so many links.
static int open(uint32_t number, unsigned links_min, struct inode **opened) {
    spin_lock(&lock);
    struct inode *ip = *opened = table_get(number);
    while (ip != NULL && ip->loading)
        wait_sleep(&waiters, &lock);
    if (ip != NULL && !ip->valid) {
        ip->loading = true;
        spin_unlock(&lock);
        bool is_good = inode_load(ip) && ip->disk.nlink >= links_min;
        end_loading(ip, is_good);
        spin_lock(&lock);
    }
    int error = ip == NULL ? -ENFILE : ip->valid ? 0 : -EIO;
    if (error)
        *opened = NULL;
    if (error == -EIO && --ip->references == 0)
        table_remove(ip);
    spin_unlock(&lock);
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
    bool is_open = table_find(number) != NULL;
    spin_unlock(&lock);
    return is_open;
}

void inode_lock(struct inode *ip) {
    mutex_lock(&ip->mutex, RANK_INODE);
}
void inode_lock_directory(struct inode *ip) {
    mutex_lock(&ip->mutex, RANK_DIRECTORY);
}
void inode_unlock(struct inode *ip) {
    mutex_unlock(&ip->mutex);
}

int inode_update(struct inode *ip) {
    struct block *b;
    struct disk_inode *record;
    int error = inode_record_get(ip->number, &b, &record);
    if (error) {
        log_abort();
        return error;
    }
    *record = ip->disk;
    log_write(b);
    return 0;
}

int inode_block(struct inode *ip, uint64_t index, struct block **b) {
    assert(mutex_held(&ip->mutex));
    if (index < filemap_blocks(&ip->disk))
        return filemap_get(&ip->disk, index, b);
    return filemap_append(&ip->disk, index, b);
}

// Frees blocks from the end of the locked inode on, as many as a transaction may.
static int truncate_some(struct inode *ip) {
    int error = 0;
    uint64_t left = filemap_blocks(&ip->disk),
             least = left > TRANSACTION_FREES ? left - TRANSACTION_FREES : 0;
    while (left > least && error == 0) {
        error = filemap_shrink(&ip->disk, left - 1);
        left -= error == 0;
    }
    if (left < filemap_blocks(&ip->disk))
        ip->disk.size = left * BLOCK_SIZE;
    int update_error = inode_update(ip);
    return error ? error : update_error;
}

// Frees the number of the locked inode, which is empty. A task that finds the number in a damaged
// directory and opens it meanwhile waits, so that it does not read the old record again.
static void free_number(struct inode *ip) {
    spin_lock(&lock);
    ip->valid = false;
    ip->loading = true;
    spin_unlock(&lock);
    memset(&ip->disk, 0, sizeof ip->disk);
    inode_number_free(ip->number);
    end_loading(ip, false);
}

// Frees all contents and, if it is `unused`, the inode itself. Without links and with one
// reference, it stays unused.
static int empty(struct inode *ip, bool unused) {
    bool is_empty = false;
    int error = 0;
    while (!is_empty && error == 0) {
        error = log_begin();
        if (error)
            return error;
        inode_lock(ip);
        if (ip->disk.size > 0)
            error = truncate_some(ip);
        is_empty = ip->disk.size == 0;
        if (is_empty && unused)
            free_number(ip);
        inode_unlock(ip);
        int end_error = log_end();
        if (error == 0)
            error = end_error;
    }
    return error;
}

int inode_truncate(struct inode *ip) {
    spin_lock(&lock);
    while (ip->emptying)
        wait_sleep(&waiters, &lock);
    bool is_mapped = ip->mappings > 0;
    ip->emptying = !is_mapped;
    spin_unlock(&lock);
    if (is_mapped)
        return -EBUSY;
    int error = empty(ip, false);
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
    int error = 0; // then the next start frees it
    spin_lock(&lock);
    // Freeing sleeps. When it is done, the number may belong to a new file, which may have lost its
    // links by now.
    while (ip->references == 1 && ip->valid && ip->disk.nlink == 0 && error == 0) {
        spin_unlock(&lock);
        assert(!rank_held(RANK_TRANSACTION));
        error = empty(ip, true);
        spin_lock(&lock);
    }
    if (--ip->references == 0)
        table_remove(ip);
    spin_unlock(&lock);
}

// Returns how many bytes from offset on, at most `most`, lie in one block.
static size_t piece_at(uint64_t offset, size_t most) {
    size_t room = BLOCK_SIZE - offset % BLOCK_SIZE;
    return most < room ? most : room;
}

int64_t inode_read(struct inode *ip, uint64_t offset, void *to, size_t n) {
    assert(mutex_held(&ip->mutex));
    uint64_t end = offset > ip->disk.size       ? offset
                   : n < ip->disk.size - offset ? offset + n
                                                : ip->disk.size;
    for (uint64_t at = offset; at < end;) {
        struct block *b;
        size_t piece = piece_at(at, end - at);
        int error = inode_block(ip, at / BLOCK_SIZE, &b);
        if (error)
            return at > offset ? (int64_t)(at - offset) : error;
        memcpy((char *)to + (at - offset), b->data + at % BLOCK_SIZE, piece);
        cache_put(b);
        at += piece;
    }
    return (int64_t)(end - offset);
}

int64_t inode_write(struct inode *ip, uint64_t offset, const void *from, size_t n) {
    assert(mutex_held(&ip->mutex));
    uint64_t at = offset, old_size = ip->disk.size;
    int error = offset > old_size ? -EINVAL : 0;
    while (at - offset < n && error == 0) {
        struct block *b;
        size_t piece = piece_at(at, n - (at - offset));
        bool is_new = at / BLOCK_SIZE >= filemap_blocks(&ip->disk);
        error = inode_block(ip, at / BLOCK_SIZE, &b);
        if (error)
            break;
        if (is_new)
            memset(b->data + piece, 0,
                   BLOCK_SIZE - piece); // without holes, it is written from its start
        memcpy(b->data + at % BLOCK_SIZE, (const char *)from + (at - offset), piece);
        log_write(b);
        at += piece;
        if (at > ip->disk.size)
            ip->disk.size = at;
    }
    if (ip->disk.size > old_size && inode_update(ip) != 0)
        return -EIO;
    return at > offset ? (int64_t)(at - offset) : error;
}

int inode_page(struct inode *ip, uint64_t offset, bool is_shared, struct frame **frame) {
    struct block *b;
    bool is_open =
        is_shared &&
        log_begin() == 0; // meanwhile no record is written, of which the page might be a part
    inode_lock(ip);
    int error = offset < ip->disk.size ? inode_block(ip, offset / BLOCK_SIZE, &b) : -EFAULT;
    if (error == 0) {
        error = cache_map(b, is_shared, frame);
        cache_put(b);
    }
    inode_unlock(ip);
    if (is_open)
        log_end();
    return error;
}

void inode_write_page(struct inode *ip, uint64_t offset, const struct frame *frame) {
    struct block *b;
    inode_lock(ip);
    uint64_t size = ip->disk.size;
    if (offset < size && inode_block(ip, offset / BLOCK_SIZE, &b) == 0) {
        bool is_same = frame_of(b->data) == frame;
        if (is_same && size - offset < BLOCK_SIZE)
            memset(b->data + (size - offset), 0, BLOCK_SIZE - (size - offset));
        if (is_same)
            log_write(b);
        else
            cache_put(b);
    }
    inode_unlock(ip);
}

void inode_stat(struct inode *ip, struct stat *stat) {
    inode_lock(ip);
    const struct disk_inode *disk = &ip->disk;
    *stat = (struct stat){ROOT_DEVICE, ip->number, (int16_t)disk->type, (int16_t)disk->nlink,
                          disk->size};
    inode_unlock(ip);
}
