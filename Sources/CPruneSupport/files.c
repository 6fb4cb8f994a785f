// What Swift's view of the C library leaves out about files.

#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "prune_support.h"

/// The most bytes that the names, or one value, may take; Linux allows 64 KB.
enum { ATTRIBUTE_LIMIT = 1 << 16 };

void ps_copy_attributes(int32_t from, int32_t to) {
  char *names = malloc(ATTRIBUTE_LIMIT), *value = malloc(ATTRIBUTE_LIMIT);
  ssize_t size = names && value ? flistxattr(from, names, ATTRIBUTE_LIMIT) : -1;
  for (ssize_t at = 0; at < size; at += (ssize_t)strlen(names + at) + 1) {
    ssize_t count = fgetxattr(from, names + at, value, ATTRIBUTE_LIMIT);
    // An attribute that this process may not set stays behind, as with cp -p.
    if (count >= 0 && fsetxattr(to, names + at, value, (size_t)count, 0) != 0) continue;
  }
  free(names);
  free(value);
}
