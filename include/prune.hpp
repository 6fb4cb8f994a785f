/* libprune for C++17 and later: owners for the handles of prune.h, exceptions for its statuses. Header only.
 *
 *   #include <prune.hpp>
 *
 *   auto model = prune::Model::load("model.onnx");
 *   auto options = prune::options<prune_prune_options>();   // with every default set
 *   options.amount = 0.8;
 *   auto [slim, report] = model.prune(options);
 *   std::cout << report.text() << report.number("sparsity") << "\n";
 *   slim.save("slim.onnx");
 *
 * - Every class owns one handle, moves, and does not copy; `get()` lends the handle to functions of prune.h that have no
 *   method here, `release()` gives it away, and a constructor takes one over.
 * - A call that fails throws prune::Error. Nothing else throws, but std::bad_alloc and std::out_of_range as they say.
 * - Options are the structs of prune.h, which document every field; prune::options<T>() fills in the defaults.
 * - An exception must not leave a callback: libprune's frames do not unwind. Catch it, keep it, and return non-zero. */
#ifndef PRUNE_HPP
#define PRUNE_HPP

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "prune.h"

namespace prune {

/** What a failed call said: prune_last_error() of the thread, copied. what() is one line with all of it. */
class Error : public std::runtime_error {
 public:
  explicit Error(prune_status status) : Error(status, prune_last_error()) {}

  prune_status status() const noexcept { return status_; }
  /** The name of the status, as "invalid_argument". */
  const char *code() const noexcept { return prune_status_name(status_); }
  const std::string &message() const noexcept { return message_; }
  /** The node, file or offset it happened at; may be empty. */
  const std::string &where() const noexcept { return where_; }
  /** What to do about it; may be empty. */
  const std::string &hint() const noexcept { return hint_; }

 private:
  Error(prune_status status, const prune_error *error)
      : std::runtime_error(line(error)),
        status_(status),
        message_(text(error->message)),
        where_(text(error->where)),
        hint_(text(error->hint)) {}

  static std::string text(const char *given) { return given ? given : ""; }
  static std::string line(const prune_error *error) {
    std::string all = text(error->where);
    if (!all.empty()) all += ": ";
    all += text(error->message);
    if (error->hint && *error->hint) all += " (" + text(error->hint) + ")";
    return all;
  }

  prune_status status_;
  std::string message_, where_, hint_;
};

/** Throws what a call of prune.h said, unless it was PRUNE_OK. */
inline void check(prune_status status) {
  if (status != PRUNE_OK) throw Error(status);
}

namespace detail {

template <class T, void (*Free)(T *)>
struct Deleter {
  void operator()(T *handle) const noexcept { Free(handle); }
};

/** One handle, owned. */
template <class T, void (*Free)(T *)>
class Owner {
 public:
  Owner() noexcept = default;
  /** Takes the handle over. */
  explicit Owner(T *handle) noexcept : handle_(handle) {}

  T *get() const noexcept { return handle_.get(); }
  T *release() noexcept { return handle_.release(); }
  explicit operator bool() const noexcept { return handle_ != nullptr; }

 protected:
  /** Runs a call that makes a handle. */
  template <class Call>
  static T *made(Call &&call) {
    T *handle = nullptr;
    check(call(&handle));
    return handle;
  }

 private:
  std::unique_ptr<T, Deleter<T, Free>> handle_;
};

/** The text of a buffer, which is freed. */
template <class Call>
std::string text(Call &&call) {
  struct Holder {
    prune_buffer buffer{};
    ~Holder() { prune_buffer_free(&buffer); }
  } holder;
  check(call(&holder.buffer));
  return std::string(holder.buffer.data, holder.buffer.size);
}

/* Made by scripts/generate: initializers */
inline void initialize(prune_images_options *made) noexcept { prune_images_options_init(made, sizeof *made); }
inline void initialize(prune_wav_options *made) noexcept { prune_wav_options_init(made, sizeof *made); }
inline void initialize(prune_load_options *made) noexcept { prune_load_options_init(made, sizeof *made); }
inline void initialize(prune_weights_options *made) noexcept { prune_weights_options_init(made, sizeof *made); }
inline void initialize(prune_stats_options *made) noexcept { prune_stats_options_init(made, sizeof *made); }
inline void initialize(prune_zoo_options *made) noexcept { prune_zoo_options_init(made, sizeof *made); }
inline void initialize(prune_parameter_group *made) noexcept { prune_parameter_group_init(made, sizeof *made); }
inline void initialize(prune_augmentation *made) noexcept { prune_augmentation_init(made, sizeof *made); }
inline void initialize(prune_regularizer *made) noexcept { prune_regularizer_init(made, sizeof *made); }
inline void initialize(prune_fit_options *made) noexcept { prune_fit_options_init(made, sizeof *made); }
inline void initialize(prune_evaluate_options *made) noexcept { prune_evaluate_options_init(made, sizeof *made); }
inline void initialize(prune_benchmark_options *made) noexcept { prune_benchmark_options_init(made, sizeof *made); }
inline void initialize(prune_differences_options *made) noexcept { prune_differences_options_init(made, sizeof *made); }
inline void initialize(prune_loss_options *made) noexcept { prune_loss_options_init(made, sizeof *made); }
inline void initialize(prune_significance_options *made) noexcept { prune_significance_options_init(made, sizeof *made); }
inline void initialize(prune_sensitivity_options *made) noexcept { prune_sensitivity_options_init(made, sizeof *made); }
inline void initialize(prune_guard *made) noexcept { prune_guard_init(made, sizeof *made); }
inline void initialize(prune_prune_options *made) noexcept { prune_prune_options_init(made, sizeof *made); }
inline void initialize(prune_factorize_options *made) noexcept { prune_factorize_options_init(made, sizeof *made); }
inline void initialize(prune_ensemble_options *made) noexcept { prune_ensemble_options_init(made, sizeof *made); }
inline void initialize(prune_search_options *made) noexcept { prune_search_options_init(made, sizeof *made); }
inline void initialize(prune_quantize_options *made) noexcept { prune_quantize_options_init(made, sizeof *made); }
/* End of initializers */

}  // namespace detail

/** Options with every default set: auto fit = prune::options<prune_fit_options>(). */
template <class T>
T options() noexcept {
  T made;
  detail::initialize(&made);
  return made;
}

template <class T>
constexpr prune_dtype dtype_of() noexcept {
  using V = std::remove_cv_t<T>;
  if constexpr (std::is_same_v<V, float>) return PRUNE_FLOAT32;
  else if constexpr (std::is_same_v<V, double>) return PRUNE_FLOAT64;
  else if constexpr (std::is_same_v<V, std::int64_t>) return PRUNE_INT64;
  else if constexpr (std::is_same_v<V, std::int32_t>) return PRUNE_INT32;
  else if constexpr (std::is_same_v<V, std::int8_t>) return PRUNE_INT8;
  else {
    static_assert(std::is_same_v<V, std::uint8_t>, "float, double, int64_t, int32_t, int8_t or uint8_t");
    return PRUNE_UINT8;
  }
}

/** Settings of calls, and the way to stop them. One that is empty stands for the defaults. */
class Context : public detail::Owner<prune_context, prune_context_free> {
 public:
  using Owner::Owner;
  static Context create() {
    return Context(made([](prune_context **out) { return prune_context_create(out); }));
  }
  void set_threads(std::int32_t threads) { check(prune_context_set_threads(get(), threads)); }
  void set_memory_limit(std::int64_t bytes) { check(prune_context_set_memory_limit(get(), bytes)); }
  /** May be called from a signal handler and from any thread. */
  void cancel() noexcept { prune_context_request_cancel(get()); }
  void clear_cancel() noexcept { prune_context_clear_cancel(get()); }
};

/** An array of numbers, row-major. */
class Tensor : public detail::Owner<prune_tensor, prune_tensor_free> {
 public:
  using Owner::Owner;
  /** A copy of `values`, of that shape. */
  template <class T>
  Tensor(const std::vector<std::int64_t> &shape, const std::vector<T> &values)
      : Owner(made([&](prune_tensor **out) {
          std::size_t count = 1;
          for (std::int64_t extent : shape) count *= static_cast<std::size_t>(extent);
          if (count != values.size()) throw std::out_of_range("as many values as the shape says");
          return prune_tensor_create(dtype_of<T>(), shape.size(), shape.data(), values.data(), out);
        })) {}

  prune_dtype dtype() const noexcept { return prune_tensor_dtype(get()); }
  std::size_t count() const noexcept { return prune_tensor_count(get()); }
  std::vector<std::int64_t> shape() const {
    const std::int64_t *extents = prune_tensor_shape(get());
    return std::vector<std::int64_t>(extents, extents + prune_tensor_rank(get()));
  }
  /** The elements, lent. Throws std::out_of_range when they are of another type. */
  template <class T>
  const T *data() const {
    if (dtype_of<T>() != dtype()) throw std::out_of_range("the tensor holds another type of number");
    return static_cast<const T *>(prune_tensor_data(get()));
  }
  template <class T>
  std::vector<T> values() const {
    const T *first = data<T>();
    return first ? std::vector<T>(first, first + count()) : std::vector<T>();
  }
};

/** Tensors by name. */
class Tensors : public detail::Owner<prune_tensors, prune_tensors_free> {
 public:
  using Owner::Owner;
  static Tensors create() {
    return Tensors(made([](prune_tensors **out) { return prune_tensors_create(out); }));
  }
  /** .npz or .safetensors, among others; see prune_tensors_load. */
  static Tensors load(const std::string &path) {
    return Tensors(made([&](prune_tensors **out) { return prune_tensors_load(path.c_str(), out); }));
  }
  void save(const std::string &path) const { check(prune_tensors_save(get(), path.c_str())); }
  std::size_t count() const noexcept { return prune_tensors_count(get()); }
  std::string name(std::size_t index) const {
    const char *found = prune_tensors_name(get(), index);
    return found ? found : "";
  }
  Tensor at(const std::string &name) const {
    prune_tensor *found = nullptr;
    check(prune_tensors_get(get(), name.c_str(), &found));
    return Tensor(found);
  }
  void set(const std::string &name, const Tensor &tensor) { check(prune_tensors_set(get(), name.c_str(), tensor.get())); }
};

/** What a call found or did. */
class Report : public detail::Owner<prune_report, prune_report_free> {
 public:
  using Owner::Owner;
  /** The number, integer or flag at a path, as "after.accuracy" or "layers.0.params". */
  double number(const std::string &path) const {
    double value = 0;
    check(prune_report_number(get(), path.c_str(), &value));
    return value;
  }
  /** The entry at a path; its pointers live as long as this report. */
  prune_report_entry at(const std::string &path) const {
    prune_report_entry entry{};
    entry.struct_size = sizeof entry;
    check(prune_report_find(get(), path.c_str(), &entry));
    return entry;
  }
  /** Aligned text for people; a width of 0 is 80 columns. */
  std::string text(std::int32_t width = 0, bool color = false) const {
    return detail::text([&](prune_buffer *out) { return prune_report_to_text(get(), width, color, out); });
  }
  std::string json() const {
    return detail::text([&](prune_buffer *out) { return prune_report_to_json(get(), out); });
  }
  /** The call again, as text: see prune_report_recipe. */
  std::string recipe() const {
    return detail::text([&](prune_buffer *out) { return prune_report_recipe(get(), out); });
  }
  /** By its suffix: .html, .md, .csv, .json, .svg, .txt. */
  void save(const std::string &path) const { check(prune_report_save(get(), path.c_str())); }
};

/** Samples, with their targets. */
class Dataset : public detail::Owner<prune_dataset, prune_dataset_free> {
 public:
  using Owner::Owner;
  static Dataset digits() {
    return Dataset(made([](prune_dataset **out) { return prune_dataset_digits(nullptr, out); }));
  }
  static Dataset npz(const std::string &path, const std::string &x, const std::string &y) {
    return Dataset(
        made([&](prune_dataset **out) { return prune_dataset_npz(nullptr, path.c_str(), x.c_str(), y.c_str(), out); }));
  }
  static Dataset csv(const std::string &path, const std::string &label) {
    return Dataset(
        made([&](prune_dataset **out) { return prune_dataset_csv(nullptr, path.c_str(), label.c_str(), out); }));
  }
  static Dataset images(const prune_images_options &options) {
    return Dataset(made([&](prune_dataset **out) { return prune_dataset_images(nullptr, &options, out); }));
  }
  static Dataset tensors(const Tensor &x, const Tensor &y) {
    return Dataset(
        made([&](prune_dataset **out) { return prune_dataset_from_tensors(nullptr, x.get(), y.get(), out); }));
  }

  static Dataset wav(const prune_wav_options &options) {
    return Dataset(made([&](prune_dataset **out) { return prune_dataset_wav(nullptr, &options, out); }));
  }
  static Dataset npy(const std::string &path, const char *y = nullptr) {
    return Dataset(made([&](prune_dataset **out) { return prune_dataset_npy(nullptr, path.c_str(), y, out); }));
  }
  /** Targets of this class count nowhere. */
  Dataset ignore(std::int64_t label) const {
    return Dataset(made([&](prune_dataset **out) { return prune_dataset_ignore(get(), label, out); }));
  }
  std::size_t count() const noexcept { return prune_dataset_count(get()); }
  /** A fraction `test` of the samples goes to the second, drawn by the seed. */
  std::pair<Dataset, Dataset> split(double test, std::uint64_t seed = 0) const {
    prune_dataset *rest = nullptr, *taken = nullptr;
    check(prune_dataset_split(get(), test, seed, &rest, &taken));
    return {Dataset(rest), Dataset(taken)};
  }
  /** The first `count` samples. */
  Dataset take(std::size_t count) const {
    return Dataset(made([&](prune_dataset **out) { return prune_dataset_take(get(), count, out); }));
  }
  Dataset normalize(const std::vector<float> &mean, const std::vector<float> &std) const {
    if (mean.size() != std.size()) throw std::out_of_range("as many means as deviations");
    return Dataset(made([&](prune_dataset **out) {
      return prune_dataset_normalize(get(), mean.data(), std.data(), mean.size(), out);
    }));
  }
  Tensor x() const {
    prune_tensor *found = nullptr;
    check(prune_dataset_x(get(), &found));
    return Tensor(found);
  }
  Tensor y() const {
    prune_tensor *found = nullptr;
    check(prune_dataset_y(get(), &found));
    return Tensor(found);
  }
};

/** A network with its weights. Calls that transform leave it as it is and give another. */
class Model : public detail::Owner<prune_model, prune_model_free> {
 public:
  using Owner::Owner;
  using Changed = std::pair<Model, Report>;

  static Model load(const std::string &path, const prune_load_options *options = nullptr,
                    prune_context *context = nullptr) {
    return Model(made([&](prune_model **out) { return prune_model_load(context, path.c_str(), options, out); }));
  }
  static Model load(const void *data, std::size_t size, prune_context *context = nullptr) {
    return Model(made([&](prune_model **out) { return prune_model_load_memory(context, data, size, out); }));
  }
  /** A network of the zoo, as "lenet5" or "resnet". */
  static Model zoo(const std::string &name, const prune_zoo_options &options, prune_context *context = nullptr) {
    return Model(made([&](prune_model **out) { return prune_zoo_create(context, name.c_str(), &options, out); }));
  }
  /** By its suffix: .onnx, .prunez, .h5, .keras. */
  void save(const std::string &path) const { check(prune_model_save(get(), path.c_str())); }
  Model clone() const {
    return Model(made([&](prune_model **out) { return prune_model_clone(get(), out); }));
  }

  Tensor predict(const Tensor &x) const {
    prune_tensor *y = nullptr;
    check(prune_model_predict(get(), x.get(), &y));
    return Tensor(y);
  }
  Tensors run(const Tensors &inputs) const {
    prune_tensors *outputs = nullptr;
    check(prune_model_run(get(), inputs.get(), &outputs));
    return Tensors(outputs);
  }

  Report stats(const prune_stats_options *options = nullptr) const {
    return report([&](prune_report **out) { return prune_model_stats(get(), options, out); });
  }
  std::string summary(std::int32_t width = 0, bool color = false) const {
    return detail::text([&](prune_buffer *out) { return prune_model_summary(get(), nullptr, width, color, out); });
  }
  Report evaluate(const Dataset &data, const prune_evaluate_options *options = nullptr) const {
    return report([&](prune_report **out) { return prune_model_evaluate(get(), data.get(), options, out); });
  }
  Report benchmark(const prune_benchmark_options *options = nullptr) const {
    return report([&](prune_report **out) { return prune_model_benchmark(get(), options, out); });
  }
  Report significance(const prune_significance_options *options = nullptr) const {
    return report([&](prune_report **out) { return prune_model_significance(get(), options, out); });
  }
  Report sensitivity(const prune_sensitivity_options &options) const {
    return report([&](prune_report **out) { return prune_model_sensitivity(get(), &options, out); });
  }
  Report groups() const {
    return report([&](prune_report **out) { return prune_model_groups(get(), out); });
  }
  /** Changes this model. */
  Report fit(const Dataset &data, const prune_fit_options *options = nullptr) {
    return report([&](prune_report **out) { return prune_model_fit(get(), data.get(), options, out); });
  }

  Changed prune(const prune_prune_options &options) const {
    return changed([&](prune_model **model, prune_report **out) {
      return prune_model_prune(get(), &options, model, out);
    });
  }
  Changed quantize(const prune_quantize_options &options) const {
    return changed([&](prune_model **model, prune_report **out) {
      return prune_model_quantize(get(), &options, model, out);
    });
  }
  Changed factorize(const prune_factorize_options &options) const {
    return changed([&](prune_model **model, prune_report **out) {
      return prune_model_factorize(get(), &options, model, out);
    });
  }
  Changed search(const prune_search_options &options) const {
    return changed([&](prune_model **model, prune_report **out) {
      return prune_model_search(get(), &options, model, out);
    });
  }
  Changed compact() const {
    return changed([&](prune_model **model, prune_report **out) { return prune_model_compact(get(), model, out); });
  }
  Changed simplify() const {
    return changed([&](prune_model **model, prune_report **out) { return prune_model_simplify(get(), model, out); });
  }

 private:
  template <class Call>
  static Report report(Call &&call) {
    prune_report *found = nullptr;
    check(call(&found));
    return Report(found);
  }
  template <class Call>
  static Changed changed(Call &&call) {
    prune_model *model = nullptr;
    prune_report *found = nullptr;
    check(call(&model, &found));
    return {Model(model), Report(found)};
  }
};

}  // namespace prune

#endif
