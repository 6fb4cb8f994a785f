/**
 * @file prune.h
 * libprune: load a trained neural network, see which weights matter, prune, fine-tune, quantize, evaluate, save.
 *
 * This header is the whole contract of libprune.so: what is not here is not API.
 *
 * A session in ten lines (examples/c/squeeze.c is the whole of it):
 * @code
 *   prune_dataset *all, *train, *test; prune_model *model, *slim; prune_report *report;
 *   prune_zoo_options zoo = PRUNE_ZOO_OPTIONS_INIT;
 *   prune_fit_options fit = PRUNE_FIT_OPTIONS_INIT;
 *   prune_prune_options prune = PRUNE_PRUNE_OPTIONS_INIT;
 *   int64_t input[] = {1, 8, 8};
 *   zoo.input = input, zoo.input_rank = 3, fit.epochs = 10, prune.amount = 0.8;
 *   if (prune_dataset_digits(NULL, &all) || prune_dataset_split(all, 0.2, 7, &train, &test) ||
 *       prune_zoo_create(NULL, "lenet5", &zoo, &model) || prune_model_fit(model, train, &fit, NULL) ||
 *       prune_model_prune(model, &prune, &slim, &report) || prune_model_save(slim, "slim.onnx"))
 *     puts(prune_last_error()->message);
 * @endcode
 *
 * Rules that hold everywhere:
 * - Names are prune_<noun>_<verb>; the object comes first, results come last as `out_…` pointers.
 * - A call that can fail returns a prune_status and leaves its `out_…` untouched unless it returns PRUNE_OK (prune_model_fit
 *   also reports what it did until it was cancelled).
 *   prune_last_error() then has the details. `out_…` pointers documented as optional may be NULL.
 * - Handles are opaque. Each that you receive is yours: give it back with its `_free`, in any order (an object keeps what it
 *   needs alive). `_free(NULL)` does nothing. A handle of the wrong kind, or one already freed and not yet reused, is
 *   recognised and refused with PRUNE_ERROR_INVALID_ARGUMENT where memory still allows it; do not rely on it.
 * - Options are structs passed by const pointer; NULL means all defaults. Begin with the PRUNE_…_INIT macro, or with the
 *   …_init function where there are no macros: they set every field to its default, and a struct without them is refused.
 *   Then 0 is 0. A number without a default is PRUNE_NOT_GIVEN, a pointer NULL. Fields are only ever added at the end.
 * - Strings are UTF-8. `const char *` that comes in is copied; one that goes out is borrowed and says until when.
 * - Choices are lower-case strings (`criterion = "taylor"`); an unknown one is an error that lists the known ones.
 * - Threads: a context and everything made from it is used by one thread at a time, except where a function says
 *   \@threadsafe. Different contexts are independent. Several threads may run, predict with and evaluate one model at once,
 *   as long as none changes or frees it meanwhile. Loading the library starts no thread; kernels use an OpenMP pool of
 *   the calling thread, of the size that prune_context_set_threads says; with 1 there is none.
 * - The library prints nothing, never exits, installs no signal handler.
 * - Callbacks return: no exception and no longjmp may leave one, for what it would jump over is left locked and half done. C++
 *   catches in the callback, returns non-zero and throws again after the call.
 * - When the system refuses memory, a call ends with PRUNE_ERROR_OUT_OF_MEMORY and leaves everything as it was. Large blocks,
 *   such as tensors, are asked for before they are used. For all else there is a reserve of 64 MB of address space, mapped at the
 *   first call and untouched until it is needed: from it a call that meets the end of memory finishes or undoes its work. Only a
 *   call that needs more than that for its small parts at once ends the process. A system that promises memory which it does not have (Linux does,
 *   unless vm.overcommit_memory is 2 or a limit on address space is set) kills processes instead of refusing:
 *   prune_context_set_memory_limit keeps a process below.
 * - After fork() the child's thread works alone: a pool's threads stay with the parent. Threads that the child starts have pools.
 */
#ifndef PRUNE_H
#define PRUNE_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__) || defined(__clang__)
#define PRUNE_API __attribute__((visibility("default")))
#define PRUNE_NODISCARD __attribute__((warn_unused_result))
#else
#define PRUNE_API
#define PRUNE_NODISCARD
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** What a number of an options struct is while nobody gives it. */
#define PRUNE_NOT_GIVEN (-1.7976931348623157e+308)
/** A flag that was not given, where that is neither 0 nor 1. */
#define PRUNE_FLAG_NOT_GIVEN 2u
/** `round_to` of prune_prune_options: the multiple that this machine's kernels like. */
#define PRUNE_ROUND_TO_MACHINE 0xffffffffu
/** What the second field of an initialized options struct holds. */
#define PRUNE_STRUCT_TAG 0x32505250u

/* ------------------------------------------------------------------------------------------------------------------ */
/** @defgroup library The library itself
 *  @{ */

#define PRUNE_VERSION_MAJOR 0
#define PRUNE_VERSION_MINOR 2
#define PRUNE_VERSION_PATCH 0
/** Major * 10000 + minor * 100 + patch of this header. */
#define PRUNE_VERSION_NUMBER (PRUNE_VERSION_MAJOR * 10000 + PRUNE_VERSION_MINOR * 100 + PRUNE_VERSION_PATCH)

/** How a call ended. Values never change their meaning; new ones are added. */
typedef enum prune_status {
  PRUNE_OK = 0,
  /** An argument is missing, out of range or of another kind. */
  PRUNE_ERROR_INVALID_ARGUMENT = -1,
  /** A file could not be opened, read or written. */
  PRUNE_ERROR_IO = -2,
  /** The bytes are not what the format says. */
  PRUNE_ERROR_BAD_FORMAT = -3,
  /** The graph breaks the rules of its standard: cycles, dangling values, wrong types. */
  PRUNE_ERROR_INVALID_MODEL = -4,
  /** Shapes or types of two things do not go together. */
  PRUNE_ERROR_MISMATCH = -5,
  /** An operator, dtype or option that this build cannot do. */
  PRUNE_ERROR_UNSUPPORTED = -6,
  /** Nothing of that name. */
  PRUNE_ERROR_NOT_FOUND = -7,
  /** A callback or prune_context_request_cancel asked to stop. */
  PRUNE_ERROR_CANCELLED = -8,
  PRUNE_ERROR_OUT_OF_MEMORY = -9,
  /** A guard or a certificate refused the result. */
  PRUNE_ERROR_REFUSED = -10,
  /** NaN or infinity where numbers were needed. */
  PRUNE_ERROR_NUMERIC = -11,
  /** A bug of libprune; please report it. */
  PRUNE_ERROR_INTERNAL = -12,
  PRUNE_STATUS_FORCE_32BIT = 0x7fffffff
} prune_status;

/** What the last failing call of this thread had to say. No field is ever NULL; empty means nothing to say. */
typedef struct prune_error {
  uint32_t struct_size;
  prune_status status;
  /** Names the object, what was found and what was wanted. */
  const char *message;
  /** The node, file or offset it happened at. */
  const char *where;
  /** What to do about it. */
  const char *hint;
} prune_error;

/** PRUNE_VERSION_NUMBER of the library that is loaded. \@threadsafe */
PRUNE_API uint32_t prune_version_number(void);
/** "major.minor.patch" of the library that is loaded, static. \@threadsafe */
PRUNE_API const char *prune_version_string(void);
/** Name of a status as Lua and error texts use it: "ok", "invalid_argument", …; static. \@threadsafe */
PRUNE_API const char *prune_status_name(prune_status status);
/** Details of this thread's last failing call; never NULL, valid until this thread's next failing call. \@threadsafe */
PRUNE_API const prune_error *prune_last_error(void);

/** Bytes owned by the caller. `data` is followed by a zero byte that `size` does not count. */
typedef struct prune_buffer {
  char *data;
  size_t size;
} prune_buffer;

/** Frees a buffer's bytes and empties it. \@threadsafe */
PRUNE_API void prune_buffer_free(prune_buffer *buffer);
/** @} */

/* ------------------------------------------------------------------------------------------------------------------ */
/** @defgroup context Contexts: cancelling, threads, memory
 *
 * Functions that make objects take a context; NULL is a default one that cannot be cancelled.
 *  @{ */

typedef struct prune_context prune_context;

/** A context with the default threads and no limits. */
PRUNE_API PRUNE_NODISCARD prune_status prune_context_create(prune_context **out_context);
/** Frees a context. What was made with it keeps what it needs. */
PRUNE_API void prune_context_free(prune_context *context);

/** Asks the calls running on this context to stop: each ends with PRUNE_ERROR_CANCELLED within about one batch or node,
 *  its objects intact. Stays set until prune_context_clear_cancel. Async-signal-safe. \@threadsafe */
PRUNE_API void prune_context_request_cancel(prune_context *context);
/** \@threadsafe */
PRUNE_API void prune_context_clear_cancel(prune_context *context);

/** Threads that kernels use in calls on this context; 0 means one a core (or what OMP_NUM_THREADS says), the default. A NULL
 *  context sets it for calls without one, in the whole process. With 1 every call works on the caller's thread alone and
 *  none is started; threads that earlier calls with more started stay in the pool, asleep. A model's calls follow the context
 *  that it was made with. Takes effect from the next call on. \@threadsafe */
PRUNE_API PRUNE_NODISCARD prune_status prune_context_set_threads(prune_context *context, int32_t threads);
/** The threads that calls on this context use. */
PRUNE_API int32_t prune_context_threads(const prune_context *context);

/** The most bytes that tensors, data sets and models made with this context, and the work on them, may take at once; 0 is no
 *  limit, the default. A NULL context sets it for calls without one, in the whole process. Work that needs more is refused with
 *  PRUNE_ERROR_OUT_OF_MEMORY: a run, an evaluation or an epoch of training before it begins, by the plan of the memory that it
 *  works in. What was there before stays as it was. Counted is what grows with the input: tensors, data sets, weights that were
 *  read, copied or packed, and what programs work in. Not counted are files that are mapped, and small things: names, nodes, code.
 *  \@threadsafe */
PRUNE_API PRUNE_NODISCARD prune_status prune_context_set_memory_limit(prune_context *context, int64_t bytes);
/** Bytes so counted that are in use now, and the most that ever were. Each `out_…` is optional. \@threadsafe */
PRUNE_API PRUNE_NODISCARD prune_status prune_context_memory(
    const prune_context *context, int64_t *out_used, int64_t *out_peak);
/** @} */

/* ------------------------------------------------------------------------------------------------------------------ */
/** @defgroup communicator Communicators: several processes on one piece of work
 *
 * Processes (ranks) that make the same calls in the same order, each on a context with a communicator, share the work of those
 * calls: fit (each its part of every batch, gradients summed before every step), evaluate, the scores of criteria that look at
 * data, the metrics and training inside prune, the layers of sensitivity and the candidates of search. All get the same result;
 * one rank alone gets the same, but for rounding. Every rank loads the same model and data: at the start of such a call ranks
 * compare them, and options and seed, and all refuse with PRUNE_ERROR_MISMATCH where they differ. What fails on one rank fails
 * on all, with that rank's message; a rank that does not answer within the time limit ends the call with PRUNE_ERROR_IO. Only
 * rank 0 writes checkpoints; events come on every rank, and where one asks to stop all do.
 *  @{ */

/** The version of prune_communicator that this header has. */
#define PRUNE_COMMUNICATOR_VERSION 1

typedef enum prune_reduce_type {
  PRUNE_REDUCE_FLOAT32 = 0,
  PRUNE_REDUCE_FLOAT64 = 1,
  PRUNE_REDUCE_INT64 = 2,
  PRUNE_REDUCE_TYPE_FORCE_32BIT = 0x7fffffff
} prune_reduce_type;

typedef enum prune_reduce_op {
  PRUNE_REDUCE_SUM = 0,
  PRUNE_REDUCE_MAX = 1,
  PRUNE_REDUCE_OP_FORCE_32BIT = 0x7fffffff
} prune_reduce_op;

/** What ranks reach each other by: a table of functions that a host fills, all of them required. Collectives return 0, or
 *  another number when they failed; `seconds` is how long one may take, 0 for ever. They are called on the thread that makes the
 *  call, one at a time, in the same order on all ranks. */
typedef struct prune_communicator {
  /** sizeof(prune_communicator). */
  uint32_t struct_size;
  /** PRUNE_COMMUNICATOR_VERSION. */
  uint32_t version;
  /** Given to every function; must outlive the context. */
  void *user;
  /** The number of this rank, from 0, and how many there are: the same as long as the communicator is set. */
  int32_t (*rank)(void *user);
  int32_t (*size)(void *user);
  /** Replaces `count` numbers by their sum, or the largest, over all ranks: the same bits on every rank. */
  int32_t (*all_reduce)(
      void *user, void *values, size_t count, prune_reduce_type type, prune_reduce_op op, double seconds);
  /** Gives all ranks `count` bytes of rank `root`. */
  int32_t (*broadcast)(void *user, void *bytes, size_t count, int32_t root, double seconds);
  /** Puts `count` bytes of each rank one behind the other, in `all` of rank `root`; NULL elsewhere. */
  int32_t (*gather)(void *user, const void *bytes, size_t count, void *all, int32_t root, double seconds);
  /** Returns when all ranks are there. */
  int32_t (*barrier)(void *user, double seconds);
  /** Ends the processes of all ranks with an exit status. */
  void (*abort)(void *user, int32_t status);
  /** Why the last collective failed; never NULL. */
  const char *(*message)(void *user);
} prune_communicator;

/** Shares the work of calls on a context, and on models made with it, with the other ranks of a communicator, whose table is
 *  copied; NULL takes it back. `timeout_seconds` is the limit of each collective, 0 for none: make it longer than ranks
 *  may be apart in their work, for example while one of them reads files. */
PRUNE_API PRUNE_NODISCARD prune_status prune_context_set_communicator(
    prune_context *context, const prune_communicator *communicator, double timeout_seconds);

/** Sets the communicator of a plugin: `plugin` is the path of a library such as libprune_mpi.so, NULL for that one itself, which
 *  is looked for beside libprune.so, then where the loader looks. The program must have been started by mpirun, srun or the like.
 *  PRUNE_ERROR_NOT_FOUND without the plugin or the MPI library that it needs, PRUNE_ERROR_UNSUPPORTED for a plugin of another
 *  version or a process that no launcher started. */
PRUNE_API PRUNE_NODISCARD prune_status prune_context_open_communicator(
    prune_context *context, const char *plugin, double timeout_seconds);

/** This process's number among the ranks, from 0; 0 without a communicator. */
PRUNE_API int32_t prune_context_rank(const prune_context *context);
/** How many ranks there are; 1 without a communicator. */
PRUNE_API int32_t prune_context_size(const prune_context *context);

/** Ends the processes of all ranks with an exit status, which is to be other than 0; does nothing without a communicator. */
PRUNE_API void prune_context_abort(prune_context *context, int32_t status);
/** @} */

/* ------------------------------------------------------------------------------------------------------------------ */
/** @defgroup tensor Tensors
 *
 * Dense row-major arrays. Copying shares the bytes; writing to a shared tensor copies first.
 *  @{ */

/** Element types, numbered as ONNX TensorProto.DataType. */
typedef enum prune_dtype {
  PRUNE_FLOAT32 = 1, PRUNE_UINT8 = 2, PRUNE_INT8 = 3, PRUNE_UINT16 = 4, PRUNE_INT16 = 5, PRUNE_INT32 = 6,
  PRUNE_INT64 = 7, PRUNE_STRING = 8, PRUNE_BOOL = 9, PRUNE_FLOAT16 = 10, PRUNE_FLOAT64 = 11, PRUNE_UINT32 = 12,
  PRUNE_UINT64 = 13, PRUNE_COMPLEX64 = 14, PRUNE_COMPLEX128 = 15, PRUNE_BFLOAT16 = 16,
  PRUNE_DTYPE_FORCE_32BIT = 0x7fffffff
} prune_dtype;

typedef struct prune_tensor prune_tensor;

/** A tensor of `rank` extents `shape`, with its elements copied from `data` (row-major), or zeros when `data` is NULL.
 *  `rank` 0 is a scalar. Strings and complex numbers are not possible. */
PRUNE_API PRUNE_NODISCARD prune_status prune_tensor_create(
    prune_dtype dtype, size_t rank, const int64_t *shape, const void *data, prune_tensor **out_tensor);
/** A tensor over bytes of the caller's, without a copy: `data` must stay valid and unchanged until `deleter(data, user)`
 *  is called, which happens once, from any thread, when nothing uses them any more. Not called when this call fails. */
PRUNE_API PRUNE_NODISCARD prune_status prune_tensor_from_data(
    prune_dtype dtype, size_t rank, const int64_t *shape, void *data, void (*deleter)(void *data, void *user),
    void *user, prune_tensor **out_tensor);
/** Frees a tensor. Bytes that others share stay. */
PRUNE_API void prune_tensor_free(prune_tensor *tensor);
/** The element type. This and the getters below cannot fail: they give 0 or NULL for NULL. */
PRUNE_API prune_dtype prune_tensor_dtype(const prune_tensor *tensor);
/** Number of extents; 0 for a scalar. */
PRUNE_API size_t prune_tensor_rank(const prune_tensor *tensor);
/** The extents, valid until the tensor is freed or written to. */
PRUNE_API const int64_t *prune_tensor_shape(const prune_tensor *tensor);
/** Number of elements. */
PRUNE_API size_t prune_tensor_count(const prune_tensor *tensor);
/** Number of bytes. */
PRUNE_API size_t prune_tensor_byte_count(const prune_tensor *tensor);
/** The elements, row-major, valid until the tensor is freed or written to. */
PRUNE_API const void *prune_tensor_data(const prune_tensor *tensor);
/** The bytes for writing; copies them first when they are shared or mapped from a file. */
PRUNE_API PRUNE_NODISCARD prune_status prune_tensor_data_mutable(prune_tensor *tensor, void **out_data);

/** DLPack 1.x's versioned struct; include dlpack.h to look inside. */
struct DLManagedTensorVersioned;
/** Lends a tensor as DLPack (CPU, read-only flag set). The bytes live until the struct's own deleter is called. */
PRUNE_API PRUNE_NODISCARD prune_status prune_tensor_export_dlpack(
    const prune_tensor *tensor, struct DLManagedTensorVersioned **out_managed);
/** Takes over a DLPack tensor on the CPU; its deleter is called when nothing uses the bytes any more. Strided or misaligned
 *  data is copied. On failure the struct stays the caller's. */
PRUNE_API PRUNE_NODISCARD prune_status prune_tensor_import_dlpack(
    struct DLManagedTensorVersioned *managed, prune_tensor **out_tensor);
/** @} */

/** @defgroup tensors Named tensors: what models read and write, and .npz files
 *  @{ */
typedef struct prune_tensors prune_tensors;

/** An empty collection. */
PRUNE_API PRUNE_NODISCARD prune_status prune_tensors_create(prune_tensors **out_tensors);
/** Frees a collection and its tensors. */
PRUNE_API void prune_tensors_free(prune_tensors *tensors);
/** Number of entries. */
PRUNE_API size_t prune_tensors_count(const prune_tensors *tensors);
/** Name of entry `index`, valid until the collection changes; NULL past the end. */
PRUNE_API const char *prune_tensors_name(const prune_tensors *tensors, size_t index);
/** The tensor of that name (shares its bytes). */
PRUNE_API PRUNE_NODISCARD prune_status prune_tensors_get(
    const prune_tensors *tensors, const char *name, prune_tensor **out_tensor);
/** Adds or replaces. */
PRUNE_API PRUNE_NODISCARD prune_status prune_tensors_set(
    prune_tensors *tensors, const char *name, const prune_tensor *tensor);
/** Reads a NumPy .npz, or a .npy as one entry named "data". */
PRUNE_API PRUNE_NODISCARD prune_status prune_tensors_load_npz(const char *path, prune_tensors **out_tensors);
/** Writes a NumPy .npz, atomically. */
PRUNE_API PRUNE_NODISCARD prune_status prune_tensors_save_npz(const prune_tensors *tensors, const char *path);
/** Reads the tensors of any file of weights, whose content says what it is: safetensors, an index of shards (.index.json), NumPy
 *  (.npz), PyTorch state dicts (.pt, .pth: nothing of their pickles is executed), GGUF (quantized ones decoded to float32), or the
 *  initializers of a model. */
PRUNE_API PRUNE_NODISCARD prune_status prune_tensors_load(const char *path, prune_tensors **out_tensors);
/** Writes tensors, atomically: to .safetensors or .npz, as the path ends; PRUNE_ERROR_UNSUPPORTED for anything else. */
PRUNE_API PRUNE_NODISCARD prune_status prune_tensors_save(const prune_tensors *tensors, const char *path);
/** @} */

/* ------------------------------------------------------------------------------------------------------------------ */
/** @defgroup report Reports: what a call measured or did
 *
 * A report is an ordered list of keyed entries: numbers, integers, texts, flags, tensors, reports and lists of them.
 *  @{ */

typedef struct prune_report prune_report;

typedef enum prune_report_kind {
  PRUNE_REPORT_NUMBER = 1, PRUNE_REPORT_INTEGER = 2, PRUNE_REPORT_TEXT = 3, PRUNE_REPORT_FLAG = 4,
  PRUNE_REPORT_REPORT = 5, PRUNE_REPORT_LIST = 6, PRUNE_REPORT_TENSOR = 7,
  PRUNE_REPORT_KIND_FORCE_32BIT = 0x7fffffff
} prune_report_kind;

/** One entry of a report or list. Pointers are valid until the root report is freed. */
typedef struct prune_report_entry {
  uint32_t struct_size;
  prune_report_kind kind;
  /** NULL in lists. */
  const char *key;
  /** Numbers, integers and flags (0 or 1). */
  double number;
  /** Integers and flags. */
  int64_t integer;
  /** Texts, else NULL. */
  const char *text;
  /** Reports and lists: the entries below, borrowed from the root report. Not to be freed. */
  const prune_report *child;
  /** Tensors: borrowed from the root report. Not to be freed. */
  const prune_tensor *tensor;
} prune_report_entry;

/** Frees a report that a call gave. Reports in it, which are borrowed, go with it. */
PRUNE_API void prune_report_free(prune_report *report);
/** Its title, valid until the root report is freed. */
PRUNE_API const char *prune_report_title(const prune_report *report);
/** Number of entries. */
PRUNE_API size_t prune_report_count(const prune_report *report);
/** Entry `index`; set out_entry->struct_size first. */
PRUNE_API PRUNE_NODISCARD prune_status prune_report_at(
    const prune_report *report, size_t index, prune_report_entry *out_entry);
/** Entry by path: keys and 0-based list positions joined by dots, as in "after.accuracy" or "layers.0.name". */
PRUNE_API PRUNE_NODISCARD prune_status prune_report_find(
    const prune_report *report, const char *path, prune_report_entry *out_entry);
/** The number, integer or flag at a path. */
PRUNE_API PRUNE_NODISCARD prune_status prune_report_number(
    const prune_report *report, const char *path, double *out_number);
/** For people: aligned text. `width` 0 is 80 columns; `color` non-zero uses ANSI colours. */
PRUNE_API PRUNE_NODISCARD prune_status prune_report_to_text(
    const prune_report *report, int32_t width, int32_t color, prune_buffer *out_text);
/** For programs: JSON; NaN and infinities are null, tensors are {dtype, shape}, drawings are left out. */
PRUNE_API PRUNE_NODISCARD prune_status prune_report_to_json(const prune_report *report, prune_buffer *out_json);
/** In the format of that name:
 *  - "json": as prune_report_to_json, with "schema" (1), "report" (the title) and "made_by" first;
 *  - "csv": the single values as one row, then each list under its name; of a list by itself one plain table (RFC 4180);
 *  - "md": Markdown, for pull requests and wikis;
 *  - "html": one page with charts and tables, which needs no other file and no script;
 *  - "svg": its first chart; PRUNE_ERROR_UNSUPPORTED when there is nothing to draw;
 *  - "txt": as prune_report_to_text;
 *  - "tfevents": the numbers of each epoch or step, as TensorBoard reads them. */
PRUNE_API PRUNE_NODISCARD prune_status prune_report_to_text_as(
    const prune_report *report, const char *format, prune_buffer *out_text);
/** Writes it to a file, atomically, in the format that the end of its name says: .json, .csv, .md, .html, .svg or
 *  .txt; a name with "tfevents" between dots gets events for TensorBoard. */
PRUNE_API PRUNE_NODISCARD prune_status prune_report_save(const prune_report *report, const char *path);
/** A tensor as a heat map out of characters: rows are the first axis, columns all others, each point the mean magnitude of what falls
 *  on it, so that what a mask took is dark. `width` 0 is 80 columns; `color` non-zero uses half blocks in 256 colours. */
PRUNE_API PRUNE_NODISCARD prune_status prune_tensor_to_text(
    const prune_tensor *tensor, int32_t width, int32_t color, prune_buffer *out_text);
/** The same drawing as a file (.svg), atomically. */
PRUNE_API PRUNE_NODISCARD prune_status prune_tensor_draw(const prune_tensor *tensor, const char *path);
/** What results depend on beside model and data: version, processor, instruction_sets, threads (of calls on the context), oneDNN,
 *  int8_products (whether the processor multiplies bytes into 32-bit sums), zlib and libzip. `context` may be NULL. */
PRUNE_API PRUNE_NODISCARD prune_status prune_library_info(const prune_context *context, prune_report **out_report);
/** @} */

/** An input or output of a model, or what a data set feeds to one. Pointers are valid until the model or data set changes or is
 *  freed. */
typedef struct prune_value_info {
  uint32_t struct_size;
  /** 0 when the model does not say. */
  int32_t dtype;
  const char *name;
  size_t rank;
  /** Extents; -1 where they are symbolic or unknown. */
  const int64_t *shape;
  /** Names of symbolic extents ("N"), NULL elsewhere. */
  const char *const *symbols;
} prune_value_info;

/* ------------------------------------------------------------------------------------------------------------------ */
/** @defgroup dataset Data sets
 *
 * Samples x, [N, …], with targets y: class numbers (int64 [N]) or values (float32 [N, …]), or none, which calibration and
 * criteria that look at activations alone do not need. They never change; every function makes a new one.
 *
 * One x without a name feeds the one input of a model, whatever its name. For a model of several inputs the samples are
 * named tensors (prune_dataset_from_inputs), each fed to the input of its name: fit, evaluate, prune, quantize and all else that
 * takes a data set want exactly the model's inputs there, and say which one is missing, unknown, or of another shape. A
 * teacher may read fewer.
 *  @{ */

typedef struct prune_dataset prune_dataset;

/** The embedded UCI digits: 1,797 images 1x8x8, float32 0...1, ten classes. */
PRUNE_API PRUNE_NODISCARD prune_status prune_dataset_digits(prune_context *context, prune_dataset **out_dataset);
/** IDX files (MNIST), gzip'ed or not: images [N,H,W] of bytes become float32 [N,1,H,W] in 0...1. */
PRUNE_API PRUNE_NODISCARD prune_status prune_dataset_idx(
    prune_context *context, const char *images, const char *labels, prune_dataset **out_dataset);
/** CIFAR-10 binary batches, gzip'ed or not, one after the other: float32 [N,3,32,32] in 0...1. */
PRUNE_API PRUNE_NODISCARD prune_status prune_dataset_cifar10(
    prune_context *context, const char *const *paths, size_t path_count, prune_dataset **out_dataset);
/** Two arrays of an .npz file; NULL names are "x" and "y". */
PRUNE_API PRUNE_NODISCARD prune_status prune_dataset_npz(
    prune_context *context, const char *path, const char *x, const char *y, prune_dataset **out_dataset);
/** Numbers separated by commas, gzip'ed or not, with or without a header line. `label` is a column's name, its 0-based
 *  number, or NULL for the last column; several apart by commas are values [N, targets]. */
PRUNE_API PRUNE_NODISCARD prune_status prune_dataset_csv(
    prune_context *context, const char *path, const char *label, prune_dataset **out_dataset);
/** Tensors: x [N, …] float32, uint8 or int64; y [N] integer classes, or float32 [N, …] (one-hot rows count as
 *  probabilities of classes), or NULL for none. */
PRUNE_API PRUNE_NODISCARD prune_status prune_dataset_from_tensors(
    prune_context *context, const prune_tensor *x, const prune_tensor *y, prune_dataset **out_dataset);
/** Samples of a model of several inputs, by the inputs' names: each [N, …], floats become float32, integers (but uint8) and
 *  booleans int64. `y` as above, NULL for none. Copies no bytes that need no conversion; `inputs` may be freed at once.
 *  Augmentation, prune_dataset_normalize and prune_dataset_resize work on data sets of one input only. */
PRUNE_API PRUNE_NODISCARD prune_status prune_dataset_from_inputs(
    prune_context *context, const prune_tensors *inputs, const prune_tensor *y, prune_dataset **out_dataset);
/* Made by scripts/generate: prune_images_options */
/** The options of prune_dataset_images. */
typedef struct prune_images_options {
  uint32_t struct_size;
  /** Set by PRUNE_IMAGES_OPTIONS_INIT and prune_images_options_init. */
  uint32_t struct_tag;
  /** A folder of folders, one a class; a folder of images, without labels; or a CSV of file and label. */
  const char *path;
  /** Height and width, or one number for both, as the model takes them. */
  const int64_t *size;
  size_t size_rank;
  /** shorter: the shorter side to the size, then the middle; stretch: both sides; pad: all of the image in black:
   *  "shorter", "stretch", "pad". NULL is "shorter". */
  const char *resize;
  /** What the shorter side is resized to before the middle is cut out, 256 for a size of 224; the size by default. 0 is
   *  not given. */
  uint32_t shorter;
  /** The channels and their order: "rgb", "bgr", "gray". NULL is "rgb". */
  const char *color;
  /** Subtracted after scale, one for all, or one a channel. */
  const double *mean;
  size_t mean_count;
  /** Divides after that, one for all, or one a channel. */
  const double *std;
  size_t std_count;
  /** Multiplies the values 0 to 255; 1 leaves them as they are. Default: 0.00392156862745098. */
  double scale;
  /** Channels in front, as PyTorch has them, or last, as Keras: "nchw", "nhwc". NULL is "nchw". */
  const char *layout;
  /** Whether a file that cannot be read is an error, rather than replaced by the next of its class and named in broken.
   *  */
  uint32_t strict;
  /** Decode every file at once, and leave out what cannot be read. */
  uint32_t check;
} prune_images_options;
#define PRUNE_IMAGES_OPTIONS_INIT \
  {sizeof(prune_images_options), PRUNE_STRUCT_TAG, NULL, NULL, 0, NULL, 0, NULL, NULL, 0, NULL, 0, \
   0.00392156862745098, NULL, 0, 0}
/** What PRUNE_IMAGES_OPTIONS_INIT does, where there are no macros; `size` is that of the caller's struct. */
PRUNE_API void prune_images_options_init(prune_images_options *options, size_t size);
/* End of prune_images_options */
/** JPEG and PNG files, decoded when a batch is asked for, by all threads at once: memory holds a batch, however many files there
 *  are. x is float32 [N,C,H,W], or [N,H,W,C]; classes are numbered in the order of their names. Images are turned upright as EXIF
 *  says and resized by an antialiased bilinear filter, as Pillow does it. A file that cannot be read is replaced by the next one
 *  of its class, and named by prune_dataset_broken. libjpeg-turbo (libturbojpeg.so.0) and libspng (libspng.so.0) are opened when
 *  the first image is read; PRUNE_ERROR_UNSUPPORTED without them. */
PRUNE_API PRUNE_NODISCARD prune_status prune_dataset_images(
    prune_context *context, const prune_images_options *options, prune_dataset **out_dataset);
/* Made by scripts/generate: prune_wav_options */
/** The options of prune_dataset_wav. */
typedef struct prune_wav_options {
  uint32_t struct_size;
  /** Set by PRUNE_WAV_OPTIONS_INIT and prune_wav_options_init. */
  uint32_t struct_tag;
  /** A folder of folders, one a class; a folder of WAV files, without labels; or a CSV of file and label. */
  const char *path;
  /** frames of a sample: what the model takes. 0 is not given. */
  uint32_t window;
  /** Frames a second that files are resampled to; that of the first file by default, which all must have then. 0 is not
   *  given. */
  uint32_t rate;
  /** Frames from one window of a file to the next; the window by default. 0 is not given. */
  uint32_t hop;
  /** Whether a file that cannot be read is an error, rather than left out and named in broken. */
  uint32_t strict;
} prune_wav_options;
#define PRUNE_WAV_OPTIONS_INIT \
  {sizeof(prune_wav_options), PRUNE_STRUCT_TAG, NULL, 0, 0, 0, 0}
/** What PRUNE_WAV_OPTIONS_INIT does, where there are no macros; `size` is that of the caller's struct. */
PRUNE_API void prune_wav_options_init(prune_wav_options *options, size_t size);
/* End of prune_wav_options */
/** WAV files of PCM of 8 to 32 bits or 32-bit floats, cut into windows that are read when a batch is asked for: x is float32
 *  [N,1,window] in -1...1, all channels mixed into one. What does not fill a window at the end of a file is left out, unless it is
 *  all there is: it is followed by silence. Windows of one file stay together only in folders: divide the files, not the windows,
 *  into training and test. */
PRUNE_API PRUNE_NODISCARD prune_status prune_dataset_wav(
    prune_context *context, const prune_wav_options *options, prune_dataset **out_dataset);
/** NumPy arrays: a folder of .npy files, each a sample that is read when a batch is asked for, by class folders or flat; a CSV of
 *  file and label; or one .npy file of samples [N, …], mapped rather than read, with its targets in the file `y` or NULL. */
PRUNE_API PRUNE_NODISCARD prune_status prune_dataset_npy(
    prune_context *context, const char *path, const char *y, prune_dataset **out_dataset);
/** Frees a data set. */
PRUNE_API void prune_dataset_free(prune_dataset *dataset);

/** Number of samples. */
PRUNE_API size_t prune_dataset_count(const prune_dataset *dataset);
/** Number of classes, 0 when the targets are not classes. */
PRUNE_API size_t prune_dataset_class_count(const prune_dataset *dataset);
/** How many inputs it feeds. */
PRUNE_API size_t prune_dataset_input_count(const prune_dataset *dataset);
/** Name, type and extents of input `index`, [N, …]; no sample is read. Set out_info->struct_size first. */
PRUNE_API PRUNE_NODISCARD prune_status prune_dataset_input(
    const prune_dataset *dataset, size_t index, prune_value_info *out_info);
/** The samples of a data set of one input, all read into memory; PRUNE_ERROR_UNSUPPORTED when there are several inputs. */
PRUNE_API PRUNE_NODISCARD prune_status prune_dataset_x(const prune_dataset *dataset, prune_tensor **out_x);
/** The samples by input, in the order of the names; a single x without a name has the empty one. */
PRUNE_API PRUNE_NODISCARD prune_status prune_dataset_inputs(const prune_dataset *dataset, prune_tensors **out_inputs);
/** PRUNE_ERROR_NOT_FOUND when there are no targets. */
PRUNE_API PRUNE_NODISCARD prune_status prune_dataset_y(const prune_dataset *dataset, prune_tensor **out_y);

/** What a class is called, where files say it: names of folders, or of a CSV's labels. NULL elsewhere. Valid until the data set is
 *  freed. */
PRUNE_API const char *prune_dataset_class_name(const prune_dataset *dataset, size_t index);
/** Files that could not be read so far: a count, and a list "files" of file and reason. */
PRUNE_API PRUNE_NODISCARD prune_status prune_dataset_broken(const prune_dataset *dataset, prune_report **out_report);
/** Where the channels of images are: "nchw" or "nhwc". Unless it was said, few channels behind large extents are "nhwc".
 *  Normalizing, resizing and augmentation go by it. Valid for ever. */
PRUNE_API const char *prune_dataset_layout(const prune_dataset *dataset);
/** The same images with their channels in front ("nchw") or last ("nhwc"), moved. */
PRUNE_API PRUNE_NODISCARD prune_status prune_dataset_to_layout(
    const prune_dataset *dataset, const char *layout, prune_dataset **out_dataset);
/** The same samples, said to be in a layout; nothing is moved. */
PRUNE_API PRUNE_NODISCARD prune_status prune_dataset_set_layout(
    const prune_dataset *dataset, const char *layout, prune_dataset **out_dataset);

/** Splits in two, each class by the same fraction; the same seed splits the same way. 0 < test < 1. */
PRUNE_API PRUNE_NODISCARD prune_status prune_dataset_split(
    const prune_dataset *dataset, double test, uint64_t seed, prune_dataset **out_train, prune_dataset **out_test);
/** The first `count` samples (all when there are fewer). */
PRUNE_API PRUNE_NODISCARD prune_status prune_dataset_take(
    const prune_dataset *dataset, size_t count, prune_dataset **out_dataset);
/** The samples at 0-based positions, in that order. */
PRUNE_API PRUNE_NODISCARD prune_status prune_dataset_subset(
    const prune_dataset *dataset, const int64_t *indices, size_t count, prune_dataset **out_dataset);
/** (x - mean) / std for each channel (axis 1); `channels` 1 means all alike. */
PRUNE_API PRUNE_NODISCARD prune_status prune_dataset_normalize(
    const prune_dataset *dataset, const float *mean, const float *std, size_t channels, prune_dataset **out_dataset);
/** Images resized to height x width, bilinear. */
PRUNE_API PRUNE_NODISCARD prune_status prune_dataset_resize(
    const prune_dataset *dataset, int32_t height, int32_t width, prune_dataset **out_dataset);
/** Only the samples of these classes, renumbered 0, 1, … in the order given. */
PRUNE_API PRUNE_NODISCARD prune_status prune_dataset_classes(
    const prune_dataset *dataset, const int64_t *classes, size_t count, prune_dataset **out_dataset);
/** The same where positions of class `label` count nowhere, as the border of objects in a mask (255) or padding: of targets that are
 *  classes of positions, integers [N, …]. Negative classes never count. */
PRUNE_API PRUNE_NODISCARD prune_status prune_dataset_ignore(
    const prune_dataset *dataset, int64_t label, prune_dataset **out_dataset);
/** @} */

/* ------------------------------------------------------------------------------------------------------------------ */
/** @defgroup model Models: loading, looking, running, saving
 *  @{ */

typedef struct prune_model prune_model;

/** Extents that a model leaves open: that of an extent's name (then rank is 1), or the whole shape of an input. */
typedef struct prune_shape {
  const char *name;
  const int64_t *extents;
  size_t rank;
} prune_shape;

/* Made by scripts/generate: prune_load_options */
/** The options of prune_model_load. */
typedef struct prune_load_options {
  uint32_t struct_size;
  /** Set by PRUNE_LOAD_OPTIONS_INIT and prune_load_options_init. */
  uint32_t struct_tag;
  /** Non-zero reads the file into memory; 0 maps it (files of 4 MB and more): opening is free, but truncating the file
   *  while the model lives kills the process. Replacing it by rename is safe. */
  uint32_t copy;
  /** Writes in extents that the inputs leave open, as Model:fix_shapes does, {height = 640, width = 640}. */
  const prune_shape *shapes;
  size_t shape_count;
} prune_load_options;
#define PRUNE_LOAD_OPTIONS_INIT \
  {sizeof(prune_load_options), PRUNE_STRUCT_TAG, 0, NULL, 0}
/** What PRUNE_LOAD_OPTIONS_INIT does, where there are no macros; `size` is that of the caller's struct. */
PRUNE_API void prune_load_options_init(prune_load_options *options, size_t size);
/* End of prune_load_options */

/** Loads an ONNX file, with its external data, a packed one (.prunez), or a Keras model: an HDF5 file of Keras 1 to 3 (.h5) or an
 *  archive of Keras 3 (.keras). What is in the file says what it is, not its name. Nothing in ONNX and packed files is lost: see
 *  prune_model_save. A Keras model keeps its inputs' layout (channels last as a rule) and its layers' names; Lambda, custom and
 *  unknown layers are PRUNE_ERROR_UNSUPPORTED, by name, and nothing in a file is ever run. */
PRUNE_API PRUNE_NODISCARD prune_status prune_model_load(
    prune_context *context, const char *path, const prune_load_options *options, prune_model **out_model);
/** Loads a model of any of these kinds from memory (copied). */
PRUNE_API PRUNE_NODISCARD prune_status prune_model_load_memory(
    prune_context *context, const void *data, size_t size, prune_model **out_model);
/** Writes ONNX, atomically: a crash leaves either the old file or the new one. What was not changed is written as it was
 *  read, unknown fields and all. Saving over the file the model came from is safe. External data goes to a new file beside the
 *  model, and that of the replaced model is removed. A replaced file keeps its mode, and its owner and extended attributes where
 *  this process may set them; links stay; pipes and devices are written to. A path that ends in ".prunez" gets a packed
 *  file: weights without loss by what they hold (zeros, few different values, quantized values), which prunez.h decodes.
 *
 *  ".h5", ".hdf5" and ".keras" get a Keras model, which load_model of Keras 2 and 3 reads: one that came from Keras keeps its
 *  layers, names and training configuration, with the extents that pruning left; another network is written layer by layer,
 *  with its own inputs, a Permute where channels go last. What Keras has no layer for is PRUNE_ERROR_UNSUPPORTED, with the node.
 *  Optimizer states of Keras are not kept. A name without a suffix gets ONNX; any other suffix is PRUNE_ERROR_UNSUPPORTED. */
PRUNE_API PRUNE_NODISCARD prune_status prune_model_save(const prune_model *model, const char *path);
/** What prune_model_save writes as ONNX, in memory: free it with prune_buffer_free. */
PRUNE_API PRUNE_NODISCARD prune_status prune_model_save_memory(const prune_model *model, prune_buffer *out_onnx);
/** A model of its own that shares all weights until either changes. */
PRUNE_API PRUNE_NODISCARD prune_status prune_model_clone(const prune_model *model, prune_model **out_model);
/** Frees a model. */
PRUNE_API void prune_model_free(prune_model *model);

/** The graph's name, valid until the model changes or is freed. */
PRUNE_API const char *prune_model_name(const prune_model *model);

/** Number of inputs. */
PRUNE_API size_t prune_model_input_count(const prune_model *model);
/** Name, type and extents of input `index`. Set out_info->struct_size first. */
PRUNE_API PRUNE_NODISCARD prune_status prune_model_input(
    const prune_model *model, size_t index, prune_value_info *out_info);
/** Number of outputs. */
PRUNE_API size_t prune_model_output_count(const prune_model *model);
/** Name, type and extents of output `index`. Set out_info->struct_size first. */
PRUNE_API PRUNE_NODISCARD prune_status prune_model_output(
    const prune_model *model, size_t index, prune_value_info *out_info);

/** Weights and constants: the graph's initializers. */
PRUNE_API size_t prune_model_parameter_count(const prune_model *model);
/** Name of parameter `index`, valid until the model changes or is freed; NULL past the end. */
PRUNE_API const char *prune_model_parameter_name(const prune_model *model, size_t index);
/** A weight or constant by its name (shares its bytes). */
PRUNE_API PRUNE_NODISCARD prune_status prune_model_parameter(
    const prune_model *model, const char *name, prune_tensor **out_tensor);
/** Replaces a parameter by a tensor of the same dtype and shape. */
PRUNE_API PRUNE_NODISCARD prune_status prune_model_set_parameter(
    prune_model *model, const char *name, const prune_tensor *tensor);

/* Made by scripts/generate: prune_weights_options */
/** The options of prune_model_load_weights. */
typedef struct prune_weights_options {
  uint32_t struct_size;
  /** Set by PRUNE_WEIGHTS_OPTIONS_INIT and prune_weights_options_init. */
  uint32_t struct_tag;
  /** Names of the file's tensors, or patterns with one `*`, and in map_to what the model calls them; "" leaves a tensor
   *  out. The most specific pattern counts. */
  const char *const *map_from;
  size_t map_from_count;
  const char *const *map_to;
  size_t map_to_count;
  /** Whether a weight that is missing, unexpected or of another shape is an error, and the model stays as it was.
   *  Default: 1. */
  uint32_t strict;
} prune_weights_options;
#define PRUNE_WEIGHTS_OPTIONS_INIT \
  {sizeof(prune_weights_options), PRUNE_STRUCT_TAG, NULL, 0, NULL, 0, 1}
/** What PRUNE_WEIGHTS_OPTIONS_INIT does, where there are no macros; `size` is that of the caller's struct. */
PRUNE_API void prune_weights_options_init(prune_weights_options *options, size_t size);
/* End of prune_weights_options */
/** Puts the tensors of a file of weights (see prune_tensors_load) into the model's weights of the same names. Floats are converted
 *  to the weight's own type; extents of 1 make no difference. Matrices that PyTorch's exporter left without a name are found by
 *  the path of their layer, and transposed. The report lists matched (a count) and the names missing (in the file), unexpected
 *  (not in the model), ignored (left out by the map, and counters of batches), and differing: name, model, file, and
 *  transposition, the order of the file's axes that would fit; separated: weights that an exporter stored as one because they
 *  were equal, and that have a tensor each now. PRUNE_ERROR_MISMATCH when strict and any but ignored is there. */
PRUNE_API PRUNE_NODISCARD prune_status prune_model_load_weights(
    prune_model *model, const char *path, const prune_weights_options *options, prune_report **out_report);
/** The same from tensors in memory. */
PRUNE_API PRUNE_NODISCARD prune_status prune_model_set_weights(
    prune_model *model, const prune_tensors *tensors, const prune_weights_options *options, prune_report **out_report);
/** Writes what the model has learned, under the names of its parameters: .safetensors or .npz, as the path ends. */
PRUNE_API PRUNE_NODISCARD prune_status prune_model_save_weights(const prune_model *model, const char *path);

/* Made by scripts/generate: prune_stats_options */
/** The options of prune_model_stats. */
typedef struct prune_stats_options {
  uint32_t struct_size;
  /** Set by PRUNE_STATS_OPTIONS_INIT and prune_stats_options_init. */
  uint32_t struct_tag;
  /** Extents that the inputs leave open, such as {height = 640, input = {1, 3, 640, 640}}; MACs that depend on others
   *  are open. */
  const prune_shape *shapes;
  size_t shape_count;
} prune_stats_options;
#define PRUNE_STATS_OPTIONS_INIT \
  {sizeof(prune_stats_options), PRUNE_STRUCT_TAG, NULL, 0}
/** What PRUNE_STATS_OPTIONS_INIT does, where there are no macros; `size` is that of the caller's struct. */
PRUNE_API void prune_stats_options_init(prune_stats_options *options, size_t size);
/* End of prune_stats_options */
/** Totals and a list "layers": params, nonzero, sparsity, macs (of one sample, a multiply-add is 1), effective_macs,
 *  bytes. Where MACs depend on extents other than the batch that the inputs leave open, macs and effective_macs are left out (null
 *  in JSON) and "open" lists those extents: see prune_model_fix_shapes. "shapes" says what the model's own metadata settled. */
PRUNE_API PRUNE_NODISCARD prune_status prune_model_stats(
    const prune_model *model, const prune_stats_options *options, prune_report **out_report);
/** What the model takes: memory, onnx and packed (bytes of such files), ratio (memory over packed), and a list "tensors" of name,
 *  bytes and packed. The model is packed to find out. */
PRUNE_API PRUNE_NODISCARD prune_status prune_model_sizes(const prune_model *model, prune_report **out_report);
/** The table people know from Keras: layer, output shape, parameters, MACs, sparsity, totals. */
PRUNE_API PRUNE_NODISCARD prune_status prune_model_summary(
    const prune_model *model, const prune_stats_options *options, int32_t width, int32_t color, prune_buffer *out_text);

/** Runs the model on named inputs, any batch size. \@threadsafe while no other call changes the model or its inputs. */
PRUNE_API PRUNE_NODISCARD prune_status prune_model_run(
    prune_model *model, const prune_tensors *inputs, prune_tensors **out_outputs);
/** Runs a model of one input; the first output. \@threadsafe as prune_model_run. */
PRUNE_API PRUNE_NODISCARD prune_status prune_model_predict(
    prune_model *model, const prune_tensor *x, prune_tensor **out_y);
/** The first output for all samples of a data set, run in batches of `batch_size` (0 is 64): memory is that of a batch. Also for
 *  models of several inputs. \@threadsafe as prune_model_run. */
PRUNE_API PRUNE_NODISCARD prune_status prune_model_predict_dataset(
    prune_model *model, const prune_dataset *data, uint32_t batch_size, prune_tensor **out_y);
/** The samples with what the model answers as their targets, the class of the highest number of its first output, [N, classes]. The
 *  accuracy of another model on them is its agreement with this one: a guard for models without labelled data. */
PRUNE_API PRUNE_NODISCARD prune_status prune_dataset_labelled(
    const prune_dataset *dataset, prune_model *model, prune_dataset **out_dataset);
/** @} */

/** @defgroup zoo Networks made here, randomly initialised
 *  @{ */
/* Made by scripts/generate: prune_zoo_options */
/** The options of prune_zoo_create. */
typedef struct prune_zoo_options {
  uint32_t struct_size;
  /** Set by PRUNE_ZOO_OPTIONS_INIT and prune_zoo_options_init. */
  uint32_t struct_tag;
  /** Output classes, 10 by default, 1000 for the networks for ImageNet on images from 64x64. 0 is not given. */
  uint32_t classes;
  /** Sample shape without the batch, e.g. {1, 28, 28}; NULL is the network's own. */
  const int64_t *input;
  size_t input_rank;
  /** Widths of hidden layers: of mlp and lstm one a layer, of vit the tokens' and the one between; NULL is its own. */
  const int64_t *hidden;
  size_t hidden_count;
  /** "relu", "leaky_relu", "tanh", "sigmoid" or "hard_swish"; mobilenet_v2, vit and lstm have their own. NULL is
   *  "relu". */
  const char *activation;
  /** Seed of the initial weights. */
  uint64_t seed;
  /** Multiplies the channels (mobilenet_v2). Default: 1. */
  double width;
  /** How vgg, resnet (18 to 152), mobilenet_v2 and densenet121 begin: "imagenet" reduces the image at once, "small"
   *  keeps its extents; NULL goes by the image, "imagenet" from 64x64. */
  const char *stem;
  /** vgg: 11, 13, 16, 19. resnet: 18, 34, 50, 101, 152, and of those for CIFAR 20, 32, 44, 56, 110. vit: blocks, 12 by
   *  default. 0 is not given. */
  uint32_t depth;
  /** Side of a patch (vit): 16 by default, less on small images. 0 is not given. */
  uint32_t patch;
  /** Attention heads (vit): one for each 64 of the width by default. 0 is not given. */
  uint32_t heads;
} prune_zoo_options;
#define PRUNE_ZOO_OPTIONS_INIT \
  {sizeof(prune_zoo_options), PRUNE_STRUCT_TAG, 0, NULL, 0, NULL, 0, NULL, 0, 1, NULL, 0, 0, 0}
/** What PRUNE_ZOO_OPTIONS_INIT does, where there are no macros; `size` is that of the caller's struct. */
PRUNE_API void prune_zoo_options_init(prune_zoo_options *options, size_t size);
/* End of prune_zoo_options */

/** Makes a network with random weights as its paper draws them, a function of the seed:
 *  - "mlp", "lenet_300_100", "lenet5" (20-50-500, as pruned in the literature), on {1, 28, 28};
 *  - "vgg" (with batch normalization), "resnet", "mobilenet_v2", "densenet121", on {3, 224, 224}, or {3, 32, 32} for the
 *    resnets for CIFAR: as torchvision counts them (running statistics of normalizations are no parameters there; here
 *    prune_model_stats counts them, two a channel), without dropout;
 *  - "vit", a vision transformer of DeiT-Tiny's size, on {3, 224, 224};
 *  - "lstm", on {28, 28} (steps, features) or on the rows of an image {channels, height, width}.
 *  Any channels and image size that the layers can do are fine. The input is "input", the output "logits"; the batch is
 *  "N". */
PRUNE_API PRUNE_NODISCARD prune_status prune_zoo_create(
    prune_context *context, const char *name, const prune_zoo_options *options, prune_model **out_model);
/** @} */

/* ------------------------------------------------------------------------------------------------------------------ */
/** @defgroup train Training
 *  @{ */

typedef enum prune_event_kind {
  /** A training step ended: epoch, step, loss so far, seconds, eta. */
  PRUNE_EVENT_STEP = 1,
  /** An epoch ended: everything. */
  PRUNE_EVENT_EPOCH = 2,
  /** A pruning step ended (prune_model_prune): `step` of `steps`, metric of the guard, amount. */
  PRUNE_EVENT_PRUNE = 3,
  PRUNE_EVENT_KIND_FORCE_32BIT = 0x7fffffff
} prune_event_kind;

/** Progress of long work. What is not known is NaN, or 0 for counts. */
typedef struct prune_event {
  uint32_t struct_size;
  prune_event_kind kind;
  /** 1-based. */
  uint32_t epoch, epochs;
  uint32_t step, steps;
  double loss, accuracy;
  double validation_loss, validation_accuracy;
  /** Since the call began, and to its end as far as it can be told; NaN where nobody knows. */
  double seconds, eta_seconds;
  /** PRUNE_EVENT_PRUNE: the guard's metric and the sparsity reached. */
  double metric, amount;
  /** PRUNE_EVENT_PRUNE: what the step was of, NULL where it has no name: the layer of a sensitivity analysis, the candidate of a
   *  search. Valid during the callback. */
  const char *name;
} prune_event;

/** Called on the thread that made the call; non-zero stops the work as prune_context_request_cancel does. */
typedef int (*prune_event_callback)(const prune_event *event, void *user);

/** Parameters with a learning rate or decay of their own. */
/* Made by scripts/generate: prune_parameter_group */
typedef struct prune_parameter_group {
  uint32_t struct_size;
  /** Set by PRUNE_PARAMETER_GROUP_INIT and prune_parameter_group_init. */
  uint32_t struct_tag;
  /** Name patterns (`*`, `?`). */
  const char *const *parameters;
  size_t parameter_count;
  /** That of the fit by default; the schedule applies to it. PRUNE_NOT_GIVEN by default. */
  double lr;
  /** That of the fit by default; 0 is none. PRUNE_NOT_GIVEN by default. */
  double weight_decay;
} prune_parameter_group;
#define PRUNE_PARAMETER_GROUP_INIT \
  {sizeof(prune_parameter_group), PRUNE_STRUCT_TAG, NULL, 0, PRUNE_NOT_GIVEN, PRUNE_NOT_GIVEN}
/** What PRUNE_PARAMETER_GROUP_INIT does, where there are no macros; `size` is that of the caller's struct. */
PRUNE_API void prune_parameter_group_init(prune_parameter_group *options, size_t size);
/* End of prune_parameter_group */

/** Random changes of images [N,C,H,W] as they are fed to training, decided by the fit's seed and the step. */
/* Made by scripts/generate: prune_augmentation */
typedef struct prune_augmentation {
  uint32_t struct_size;
  /** Set by PRUNE_AUGMENTATION_INIT and prune_augmentation_init. */
  uint32_t struct_tag;
  /** Mirrors half of the images left to right. */
  uint32_t flip;
  /** Moves images by up to this many pixels each way; zeros come in at the edge. Default: 0. */
  uint32_t crop;
  /** Side of a square of zeros, centred anywhere. Default: 0. */
  uint32_t cutout;
  /** Above 0: images and targets become mixtures of two, by a share from Beta(mixup, mixup) (Zhang et al. 2018).
   *  Default: 0. */
  double mixup;
  /** Above 0: a rectangle of each image comes from another image, and so does that share of its target; the share is
   *  from Beta(cutmix, cutmix) (Yun et al. 2019). Where mixup is given too, a batch gets one of the two. Default: 0. */
  double cutmix;
} prune_augmentation;
#define PRUNE_AUGMENTATION_INIT \
  {sizeof(prune_augmentation), PRUNE_STRUCT_TAG, 0, 0, 0, 0, 0}
/** What PRUNE_AUGMENTATION_INIT does, where there are no macros; `size` is that of the caller's struct. */
PRUNE_API void prune_augmentation_init(prune_augmentation *options, size_t size);
/* End of prune_augmentation */

/** A pull on weights beside the loss, or a bound on them. */
/* Made by scripts/generate: prune_regularizer */
typedef struct prune_regularizer {
  uint32_t struct_size;
  /** Set by PRUNE_REGULARIZER_INIT and prune_regularizer_init. */
  uint32_t struct_tag;
  /** "l1": strength Σ|w|. "l2": strength/2 Σw². "group_lasso": strength √size Σ‖w_c‖ over output channels. "bn_l1":
   *  "l1" of the scales of batch normalizations. "growing": "l2" with a strength of each output channel that grows,
   *  faster where the channel is small. "sign": strength Σ|w| over weights of another sign than before the fit.
   *  "sign_constraint": such weights are zero. "greg2": "l2" with one strength that grows. "greg1": the same for what a
   *  prune selected to go, with the strategy "regularized" alone. "max_norm": the norm of each output channel stays at
   *  most `strength`. "max_norm_l1": the sum of the sizes of its weights does; the smallest become zero. */
  const char *kind;
  /** How much; the bound of max_norm and max_norm_l1. Default: 0. */
  double strength;
  /** growing, greg1, greg2: how much the strength rises at a time (growing: that of the smallest channel). In a prune,
   *  greg1 and greg2 spread it over the training if it is not given. PRUNE_NOT_GIVEN by default, which is 0.0001. */
  double growth;
  /** growing, greg1, greg2: the largest strength. Default: 1. */
  double limit;
  /** growing, greg1, greg2: steps between increases. Default: 10. */
  uint32_t interval;
  /** Name patterns of parameters; all weights of two axes and more by default, all scales for bn_l1. */
  const char *const *scope;
  size_t scope_count;
} prune_regularizer;
#define PRUNE_REGULARIZER_INIT \
  {sizeof(prune_regularizer), PRUNE_STRUCT_TAG, NULL, 0, PRUNE_NOT_GIVEN, 1, 10, NULL, 0}
/** What PRUNE_REGULARIZER_INIT does, where there are no macros; `size` is that of the caller's struct. */
PRUNE_API void prune_regularizer_init(prune_regularizer *options, size_t size);
/* End of prune_regularizer */

/* Made by scripts/generate: prune_fit_options */
/** The options of prune_model_fit. */
typedef struct prune_fit_options {
  uint32_t struct_size;
  /** Set by PRUNE_FIT_OPTIONS_INIT and prune_fit_options_init. */
  uint32_t struct_tag;
  /** Progress: after each step and epoch. */
  prune_event_callback on_event;
  void *user;
  /** Passes over the data. Default: 1. */
  uint32_t epochs;
  /** Samples a step. Default: 32. */
  uint32_t batch_size;
  /** A new order each epoch. Default: 1. */
  uint32_t shuffle;
  /** How weights are updated: "adam", "adamw", "sgd", "rmsprop". NULL is "adam". */
  const char *optimizer;
  /** Learning rate; if it is not given, a short range test finds that of a trained network, and the report says which;
   *  a new network gets 0.001, with sgd or rmsprop 0.01. PRUNE_NOT_GIVEN by default. */
  double lr;
  /** sgd, rmsprop: share of the last step that is added. Default: 0. */
  double momentum;
  /** sgd: looks ahead along the momentum. */
  uint32_t nesterov;
  /** adam, adamw: how much of the mean gradient stays. Default: 0.9. */
  double beta1;
  /** adam, adamw: how much of the mean square stays. Default: 0.999. */
  double beta2;
  /** adam, adamw, rmsprop: added to the root of the mean square. Default: 1e-08. */
  double epsilon;
  /** Pull towards zero. Default: 0. */
  double weight_decay;
  /** rmsprop: how much of the mean square stays. Default: 0.99. */
  double rho;
  /** Limit on the norm of all gradients together; 0 is none. Default: 0. */
  double clip_norm;
  /** Limit on each number of a gradient; 0 is none. Default: 0. */
  double clip_value;
  /** Parameters with a learning rate or decay of their own. */
  const prune_parameter_group *groups;
  size_t group_count;
  /** "cross_entropy", "mse", "mae", "huber", "bce" or "kl"; NULL chooses by the targets: cross_entropy for labels (bce
   *  where the output is one number a sample), else mse. Classifiers give logits, or end in Softmax or Sigmoid, which
   *  the loss looks through. */
  const char *loss;
  /** Name of the output that the loss is taken of; the first by default. */
  const char *output;
  /** cross_entropy: the share of each target that is spread over all classes. Default: 0. */
  double label_smoothing;
  /** cross_entropy: a weight for each class. */
  const double *class_weights;
  size_t class_weight_count;
  /** huber: the difference from which on the loss is a straight line. Default: 1. */
  double delta;
  /** The output is probabilities though no Softmax or Sigmoid ends the model. */
  uint32_t from_probabilities;
  /** Learning rate over time: "constant", "linear", "cosine", "step", "one_cycle", "reduce_on_plateau". NULL is
   *  "constant". */
  const char *schedule;
  /** Steps over which the learning rate rises at the start. Default: 0. */
  uint32_t warmup;
  /** step: epochs between reductions; after half and three quarters of the steps by default. 0 is not given. */
  uint32_t step_epochs;
  /** step, reduce_on_plateau: what the rate is multiplied by. Default: 0.1. */
  double gamma;
  /** reduce_on_plateau: epochs without improvement. Default: 5. */
  uint32_t patience;
  /** Evaluated after each epoch; without lr the rate is chosen by it too, so that it is no test of what was found. */
  const prune_dataset *validation;
  /** In place of `validation`: the fraction held out of the data, 0...1. Default: 0. */
  double validation_split;
  /** Ends the fit after this many epochs without an improvement of more than `min_delta`; 0 is never. Default: 0. */
  uint32_t early_stopping;
  /** What counts as an improvement. Default: 0. */
  double min_delta;
  /** What must improve: "loss", "accuracy", "validation_loss" or "validation_accuracy"; NULL is the loss, on the
   *  validation data where there is any. */
  const char *monitor;
  /** The model gets the weights of its best epoch. */
  uint32_t restore_best;
  /** A file (.npz) that is written atomically every `checkpoint_epochs` epochs and after the last. */
  const char *checkpoint;
  /** Epochs between checkpoints. Default: 1. */
  uint32_t checkpoint_epochs;
  /** A checkpoint to go on from: weights, optimizer and count of epochs; NULL for none. */
  const char *resume;
  /** A pull on weights, or a bound on them, beside the loss. */
  const prune_regularizer *regularizers;
  size_t regularizer_count;
  /** The share that a training step drops, 0...1, in place of what the graph's Dropout nodes say. A graph without them
   *  drops before its fully connected layers. 0 drops nothing; not given leaves it to the graph. PRUNE_NOT_GIVEN by
   *  default. */
  double dropout;
  /** A model to learn from beside the targets. The loss is (1 - alpha) of its own and alpha of temperature^2
   *  KL(teacher, student) of the softened outputs, or of the squared difference where there are no classes. Data
   *  without targets is learnt from the teacher alone: alpha is 1 then, accuracy is the agreement with it, and values
   *  that are not classes count by their own variance. */
  const prune_model *teacher;
  /** Softens the answers of teacher and model. PRUNE_NOT_GIVEN by default, which is 4. */
  double temperature;
  /** Weight of the teacher's part of the loss. PRUNE_NOT_GIVEN by default, which is 0.5. */
  double alpha;
  /** Values of the model that are to be like values of the teacher, by name; where channels differ, a 1x1 convolution
   *  is trained in between. NULL teacher_features: the same names; then a pattern ("*Relu*") stands for all values of
   *  such names. What the blocks of a network end with teaches its pruned copy more than the teacher's answers alone.
   *  */
  const char *const *features;
  size_t feature_count;
  /** The teacher's; the same names by default. */
  const char *const *teacher_features;
  size_t teacher_feature_count;
  /** Weight of their mean squared differences. PRUNE_NOT_GIVEN by default, which is 1. */
  double feature_weight;
  /** Computes parts of the forward pass again for the backward pass, which takes less memory and more time. */
  uint32_t checkpointing;
  /** For a model that scheme "palette" made: each weight keeps its place in its palette, and the values of the palettes
   *  are trained, by the sum of the gradients of the weights that share them. Zero stays zero. */
  uint32_t palettes;
  /** Zeros of weights stay zero, whoever made them; those that pruning made always do. */
  uint32_t keep_zeros;
  /** Exporters fold batch normalization into the convolution before it. This puts it back while training, and folds it
   *  again at the end: the graph stays as it was. It begins as nothing at all (its statistics are measured on the first
   *  batches of the data, and scale and shift undo them), and works by the statistics of each batch, as in any
   *  training. Such networks tolerate higher learning rates. Skipped are convolutions that already have a
   *  normalization, give a model output, have 1x1 outputs, or have frozen or shared weights. The optimizer's state is
   *  not kept. */
  uint32_t batch_norm;
  /** Random changes of the images that are trained on; NULL for none. */
  const prune_augmentation *augment;
  /** Seed of shuffling and splitting. */
  uint64_t seed;
  /** Name patterns (`*`, `?`) of parameters that stay as they are. */
  const char *const *frozen;
  size_t frozen_count;
  /** In place of `loss`: a model of two inputs, prediction and targets, and one output, the loss. */
  const prune_model *loss_graph;
  /** The optimizer goes on with the state that the model has from its last fit. */
  uint32_t resume_optimizer;
  /** The same seed gives the same bits with any number of threads, on machines of one kind. The fit then works on one
   *  thread. Without it, the bits are the same for one number of threads: sums over a batch are made in as many parts
   *  as there are threads. */
  uint32_t deterministic;
} prune_fit_options;
#define PRUNE_FIT_OPTIONS_INIT \
  {sizeof(prune_fit_options), PRUNE_STRUCT_TAG, NULL, NULL, 1, 32, 1, NULL, PRUNE_NOT_GIVEN, 0, 0, 0.9, 0.999, \
   1e-08, 0, 0.99, 0, 0, NULL, 0, NULL, NULL, 0, NULL, 0, 1, 0, NULL, 0, 0, 0.1, 5, NULL, 0, 0, 0, NULL, 0, NULL, 1, \
   NULL, NULL, 0, PRUNE_NOT_GIVEN, NULL, PRUNE_NOT_GIVEN, PRUNE_NOT_GIVEN, NULL, 0, NULL, 0, PRUNE_NOT_GIVEN, 0, 0, \
   0, 0, NULL, 0, NULL, 0, NULL, 0, 0}
/** What PRUNE_FIT_OPTIONS_INIT does, where there are no macros; `size` is that of the caller's struct. */
PRUNE_API void prune_fit_options_init(prune_fit_options *options, size_t size);
/* End of prune_fit_options */

/** Trains the model in place. Weights that pruning removed stay zero. The report (optional) has "epochs", a list of
 *  {epoch, loss, accuracy, validation_loss, validation_accuracy, seconds}; "reason" when it ended early ("early_stopping"),
 *  "seed" and "threads", which with the library, the machine and the data settle every bit of the result;
 *  "working_bytes", the memory of a step beside weights and state; "batch_norms", how many normalizations `batch_norm` gave
 *  back; "best_epoch" where `early_stopping` or `restore_best` asked for
 *  it; "warnings", such as of classes that the validation split leaves without a sample on either side; and "frozen", a list of {node, reason, parameters} where no gradient passes a node.
 *  Cancelled, by the callback or the context, it returns PRUNE_ERROR_CANCELLED: the model keeps the last complete step and
 *  the report tells what was done until then. Where the loss or a gradient stops being a finite number it returns
 *  PRUNE_ERROR_NUMERIC, names the step and the layer of the largest gradient, and the model is as it was at the end of the
 *  epoch before, or before the fit.
 *  On any other error the model is as it was. */
PRUNE_API PRUNE_NODISCARD prune_status prune_model_fit(
    prune_model *model, const prune_dataset *data, const prune_fit_options *options, prune_report **out_report);
/** @} */

/* ------------------------------------------------------------------------------------------------------------------ */
/** @defgroup evaluate Evaluating, benchmarking, comparing
 *  @{ */

/* Made by scripts/generate: prune_evaluate_options */
/** The options of prune_model_evaluate. */
typedef struct prune_evaluate_options {
  uint32_t struct_size;
  /** Set by PRUNE_EVALUATE_OPTIONS_INIT and prune_evaluate_options_init. */
  uint32_t struct_tag;
  /** "loss", "accuracy", "error", "top5" (any k), "f1", "precision", "recall", "miou" (means over classes), "auc",
   *  "cross_entropy", "perplexity", "mse", "rmse", "mae"; "roc" gives a row a class with points of its curve,
   *  "per_class" gives "classes", a row a class, and "confusion" a tensor [class, what the model says] with "confused",
   *  the pairs that are mixed up most; the loss by default, and the accuracy where targets are classes. */
  const char *const *metrics;
  size_t metric_count;
  /** Samples a run. Default: 64. */
  uint32_t batch_size;
  /** The model and the targets decide by default: "cross_entropy", "mse", "mae", "huber", "bce", "kl". */
  const char *loss;
  /** Name of the output that is compared with the targets; the first by default. */
  const char *output;
} prune_evaluate_options;
#define PRUNE_EVALUATE_OPTIONS_INIT \
  {sizeof(prune_evaluate_options), PRUNE_STRUCT_TAG, NULL, 0, 64, NULL, NULL}
/** What PRUNE_EVALUATE_OPTIONS_INIT does, where there are no macros; `size` is that of the caller's struct. */
PRUNE_API void prune_evaluate_options_init(prune_evaluate_options *options, size_t size);
/* End of prune_evaluate_options */

/** The metrics by name, "samples", and "warnings", such as of targets that look like probabilities though the loss is that of
 *  values. \@threadsafe as prune_model_run. */
PRUNE_API PRUNE_NODISCARD prune_status prune_model_evaluate(
    prune_model *model, const prune_dataset *data, const prune_evaluate_options *options, prune_report **out_report);

/* Made by scripts/generate: prune_benchmark_options */
/** The options of prune_model_benchmark. */
typedef struct prune_benchmark_options {
  uint32_t struct_size;
  /** Set by PRUNE_BENCHMARK_OPTIONS_INIT and prune_benchmark_options_init. */
  uint32_t struct_tag;
  /** Samples a run. Default: 1. */
  uint32_t batch_size;
  /** All cores by default. 0 is not given. */
  uint32_t threads;
  /** Timed runs. Default: 50. */
  uint32_t runs;
  /** Untimed runs before them. Default: 5. */
  uint32_t warmup;
  /** Extents that the inputs leave open, such as {height = 640, input = {1, 3, 640, 640}}; by default what the model's
   *  own metadata says, else an assumption that the report states. */
  const prune_shape *shapes;
  size_t shape_count;
  /** Also "steps": what the compiled model does, with the time and share of each, the slowest first, and of layers with
   *  weights whether their zeros are left out. */
  uint32_t steps;
} prune_benchmark_options;
#define PRUNE_BENCHMARK_OPTIONS_INIT \
  {sizeof(prune_benchmark_options), PRUNE_STRUCT_TAG, 1, 0, 50, 5, NULL, 0, 0}
/** What PRUNE_BENCHMARK_OPTIONS_INIT does, where there are no macros; `size` is that of the caller's struct. */
PRUNE_API void prune_benchmark_options_init(prune_benchmark_options *options, size_t size);
/* End of prune_benchmark_options */

/** Latency on random inputs: median_ms, min_ms, p90_ms, mean_ms, samples_per_second, runs, threads, batch_size, and "notes" when
 *  the machine was busy (p90_ms above twice min_ms); with `steps` a list "steps" of name (the node's; of several that run as one,
 *  the first's), kernel (the family of kernels it runs by: "onednn", "winograd", "sparse", "reference", …), ms and share, the
 *  slowest first. A layer with constant weights also has weights ("sparse" where their zeros are
 *  left out, which makes a layer with many zeros faster, else "dense"), zeros (their share) and, where both ways were measured to
 *  choose the faster, dense_ms and sparse_ms. */
PRUNE_API PRUNE_NODISCARD prune_status prune_model_benchmark(
    prune_model *model, const prune_benchmark_options *options, prune_report **out_report);

/** Several models side by side on one data set: a list "models" of {label, accuracy, loss, params, nonzero, sparsity,
 *  macs, bytes, onnx_bytes, packed_bytes, median_ms, min_ms, p90_ms}: bytes in memory, in an ONNX file and in a packed one, the
 *  last two not above 2 GB. Each round of timed runs takes every model once; "threads", "batch_size" and "runs" say how, and
 *  "notes" when the machine was busy. `labels` may be NULL, and so may `data`: accuracy and loss are then left out. */
PRUNE_API PRUNE_NODISCARD prune_status prune_model_compare(
    prune_model *const *models, const char *const *labels, size_t count, const prune_dataset *data,
    prune_report **out_report);

/** Where a second model differs from a first: "same", the totals "before" and "after", "layers" that are gone, new or changed, and
 *  "weights" of other numbers or extents, with the largest difference and "relative", its norm over that of the first. */
PRUNE_API PRUNE_NODISCARD prune_status prune_model_diff(
    const prune_model *first, const prune_model *second, prune_report **out_report);

/* Made by scripts/generate: prune_differences_options */
/** The options of prune_model_differences. */
typedef struct prune_differences_options {
  uint32_t struct_size;
  /** Set by PRUNE_DIFFERENCES_OPTIONS_INIT and prune_differences_options_init. */
  uint32_t struct_tag;
  /** Samples that both models run on, at most. Default: 32. */
  uint32_t samples;
} prune_differences_options;
#define PRUNE_DIFFERENCES_OPTIONS_INIT \
  {sizeof(prune_differences_options), PRUNE_STRUCT_TAG, 32}
/** What PRUNE_DIFFERENCES_OPTIONS_INIT does, where there are no macros; `size` is that of the caller's struct. */
PRUNE_API void prune_differences_options_init(prune_differences_options *options, size_t size);
/* End of prune_differences_options */

/** What another model, such as a quantized one, computes differently on the same samples, value by value: a list
 *  "values" of {name, layer, op, sqnr_db, cosine, largest, not_finite, distance, bar}, the worst first, of the floating point
 *  values that both models have under one name and in one shape, and the same of "outputs"; "samples" and "compared".
 *  `sqnr_db` is the signal to noise ratio in decibels (absent where nothing differs), `distance` the noise relative to the
 *  signal, `largest` the largest difference of two elements, `not_finite` counts elements that are numbers in one model alone.
 *  PRUNE_ERROR_INVALID_ARGUMENT for models without a common value. */
PRUNE_API PRUNE_NODISCARD prune_status prune_model_differences(
    prune_model *model, prune_model *other, const prune_dataset *data, const prune_differences_options *options,
    prune_report **out_report);

/** Mean over rows of -sum(y_true * log(y_pred)), predictions clipped at 1e-15; both [C] or [N, C] float32. */
PRUNE_API PRUNE_NODISCARD prune_status prune_loss_cross_entropy(
    const prune_tensor *y_true, const prune_tensor *y_pred, double *out_loss);
/** Mean squared difference; float32 of equal shapes. */
PRUNE_API PRUNE_NODISCARD prune_status prune_loss_mse(
    const prune_tensor *y_true, const prune_tensor *y_pred, double *out_loss);

/* Made by scripts/generate: prune_loss_options */
/** The options of prune_loss_compute. */
typedef struct prune_loss_options {
  uint32_t struct_size;
  /** Set by PRUNE_LOSS_OPTIONS_INIT and prune_loss_options_init. */
  uint32_t struct_tag;
  /** predictions are logits rather than probabilities: cross_entropy, bce, kl. */
  uint32_t from_logits;
  /** cross_entropy: the part of each target that is spread over all classes, 0...1. Default: 0. */
  double label_smoothing;
  /** cross_entropy: a weight for each class; NULL for equal weights. The mean is weighted as well. */
  const double *class_weights;
  size_t class_weight_count;
  /** huber: the difference from which on the loss is a straight line. Default: 1. */
  double delta;
} prune_loss_options;
#define PRUNE_LOSS_OPTIONS_INIT \
  {sizeof(prune_loss_options), PRUNE_STRUCT_TAG, 0, 0, NULL, 0, 1}
/** What PRUNE_LOSS_OPTIONS_INIT does, where there are no macros; `size` is that of the caller's struct. */
PRUNE_API void prune_loss_options_init(prune_loss_options *options, size_t size);
/* End of prune_loss_options */

/** A loss by name: "cross_entropy" or "kl", the mean over rows; "mse", "mae", "huber" or "bce", the mean over all numbers.
 *  float32 of equal shapes, or class numbers for y_true. Probabilities are clipped at 1e-15. */
PRUNE_API PRUNE_NODISCARD prune_status prune_loss_compute(
    const char *name, const prune_tensor *y_true, const prune_tensor *y_pred, const prune_loss_options *options,
    double *out_loss);
/** @} */

/* ------------------------------------------------------------------------------------------------------------------ */
/** @defgroup pruning Significance and pruning
 *  @{ */

/** Scores of the caller's own: writes to `scores` one number for each element of `weight` (float32), in its order; what
 *  scores lowest goes first. `weight` is borrowed for the call. Non-zero cancels. */
typedef int (*prune_score_callback)(const char *name, const prune_tensor *weight, float *scores, void *user);

/** A metric of the caller's own: writes to `out_value` how good `model` is. The model is borrowed for the call, and may be
 *  evaluated, run or cloned. Non-zero cancels. */
typedef int (*prune_metric_callback)(prune_model *model, double *out_value, void *user);

/* Made by scripts/generate: prune_significance_options */
/** The options of prune_model_significance. */
typedef struct prune_significance_options {
  uint32_t struct_size;
  /** Set by PRUNE_SIGNIFICANCE_OPTIONS_INIT and prune_significance_options_init. */
  uint32_t struct_tag;
  /** What is measured of each weight w, with gradients g of the mean loss of a batch, averaged over batches: -
   *  "magnitude": |w|; "l2": w^2; "lamp": w^2 over the squares of the layer that are not smaller; "random"; -
   *  "gradient": E|g|; "taylor": root of E[(g w)^2]; "fisher": w^2 E[g^2] / 2; "snip": |E[g] w| over its sum; they need
   *  `data` with targets for `output`; weights that its loss does not depend on have no score, stay as they are, and
   *  are named in the report's "notes", as for the next two; - "hessian": w^2 |h| / 2, h the Hessian's diagonal by
   *  Hutchinson's method; "grasp": w (H g), both by differences of gradients, 4 x 2 and 3 passes over `data`; -
   *  "movement": half of how much w^2 grows over one epoch of gradient descent on `data`; - "wanda": |w| times the norm
   *  of the input it multiplies, over `data`, no targets needed; and, the same for all weights of an output, layers
   *  without what is measured coming last: - "apoz": how often the output is above 0 behind its Relu, over `data`;
   *  "bn_scale": |gamma| of the BatchNormalization behind it; "fpgm": the sum of distances to the layer's other
   *  filters; "cosine": 1 - |cosine| with the most alike filter before it; "mutual": 1 - the largest squared
   *  correlation, over `data`, with an output before it, which is exp(-2 I) of their mutual information I in nats;
   *  layers of more than 8,192 outputs come last; "gate": half the mean, over samples, of the squared sum of activation
   *  times gradient over an output's positions: what the loss loses with the output. Of channels and heads it is taken
   *  where layers read them; it needs targets. NULL is "magnitude". */
  const char *criterion;
  /** Needed by criteria that look at data, with labels for gradient, taylor, fisher, hessian, snip, grasp, movement and
   *  gate, without for wanda, apoz and mutual. */
  const prune_dataset *data;
  /** Samples a step. Default: 64. */
  uint32_t batch_size;
  /** Seed of the criteria random, hessian and movement. */
  uint64_t seed;
  /** Name of the output whose loss gives the gradients; the first by default. */
  const char *output;
  /** Only layers or weights of these name patterns (`*`, `?`). */
  const char *const *scope;
  size_t scope_count;
  /** Not layers or weights of these name patterns. */
  const char *const *ignore;
  size_t ignore_count;
  /** In place of a criterion: a score tensor for each weight by its name, or a callback, which is given `user`. */
  const prune_tensors *scores;
  prune_score_callback on_score;
  void *user;
} prune_significance_options;
#define PRUNE_SIGNIFICANCE_OPTIONS_INIT \
  {sizeof(prune_significance_options), PRUNE_STRUCT_TAG, NULL, NULL, 64, 0, NULL, NULL, 0, NULL, 0, NULL, NULL, \
   NULL}
/** What PRUNE_SIGNIFICANCE_OPTIONS_INIT does, where there are no macros; `size` is that of the caller's struct. */
PRUNE_API void prune_significance_options_init(prune_significance_options *options, size_t size);
/* End of prune_significance_options */

/** How much each weight matters: a list "layers" (name, weights, mean, sum, min, max, share), lists "bottom" and "top" of
 *  the outputs of layers with the lowest and highest mean scores (name, unit from 1, mean), "units", the mean score of each
 *  output by the weight's name, and "scores", a tensor of each weight's shape by its name. Its text draws a bar a layer, and
 *  how the scores are spread from the lowest to the highest. */
PRUNE_API PRUNE_NODISCARD prune_status prune_model_significance(
    prune_model *model, const prune_significance_options *options, prune_report **out_report);

/* Made by scripts/generate: prune_sensitivity_options */
/** The options of prune_model_sensitivity. */
typedef struct prune_sensitivity_options {
  uint32_t struct_size;
  /** Set by PRUNE_SENSITIVITY_OPTIONS_INIT and prune_sensitivity_options_init. */
  uint32_t struct_tag;
  /** What the metric is measured on; criteria that look at data use it too. Needed, unless `on_metric` is given. */
  const prune_dataset *data;
  /** Fractions of a layer; 0.1, 0.3, 0.5, 0.7 and 0.9 by default. */
  const double *amounts;
  size_t amount_count;
  /** As in Model:evaluate; accuracy where targets are classes, else loss; or a function of a Model that returns a
   *  number. */
  const char *metric;
  /** Smaller numbers are better, for a metric that is a function. */
  uint32_t lower_is_better;
  /** An amount is safe while the metric loses no more than this. Default: 0.01. */
  double max_drop;
  /** As in prune_prune_options. NULL is "magnitude". */
  const char *criterion;
  /** "weight", "kernel" or "block:RxC". NULL is "weight". */
  const char *granularity;
  /** Only layers or weights of these name patterns. */
  const char *const *scope;
  size_t scope_count;
  /** Not layers or weights of these name patterns. */
  const char *const *ignore;
  size_t ignore_count;
  /** Samples a run. Default: 64. */
  uint32_t batch_size;
  /** Seed of the criterion random. */
  uint64_t seed;
  /** Name of the output that the metric and the gradients are taken of; the first by default. */
  const char *output;
  /** Progress: PRUNE_EVENT_PRUNE after each layer, `step` of `steps`. Non-zero ends it there. */
  prune_event_callback on_event;
  void *user;
  /** In place of a metric by name, given `user`; the whole model runs for every value then. */
  prune_metric_callback on_metric;
  /** Extents that the inputs leave open, such as {height = 640, input = {1, 3, 640, 640}}; those of the data by
   *  default, which they must agree with. */
  const prune_shape *shapes;
  size_t shape_count;
} prune_sensitivity_options;
#define PRUNE_SENSITIVITY_OPTIONS_INIT \
  {sizeof(prune_sensitivity_options), PRUNE_STRUCT_TAG, NULL, NULL, 0, NULL, 0, 0.01, NULL, NULL, NULL, 0, NULL, 0, \
   64, 0, NULL, NULL, NULL, NULL, NULL, 0}
/** What PRUNE_SENSITIVITY_OPTIONS_INIT does, where there are no macros; `size` is that of the caller's struct. */
PRUNE_API void prune_sensitivity_options_init(prune_sensitivity_options *options, size_t size);
/* End of prune_sensitivity_options */

/** The metric against the amount, each layer pruned by itself: "baseline", "amounts", and a list "layers" of {name, weights,
 *  curve, lowest, safe, values}; `safe` is the largest amount that costs no more than max_drop, 0 when none does. Its text
 *  draws one line of bars a layer, all on one scale. Only what lies behind a layer runs again for it. */
PRUNE_API PRUNE_NODISCARD prune_status prune_model_sensitivity(
    prune_model *model, const prune_sensitivity_options *options, prune_report **out_report);

/** Undoes what costs too much. After each step the metric is measured on `data`. A step that loses more than `max_drop` against
 *  the model before pruning is undone, and half of it is tried, three times at most. A recovery that makes the metric worse is
 *  tried once more at half its rate, and else undone, too. */
/* Made by scripts/generate: prune_guard */
typedef struct prune_guard {
  uint32_t struct_size;
  /** Set by PRUNE_GUARD_INIT and prune_guard_init. */
  uint32_t struct_tag;
  /** What the metric is measured on; needed, unless the metric is a function. */
  const prune_dataset *data;
  /** A metric of Model:evaluate (the loss where targets are not classes), or a function of a Model that returns a
   *  number. NULL is "accuracy". */
  const char *metric;
  /** How much of the metric may be lost. PRUNE_NOT_GIVEN by default, which is 0. */
  double max_drop;
  /** An absolute limit for the metric, whatever it was before. Without `max_drop`, only this limit counts. A given
   *  model that is beyond it is an error, before any work. PRUNE_NOT_GIVEN by default. */
  double bound;
  /** Smaller numbers are better, for a metric that is a function. */
  uint32_t lower_is_better;
  /** What the metric is of: the name of an output; NULL is the first, or what the pruning that it guards names. */
  const char *output;
  /** In place of a metric of the library, which `metric` then only names; no `data` needed. Given `user`. */
  prune_metric_callback on_metric;
  void *user;
} prune_guard;
#define PRUNE_GUARD_INIT \
  {sizeof(prune_guard), PRUNE_STRUCT_TAG, NULL, NULL, PRUNE_NOT_GIVEN, PRUNE_NOT_GIVEN, 0, NULL, NULL, NULL}
/** What PRUNE_GUARD_INIT does, where there are no macros; `size` is that of the caller's struct. */
PRUNE_API void prune_guard_init(prune_guard *options, size_t size);
/* End of prune_guard */

/* Made by scripts/generate: prune_prune_options */
/** The options of prune_model_prune. */
typedef struct prune_prune_options {
  uint32_t struct_size;
  /** Set by PRUNE_PRUNE_OPTIONS_INIT and prune_prune_options_init. */
  uint32_t struct_tag;
  /** None by default: what `allocation` and the criterion say. "global": one ranking over all layers; "local": the same
   *  amount in each layer; "threshold": what scores below `threshold` goes; "block": blocks, of 4 x 4 unless
   *  `granularity` says otherwise; "cost_aware": the cuts that cost least loss on `data` for what they save (`cost`)
   *  first; "layerwise": how much the loss rises with each layer is measured first, then layer after layer goes in that
   *  order, each as far as `guard` allows, up to `amount` (0.9 of it by default), the report's "layer_importance"
   *  listing both; "shared": weights that are equal lose the same elements, and the report's "shared" lists tied
   *  weights, equal ones and layers with parallel filters; "regularized": training that drives weights to zero, then
   *  the cut; "penalty": training in which shared weights keep their signs, those that would change it staying at zero,
   *  then the cut (both: `train`). */
  const char *strategy;
  /** What says which weights matter least: a criterion of prune_significance_options. NULL is "magnitude"; for channels
   *  and heads "gate" where `data` has labels, else "l2". */
  const char *criterion;
  /** What is removed as one: "weight"; "n:m", as "2:4": all but the best n of every m neighbouring inputs of an output
   *  (at each tap of a kernel; a last group of fewer keeps the same share, rounded up), no `amount` needed;
   *  "block:RxC", as "block:4x4": R outputs by C inputs at each tap, smaller at the edges; "block:OxIxHxW", as
   *  "block:1x1x4x4": such blocks inside kernels, each one tap from the next, so that they overlap, or as far as
   *  "block:1x1x4x4/1x1x2x2" says behind the slash, where a weight goes with the first of its blocks that goes;
   *  "kernel": all taps between an output and an input; "channel" (with all that is coupled to it), "head", "head_dim",
   *  or "layer" (a branch that is added to what it is computed from). `amount` is a fraction of these units. NULL is
   *  "weight". */
  const char *granularity;
  /** How `amount` is divided over layers, in place of what the strategy says: "global"; "local" (or "uniform"); "row":
   *  the same in each output (default for wanda); "lamp": one ranking of each score over the sum of its layer's scores
   *  that are not smaller (default of single weights for magnitude and l2, without a strategy); "erk": density in
   *  proportion to the sum of a layer's extents over their product; "isomorphic": one ranking in each class of layers
   *  of the same operator and kernel; "sensitivity": of each layer as much as costs the same loss, by curves measured
   *  on `data`. */
  const char *allocation;
  /** Without training, layer by layer on `data` (no targets needed): "obs" lets the weights that stay make up for those
   *  that went, by second moments of the layer's inputs; "sparsegpt" also chooses which go on the way. Of channels and
   *  heads that are removed: "least_squares" fits layers that read what changed to what they gave before, the layers
   *  that end residual blocks to what the sum was; the default where `data` is given; "none" leaves them as they are.
   *  */
  const char *reconstruct;
  /** What "cost_aware" saves: "params", "macs", "bytes", or for channels "latency". Where a target is given, what it
   *  names. NULL is "params". */
  const char *cost;
  /** The metric that "cost_aware" and the allocation "sensitivity" protect: one of prune_model_evaluate, or one of the
   *  caller's own, given `user`. NULL is that of the guard, without one the loss. */
  const char *metric;
  /** Smaller numbers are better, for a metric that is a function. */
  uint32_t lower_is_better;
  /** For "local", of a weight that several layers use: "one": the first layer's use is pruned, and the others keep a
   *  whole copy; "all": it is pruned for all of them. Other strategies always do the latter. NULL is "one". */
  const char *shared;
  /** What prune_report_recipe gave: its choices and steps are taken in place of those here; data, guard, callbacks and
   *  models (a teacher, `rewind`) are not in it. With the same data the result is bit for bit the same. */
  const char *recipe;
  /** The same network, earlier in its training: after every step, before `recover`, the weights that stay go back to
   *  what they were there (lottery tickets). */
  const prune_model *rewind;
  /** The fraction of all units to remove, 0...1. Give this, `threshold` or a target. PRUNE_NOT_GIVEN by default. */
  double amount;
  /** In place of `amount`: the score below which units go. PRUNE_NOT_GIVEN by default. */
  double threshold;
  /** "mask" for weights: zeros are stored and stay zero through training. "remove" (default for channels and heads):
   *  the model shrinks, and the report carries the certificate: the largest difference of any output between the shrunk
   *  model and the masked one, relative to the largest value. Above 1e-4, and above what rounding alone makes of the
   *  masked one ("certificate_rounding", measured then), the call fails. */
  const char *mode;
  /** Where to work. NULL is "cpu". */
  const char *device;
  /** What criteria, reconstruction and training look at. */
  const prune_dataset *data;
  /** Metrics before and after, on this or on data. */
  const prune_dataset *validate;
  /** "one_shot", "linear" or "cubic" over `schedule_steps`. Not given: "linear" where `schedule_steps` are given;
   *  "linear" in 4 steps, each scored anew, for channels and heads that are removed and that nobody named a criterion
   *  for, where `data` fits them by least squares and no guard, `recover` or `train` is given; else "one_shot".
   *  "dynamic": at once to the amount, then in each step some of what was pruned comes back where the gradient pulls
   *  most, trains with `recover`, and as much goes again. */
  const char *schedule;
  /** Fine-tuning after each step on `recover_data`; NULL for none. */
  const prune_fit_options *recover;
  /** Training before each cut, for the strategies "penalty" and "regularized", with the regularizers that it names:
   *  "sign" or "sign_constraint" for the first; "l1", "l2", "group_lasso", "bn_l1", "growing", "greg1" or "greg2" for
   *  the second. NULL is 5 epochs with the strategy's own. Not given, the growth of greg1 and greg2 is spread over the
   *  training. */
  const prune_fit_options *train;
  /** Undoes what costs too much; NULL for none. */
  const prune_guard *guard;
  /** Only layers or weights of these name patterns (`*`, `?`). */
  const char *const *scope;
  size_t scope_count;
  /** Not layers or weights of these name patterns. */
  const char *const *ignore;
  size_t ignore_count;
  /** For criteria and metrics. Default: 64. */
  uint32_t batch_size;
  /** Seed of the criterion random. */
  uint64_t seed;
  /** Name of the output that gradients, metrics, guard, recover and train use where they name none; the first by
   *  default. */
  const char *output;
  /** For channels and heads: the largest share of a group that may go; 0.9, or the amount when that is more.
   *  PRUNE_NOT_GIVEN by default. */
  double max_fraction;
  /** Units left of a group are a multiple of this; PRUNE_ROUND_TO_MACHINE is what this machine's kernels like, and the
   *  default for channels with a target of latency or a benchmark: then the report also says what 1 would have given. 1
   *  else. 0 is not given. */
  uint32_t round_to;
  /** Groups are ranked only among those of the same kind and size. */
  uint32_t isomorphic;
  /** For channels that are removed: units that layer normalizations take means and variances over, the width of a
   *  transformer, may go as well. The statistics are then those of what is left, and so are those of the masked network
   *  that the certificate compares with. */
  uint32_t width;
  /** How the scores of a group's tensors become the score of a unit; mean by default: "mean", "sum", "max". */
  const char *reduce;
  /** How groups are made comparable in one ranking: "mean", "max", "lamp" or "none". */
  const char *normalize;
  /** Median latency before and after goes into the report. */
  uint32_t benchmark;
  /** For channels and heads: recalibrate batch normalizations, that is measure their statistics again on the data. */
  uint32_t reestimate;
  /** Steps of the schedule: 1 for one_shot, 5 for the others by default. 0 is not given. */
  uint32_t schedule_steps;
  /** What `recover` trains on; NULL: `data`. */
  const prune_dataset *recover_data;
  /** Progress: PRUNE_EVENT_PRUNE after each step. */
  prune_event_callback on_event;
  void *user;
  /** In place of an amount: the share of the MACs to keep. Where weights only become zero, the cost is counted as if
   *  they were gone. One target alone is met within 2 %, of several each is the most that may be left, or the report's
   *  notes say why not. What all units in scope together could not save is refused. PRUNE_NOT_GIVEN by default. */
  double target_macs;
  /** Parameters, likewise. PRUNE_NOT_GIVEN by default. */
  double target_params;
  /** Stored bytes, likewise. PRUNE_NOT_GIVEN by default. */
  double target_bytes;
  /** Median time of a run on this machine, likewise. PRUNE_NOT_GIVEN by default. */
  double target_latency;
  /** In place of a criterion, as in prune_significance_options; the callback is given `user`. */
  const prune_tensors *scores;
  prune_score_callback on_score;
  prune_metric_callback on_metric;
  /** What `train` trains on; NULL: `data`. */
  const prune_dataset *train_data;
  /** Extents that the inputs leave open, such as {height = 640, input = {1, 3, 640, 640}}; by default those of the
   *  data, what the model's own metadata says, else an assumption that the report states. */
  const prune_shape *shapes;
  size_t shape_count;
  /** In place of `amount`: name patterns of layers or weights, and as many fractions in `amount_values`, one of each.
   *  Plain names come first, then the longest pattern; layers that none matches stay whole. */
  const char *const *amount_layers;
  size_t amount_layer_count;
  const double *amount_values;
  size_t amount_value_count;
  /** Whether channels of residual streams, which run through sums and which all blocks behind them read, may go. Not
   *  given, they stay: only channels inside blocks go, unless `scope` is named, there are no others, or those inside
   *  blocks cannot meet the target. PRUNE_FLAG_NOT_GIVEN by default. */
  uint32_t residual;
} prune_prune_options;
#define PRUNE_PRUNE_OPTIONS_INIT \
  {sizeof(prune_prune_options), PRUNE_STRUCT_TAG, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, NULL, NULL, NULL, \
   PRUNE_NOT_GIVEN, PRUNE_NOT_GIVEN, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, NULL, 0, 64, 0, NULL, \
   PRUNE_NOT_GIVEN, 0, 0, 0, NULL, NULL, 0, 0, 0, NULL, NULL, NULL, PRUNE_NOT_GIVEN, PRUNE_NOT_GIVEN, \
   PRUNE_NOT_GIVEN, PRUNE_NOT_GIVEN, NULL, NULL, NULL, NULL, NULL, 0, NULL, 0, NULL, 0, PRUNE_FLAG_NOT_GIVEN}
/** What PRUNE_PRUNE_OPTIONS_INIT does, where there are no macros; `size` is that of the caller's struct. */
PRUNE_API void prune_prune_options_init(prune_prune_options *options, size_t size);
/* End of prune_prune_options */

/** Prunes into a new model. The report (optional) says what went, where, what it cost: before, after, layers, journal,
 *  certificate, rolled_back. A guard that undid everything returns a model equal to the given one. */
PRUNE_API PRUNE_NODISCARD prune_status prune_model_prune(
    prune_model *model, const prune_prune_options *options, prune_model **out_model, prune_report **out_report);

/** The model after a step that was kept: entry `index`, from 0, of the "journal" of a report of prune_model_prune. The oldest
 *  are let go when they take more than 1 GiB in all. Not for channels and heads. */
PRUNE_API PRUNE_NODISCARD prune_status prune_report_restore(
    const prune_report *report, size_t index, prune_model **out_model);
/** The steps of a prune that were kept, as text for prune_prune_options.recipe, to be taken again on another model of the
 *  same architecture. A teacher, a loss graph, validation data of a training and weights to rewind to are given again with it. Not
 *  for scores of the caller's own. */
PRUNE_API PRUNE_NODISCARD prune_status prune_report_recipe(const prune_report *report, prune_buffer *out_recipe);

/* Made by scripts/generate: prune_ensemble_options */
/** The options of prune_ensemble_create. */
typedef struct prune_ensemble_options {
  uint32_t struct_size;
  /** Set by PRUNE_ENSEMBLE_OPTIONS_INIT and prune_ensemble_options_init. */
  uint32_t struct_tag;
  /** "average" of probabilities; "vote" of classes, ties going to the mean probability; "stack": a linear layer over
   *  all log-probabilities, trained on `data` while the members stay as they are. NULL is "average". */
  const char *method;
  /** What stack trains on, and what members and ensemble are measured on. */
  const prune_dataset *data;
  /** stack: passes over the data. Default: 5. */
  uint32_t epochs;
  /** stack: seed of its training. */
  uint64_t seed;
} prune_ensemble_options;
#define PRUNE_ENSEMBLE_OPTIONS_INIT \
  {sizeof(prune_ensemble_options), PRUNE_STRUCT_TAG, NULL, NULL, 5, 0}
/** What PRUNE_ENSEMBLE_OPTIONS_INIT does, where there are no macros; `size` is that of the caller's struct. */
PRUNE_API void prune_ensemble_options_init(prune_ensemble_options *options, size_t size);
/* End of prune_ensemble_options */

/** Several classifiers of one input as one model, whose output "logits" is the logarithm of the ensemble's probabilities: a
 *  graph like any other. The report (optional) has "members" and "ensemble" with their metrics on the data. */
PRUNE_API PRUNE_NODISCARD prune_status prune_ensemble_create(
    prune_model *const *models, size_t count, const prune_ensemble_options *options, prune_model **out_model,
    prune_report **out_report);

/* Made by scripts/generate: prune_search_options */
/** The options of prune_model_search. */
typedef struct prune_search_options {
  uint32_t struct_size;
  /** Set by PRUNE_SEARCH_OPTIONS_INIT and prune_search_options_init. */
  uint32_t struct_tag;
  /** What the metric is measured on. Needed. */
  const prune_dataset *data;
  /** What criteria and reconstruction look at; the first 256 samples of data by default. */
  const prune_dataset *calibration;
  /** "macs" or "latency", which removing channels, heads or layers saves; "bytes", zeros left out. NULL is "macs". */
  const char *objective;
  /** As in Model:evaluate; accuracy where targets are classes, else loss; or a function of a Model that returns a
   *  number. */
  const char *metric;
  /** Smaller numbers are better, for a metric that is a function. */
  uint32_t lower_is_better;
  /** How much of the metric may be lost. Default: 0.01. */
  double max_drop;
  /** Minutes after which nothing new is tried. Default: 10. */
  double budget;
  /** Seed of random choices. */
  uint64_t seed;
  /** Name of the output that the metric and the gradients are taken of; the first by default. */
  const char *output;
  /** Progress: PRUNE_EVENT_PRUNE after each candidate, `step` counting them. Non-zero ends the search. */
  prune_event_callback on_event;
  void *user;
  /** In place of a metric by name, given `user`. */
  prune_metric_callback on_metric;
  /** Extents that the inputs leave open, such as {height = 640, input = {1, 3, 640, 640}}; by default those of the
   *  data, what the model's own metadata says, else an assumption that the report states. */
  const prune_shape *shapes;
  size_t shape_count;
} prune_search_options;
#define PRUNE_SEARCH_OPTIONS_INIT \
  {sizeof(prune_search_options), PRUNE_STRUCT_TAG, NULL, NULL, NULL, NULL, 0, 0.01, 10, 0, NULL, NULL, NULL, NULL, \
   NULL, 0}
/** What PRUNE_SEARCH_OPTIONS_INIT does, where there are no macros; `size` is that of the caller's struct. */
PRUNE_API void prune_search_options_init(prune_search_options *options, size_t size);
/* End of prune_search_options */

/** Looks for the smallest model that keeps a metric, without training: ways to prune are tried on a part of the data from
 *  simple to complex, the best are refined on all of it. The report (optional) has "front", the points that no other beats
 *  in both cost and metric, cheapest first, with the recipe of each. The model is the cheapest within max_drop, or equal to
 *  the given one. */
PRUNE_API PRUNE_NODISCARD prune_status prune_model_search(
    prune_model *model, const prune_search_options *options, prune_model **out_model, prune_report **out_report);

/** Which units of a model go together: a list "groups" of {name, kind, units, params, macs, layers, members}, params and macs
 *  being those of one unit, members the axes of stored tensors {layer, tensor, axis} that have these units; and a list
 *  "pinned" of {name, units, reason, pins, members}: groups that stay whole, and the nodes that need them. */
PRUNE_API PRUNE_NODISCARD prune_status prune_model_groups(prune_model *model, prune_report **out_report);
/** Draws the network to a file, atomically: .svg, or .dot for Graphviz. What loses its units together has one colour; what must stay is
 *  grey and dashed, with the reason. */
PRUNE_API PRUNE_NODISCARD prune_status prune_model_draw(prune_model *model, const char *path);

/** Takes out what unstructured pruning left dead: units that nobody reads, and units that give one constant, which goes into
 *  the next bias. The outputs stay what they were: the report's "certificate" is their largest relative difference. */
PRUNE_API PRUNE_NODISCARD prune_status prune_model_compact(
    prune_model *model, prune_model **out_model, prune_report **out_report);

/** Writes extents into a new model that its inputs leave open, and makes what is computed from them constant. What is not named
 *  stays open.
 *  PRUNE_ERROR_NOT_FOUND for another name, PRUNE_ERROR_MISMATCH for extents that contradict each other or the model. */
PRUNE_API PRUNE_NODISCARD prune_status prune_model_fix_shapes(
    prune_model *model, const prune_shape *shapes, size_t count, prune_model **out_model);

/** A new model with the same outputs in fewer nodes: constants folded, nodes that change nothing and what nobody reads removed, equal
 *  constants stored once; weights stay as they are. The report (optional) has before and after (nodes), folded, identities,
 *  duplicates, and "certificate": the largest relative difference of the outputs. */
PRUNE_API PRUNE_NODISCARD prune_status prune_model_simplify(
    prune_model *model, prune_model **out_model, prune_report **out_report);

/* Made by scripts/generate: prune_factorize_options */
/** The options of prune_model_factorize. */
typedef struct prune_factorize_options {
  uint32_t struct_size;
  /** Set by PRUNE_FACTORIZE_OPTIONS_INIT and prune_factorize_options_init. */
  uint32_t struct_tag;
  /** what layers read: ranks and factors then go by what the layers compute on it rather than by the weights alone; no
   *  labels needed. */
  const prune_dataset *data;
  /** The share of its energy (sum of squares) that each layer keeps; 0.99 where no rank, target or guard is given.
   *  PRUNE_NOT_GIVEN by default. */
  double energy;
  /** The rank of every layer, in place of energy. 0 is not given. */
  uint32_t rank;
  /** what a convolution becomes: one with as many channels as the rank and one of 1x1, or one with a column of the
   *  kernel and one with a row: "channel", "spatial". NULL is "channel". */
  const char *form;
  /** Ranks are a multiple of this. Default: 8. */
  uint32_t round_to;
  /** Ranks are raised until it holds; where nothing else is given, as much is saved as it allows. NULL for none. */
  const prune_guard *guard;
  /** Name patterns (`*`, `?`) of layers or weights: only these, and not these. */
  const char *const *scope;
  size_t scope_count;
  /** And not these. */
  const char *const *ignore;
  size_t ignore_count;
  /** Metrics before and after go into the report. */
  const prune_dataset *validate;
  /** Samples a run. Default: 64. */
  uint32_t batch_size;
  /** Name of the output that metrics are of; the first by default. */
  const char *output;
  /** extents that the inputs leave open: {height = 640, input = {1, 3, 640, 640}}; by default those of the data, what
   *  the model's own metadata says, else an assumption that the report states. */
  const prune_shape *shapes;
  size_t shape_count;
  /** In place of energy: the fraction of the MACs that is kept. PRUNE_NOT_GIVEN by default. */
  double target_macs;
  /** Parameters, likewise. PRUNE_NOT_GIVEN by default. */
  double target_params;
  /** Stored bytes, likewise. PRUNE_NOT_GIVEN by default. */
  double target_bytes;
} prune_factorize_options;
#define PRUNE_FACTORIZE_OPTIONS_INIT \
  {sizeof(prune_factorize_options), PRUNE_STRUCT_TAG, NULL, PRUNE_NOT_GIVEN, 0, NULL, 8, NULL, NULL, 0, NULL, 0, \
   NULL, 64, NULL, NULL, 0, PRUNE_NOT_GIVEN, PRUNE_NOT_GIVEN, PRUNE_NOT_GIVEN}
/** What PRUNE_FACTORIZE_OPTIONS_INIT does, where there are no macros; `size` is that of the caller's struct. */
PRUNE_API void prune_factorize_options_init(prune_factorize_options *options, size_t size);
/* End of prune_factorize_options */

/**
 * Low rank: a new model in which matrix products and convolutions are two smaller ones each, of standard operators, where that
 * saves parameters and multiplications. W [n, k] becomes A [n, rank] B [rank, k]: by its singular vectors, or with `data` by those
 * of W in the second moments of what it multiplies, which loses least of what the layer computes (Chen et al., DRONE, 2021; Wang
 * et al., SVD-LLM, 2024). Give one of `energy`, `rank` and targets, or a guard alone. Weights that are pruned lose their zeros:
 * factor first, prune and quantize afterwards; prune_model_fit repairs what was lost.
 *
 * The report (optional) has layers (name, op, weight, shape, rank, of, energy, params_before, params), skipped (name, weight,
 * reason), energy_kept, guard, before and after.
 * PRUNE_ERROR_INVALID_ARGUMENT for a target that cannot be met, PRUNE_ERROR_UNSUPPORTED for one of latency.
 */
PRUNE_API PRUNE_NODISCARD prune_status prune_model_factorize(
    prune_model *model, const prune_factorize_options *options, prune_model **out_model, prune_report **out_report);

/** Cuts a classifier down to `count` of its classes, numbered anew in rising order. With options, units that matter least to
 *  these classes go too: their data, recovery data and guard are narrowed to the kept classes; `validate` gives accuracy on
 *  the kept classes, before and after. NULL options cut the head alone. */
PRUNE_API PRUNE_NODISCARD prune_status prune_model_keep_classes(
    prune_model *model, const int64_t *classes, size_t count, const prune_prune_options *options, prune_model **out_model,
    prune_report **out_report);

/** A node of a custom operator, as a rule sees it; valid only while the rule runs: afterwards, and
 *  with a handle of another kind, the functions below fail as the others do, those that return a number with -1 or `otherwise`. */
typedef struct prune_axis_node prune_axis_node;

/** Says how the axes of a custom operator's node relate, through the functions below. Input axes that it does not speak of
 *  keep all their units, and so do output axes that carry nothing. Non-zero: the rule does not know this use of the operator,
 *  and all that the node touches stays. */
typedef int (*prune_axis_rule)(prune_axis_node *node, void *user);

/** Rules for `op_type` of `domain` in models of this context; NULL takes the rule back. Without one, pruning goes around
 *  such nodes. `user` must outlive the context's models. */
PRUNE_API PRUNE_NODISCARD prune_status prune_context_set_axis_rule(
    prune_context *context, const char *domain, const char *op_type, prune_axis_rule rule, void *user);

/** The number of axes of an input (is_output 0) or output, -1 when it is not known. */
PRUNE_API int32_t prune_axis_node_rank(const prune_axis_node *node, int32_t is_output, uint32_t index);
/** An extent, -1 when it is not known. */
PRUNE_API int64_t prune_axis_node_extent(const prune_axis_node *node, int32_t is_output, uint32_t index, uint32_t axis);
/** An integer attribute, `otherwise` when there is none. */
PRUNE_API int64_t prune_axis_node_int(const prune_axis_node *node, const char *name, int64_t otherwise);
/** The output axis has the units of the input axis. */
PRUNE_API prune_status prune_axis_node_carry(
    prune_axis_node *node, uint32_t input, uint32_t axis, uint32_t output, uint32_t output_axis);
/** Two input axes have the same units. */
PRUNE_API prune_status prune_axis_node_couple(
    prune_axis_node *node, uint32_t input, uint32_t axis, uint32_t other, uint32_t other_axis);
/** The operator sums over the input axis: units that are zero may go. */
PRUNE_API prune_status prune_axis_node_sum(prune_axis_node *node, uint32_t input, uint32_t axis);
/** @} */

/* ------------------------------------------------------------------------------------------------------------------ */
/** @defgroup quantization Quantization
 *  @{ */

/* Made by scripts/generate: prune_quantize_options */
/** The options of prune_model_quantize. */
typedef struct prune_quantize_options {
  uint32_t struct_size;
  /** Set by PRUNE_QUANTIZE_OPTIONS_INIT and prune_quantize_options_init. */
  uint32_t struct_tag;
  /** "static": int8 weights and uint8 activations with scales from calibration data. "dynamic": int8 weights, and
   *  activations with scales found while the model runs. "weight_only": weights of 2, 3, 4, 5, 6 or 8 bits, layers
   *  compute in float. "float32": all numbers of a half or double precision model, inputs and outputs too. "float16":
   *  weights and activations, but for operators that need float32; inputs and outputs stay float32. "bfloat16": weights
   *  stored as bfloat16, layers compute in float32. "float8": weights stored as float8 (E4M3) with a scale a channel or
   *  a block, layers compute in float32. "palette": weights that take few different values each (k-means), float32 in
   *  ONNX files and small in packed ones. "joint": each weight pruned and palettized as far as a budget of `bytes` for
   *  all asks for, by what it tolerates on `calibration`. NULL is "static". */
  const char *scheme;
  /** Static, dynamic: 8; "weight_only": 8, 6, 5, 4, 3 or 2; "palette": 2 to 8, 4 if not given. Codes of 2 and 3 bits
   *  lie in elements of 4 bits, those of 5 and 6 in elements of 8, the least that ONNX has; packed files take what the
   *  codes need. 0 is not given. */
  uint32_t bits;
  /** A scale for each output channel of a weight. Default: 1. */
  uint32_t per_channel;
  /** Int8 activations around zero in place of uint8 with a zero point; with weight_only, weights below 8 bits. */
  uint32_t symmetric;
  /** weight_only, float8: how many weights along the summed axis share a scale; 32 below 8 bits, a whole channel for 8.
   *  0 is not given. */
  uint32_t block_size;
  /** With calibrator percentile, the share of values that the range covers, in per cent. Default: 99.99. */
  double percentile;
  /** palette: how many output channels share a palette; all of a weight's if not given. 0 is not given. */
  uint32_t group_size;
  /** palette: weights count by the squared gradient of the loss on calibration, which needs labels. */
  uint32_t fisher;
  /** "static": ranges of channels are evened out between layers before anything else. */
  uint32_t equalize;
  /** static: take the mean error of rounded weights off the biases. */
  uint32_t bias_correction;
  /** static: when the guard does not hold, give layers back to float, the most damaging first, until it does. */
  uint32_t mixed;
  /** "static": the result keeps float weights and computes as if they were int8, for prune_model_fit to adapt them to
   *  their quantized values (straight-through gradients; pruned weights stay zero, scales stay unless `learn_scales`).
   *  Quantizing it again, without data, stores the int8 model. */
  uint32_t qat;
  /** "nearest", or "gptq": weights of "static" and "weight_only" are rounded so that each makes up for the errors
   *  before it, on the calibration data. "adaround": the same, and then up or down one weight at a time until no change
   *  brings the layer's outputs closer. "awq", with "weight_only": weights that meet large activations are rounded more
   *  finely, their input divided by a constant in return. "hqq", with "weight_only": half-quadratic quantization, zero
   *  points of blocks that make the errors sparse, found from the weights alone. NULL is "nearest". */
  const char *rounding;
  /** "static": how far ranges of channels are moved from activations into weights first (SmoothQuant's alpha), through
   *  rectifiers, pools and residual sums, or by a Mul in front of a matrix product; 0 for not at all, 1 for all the
   *  way. Default: 0. */
  double smooth;
  /** With `qat`: scales of weights and activations are trained too (LSQ), as initializers that end in "_scale_log". */
  uint32_t learn_scales;
  /** "static": layers that take longer in int8 than in float32 on this machine, each timed alone, stay float. */
  uint32_t keep_faster;
  /** joint: the bytes that weights may take in a packed file; up to 1 it is a fraction of what they take now.
   *  PRUNE_NOT_GIVEN by default. */
  double bytes;
  /** Needed by static: a few hundred samples are enough. */
  const prune_dataset *calibration;
  /** How the range of an activation is found: "auto" (a quarter of the samples, 32 at most, is held back, and "minmax",
   *  "moving_average", "mse" and "percentile" are tried on it with corrected biases, the best ones also with ranges
   *  evened out between layers as by `equalize`, the best one also without corrections), "minmax", "moving_average"
   *  (the mean over the batches of least and most), "percentile", "entropy" (least Kullback-Leibler divergence), "mse"
   *  (least squared error). Data is streamed: of each activation a histogram is kept at most. NULL is "auto". */
  const char *calibrator;
  /** "qdq": QuantizeLinear/DequantizeLinear pairs that every ONNX runtime fuses. "qoperator", with "static": operators
   *  on quantized values, ONNX's QLinearConv and QLinearMatMul and ONNX Runtime's com.microsoft.QGemm, QLinearAdd and
   *  the like; with "dynamic", LSTM as com.microsoft.DynamicQuantizeLSTM, which ONNX Runtime alone computes in
   *  integers. "matmul_nbits": matrix products as ONNX Runtime's com.microsoft.MatMulNBits, with "weight_only". NULL is
   *  "qdq". */
  const char *format;
  /** Metrics before and after go into the report. */
  const prune_dataset *validate;
  /** When the drop is larger, the call fails with PRUNE_ERROR_REFUSED; NULL for none. */
  const prune_guard *guard;
  /** Name patterns of layers that stay float. */
  const char *const *ignore;
  size_t ignore_count;
  /** Samples a run; by default 4 for calibration, 1 of images, and 64 for evaluation. 0 is not given. */
  uint32_t batch_size;
} prune_quantize_options;
#define PRUNE_QUANTIZE_OPTIONS_INIT \
  {sizeof(prune_quantize_options), PRUNE_STRUCT_TAG, NULL, 0, 1, 0, 0, 99.99, 0, 0, 0, 0, 0, 0, NULL, 0, 0, 0, \
   PRUNE_NOT_GIVEN, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0}
/** What PRUNE_QUANTIZE_OPTIONS_INIT does, where there are no macros; `size` is that of the caller's struct. */
PRUNE_API void prune_quantize_options_init(prune_quantize_options *options, size_t size);
/* End of prune_quantize_options */

/**
 * Quantizes into a new model that standard ONNX runtimes execute. Zeros of weights stay zero. One scale a channel needs opset
 * 13 or later; 4 bits and blocks are written for opset 21, to which the model is raised. The report lists layers, activations with
 * their ranges, and in "warnings" what calibration was too little for: fewer than 32 samples, activations that were always 0.
 */
PRUNE_API PRUNE_NODISCARD prune_status prune_model_quantize(
    prune_model *model, const prune_quantize_options *options, prune_model **out_model, prune_report **out_report);
/** @} */

#ifdef __cplusplus
}
#endif

#endif /* PRUNE_H */
