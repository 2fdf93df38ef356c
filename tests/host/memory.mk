MEMORY_SOURCES := tests/host/small_machine.c tests/host/file_mock.c tests/host/host.c \
	kernel/mem/frame.c kernel/mem/pool.c kernel/lib/span.c kernel/sync/spinlock.c \
	$(patsubst %,kernel/vm/%.c,pagetable table tree forktable faultcount cow backing_zero addrspace \
		backing_file backing_shared fork heap mmap pagemap fault usermem check)

VM_TESTS := $(patsubst %,test_vm_%,pagetable tables unmap pagemap regions faults cow shared \
	usermem check)
HOST_TESTS += test_memory test_memory_debug $(VM_TESTS) test_model test_model_tables test_fork_oom
test_memory_SOURCES := tests/host/test_memory.c $(MEMORY_SOURCES)
test_memory_debug_SOURCES := tests/host/test_memory.c $(MEMORY_SOURCES)
test_memory_debug_FLAGS := -DDEBUG=1
vm_sources = tests/host/$(1).c tests/host/vm_help.c $(MEMORY_SOURCES)
$(foreach t,$(VM_TESTS),$(eval $t_SOURCES := $(call vm_sources,$t))$(eval $t_FLAGS := -DDEBUG=1))
test_model_SOURCES := tests/host/test_model.c $(MEMORY_SOURCES)
test_model_tables_SOURCES := $(call vm_sources,test_model_tables)
test_fork_oom_SOURCES := tests/host/test_fork_oom.c $(MEMORY_SOURCES)
