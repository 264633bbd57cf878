/* OpenSSH's server, run by root, drops to a user of its own, which a package would make. Here it is
 * nobody. Preloaded into the server as it is.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pwd.h>
#include <string.h>

struct passwd *getpwnam(const char *name) {
    struct passwd *(*real)(const char *) = dlsym(RTLD_NEXT, "getpwnam");
    return real(strcmp(name, "sshd") == 0 ? "nobody" : name);
}
