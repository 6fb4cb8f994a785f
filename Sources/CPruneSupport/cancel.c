#include <stdatomic.h>
#include <stdlib.h>

#include "prune_support.h"

struct ps_cancel {
  atomic_int requested;
};

ps_cancel *ps_cancel_create(void) { return calloc(1, sizeof(ps_cancel)); }

void ps_cancel_free(ps_cancel *flag) { free(flag); }

void ps_cancel_request(ps_cancel *flag) {
  if (flag) atomic_store_explicit(&flag->requested, 1, memory_order_relaxed);
}

void ps_cancel_clear(ps_cancel *flag) {
  if (flag) atomic_store_explicit(&flag->requested, 0, memory_order_relaxed);
}

int ps_cancel_requested(const ps_cancel *flag) {
  return flag && atomic_load_explicit(&flag->requested, memory_order_relaxed);
}
