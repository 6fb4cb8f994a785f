/* The structs that option tables fill: those of prune.h, and what only the binding needs after them. */
#ifndef PRUNE_BINDING_OPTIONS_H
#define PRUNE_BINDING_OPTIONS_H

#include "binding.h"

/* Data sets of libprune go through this: the userdata exists before the handle does. */
#define NEW_DATASET(L, call)                 \
  do {                                       \
    handle *object = pl_new(L, &pl_dataset); \
    prune_dataset *out = NULL;               \
    prune_status status = call;              \
    object->pointer = out;                   \
    pl_check(L, status);                     \
  } while (0)

typedef struct fit_options {
  prune_fit_options fit;
  const prune_dataset *data;
  int on_epoch, on_batch;
  uint32_t verbose;
  /** Stack positions of values of several types. */
  int loss, resume, dropout;
} fit_options;

typedef struct schedule_options {
  const char *kind;
  uint32_t steps;
} schedule_options;

typedef struct target_options {
  double macs, params, bytes, latency;
} target_options;

typedef struct guard_options {
  prune_guard guard;
  /** Stack position of a name or a function. */
  int metric;
} guard_options;

typedef struct prune_call_options {
  prune_prune_options prune;
  target_options *target;
  fit_options *recover, *train;
  guard_options *guard;
  /** Stack positions of values of several types. */
  int schedule, validate, criterion, granularity, metric, round_to, amount;
  int on_step;
  uint32_t verbose;
} prune_call_options;

typedef struct significance_call_options {
  prune_significance_options significance;
  int criterion;
} significance_call_options;

typedef struct sensitivity_call_options {
  prune_sensitivity_options sensitivity;
  int granularity, metric, on_step;
  uint32_t verbose;
} sensitivity_call_options;

typedef struct ensemble_call_options {
  prune_ensemble_options ensemble;
  int models;
} ensemble_call_options;

typedef struct search_call_options {
  prune_search_options search;
  int model, metric, on_step;
  uint32_t verbose;
} search_call_options;

/** Where a criterion goes: a name, score tensors, or a callback. */
typedef struct criterion_fields {
  const char **name;
  const prune_tensors **scores;
  prune_score_callback *callback;
} criterion_fields;

/** What options of fit take in several forms: loss, dropout, resume. */
void pl_read_fit(pl_call *call, fit_options *options);
/** Sends events of training to the call's functions. */
void pl_watch_fit(pl_call *call, fit_options *options);

/** Reads criterion = "name", {weight = tensor} or a function of a weight's name and values; `value` 0 is none. True when the
 *  call must be given as the callback's `user`. */
bool pl_read_criterion(pl_call *call, int value, const criterion_fields *fields);

/** Reads metric = "name" or a function of a Model. True when the call must be given as the callback's `user`. */
bool pl_read_metric(pl_call *call, int value, const char **name, prune_metric_callback *callback);
/** The guard that a guard's options say, its metric a name or a function; NULL for none. */
const prune_guard *pl_read_guard(pl_call *call, guard_options *options);

typedef struct quantize_call_options {
  prune_quantize_options quantize;
  guard_options *guard;
} quantize_call_options;

typedef struct factorize_call_options {
  prune_factorize_options factorize;
  guard_options *guard;
  target_options *target;
} factorize_call_options;

typedef struct split_options {
  double test;
  uint64_t seed;
} split_options;

typedef struct distributed_options {
  double timeout;
  const char *plugin;
} distributed_options;

typedef struct idx_options {
  const char *images, *labels;
} idx_options;

typedef struct npz_options {
  /** A name, or a table of names by input. */
  int x;
  const char *y;
} npz_options;

typedef struct npy_options {
  const char *y;
} npy_options;

typedef struct images_options {
  prune_images_options images;
  /** Stack position of a number or a list. */
  int size_value;
} images_options;

typedef struct csv_options {
  int label;
} csv_options;

typedef struct normalize_options {
  int mean, std;
} normalize_options;

typedef struct weights_options {
  prune_weights_options weights;
  /** Stack position of a table or a function. */
  int map;
} weights_options;

typedef struct summary_options {
  uint32_t width;
  const prune_shape *shapes;
  size_t shape_count;
  int color, file;
} summary_options;

typedef struct text_options {
  uint32_t width;
  int color;
} text_options;

#endif
