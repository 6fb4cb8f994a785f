/* Records what is done to files: these functions are called in place of the C library's. Of one program, in its one file. */
#ifndef RECORDED_STEPS_H
#define RECORDED_STEPS_H

#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"

enum { STEPS = 400, FILES = 64, NAME = 80 };
typedef enum { CREATE, WRITE, SYNC, SYNC_FOLDER, RENAME, LINK, UNLINK } kind;

typedef struct {
  kind kind;
  /* The file that a CREATE, WRITE or SYNC is about. */
  int file;
  char name[NAME], other[NAME];
  unsigned char *bytes;
  size_t size;
} step;

static step steps[STEPS];
static int step_count, is_recording, file_count;
/* Which file of the record a descriptor is, plus one; -1 for the folder. */
static int file_of[1024];

static const char *base(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

static step *record(kind kind, const char *name, const char *other) {
  CHECK(step_count < STEPS);
  step *made = &steps[step_count < STEPS ? step_count++ : 0];
  memset(made, 0, sizeof *made);
  made->kind = kind;
  if (name) snprintf(made->name, NAME, "%s", base(name));
  if (other) snprintf(made->other, NAME, "%s", base(other));
  return made;
}

static int opened(const char *path, int flags, mode_t mode) {
  int made = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
  if (!is_recording || made < 0 || made >= 1024) return made;
  struct stat info;
  file_of[made] = 0;
  if (fstat(made, &info) == 0 && S_ISDIR(info.st_mode)) {
    file_of[made] = -1;
  } else if (flags & O_CREAT) {
    record(CREATE, path, NULL)->file = file_count;
    file_of[made] = ++file_count;
  }
  return made;
}
int open(const char *path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  mode_t mode = flags & O_CREAT ? (mode_t)va_arg(more, int) : 0;
  va_end(more);
  return opened(path, flags, mode);
}
int open64(const char *path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  mode_t mode = flags & O_CREAT ? (mode_t)va_arg(more, int) : 0;
  va_end(more);
  return opened(path, flags, mode);
}
ssize_t write(int file, const void *bytes, size_t count) {
  ssize_t put = syscall(SYS_write, file, bytes, count);
  if (is_recording && put > 0 && file >= 0 && file < 1024 && file_of[file] > 0) {
    step *made = record(WRITE, NULL, NULL);
    made->file = file_of[file] - 1;
    made->size = (size_t)put;
    made->bytes = malloc((size_t)put);
    memcpy(made->bytes, bytes, (size_t)put);
  }
  return put;
}
int fsync(int file) {
  int status = (int)syscall(SYS_fsync, file);
  if (is_recording && status == 0 && file >= 0 && file < 1024 && file_of[file] != 0) {
    record(file_of[file] < 0 ? SYNC_FOLDER : SYNC, NULL, NULL)->file = file_of[file] - 1;
  }
  return status;
}
int rename(const char *from, const char *to) {
  int status = (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
  if (is_recording && status == 0) record(RENAME, from, to);
  return status;
}
int link(const char *from, const char *to) {
  int status = (int)syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
  if (is_recording && status == 0) record(LINK, from, to);
  return status;
}
int unlink(const char *path) {
  int status = (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
  if (is_recording && status == 0) record(UNLINK, path, NULL);
  return status;
}

#endif
