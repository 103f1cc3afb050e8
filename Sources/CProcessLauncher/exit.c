#define _GNU_SOURCE
#include "CProcessLauncher.h"

#ifdef __linux__

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

// Not in Debian 12's headers.
#define SLIPWAY_P_PIDFD 3

struct slipway_exit slipway_decode_status(int status) {
    struct slipway_exit result = {0};
    if (WIFEXITED(status)) {
        result.known = 1;
        result.code = WEXITSTATUS(status);
    } else if (WIFSIGNALED(status)) {
        result.known = 1;
        result.signalled = 1;
        result.code = WTERMSIG(status);
    }
    return result;
}

struct slipway_exit slipway_peek_exit(int pidfd) {
    struct slipway_exit result = {0};
    siginfo_t info;
    memset(&info, 0, sizeof info);
    int outcome;
    do {
        outcome = waitid((idtype_t)SLIPWAY_P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG | WNOWAIT);
    } while (outcome != 0 && errno == EINTR);
    if (outcome != 0 || info.si_pid == 0) return result;
    result.known = 1;
    result.signalled = info.si_code != CLD_EXITED;
    result.code = info.si_status;
    return result;
}

void slipway_reap(int pidfd) {
    siginfo_t info;
    while (waitid((idtype_t)SLIPWAY_P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG) != 0 && errno == EINTR) {}
}

// struct pidfd_info of Linux 6.15; older kernels answer ENOTTY or leave the flag out.
struct slipway_pidfd_info {
    uint64_t mask;
    uint64_t cgroupid;
    uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
    int32_t exit_code;
};
#define SLIPWAY_PIDFD_INFO_EXIT (1ULL << 3)
#define SLIPWAY_PIDFD_GET_INFO _IOWR(0xFF, 11, struct slipway_pidfd_info)

struct slipway_exit slipway_reaped_exit(int pidfd) {
    struct slipway_exit none = {0};
    struct slipway_pidfd_info info;
    memset(&info, 0, sizeof info);
    info.mask = SLIPWAY_PIDFD_INFO_EXIT;
    if (ioctl(pidfd, SLIPWAY_PIDFD_GET_INFO, &info) != 0) return none;
    if (!(info.mask & SLIPWAY_PIDFD_INFO_EXIT)) return none;
    return slipway_decode_status(info.exit_code);
}

#endif
