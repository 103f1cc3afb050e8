#define _GNU_SOURCE
#include "CProcessLauncher.h"

#ifdef __linux__

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

int slipway_resize_terminal(int descriptor, uint16_t columns, uint16_t rows) {
    struct winsize size = {.ws_row = rows, .ws_col = columns};
    return ioctl(descriptor, TIOCSWINSZ, &size) == 0 ? 0 : errno;
}

int slipway_open_terminal(int ends[2], uint16_t columns, uint16_t rows) {
    // Not openpty(3), which finds the other end by a path: that may lead elsewhere where /dev/pts is not the master's.
    int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (master < 0) return errno;
    int unlocked = 0;
    int slave = -1;
    if (ioctl(master, TIOCSPTLCK, &unlocked) == 0) slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    int error = slave < 0 ? errno : slipway_resize_terminal(slave, columns, rows);
    if (error != 0) {
        if (slave >= 0) close(slave);
        close(master);
        return error;
    }
    ends[0] = master;
    ends[1] = slave;
    return 0;
}

#endif
