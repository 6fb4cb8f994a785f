/* A few macros: a test is a program that ends with 0 when all its checks held. */
#ifndef CHECK_H
#define CHECK_H

#include <math.h>
#include <prune.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int check_failures;

#define CHECK(condition)                                              \
  do {                                                                \
    if (!(condition)) {                                               \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
      check_failures++;                                               \
    }                                                                 \
  } while (0)

/* The call succeeds. */
#define OK(call)                                                                                          \
  do {                                                                                                    \
    prune_status status_ = (call);                                                                        \
    if (status_ != PRUNE_OK) {                                                                            \
      fprintf(stderr, "%s:%d: %s\n  %s: %s: %s\n", __FILE__, __LINE__, #call, prune_status_name(status_), \
              prune_last_error()->where, prune_last_error()->message);                                    \
      check_failures++;                                                                                   \
    }                                                                                                     \
  } while (0)

/* The call fails with this status, and the message holds this text. */
#define FAILS(call, wanted, text)                                                                          \
  do {                                                                                                     \
    prune_status status_ = (call);                                                                         \
    const prune_error *error_ = prune_last_error();                                                        \
    if (status_ != (wanted) || error_->status != (wanted) ||                                               \
        (!strstr(error_->message, text) && !strstr(error_->hint, text) && !strstr(error_->where, text))) { \
      fprintf(stderr, "%s:%d: %s\n  wanted %s '%s', got %s '%s: %s (%s)'\n", __FILE__, __LINE__, #call,    \
              prune_status_name(wanted), text, prune_status_name(status_), error_->where, error_->message, \
              error_->hint);                                                                               \
      check_failures++;                                                                                    \
    }                                                                                                      \
  } while (0)

static inline int check_end(void) {
  if (check_failures) fprintf(stderr, "%d checks failed\n", check_failures);
  return check_failures != 0;
}

#endif
