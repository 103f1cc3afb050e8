#pragma once

#include "CProcessLauncher.h"

#include <errno.h>
#include <unistd.h>

// What the children of a spawn share with the parent, which waits meanwhile.
struct child_context {
    const struct slipway_spawn_options *options;
    int input;
    int output;
    int notification;
    // Which of the clone's flags say whether its children have this memory, too.
    int sharing;
    // Written by the child into the memory that it shares with the parent.
    volatile int error;
    volatile int step;
    volatile int mount;
    // A user namespace that says whose a layered tree's files are; -1: those whose they are.
    int owner_map;
    // Above every descriptor of the parent's. Its limit, and not the child's, which may be lower than what is open.
    long descriptor_end;
    // Of a sandbox: its first process, a file with that one's program, room for two stacks, and what came of it.
    int init_program;
    char *init_stack;
    char *main_stack;
    volatile pid_t init;
    volatile pid_t main;
};

#define FAIL(which)                \
    do {                           \
        context->error = errno;    \
        context->step = (which);   \
        _exit(127);                \
    } while (0)

/// Becomes the program of the options. Does not return.
int slipway_child_main(void *context);
/// Makes a sandbox, its first process, and the program's process in it; or goes into one that there is.
int slipway_sandbox_main(void *context);
/// What a user is called in a user namespace that this process has just made. Returns 0, or -1 and errno.
int slipway_map_user(const char *user_map, const char *group_map);
/// A file with the program of a sandbox's first process. -1 and errno on failure.
int slipway_open_init_program(void);

/// A user namespace by which one user's files are another's. -1 and errno on failure.
int slipway_open_owner_map(uid_t from, uid_t to, gid_t from_group, gid_t to_group);

void slipway_reset_signals(void);
int slipway_set_limit(const struct slipway_limit *limit);
/// Another user, if wanted, and no rights, now or later. Returns 0 or the step that failed, with errno.
int slipway_give_up_rights(const struct slipway_spawn_options *options);
/// All descriptors from `first` on; where the kernel cannot be asked for that, those below `end`.
void slipway_close_on_exec_from(int first, long end);
/// Denies system calls that no application needs, for good. Returns 0, or -1 and errno.
int slipway_filter_system_calls(void);
/// Describes that abstract Unix sockets of others are out of reach. Returns a descriptor, -1 where the kernel cannot, or
/// -2 and errno. It takes a descriptor, which the limit of open files may not allow later.
int slipway_open_socket_scope(void);
/// Keeps to it from now on. Returns 0, or -1 and errno.
int slipway_scope_sockets(int scope);
