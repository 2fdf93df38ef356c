HOST_TESTS += test_text
test_text_SOURCES := tests/host/test_text.c tests/host/host.c kernel/dev/options.c kernel/proc/elf.c

HOST_FUZZERS += fuzz_elf fuzz_options
fuzz_elf_SOURCES := tests/host/fuzz_elf.c kernel/proc/elf.c
fuzz_options_SOURCES := tests/host/fuzz_options.c kernel/dev/options.c
