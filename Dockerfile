# A machine that grades submissions, for course platforms (docs/platforms.md). The same machine with
# all tools to work on cow6, as .devcontainer wants it: --build-arg PURPOSE=all
ARG BASE=debian:bookworm-slim
FROM ${BASE}

ARG PURPOSE=grading
WORKDIR /opt/cow6
COPY tools/needs tools/setup tools/prefixes tools/find-python tools/find-gdb tools/check-qemu tools/
RUN sh tools/setup ${PURPOSE} && rm -rf /var/lib/apt/lists/*
