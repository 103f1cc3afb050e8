#define _GNU_SOURCE
#include "child.h"

#ifdef __linux__

#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

// The first process of a sandbox: with its end everything in the sandbox ends, and orphans come to it. It waits for
// nothing and nobody, for the signal of a child's end is ignored, and then the kernel reaps. It sees to that itself, as an
// OCI runtime, which starts it as well, gives it every signal at its default. So its program is one system call, and
// another again and again; it is made here rather than installed, so that there is no file to be found, kept or replaced,
// and no library to be loaded: the process takes one page.

// The struct of rt_sigaction, little-endian: SIG_IGN, no flags, no restorer, an empty mask.
#define IGNORE \
    1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0

#if defined(__x86_64__)
#define MACHINE EM_X86_64
static const unsigned char code[] = {
    0xb8, 0x0d, 0x00, 0x00, 0x00,              // mov eax, 13 (rt_sigaction)
    0xbf, 0x11, 0x00, 0x00, 0x00,              // mov edi, 17 (SIGCHLD)
    0x48, 0x8d, 0x35, 0x13, 0x00, 0x00, 0x00,  // lea rsi, what is behind the code
    0x31, 0xd2,                                // xor edx, edx
    0x41, 0xba, 0x08, 0x00, 0x00, 0x00,        // mov r10d, 8
    0x0f, 0x05,                                // syscall
    0xb8, 0x22, 0x00, 0x00, 0x00,              // mov eax, 34 (pause)
    0x0f, 0x05,                                // syscall
    0xeb, 0xf7,                                // from the one before the last on
    IGNORE,
};
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
static const unsigned char code[] = {
    0xc8, 0x10, 0x80, 0xd2,                          // mov x8, 134 (rt_sigaction)
    0x20, 0x02, 0x80, 0xd2,                          // mov x0, 17 (SIGCHLD)
    0x81, 0x01, 0x00, 0x10,                          // adr x1, what is behind the code
    0x02, 0x00, 0x80, 0xd2, 0x03, 0x01, 0x80, 0xd2,  // mov x2, 0; mov x3, 8
    0x01, 0x00, 0x00, 0xd4,                          // svc 0
    0x28, 0x09, 0x80, 0xd2,                          // mov x8, 73 (ppoll), which waits for nothing for ever
    0x00, 0x00, 0x80, 0xd2, 0x01, 0x00, 0x80, 0xd2,  // mov x0, 0; mov x1, 0
    0x02, 0x00, 0x80, 0xd2, 0x03, 0x00, 0x80, 0xd2,  // mov x2, 0; mov x3, 0
    0x04, 0x00, 0x80, 0xd2,                          // mov x4, 0
    0x01, 0x00, 0x00, 0xd4,                          // svc 0
    0xf9, 0xff, 0xff, 0x17,                          // from ppoll on
    IGNORE,
};
#endif

#ifdef MACHINE

int slipway_write_init_program(int descriptor) {
    struct {
        Elf64_Ehdr file;
        Elf64_Phdr segment;
        unsigned char code[sizeof code];
    } program;
    const uint64_t base = 0x400000;
    memset(&program, 0, sizeof program);
    memcpy(program.file.e_ident, ELFMAG, SELFMAG);
    program.file.e_ident[EI_CLASS] = ELFCLASS64;
    program.file.e_ident[EI_DATA] = ELFDATA2LSB;
    program.file.e_ident[EI_VERSION] = EV_CURRENT;
    program.file.e_type = ET_EXEC;
    program.file.e_machine = MACHINE;
    program.file.e_version = EV_CURRENT;
    program.file.e_entry = base + ((unsigned char *)program.code - (unsigned char *)&program);
    program.file.e_phoff = (unsigned char *)&program.segment - (unsigned char *)&program;
    program.file.e_ehsize = sizeof program.file;
    program.file.e_phentsize = sizeof program.segment;
    program.file.e_phnum = 1;
    program.segment.p_type = PT_LOAD;
    program.segment.p_flags = PF_R | PF_X;
    program.segment.p_vaddr = program.segment.p_paddr = base;
    program.segment.p_filesz = program.segment.p_memsz = sizeof program;
    program.segment.p_align = 0x10000;
    memcpy(program.code, code, sizeof code);
    ssize_t written = write(descriptor, &program, sizeof program);
    if (written < 0) return errno;
    return written == (ssize_t)sizeof program ? 0 : ENOSPC;
}

int slipway_open_init_program(void) {
    const unsigned executable = 0x10;  // MFD_EXEC, from Linux 6.3 on; older ones do not know it and make it so
    int descriptor = memfd_create("slipway-sandbox", MFD_CLOEXEC | executable);
    if (descriptor < 0 && errno == EINVAL) descriptor = memfd_create("slipway-sandbox", MFD_CLOEXEC);
    if (descriptor < 0) return -1;
    // Whoever executes what it cannot read cannot be looked into or changed, by its own user neither.
    if (slipway_write_init_program(descriptor) != 0 || fchmod(descriptor, 0111) != 0) {
        int error = errno;
        close(descriptor);
        errno = error;
        return -1;
    }
    return descriptor;
}

#else

int slipway_write_init_program(int descriptor) { return ENOSYS; }

int slipway_open_init_program(void) {
    errno = ENOSYS;
    return -1;
}

#endif

#endif
