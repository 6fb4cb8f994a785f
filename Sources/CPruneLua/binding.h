/* The Lua binding's own declarations: classes over C handles, errors, option tables, calls with callbacks.
 *
 * The binding is C over prune.h and nothing else. Two rules keep it sound:
 * - A handle is stored in its userdata by the very call that makes it, so an error raised later frees it.
 * - No Lua error crosses a frame of libprune: callbacks run under lua_pcall and are raised again after the call.
 */
#ifndef PRUNE_BINDING_H
#define PRUNE_BINDING_H

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <prune.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- handles (handle.c) ---- */

/** A userdata: the C handle, or NULL once closed. */
typedef struct handle {
  void *pointer;
  /** Running calls that use it: it cannot be closed. */
  int users;
  /** A running call may change it: nothing else may use it. */
  bool busy;
} handle;

typedef struct handle_class {
  /** "prune.Model", the metatable's name. */
  const char *name;
  /** "Model", in messages and tostring. */
  const char *noun;
  void (*release)(void *pointer);
  /** What one may hold, roughly: the collector runs more often for large ones. */
  size_t megabytes;
} handle_class;

extern const handle_class pl_model, pl_dataset, pl_tensor, pl_tensors, pl_report, pl_buffer, pl_context;

/** Pushes a closed userdata; store the handle with `->pointer = …`, or pass `&->pointer` to pl_out. */
handle *pl_new(lua_State *L, const handle_class *class);
/** The open, idle object at an argument; raises otherwise. */
handle *pl_handle(lua_State *L, int index, const handle_class *class);
/** The object at an index when it is of that class, else NULL. */
handle *pl_test(lua_State *L, int index, const handle_class *class);
prune_model *pl_check_model(lua_State *L, int index);
prune_dataset *pl_check_dataset(lua_State *L, int index);
prune_tensor *pl_check_tensor(lua_State *L, int index);
/** Frees what a userdata holds, at once. */
void pl_release(handle *handle, const handle_class *class);
/** Makes the metatable of a class: methods, read-only fields (functions of the object), other metamethods. */
void pl_class(lua_State *L, const handle_class *class, const luaL_Reg *methods, const luaL_Reg *fields,
              const luaL_Reg *metamethods);
/** The context of this Lua state. */
prune_context *pl_get_context(lua_State *L);
/** Pushes the table that the binding's C and Lua parts share. */
void pl_push_internals(lua_State *L);

/* ---- errors (error.c) ---- */

/** Raises {code=, message=, where=, hint=}; `where` and `hint` may be NULL. */
_Noreturn void pl_error(lua_State *L, const char *code, const char *where, const char *hint, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/** Raises prune_last_error() unless the status is PRUNE_OK. */
void pl_check(lua_State *L, prune_status status);
/** How unlike two names are: edits, a swap of neighbours counting one. */
size_t pl_distance(const char *a, const char *b);
/** Whether `name` is close enough to `other` to be a slip of the pen. */
bool pl_similar(const char *name, const char *other, size_t *best);
void pl_open_errors(lua_State *L);
/** Name of the type of a value, the class where it is ours: "table", "Dataset". */
const char *pl_type_name(lua_State *L, int index);
/** A path: a string without zero bytes, at which C would end it. */
const char *pl_check_path(lua_State *L, int index);

/* ---- calls (call.c) ---- */

enum { PL_HANDLES_MAX = 16 };

/** One call into libprune that may take long: the objects that it uses, and the callbacks it makes. */
typedef struct pl_call {
  lua_State *L;
  /** "Model:fit", for messages. */
  const char *where;
  /** "fit", for the progress line. */
  const char *what;
  handle *handles[PL_HANDLES_MAX];
  int handle_count;
  /** Stack positions of Lua functions, 0 for none: after a step, an epoch, a pruning step, and the progress line. */
  int on_batch, on_epoch, on_step, progress;
  /** Stack positions of Lua functions that score weights, and that measure models. */
  int on_score, on_metric;
  /** Stack position that receives an error value of a callback. */
  int error;
  bool failed;
  /** A callback asked to stop. */
  bool stopped;
  double last_progress;
} pl_call;

/** Keeps an object open during the call. */
void pl_hold(pl_call *call, handle *handle);
/** Calls between pl_begin and pl_end: each returns what it has when it is cancelled, and Lua need not be stopped. */
extern volatile int pl_running_calls;
/** The time on a terminal's line from half a second on, until there is something better to show (ticker.c). */
void pl_ticker_begin(const char *what);
/** Something is shown now. */
void pl_ticker_silence(void);
void pl_ticker_end(void);
/** Prepares callbacks and marks objects; nothing may raise between this and pl_end. */
void pl_begin(pl_call *call, handle *changing);
/** Whether progress or a callback wants events. */
bool pl_wants_events(const pl_call *call);
/** Given as prune_event_callback with the pl_call as `user`. */
int pl_event(const prune_event *event, void *user);
/** Unmarks the objects, then raises a callback's error. */
void pl_end(pl_call *call, handle *changing);
/** Pushes the progress function for long work (`what` is "fit" or "prune") and stores it in the call, when wanted. */
void pl_use_progress(pl_call *call, const char *what, bool verbose);

/* ---- results (result.c) ---- */

/** What a call gives back. Its userdata exist before it is made, so an error raised later frees what they hold. */
typedef struct pl_result {
  prune_report *report;
  prune_model *model;
  handle *report_object, *model_object;
  /** Stack position of the report's userdata, that of the model's being below. */
  int position;
} pl_result;

/** Prepares a result; pass `&result.report`, and `&result.model` where one is made, to libprune. */
pl_result pl_expect(lua_State *L, bool makes_model);
/** Ends `call` (NULL: none was begun), raises unless all went well, and pushes the model, if one is made, and the report's table.
 *  How many values that are. */
int pl_deliver(lua_State *L, pl_result *result, pl_call *call, handle *changed, prune_status status);

/* ---- options (options.c) ---- */

typedef enum option_kind {
  OPTION_COUNT,       /**< uint32_t of `least` or more */
  OPTION_SEED,        /**< uint64_t */
  OPTION_NUMBER,      /**< double, finite */
  OPTION_POSITIVE,    /**< double above 0 */
  OPTION_NONNEGATIVE, /**< double of 0 or more */
  OPTION_FRACTION,    /**< double in 0...1 */
  OPTION_FLAG,        /**< uint32_t from a boolean */
  OPTION_TEXT,        /**< const char * */
  OPTION_TEXTS,       /**< const char *const *, with its size_t at `extra`, from a list or one string */
  OPTION_EXTENTS,     /**< const int64_t *, with its size_t at `extra`, of 1 or more each */
  OPTION_SHAPES,      /**< const prune_shape *, with its size_t at `extra`, from a table by name */
  OPTION_NUMBERS,     /**< const double *, with its size_t at `extra` */
  OPTION_DATASET,     /**< const prune_dataset * */
  OPTION_MODEL,       /**< const prune_model * */
  OPTION_TABLE,       /**< pointer to a struct of `nested` */
  OPTION_TABLES,      /**< array of structs of `nested`, with its size_t at `extra`, from a list of tables or one */
  OPTION_FUNCTION,    /**< int: its stack position */
  OPTION_VALUE        /**< int: the stack position of a value that the caller looks at */
} option_kind;

typedef struct option_set option_set;

typedef struct option {
  const char *name;
  option_kind kind;
  bool required;
  uint32_t least;
  size_t offset, extra;
  const option_set *nested;
} option;

/** The named arguments of one function, or of a table inside another's. */
struct option_set {
  /** "Model:fit". */
  const char *name;
  const option *options;
  size_t count;
  /** Of the struct filled, and of the prune_…_options at its start (0: none), with their defaults. */
  size_t size, struct_size;
  const void *initial;
};

#define OPTION_COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

/** Reads the table at `index` (nil: no options) into `out`, a struct of `set`; raises on any doubt. What the struct points to
 *  stays on the Lua stack. */
void pl_options(pl_call *call, int index, const option_set *set, void *out);
/** Every function's options (option_sets.c, which scripts/generate writes). */
const option_set *const *pl_option_sets(size_t *out_count);
/** Pushes {function = {option = whether required}} of every function: the documentation's test compares. */
void pl_push_option_sets(lua_State *L);
/** Memory that lives as long as the Lua stack slot it pushes. */
void *pl_scratch(lua_State *L, size_t size);
/** The list of integers at `index`, each at least `least`; its anchor is pushed. */
/** Extents by name, {height = 640, input = {1, 3, 640, 640}}, as scratch memory. */
const prune_shape *pl_shapes(lua_State *L, int index, const char *where, size_t *out_count);
int64_t *pl_integers(lua_State *L, int index, int64_t least, const char *what, size_t *out_count);
/** Raises unless the value is a table or, if `optional`, nil. */
void pl_want_table(lua_State *L, int index, const char *where, bool optional);

extern const option_set pl_fit_set, pl_recover_set, pl_train_set, pl_prune_set, pl_target_set, pl_guard_set,
    pl_schedule_set, pl_significance_set, pl_sensitivity_set, pl_ensemble_set, pl_search_set, pl_factorize_set,
    pl_quantize_set, pl_evaluate_set, pl_benchmark_set, pl_differences_set, pl_stats_set, pl_zoo_set, pl_load_set,
    pl_weights_set, pl_images_set, pl_wav_set, pl_npy_set, pl_split_set, pl_distributed_set, pl_idx_set, pl_npz_set,
    pl_csv_set, pl_normalize_set, pl_summary_set, pl_text_set, pl_group_set, pl_loss_set, pl_regularizer_set,
    pl_augment_set;

/* ---- tensors (elements.c, tensor.c) ---- */

/** "float32", …; NULL for a number that is none. */
const char *pl_dtype_name(prune_dtype dtype);
/** The dtype of that name; raises. */
prune_dtype pl_dtype(lua_State *L, const char *name, const char *where);
/** Bytes of an element, 0 for strings and complex numbers. */
size_t pl_dtype_size(prune_dtype dtype);
void pl_push_element(lua_State *L, prune_dtype dtype, const void *data, size_t index);
/** Stores the Lua value at a stack index as an element; raises when it does not fit. */
void pl_store_element(lua_State *L, int value, prune_dtype dtype, void *data, size_t index);
/** Pushes the tensor that a Lua value stands for: itself, or made of nested tables; `dtype` 0 infers. */
prune_tensor *pl_to_tensor(lua_State *L, int index, prune_dtype dtype);
/** Pushes the list of a shape. */
void pl_push_shape(lua_State *L, const int64_t *shape, const char *const *symbols, size_t rank);
/** Pushes a new handle of a borrowed tensor. */
void pl_push_borrowed_tensor(lua_State *L, const prune_tensor *tensor);
int pl_tensor_new(lua_State *L);

/* ---- the rest ---- */

/** Pushes the Lua table of the report held by the pl_report userdata at `index`. */
void pl_push_report(lua_State *L, int index);
/** Tells the program of a report at the top of the stack, which says when less was done than was asked for. */
void pl_notice(lua_State *L);
/** Pushes bytes as a string and frees them (`buffer` is a pl_buffer userdata's). */
void pl_push_text(lua_State *L, handle *buffer);

void pl_open_tensor(lua_State *L, int api);
void pl_open_tensors(lua_State *L, int api);
void pl_open_dataset(lua_State *L, int api);
void pl_open_model(lua_State *L, int api);
void pl_open_report(lua_State *L, int api);
extern const luaL_Reg pl_model_work[];
int pl_compare(lua_State *L);
int pl_diff(lua_State *L);
int pl_ensemble(lua_State *L);
int pl_search(lua_State *L);
int pl_model_stats(lua_State *L);
int pl_model_sizes(lua_State *L);
int pl_model_layers(lua_State *L);
int pl_model_fit(lua_State *L);
int pl_model_evaluate(lua_State *L);
int pl_model_benchmark(lua_State *L);
int pl_model_significance(lua_State *L);
int pl_model_differences(lua_State *L);
int pl_model_sensitivity(lua_State *L);
int pl_model_prune(lua_State *L);
int pl_model_quantize(lua_State *L);
int pl_model_factorize(lua_State *L);
int pl_model_groups(lua_State *L);
int pl_model_graph(lua_State *L);
int pl_model_keep_classes(lua_State *L);
int pl_model_summary(lua_State *L);
int pl_model_compact(lua_State *L);
int pl_model_simplify(lua_State *L);
int pl_model_fix_shapes(lua_State *L);
int pl_model_load_weights(lua_State *L);
int pl_model_save_weights(lua_State *L);
void pl_open_weights(lua_State *L, int api);
int pl_data_images(lua_State *L);
/** The functions of prune.data. */
extern const luaL_Reg pl_data_sources[];
int pl_dataset_class_names(lua_State *L);
int pl_dataset_broken(lua_State *L);
int pl_dataset_layout(lua_State *L);
int pl_dataset_to_layout(lua_State *L);
int pl_dataset_set_layout(lua_State *L);

/** A Lua file of the binding, by name ("report"); pushes its compiled chunk, or nil. */
bool pl_load_embedded(lua_State *L, const char *name);

#endif
