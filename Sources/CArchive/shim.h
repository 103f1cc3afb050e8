#pragma once
#include <archive.h>
#include <archive_entry.h>

#if defined(__linux__)
// glibc declares syncfs only under _GNU_SOURCE, which Swift's Glibc module is built without. One call writes a whole
// materialised tree to disk, where an fsync for each of its files would cost a journal commit each.
extern int syncfs(int fd);
static inline int slipway_sync_filesystem(int fd) { return syncfs(fd); }
#else
#include <unistd.h>
static inline int slipway_sync_filesystem(int fd) { return fsync(fd); }
#endif
