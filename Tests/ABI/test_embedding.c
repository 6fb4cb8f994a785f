/* What a host may rely on: loading the library and a first call start no thread, touch no signal handler, print nothing. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static int threads(void) {
  DIR *folder = opendir("/proc/self/task");
  int count = 0;
  for (struct dirent *entry; folder && (entry = readdir(folder));) count += entry->d_name[0] != '.';
  if (folder) closedir(folder);
  return count;
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  struct sigaction before[32], after;
  memset(before, 0, sizeof before);
  for (int number = 1; number < 32; number++) sigaction(number, NULL, &before[number]);
  void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  unsigned (*version)(void) = (unsigned (*)(void))dlsym(library, "prune_version_number");
  int (*create)(void **) = (int (*)(void **))dlsym(library, "prune_context_create");
  void *context = NULL;
  if (!version || version() == 0 || !create || create(&context) != 0) return 1;
  int failures = 0;
  if (threads() != 1) failures += fprintf(stderr, "%d threads after loading\n", threads()) > 0;
  for (int number = 1; number < 32; number++) {
    memset(&after, 0, sizeof after);
    if (sigaction(number, NULL, &after) == 0 && after.sa_handler != before[number].sa_handler)
      failures += fprintf(stderr, "signal %d has a handler\n", number) > 0;
  }
  return failures != 0;
}
