#pragma once
#include <git2.h>
#include <git2/sys/repository.h>

// git_libgit2_opts is variadic, which Swift cannot call: one wrapper for each argument shape that is used.

static inline int slipway_git_set_search_path(int level, const char *path) {
    return git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, level, path);
}

static inline int slipway_git_set_pack_max_objects(size_t objects) {
    return git_libgit2_opts(GIT_OPT_SET_PACK_MAX_OBJECTS, objects);
}

// The option exists in Debian's patched 1.5.1 and in upstream from 1.9.5 on. An enumeration constant cannot be tested
// for by the preprocessor, so its number is derived where the name may be missing; an unpatched 1.5 answers -1, as
// does this wrapper for every version in between.
static inline int slipway_git_set_pack_max_object_size(size_t bytes) {
#if LIBGIT2_VER_MAJOR == 1 && LIBGIT2_VER_MINOR == 5
    return git_libgit2_opts((int)GIT_OPT_SET_OWNER_VALIDATION + 2, bytes);
#elif LIBGIT2_VER_MAJOR > 1 || LIBGIT2_VER_MINOR > 9 || (LIBGIT2_VER_MINOR == 9 && LIBGIT2_VER_REVISION >= 5)
    return git_libgit2_opts(GIT_OPT_SET_PACK_MAX_OBJECT_SIZE, bytes);
#else
    (void)bytes;
    return -1;
#endif
}

static inline int slipway_git_set_hash_on_read(int enabled) {
    return git_libgit2_opts(GIT_OPT_ENABLE_STRICT_HASH_VERIFICATION, enabled);
}

static inline int slipway_git_enable_fsync(int enabled) {
    return git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, enabled);
}

static inline int slipway_git_set_cache_max_size(ssize_t bytes) {
    return git_libgit2_opts(GIT_OPT_SET_CACHE_MAX_SIZE, bytes);
}

static inline int slipway_git_set_mapped_limit(size_t bytes) {
    return git_libgit2_opts(GIT_OPT_SET_MWINDOW_MAPPED_LIMIT, bytes);
}
