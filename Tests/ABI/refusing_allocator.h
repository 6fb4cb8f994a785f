/* An allocator that refuses large requests, in place of the C library's. Of one program, in its one file. */
#ifndef REFUSING_ALLOCATOR_H
#define REFUSING_ALLOCATOR_H

#include <errno.h>
#include <malloc.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { LARGE = 1 << 16 };

/* The large allocation that is refused, and whether those after it are, too; 0: none. Set and read by one thread at a time. */
static volatile int refused, refused_for_good, allocations;

static int is_refused(size_t size) {
  if (size < LARGE || refused == 0) return 0;
  int number = __atomic_add_fetch(&allocations, 1, __ATOMIC_RELAXED);
  return number == refused || (refused_for_good && number > refused);
}

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t),
    *__libc_memalign(size_t, size_t);

void *malloc(size_t size) {
  if (!is_refused(size)) return __libc_malloc(size);
  errno = ENOMEM;
  return NULL;
}
void *calloc(size_t count, size_t size) {
  if (!is_refused(count * size)) return __libc_calloc(count, size);
  errno = ENOMEM;
  return NULL;
}
void *realloc(void *old, size_t size) {
  if (!is_refused(size)) return __libc_realloc(old, size);
  errno = ENOMEM;
  return NULL;
}
int posix_memalign(void **out, size_t alignment, size_t size) {
  void *made = is_refused(size) ? NULL : __libc_memalign(alignment, size);
  if (made) *out = made;
  return made ? 0 : ENOMEM;
}
void *aligned_alloc(size_t alignment, size_t size) {
  return is_refused(size) ? NULL : __libc_memalign(alignment, size);
}
void *memalign(size_t alignment, size_t size) { return is_refused(size) ? NULL : __libc_memalign(alignment, size); }
void *mmap(void *place, size_t size, int protection, int flags, int file, off_t offset) {
  if (is_refused(size)) {
    errno = ENOMEM;
    return MAP_FAILED;
  }
  return (void *)syscall(SYS_mmap, place, size, protection, flags, file, offset);
}
void *mremap(void *place, size_t size, size_t wanted, int flags, ...) {
  if (wanted > size && is_refused(wanted)) {
    errno = ENOMEM;
    return MAP_FAILED;
  }
  return (void *)syscall(SYS_mremap, place, size, wanted, flags, NULL);
}

#endif
