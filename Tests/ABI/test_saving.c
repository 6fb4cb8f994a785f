/* Saving: a crash or an error at any step leaves the old model or the new one, and what is no regular file stays what it is. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <dirent.h>
#include <unistd.h>

#include "check.h"
#include "onnx_file.h"

/* MARK: - The steps of a save. These are called in place of the C library's own. */

/* The step that goes wrong; 0: none. */
static int bad_step, steps, bad_errno;

/* Whether the step that begins is to fail. With bad_errno 0 the process ends there, as if killed. */
static int goes_wrong(void) {
  if (bad_step == 0 || ++steps != bad_step) return 0;
  if (bad_errno == 0) _exit(9);
  errno = bad_errno;
  return 1;
}

int rename(const char *from, const char *to) {
  return goes_wrong() ? -1 : (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}
int link(const char *from, const char *to) {
  return goes_wrong() ? -1 : (int)syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
}
int unlink(const char *path) { return goes_wrong() ? -1 : (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0); }
int fsync(int file) { return goes_wrong() ? -1 : (int)syscall(SYS_fsync, file); }
ssize_t write(int file, const void *bytes, size_t count) {
  return goes_wrong() ? -1 : syscall(SYS_write, file, bytes, count);
}

/* MARK: - Children: the library is only ever used in them, so that one may end anywhere. */

/* What f returns, in a process of its own. */
static int in_child(int (*f)(const void *), const void *argument) {
  fflush(NULL);
  int before = check_failures;
  pid_t child = fork();
  if (child == 0) {
    int result = f(argument);
    fflush(NULL);
    _exit(check_failures > before ? 100 : result);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 200 + WTERMSIG(status);
}

typedef struct {
  const char *from, *to;
  int bad_step, bad_errno;
} save;

/* Loads and saves; 9 when it ended on the way, 1 when saving failed. */
static int run_save(const void *argument) {
  const save *s = argument;
  prune_context *context = NULL;
  prune_model *model = NULL;
  OK(prune_context_create(&context));
  OK(prune_model_load(context, in_folder(s->from), NULL, &model));
  bad_errno = s->bad_errno;
  bad_step = s->bad_step;
  prune_status status = prune_model_save(model, s->to[0] == '/' ? s->to : in_folder(s->to));
  bad_step = 0;
  if (status != PRUNE_OK && !s->bad_errno)
    fprintf(stderr, "%s: %s\n", prune_last_error()->where, prune_last_error()->message);
  prune_model_free(model);
  prune_context_free(context);
  return status == PRUNE_OK ? 0 : 1;
}

/* The value that a model was made with; 0 for a mixture. */
static int value_of(const void *name) {
  prune_context *context = NULL;
  prune_model *model = NULL;
  prune_tensor *w = NULL, *b = NULL;
  OK(prune_context_create(&context));
  OK(prune_model_load(context, in_folder(name), NULL, &model));
  OK(prune_model_parameter(model, "w", &w));
  OK(prune_model_parameter(model, "b", &b));
  float weight = ((const float *)prune_tensor_data(w))[3], bias = ((const float *)prune_tensor_data(b))[3];
  return bias == 10 * weight ? (int)weight : 0;
}

/* How many names in the folder hold a text. */
static int count_names(const char *text) {
  DIR *open = opendir(folder);
  int count = 0;
  for (struct dirent *entry; (entry = readdir(open));) count += strstr(entry->d_name, text) != NULL;
  closedir(open);
  return count;
}

/* Saves b over a's copy, with each step in turn going wrong. */
static void save_over(int number) {
  int step = 1, result;
  for (; step < 200; step++) {
    CHECK(in_child(run_save, &(save){"a.onnx", "m.onnx", 0, 0}) == 0);
    CHECK(in_child(value_of, "m.onnx") == 1);
    result = in_child(run_save, &(save){"b.onnx", "m.onnx", step, number});
    int value = in_child(value_of, "m.onnx");
    if (value != 1 && value != 2)
      fprintf(stderr, "step %d, error %d: result %d, value %d\n", step, number, result, value);
    CHECK(value == 1 || value == 2);
    CHECK(number ? result == 0 || result == 1 : result == 0 || result == 9);
    /* Nobody was killed: nothing is left. (What could not be unlinked is.) */
    if (number && result == 1 && value == 1) CHECK(count_names("m.onnx.") <= 2);
    if (result == 0 && (number == 0 || step > 20)) break;
  }
  CHECK(step > 8 && step < 200);
  CHECK(in_child(value_of, "m.onnx") == 2);
  /* The last save removed what all before it had left. */
  CHECK(count_names("prune-tmp") == 0);
  CHECK(count_names("m.onnx.") == 1);
}

static void test_crashes(void) {
  put_model("a.onnx", "a.bin", 1);
  put_model("b.onnx", "b.bin", 2);
  save_over(0);
  save_over(EIO);
  /* Over itself, and then its files belong to nobody else. */
  CHECK(in_child(run_save, &(save){"m.onnx", "m.onnx", 0, 0}) == 0);
  CHECK(in_child(run_save, &(save){"a.onnx", "a.onnx", 0, 0}) == 0);
  CHECK(in_child(value_of, "m.onnx") == 2 && in_child(value_of, "a.onnx") == 1);
  CHECK(count_names("m.onnx.") == 1);
  CHECK(count_names("a.bin") == 1);
}

/* MARK: - Files that are not only bytes */

static mode_t mode_of(const char *path) {
  struct stat info;
  return lstat(path, &info) == 0 ? info.st_mode : 0;
}

static int save_archives(const void *unused) {
  (void)unused;
  prune_tensors *tensors = NULL;
  prune_tensor *tensor = NULL;
  int64_t shape[] = {2};
  float values[] = {1, 2};
  OK(prune_tensor_create(PRUNE_FLOAT32, 1, shape, values, &tensor));
  OK(prune_tensors_create(&tensors));
  OK(prune_tensors_set(tensors, "t", tensor));
  OK(prune_tensors_save_npz(tensors, in_folder("kept.npz")));
  OK(prune_tensors_save_npz(tensors, "/dev/null"));
  prune_tensors_free(tensors);
  prune_tensor_free(tensor);
  return 0;
}

static void check_kept(const char *name) {
  struct stat info;
  char text[8] = "";
  CHECK(stat(in_folder(name), &info) == 0 && (info.st_mode & 07777) == 0600 && info.st_size > 20);
  if (geteuid() == 0) CHECK(info.st_uid == 1234 && info.st_gid == 4321);
  if (getxattr(in_folder("marks"), "user.mark", text, sizeof text) == 4)
    CHECK(getxattr(in_folder(name), "user.mark", text, sizeof text) == 4 && memcmp(text, "kept", 4) == 0);
}

static void test_attributes(void) {
  static const char *const names[] = {"marks", "kept.onnx", "kept.prunez", "kept.npz"};
  for (int i = 0; i < 4; i++) {
    put_file(names[i], "old", 3);
    CHECK(chmod(in_folder(names[i]), 0600) == 0);
    if (geteuid() == 0) CHECK(chown(in_folder(names[i]), 1234, 4321) == 0);
    (void)!setxattr(in_folder(names[i]), "user.mark", "kept", 4, 0);
  }
  CHECK(in_child(run_save, &(save){"b.onnx", "kept.onnx", 0, 0}) == 0);
  CHECK(in_child(run_save, &(save){"b.onnx", "kept.prunez", 0, 0}) == 0);
  CHECK(in_child(save_archives, NULL) == 0);
  for (int i = 1; i < 4; i++) check_kept(names[i]);

  /* A new file is what the umask says. */
  mode_t before = umask(027);
  CHECK(in_child(run_save, &(save){"b.onnx", "new.onnx", 0, 0}) == 0);
  umask(before);
  CHECK((mode_of(in_folder("new.onnx")) & 07777) == 0640);
}

static void test_links_and_devices(void) {
  CHECK(mkdir(in_folder("deep"), 0777) == 0);
  CHECK(symlink("deep/real.onnx", in_folder("link.onnx")) == 0);
  for (int i = 0; i < 2; i++) {
    CHECK(in_child(run_save, &(save){i ? "a.onnx" : "b.onnx", "link.onnx", 0, 0}) == 0);
    CHECK(S_ISLNK(mode_of(in_folder("link.onnx"))) && S_ISREG(mode_of(in_folder("deep/real.onnx"))));
    CHECK(in_child(value_of, "link.onnx") == (i ? 1 : 2) && in_child(value_of, "deep/real.onnx") == (i ? 1 : 2));
  }
  CHECK(in_child(run_save, &(save){"b.onnx", "/dev/null", 0, 0}) == 0);
  CHECK(in_child(run_save, &(save){"b.onnx", "/dev/full", 0, ENOSPC}) == 1);
  CHECK(S_ISCHR(mode_of("/dev/null")) && S_ISCHR(mode_of("/dev/full")));
  CHECK(in_child(run_save, &(save){"b.onnx", "deep", 0, EISDIR}) == 1);

  CHECK(mkfifo(in_folder("pipe"), 0600) == 0);
  CHECK(in_child(run_save, &(save){"b.onnx", "pipe", 0, ENXIO}) == 1);
  int reader = open(in_folder("pipe"), O_RDONLY | O_NONBLOCK);
  char bytes[4096];
  CHECK(in_child(run_save, &(save){"b.onnx", "pipe", 0, 0}) == 0);
  ssize_t size = read(reader, bytes, sizeof bytes);
  CHECK(size > 100 && S_ISFIFO(mode_of(in_folder("pipe"))));
  put_file("piped.onnx", bytes, size > 0 ? (size_t)size : 0);
  CHECK(in_child(value_of, "piped.onnx") == 2);
  close(reader);

  /* The standard output, a pipe here, by its name. */
  int ends[2];
  CHECK(pipe(ends) == 0);
  int output = dup(1);
  dup2(ends[1], 1);
  int result = in_child(run_save, &(save){"b.onnx", "/dev/stdout", 0, 0});
  dup2(output, 1);
  CHECK(result == 0 && read(ends[0], bytes, sizeof bytes) == size);
}

static int huge_batch(const void *unused) {
  (void)unused;
  prune_context *context = NULL;
  prune_model *model = NULL;
  prune_report *report = NULL;
  OK(prune_context_create(&context));
  prune_zoo_options zoo = PRUNE_ZOO_OPTIONS_INIT;
  OK(prune_zoo_create(context, "lenet5", &zoo, &model));
  prune_benchmark_options options = PRUNE_BENCHMARK_OPTIONS_INIT;
  options.batch_size = 2147483647;
  FAILS(prune_model_benchmark(model, &options, &report), PRUNE_ERROR_OUT_OF_MEMORY, "2147483647");
  options.batch_size = 4294967295u;
  FAILS(prune_model_benchmark(model, &options, &report), PRUNE_ERROR_INVALID_ARGUMENT, "4294967295");
  return 0;
}

int main(void) {
  strcpy(folder, "/tmp/prune-saving-XXXXXX");
  CHECK(mkdtemp(folder) != NULL);
  test_crashes();
  test_attributes();
  test_links_and_devices();
  CHECK(in_child(huge_batch, NULL) == 0);
  char command[100];
  snprintf(command, sizeof command, "rm -r %s", folder);
  CHECK(system(command) == 0);
  return check_end();
}
