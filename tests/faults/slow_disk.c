/* Lets files lie on a slow disk, for one process: LD_PRELOAD it.

   The file that SLOW_DISK names holds a number of milliseconds. So long takes each read of a file
   of the name "slow"; a negative number stands for a read that never returns. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static void wait_for_disk(int file)
{
    char link[32], path[4096] = "", text[32] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    if (readlink(link, path, sizeof path - 1) < 0 || !strstr(path, "/slow."))
        return;
    int setting = open(getenv("SLOW_DISK"), O_RDONLY | O_CLOEXEC);
    if (setting < 0)
        return;
    ssize_t length = syscall(SYS_read, setting, text, sizeof text - 1);
    close(setting);
    long milliseconds = length > 0 ? atol(text) : 0;
    if (milliseconds < 0)
        for (;;)
            pause();
    usleep(1000 * milliseconds);
}

ssize_t pread64(int file, void *buffer, size_t size, off_t offset)
{
    wait_for_disk(file);
    return syscall(SYS_pread64, file, buffer, size, offset);
}

ssize_t pread(int file, void *buffer, size_t size, off_t offset)
{
    return pread64(file, buffer, size, offset);
}

ssize_t read(int file, void *buffer, size_t size)
{
    wait_for_disk(file);
    return syscall(SYS_read, file, buffer, size);
}
