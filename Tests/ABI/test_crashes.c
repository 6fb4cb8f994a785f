/* Power that fails during a save: whatever of its steps reached the disk, and in whatever order the system may write them, what is
 * there afterwards is the old file or the new one, whole.
 *
 * The steps of a save are recorded, then replayed: every prefix, and of it every state that a file system may leave. What was
 * written to a file and not synced may be there, missing, or zeros. What was done to names since the folder was synced may be
 * done up to any point, or all but any one. */
#define _GNU_SOURCE
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "onnx_file.h"
#include "recorded_steps.h"

/* MARK: - The disk after a crash */

typedef struct {
  char name[NAME];
  int file;
} entry;
typedef struct {
  unsigned char *bytes;
  size_t size;
} content;

/* The files of the folder before the save, then those of the record. */
static content before[FILES];
static entry names_before[FILES];
static int before_count;
static entry names[FILES];
static int name_count;

static entry *find(const char *name) {
  for (int i = 0; i < name_count; i++) {
    if (strcmp(names[i].name, name) == 0) return &names[i];
  }
  return NULL;
}
static void set(const char *name, int file) {
  entry *found = find(name);
  if (!found && name_count < FILES) found = &names[name_count++];
  if (!found) return;
  snprintf(found->name, NAME, "%s", name);
  found->file = file;
}
static void drop(const char *name) {
  entry *found = find(name);
  if (found) *found = names[--name_count];
}

static void apply(const step *s) {
  entry *from = find(s->name);
  switch (s->kind) {
  case CREATE: set(s->name, FILES + s->file); break;
  case RENAME:
    if (!from) break;
    set(s->other, from->file);
    drop(s->name);
    break;
  case LINK:
    if (from) set(s->other, from->file);
    break;
  case UNLINK: drop(s->name); break;
  default: break;
  }
}

/* What is not synced: there, missing, or zeros. */
enum { ALL, MISSING, ZEROS, WAYS };

static content contents_of(int file, int end, int way) {
  static unsigned char buffer[1 << 22];
  if (file < FILES) return before[file];
  int synced = -1;
  size_t size = 0;
  for (int i = 0; i < end; i++) {
    if (steps[i].kind == SYNC && steps[i].file == file - FILES) synced = i;
  }
  for (int i = 0; i < end; i++) {
    if (steps[i].kind != WRITE || steps[i].file != file - FILES || (i > synced && way == MISSING)) continue;
    CHECK(size + steps[i].size <= sizeof buffer);
    if (i > synced && way == ZEROS) {
      memset(buffer + size, 0, steps[i].size);
    } else {
      memcpy(buffer + size, steps[i].bytes, steps[i].size);
    }
    size += steps[i].size;
  }
  return (content){buffer, size};
}

static char disk[64];

static void empty_disk(void) {
  DIR *open = opendir(disk);
  for (struct dirent *e; open && (e = readdir(open));) {
    char path[400];
    snprintf(path, sizeof path, "%s/%s", disk, e->d_name);
    if (e->d_name[0] != '.') unlink(path);
  }
  if (open) closedir(open);
}

static void write_disk(int end, int way) {
  empty_disk();
  for (int i = 0; i < name_count; i++) {
    char path[200];
    content found = contents_of(names[i].file, end, way);
    snprintf(path, sizeof path, "%s/%.*s", disk, NAME - 1, names[i].name);
    FILE *file = fopen(path, "w");
    CHECK(file && fwrite(found.bytes, 1, found.size, file) == found.size);
    if (file) fclose(file);
  }
}

/* MARK: - What is saved */

static prune_context *context;

/* Whether the disk has the old (1) or the new (2) one; 0 for anything else. */
typedef int (*judge)(void);

static content old_file, new_file;
static char main_name[NAME];

static content read_file(const char *path) {
  content found = {NULL, 0};
  FILE *file = fopen(path, "r");
  if (!file) return found;
  found.bytes = malloc(1 << 22);
  found.size = found.bytes ? fread(found.bytes, 1, 1 << 22, file) : 0;
  fclose(file);
  return found;
}
static int same(content a, content b) {
  return a.bytes && b.bytes && a.size == b.size && memcmp(a.bytes, b.bytes, a.size) == 0;
}

static int judge_bytes(void) {
  char path[200];
  snprintf(path, sizeof path, "%s/%s", disk, main_name);
  content found = read_file(path);
  int result = same(found, old_file) ? 1 : same(found, new_file) ? 2 : 0;
  free(found.bytes);
  return result;
}

/* Of a model with a data file: that both are of one. */
static int judge_model(void) {
  char path[200];
  prune_model *model = NULL;
  prune_tensor *w = NULL, *b = NULL;
  int value = 0;
  snprintf(path, sizeof path, "%s/%s", disk, main_name);
  if (prune_model_load(context, path, NULL, &model) == PRUNE_OK && prune_model_parameter(model, "w", &w) == PRUNE_OK &&
      prune_model_parameter(model, "b", &b) == PRUNE_OK) {
    float weight = ((const float *)prune_tensor_data(w))[3], bias = ((const float *)prune_tensor_data(b))[3];
    if (bias == 10 * weight) value = (int)weight;
  }
  prune_tensor_free(w);
  prune_tensor_free(b);
  prune_model_free(model);
  return value;
}

static int state_count;

static void check_state(const char *what, int end, int done, int left_out, int way, judge judge, int is_over) {
  write_disk(end, way);
  int found = judge();
  state_count++;
  if (found == 0 || (is_over && found != 2)) {
    fprintf(stderr, "%s: crash after %d of %d steps, names up to %d without %d, unsynced bytes %s: found %s\n", what,
            end, step_count, done, left_out,
            way == ALL       ? "there"
            : way == MISSING ? "missing"
                             : "zeros",
            found ? "the old one" : "neither");
    check_failures++;
  }
}

/* Every state of every prefix of the steps. */
static void replay(const char *what, judge judge) {
  int was_recording = is_recording;
  is_recording = 0;
  for (int end = 0; end <= step_count; end++) {
    int synced = 0;
    for (int i = 0; i < end; i++) {
      if (steps[i].kind == SYNC_FOLDER) synced = i + 1;
    }
    for (int done = synced; done <= end; done++) {
      if (done > synced && (steps[done - 1].kind == WRITE || steps[done - 1].kind == SYNC)) continue;
      /* -1: all names up to there; else all but that step's. */
      for (int left_out = synced - 1; left_out < done - 1; left_out++) {
        int omitted = left_out < synced ? -1 : left_out;
        if (omitted >= 0 && (steps[omitted].kind == WRITE || steps[omitted].kind == SYNC)) continue;
        name_count = before_count;
        memcpy(names, names_before, sizeof names);
        for (int i = 0; i < done; i++) {
          if (i != omitted) apply(&steps[i]);
        }
        for (int way = ALL; way < WAYS; way++) check_state(what, end, done, omitted, way, judge, end == step_count);
      }
    }
  }
  is_recording = was_recording;
}

/* Notes what the folder has, and begins to record. */
static void begin(const char *name) {
  for (int i = 0; i < step_count; i++) free(steps[i].bytes);
  for (int i = 0; i < before_count; i++) free(before[i].bytes);
  step_count = file_count = before_count = 0;
  snprintf(main_name, NAME, "%s", name);
  DIR *open = opendir(folder);
  for (struct dirent *e; open && (e = readdir(open));) {
    if (e->d_name[0] == '.' || before_count == FILES) continue;
    before[before_count] = read_file(in_folder(e->d_name));
    snprintf(names_before[before_count].name, NAME, "%.*s", NAME - 1, e->d_name);
    names_before[before_count].file = before_count;
    before_count++;
  }
  if (open) closedir(open);
  free(old_file.bytes);
  free(new_file.bytes);
  old_file = read_file(in_folder(name));
  new_file = (content){NULL, 0};
  is_recording = 1;
}

static void end(const char *what, judge judge) {
  is_recording = 0;
  new_file = read_file(in_folder(main_name));
  CHECK(step_count >= 4);
  state_count = 0;
  replay(what, judge);
  CHECK(state_count > 12);
  if (getenv("PRUNE_VERBOSE")) printf("%-24s %3d steps, %4d states\n", what, step_count, state_count);
}

static void test_external_data(void) {
  prune_model *model = NULL;
  put_model("a.onnx", "a.bin", 1);
  put_model("b.onnx", "b.bin", 2);
  OK(prune_model_load(context, in_folder("b.onnx"), NULL, &model));
  begin("a.onnx");
  OK(prune_model_save(model, in_folder("a.onnx")));
  end("external data", judge_model);
  /* Once more, now that the file's data has a name that saves give. */
  prune_model_free(model);
  put_model("c.onnx", "c.bin", 1);
  OK(prune_model_load(context, in_folder("c.onnx"), NULL, &model));
  OK(prune_model_save(model, in_folder("a.onnx")));
  prune_model_free(model);
  OK(prune_model_load(context, in_folder("b.onnx"), NULL, &model));
  begin("a.onnx");
  OK(prune_model_save(model, in_folder("a.onnx")));
  end("external data again", judge_model);
  prune_model_free(model);
}

static prune_model *network(uint64_t seed) {
  const int64_t input[] = {1, 8, 8}, hidden[] = {16};
  prune_zoo_options options = PRUNE_ZOO_OPTIONS_INIT;
  prune_model *made = NULL;
  options.input = input;
  options.input_rank = 3;
  options.hidden = hidden;
  options.hidden_count = 1;
  options.seed = seed;
  OK(prune_zoo_create(context, "mlp", &options, &made));
  return made;
}

static void test_model(const char *name) {
  prune_model *one = network(1), *two = network(2);
  OK(prune_model_save(one, in_folder(name)));
  begin(name);
  OK(prune_model_save(two, in_folder(name)));
  end(name, judge_bytes);
  prune_model_free(one);
  prune_model_free(two);
}

static void test_arrays(void) {
  const int64_t shape[] = {20};
  float values[20] = {0};
  for (int round = 1; round <= 2; round++) {
    prune_tensors *tensors = NULL;
    prune_tensor *tensor = NULL;
    values[3] = (float)round;
    OK(prune_tensor_create(PRUNE_FLOAT32, 1, shape, values, &tensor));
    OK(prune_tensors_create(&tensors));
    OK(prune_tensors_set(tensors, "t", tensor));
    if (round == 2) begin("t.npz");
    OK(prune_tensors_save_npz(tensors, in_folder("t.npz")));
    if (round == 2) end("t.npz", judge_bytes);
    prune_tensors_free(tensors);
    prune_tensor_free(tensor);
  }
}

static void test_checkpoint(void) {
  prune_model *model = network(1);
  prune_dataset *digits = NULL;
  prune_fit_options fit = PRUNE_FIT_OPTIONS_INIT;
  char path[200];
  OK(prune_dataset_digits(context, &digits));
  snprintf(path, sizeof path, "%s", in_folder("check.npz"));
  fit.checkpoint = path;
  fit.batch_size = 512;
  OK(prune_model_fit(model, digits, &fit, NULL));
  begin("check.npz");
  OK(prune_model_fit(model, digits, &fit, NULL));
  end("checkpoint", judge_bytes);
  prune_dataset_free(digits);
  prune_model_free(model);
}

int main(void) {
  strcpy(folder, "/tmp/prune-crash-XXXXXX");
  strcpy(disk, "/tmp/prune-disk-XXXXXX");
  CHECK(mkdtemp(folder) != NULL && mkdtemp(disk) != NULL);
  OK(prune_context_create(&context));
  test_external_data();
  test_model("m.onnx");
  test_model("m.prunez");
  test_arrays();
  test_checkpoint();
  prune_context_free(context);
  char command[200];
  snprintf(command, sizeof command, "rm -r %s %s", folder, disk);
  CHECK(system(command) == 0);
  return check_end();
}
