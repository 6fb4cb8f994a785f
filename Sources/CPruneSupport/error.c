#include <string.h>

#include "prune.h"
#include "prune_support.h"

// One slot a thread, of fixed size: nothing to allocate when memory is short, nothing to free when a thread ends.
static _Thread_local struct {
  prune_error error;
  char message[2048], where[512], hint[1024];
} slot;

// Copies as much as fits and never cuts a UTF-8 sequence in two.
static void copy(char *to, size_t size, const char *from) {
  size_t length = from ? strlen(from) : 0;
  if (length >= size) {
    length = size - 1;
    while (length > 0 && ((unsigned char)from[length] & 0xC0) == 0x80) length--;
  }
  if (length) memcpy(to, from, length);
  to[length] = 0;
}

void ps_error_set(int32_t status, const char *message, const char *where, const char *hint) {
  slot.error.status = (prune_status)status;
  copy(slot.message, sizeof slot.message, message);
  copy(slot.where, sizeof slot.where, where);
  copy(slot.hint, sizeof slot.hint, hint);
}

const prune_error *prune_last_error(void) {
  slot.error.struct_size = sizeof slot.error;
  slot.error.message = slot.message;
  slot.error.where = slot.where;
  slot.error.hint = slot.hint;
  return &slot.error;
}

// A context's handle is its cancel flag, so that a signal handler reaches it with one atomic store.
void prune_context_request_cancel(prune_context *context) { ps_cancel_request((ps_cancel *)context); }
void prune_context_clear_cancel(prune_context *context) { ps_cancel_clear((ps_cancel *)context); }
