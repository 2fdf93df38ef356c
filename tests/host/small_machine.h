// A small machine for tests of mem and vm: frames, one hart that walks page tables by itself and
// remembers what it found until it is told to forget, files in memory, and checks that hold at all
// times.
#pragma once

#include "test.h"

#include "abi/errno.h"
#include "arch/address.h"
#include "fs/inode.h"
#include "mem/frame.h"
#include "vm/addrspace.h"
#include "vm/backing_file.h"
#include "vm/backing_shared.h"
#include "vm/backing_zero.h"
#include "vm/check.h"
#include "vm/cow.h"
#include "vm/fault.h"
#include "vm/faultcount.h"
#include "vm/heap.h"
#include "vm/mmap.h"
#include "vm/pagemap.h"
#include "vm/usermem.h"

enum { FILE_FRAMES = 96 }; // what the cache of files has: shared mappings may reserve a quarter
#define MACHINE_RAM (16u << 20)

// Boots with that many frames for processes; nothing is mapped, no space is active.
void machine_start(size_t frame_count);

// The same; allocation number fail_at fails, with fail_all all later ones too.
void machine_start_failing(size_t frame_count, size_t fail_at, bool fail_all);

// The hart accesses a byte as a program in the active space would: page faults go to vm_fault, and
// one fault must do. Errors: what vm_fault returned.
int hart_load(struct addrspace *as, vaddr_t va, uint8_t *byte);
int hart_store(struct addrspace *as, vaddr_t va, uint8_t byte);
int hart_fetch(struct addrspace *as, vaddr_t va);

// The hart uses no space any more.
void hart_leave(void);

// How often instructions were flushed.
extern unsigned hart_instruction_flushes;

// Called once, at the next flush of a page, as if another hart did it just then.
extern void (*hart_meanwhile)(void);

// A file with one reference; it stays valid without. The contents are file_byte of their offset
// until somebody writes through a shared mapping.
struct inode *file_make(size_t bytes);
uint8_t file_byte(uint64_t offset);

// What the disk has of the file: it changes when a page is written back. And how often that
// happened, in how many transactions.
uint8_t file_saved(const struct inode *ip, uint64_t offset);
extern unsigned file_saves, file_transactions;
extern int log_error; // what the next calls of log_begin return, if not 0
size_t file_reserved(void);
extern int file_error; // what the next calls of inode_page and inode_read return, if not 0
extern size_t
    file_mapped_max; // inode_page gives new pages only while fewer frames of the cache are mapped
void file_cut(struct inode *ip, size_t bytes);

// The cache takes a new frame for that page of the file, and gives the old one to those who map it.
void file_forget(struct inode *ip, size_t page);
struct frame *file_frame(const struct inode *ip, size_t page);

struct region zero_region(vaddr_t start, size_t page_count, unsigned protection);
struct region file_region(struct inode *ip, uint64_t offset, vaddr_t start, size_t bytes,
                          unsigned protection);

// Regions that are shared: of new memory (NULL object: it could not be had), of a file.
struct region shared_region(vaddr_t start, size_t page_count, unsigned protection);
struct region shared_file_region(struct inode *ip, uint64_t offset, vaddr_t start,
                                 size_t page_count, unsigned protection);

// A space with nothing in it; one with the region mapped (takes a reference to its object).
struct addrspace *space_make(void);
void space_map(struct addrspace *as, struct region r);
void space_use(struct addrspace *as);

// Copies a space that is in use; fails the test if that fails.
struct addrspace *space_fork(struct addrspace *parent);

// Ends a space, whoever is active.
void space_end(struct addrspace *as);

// Takes all frames that anybody can have but `left`; gives them back.
void frames_hold(size_t left);
void frames_release(void);

size_t frames_free(void);
size_t frames_promised(void);
size_t frames_used(enum frame_use use);
uint64_t faults(enum fault_kind kind);

// The frame and the rights at va; frame NULL: nothing is mapped.
struct mapping mapping_at(const struct addrspace *as, vaddr_t va);

// Fails the test unless the kernel's checker finds nothing, and neither does one written without
// its help: frame counts, table entries bit by bit, sums of frames, promises, regions in order.
#define CHECK_SOUND() machine_check(__FILE__, __LINE__)
void machine_check(const char *file, int line);

// CHECK_SOUND, and all frames are free, no promise or reservation is open, no lock held, no file in
// use.
#define CHECK_ALL_BACK() machine_check_empty(__FILE__, __LINE__)
void machine_check_empty(const char *file, int line);

// Access that must succeed.
#define LOAD(as, va) \
    ({ \
        uint8_t byte_; \
        CHECK_EQUAL(0, hart_load(as, va, &byte_)); \
        byte_; \
    })
#define STORE(as, va, byte) CHECK_EQUAL(0, hart_store(as, va, byte))
