// Inodes. A file's blocks hang from its inode in three trees: direct ones, those below one block of pointers, and those
// below two levels. Files have no holes. Every pointer is checked where it is used, as the disk may be damaged.
#include "fs/inode.h"
#include "abi/errno.h"
#include "fs/filesystem.h"
#include "fs/log.h"
#include "lib/panic.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mem/frame.h"
#include "mem/pool.h"

enum { INODES_IN_MEMORY = 512, BUCKETS = 256 };

static struct spinlock lock = SPINLOCK(RANK_INODES);
static struct pool pool;
static struct inode *buckets[BUCKETS]; // [lock]

void inode_init(void) { pool_init(&pool, sizeof(struct inode), INODES_IN_MEMORY); }
static uint64_t block_count(const struct inode *ip) { return (ip->disk.size + BLOCK_SIZE - 1) / BLOCK_SIZE; }

static bool disk_inode_is_sane(const struct disk_inode *disk) {
    uint64_t most = disk->type == T_DIR ? DIRECTORY_BYTES_MAX : FILE_BLOCKS_MAX * BLOCK_SIZE;
    return disk->type >= T_DIR && disk->type <= T_DEVICE && disk->nlink <= LINKS_MAX && disk->size <= most &&
           (disk->type != T_DIR || disk->size % sizeof(struct dirent) == 0);
}

static bool inode_load(struct inode *ip) {
    struct block *b;
    struct disk_inode *record;
    if (inode_record_get(ip->number, &b, &record) != 0) return false;
    ip->disk = *record;
    cache_put(b);
    ip->valid = disk_inode_is_sane(&ip->disk);
    if (!ip->valid && ip->disk.type != 0) print("disk: inode %u is damaged\n", ip->number);
    return ip->valid;
}

// Returns the inode with a reference, perhaps not loaded; NULL if the table is full.
static struct inode *table_get(uint32_t number) {
    struct inode **bucket = &buckets[number % BUCKETS], *ip = *bucket;
    while (ip != NULL && ip->number != number) ip = ip->next;
    if (ip == NULL && (ip = pool_alloc(&pool)) != NULL) {
        ip->number = number;
        ip->next = *bucket;
        mutex_init(&ip->mutex);
        *bucket = ip;
    }
    if (ip != NULL) ip->references++;
    return ip;
}

int inode_open(uint32_t number, struct inode **opened) {
    spin_lock(&lock);
    struct inode *ip = *opened = table_get(number);
    spin_unlock(&lock);
    if (ip == NULL) return -ENFILE;
    if (ip->valid) return 0;
    inode_lock(ip);
    bool is_good = ip->valid || inode_load(ip);
    inode_unlock(ip);
    if (is_good) return 0;
    inode_put(ip);
    *opened = NULL;
    return -EIO;
}

struct inode *inode_get(struct inode *ip) {
    spin_lock(&lock);
    ip->references++;
    spin_unlock(&lock);
    return ip;
}

void inode_lock(struct inode *ip) { mutex_lock(&ip->mutex, RANK_INODE); }
void inode_lock_directory(struct inode *ip) { mutex_lock(&ip->mutex, RANK_DIRECTORY); }
void inode_unlock(struct inode *ip) { mutex_unlock(&ip->mutex); }

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

// Returns the root of the tree that has the file's block *index. Stores its levels of pointer blocks in *depth and
// makes *index relative to the tree.
static uint32_t *tree_of(struct inode *ip, uint64_t *index, unsigned *depth) {
    *depth = 0;
    if (*index < DIRECT_BLOCKS) return &ip->disk.direct[*index];
    *index -= DIRECT_BLOCKS;
    *depth = 1;
    if (*index < POINTERS_PER_BLOCK) return &ip->disk.indirect;
    *index -= POINTERS_PER_BLOCK;
    *depth = 2;
    return &ip->disk.double_indirect;
}

// Returns the pointer in a block of them that leads to `index`.
static uint32_t *pointer_in(struct block *b, unsigned depth, uint64_t index) {
    return (uint32_t *)b->data + (depth == 1 ? index : index / POINTERS_PER_BLOCK) % POINTERS_PER_BLOCK;
}

// Stores in *b the block `index` below *pointer, `depth` levels of pointer blocks down, with a reference. If the file
// ends before it, allocates what is missing.
static int tree_get(uint32_t *pointer, unsigned depth, uint64_t index, bool is_new, struct block **b) {
    bool is_missing = is_new && *pointer == 0;
    int error = is_missing ? block_alloc(pointer) : 0;
    if (error) return error;
    if (!block_is_data(*pointer)) {
        print("disk: a file has block %u\n", *pointer);
        return -EIO;
    }
    error = is_missing ? 0 : cache_get(*pointer, b);
    if (is_missing) *b = cache_get_blank(*pointer);
    if (error || depth == 0) return error;
    struct block *pointers = *b;
    if (is_missing) memset(pointers->data, 0, BLOCK_SIZE);
    uint32_t *below = pointer_in(pointers, depth, index), before = *below;
    error = tree_get(below, depth - 1, index, is_new, b);
    if (*below != before)
        log_write(pointers);
    else
        cache_put(pointers);
    return error;
}

// Frees the file's last block, which is `index` below *pointer, and the pointer blocks of which it is the first.
// Damaged pointers are just forgotten.
static int tree_shrink(uint32_t *pointer, unsigned depth, uint64_t index) {
    uint32_t number = *pointer;
    if (depth > 0 && block_is_data(number)) {
        struct block *b;
        int error = cache_get(number, &b);
        if (error) return error;
        error = tree_shrink(pointer_in(b, depth, index), depth - 1, index);
        log_write(b);
        if (error || index % POINTERS_PER_BLOCK != 0 || (depth == 2 && index != 0)) return error;
    }
    if (block_is_data(number)) block_free(number);
    *pointer = 0;
    return 0;
}

int inode_block(struct inode *ip, uint64_t index, struct block **b) {
    unsigned depth;
    bool is_new = index >= block_count(ip);
    if (index >= FILE_BLOCKS_MAX) return -EFBIG;
    uint32_t *root = tree_of(ip, &index, &depth);
    int error = tree_get(root, depth, index, is_new, b);
    if (error && is_new) tree_shrink(root, depth, index);
    return error;
}

// Frees blocks from the end of the locked inode on, as many as a transaction may.
static int truncate_some(struct inode *ip) {
    int error = 0;
    unsigned depth;
    uint64_t left = block_count(ip), least = left > TRANSACTION_FREES ? left - TRANSACTION_FREES : 0;
    while (left > least && error == 0) {
        uint64_t index = left - 1;
        uint32_t *root = tree_of(ip, &index, &depth);
        error = tree_shrink(root, depth, index);
        left -= error == 0;
    }
    ip->disk.size = left * BLOCK_SIZE;
    int update_error = inode_update(ip);
    return error ? error : update_error;
}

int inode_truncate(struct inode *ip) {
    bool is_empty = false;
    int error = __atomic_load_n(&ip->mappings, __ATOMIC_RELAXED) > 0 ? -EBUSY : 0;
    while (!is_empty && error == 0) {
        error = log_begin();
        if (error) return error;
        inode_lock(ip);
        if (ip->disk.size > 0) error = truncate_some(ip);
        is_empty = ip->disk.size == 0;
        if (is_empty && ip->dying) {
            // In this order: as soon as the number is free, somebody may open and load the inode again.
            ip->valid = ip->dying = false;
            memset(&ip->disk, 0, sizeof ip->disk);
            inode_number_free(ip->number);
        }
        inode_unlock(ip);
        int end_error = log_end();
        if (error == 0) error = end_error;
    }
    return error;
}

void inode_count_mapping(struct inode *ip, int change) { __atomic_fetch_add(&ip->mappings, change, __ATOMIC_RELAXED); }

void inode_put(struct inode *ip) {
    spin_lock(&lock);
    if (ip->references == 1 && ip->valid && ip->disk.nlink == 0) {
        ip->dying = true;
        spin_unlock(&lock);
        inode_truncate(ip); // if that fails, the next start frees it
        spin_lock(&lock);
    }
    if (--ip->references == 0) {
        struct inode **link = &buckets[ip->number % BUCKETS];
        while (*link != ip) link = &(*link)->next;
        *link = ip->next;
        pool_free(&pool, ip);
    }
    spin_unlock(&lock);
}

// Returns how many bytes from offset on, at most `most`, lie in one block.
static size_t piece_at(uint64_t offset, size_t most) {
    size_t room = BLOCK_SIZE - offset % BLOCK_SIZE;
    return most < room ? most : room;
}

int64_t inode_read(struct inode *ip, uint64_t offset, void *to, size_t n) {
    assert(mutex_held(&ip->mutex));
    uint64_t end = offset > ip->disk.size ? offset : n < ip->disk.size - offset ? offset + n : ip->disk.size;
    for (uint64_t at = offset; at < end;) {
        struct block *b;
        size_t piece = piece_at(at, end - at);
        int error = inode_block(ip, at / BLOCK_SIZE, &b);
        if (error) return at > offset ? (int64_t)(at - offset) : error;
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
        bool is_new = at / BLOCK_SIZE >= block_count(ip);
        error = inode_block(ip, at / BLOCK_SIZE, &b);
        if (error) break;
        if (is_new) memset(b->data + piece, 0, BLOCK_SIZE - piece); // without holes, it is written from its start
        memcpy(b->data + at % BLOCK_SIZE, (const char *)from + (at - offset), piece);
        log_write(b);
        at += piece;
        if (at > ip->disk.size) ip->disk.size = at;
    }
    if (ip->disk.size > old_size && inode_update(ip) != 0) return -EIO;
    return at > offset ? (int64_t)(at - offset) : error;
}

int inode_page(struct inode *ip, uint64_t offset, bool is_shared, struct frame **frame) {
    struct block *b;
    bool is_open = is_shared && log_begin() == 0; // meanwhile no record is written, of which the page might be a part
    inode_lock(ip);
    int error = offset < ip->disk.size ? inode_block(ip, offset / BLOCK_SIZE, &b) : -EFAULT;
    if (error == 0) {
        error = cache_map(b, is_shared, frame);
        cache_put(b);
    }
    inode_unlock(ip);
    if (is_open) log_end();
    return error;
}

void inode_write_page(struct inode *ip, uint64_t offset, const struct frame *frame) {
    struct block *b;
    inode_lock(ip);
    uint64_t size = ip->disk.size;
    if (offset < size && inode_block(ip, offset / BLOCK_SIZE, &b) == 0) {
        bool is_same = frame_of(b->data) == frame;
        if (is_same && size - offset < BLOCK_SIZE) memset(b->data + (size - offset), 0, BLOCK_SIZE - (size - offset));
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
    *stat = (struct stat){ROOT_DEVICE, ip->number, (int16_t)disk->type, (int16_t)disk->nlink, disk->size};
    inode_unlock(ip);
}
