/* Dies by SIGKILL at the nth call that makes something durable, before or after it takes effect.
 *
 * Preloaded into the binary as it is: fsync, fdatasync and rename are where the journal and files
 * become durable. DIE_AT is "N before" or "N after"; DIE_COUNT is a file that gets the number of
 * calls when the process ends by itself.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_int calls;

static void die(int call, const char *when) {
    const char *at = getenv("DIE_AT");
    if (at && atoi(at) == call && strstr(at, when)) {
        kill(getpid(), SIGKILL);
    }
}

#define AROUND(name, parameters, ...)                      \
    int name parameters {                                  \
        int (*real) parameters = dlsym(RTLD_NEXT, #name);  \
        int call = atomic_fetch_add(&calls, 1) + 1;        \
        die(call, "before");                               \
        int done = real(__VA_ARGS__);                      \
        die(call, "after");                                \
        return done;                                       \
    }

AROUND(fsync, (int file), file)
AROUND(fdatasync, (int file), file)
AROUND(rename, (const char *from, const char *to), from, to)

__attribute__((destructor)) static void tell(void) {
    const char *path = getenv("DIE_COUNT");
    FILE *file = path ? fopen(path, "w") : NULL;
    if (file) {
        fprintf(file, "%d", atomic_load(&calls));
        fclose(file);
    }
}
