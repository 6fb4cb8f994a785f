// prune.hpp: owners, exceptions, options, and exceptions kept out of callbacks.
#include <cassert>
#include <cmath>
#include <exception>
#include <iostream>
#include <prune.hpp>

#define EXPECT(condition)                                                    \
  do {                                                                       \
    if (!(condition)) {                                                      \
      std::cerr << __FILE__ << ":" << __LINE__ << ": " #condition << "\n";   \
      return 1;                                                              \
    }                                                                        \
  } while (0)

static_assert(!std::is_copy_constructible_v<prune::Model>);
static_assert(std::is_nothrow_move_constructible_v<prune::Model>);

/// What a callback throws is caught in it, kept, and thrown on when the call has ended.
struct Listener {
  std::exception_ptr thrown;
  int epochs = 0;

  static int hear(const prune_event *event, void *user) {
    auto *self = static_cast<Listener *>(user);
    try {
      if (event->kind == PRUNE_EVENT_EPOCH && ++self->epochs == 2) throw std::runtime_error("enough");
      return 0;
    } catch (...) {
      self->thrown = std::current_exception();
      return 1;
    }
  }
};

int main() {
  try {
    prune::Model::load("/nowhere/model.onnx");
    EXPECT(!"loaded");
  } catch (const prune::Error &error) {
    EXPECT(error.status() == PRUNE_ERROR_IO || error.status() == PRUNE_ERROR_NOT_FOUND);
    EXPECT(std::string(error.what()).find("/nowhere/model.onnx") != std::string::npos);
    EXPECT(!error.message().empty() && std::string(error.code()).size() > 1);
  }

  prune::Tensor tensor({2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6});
  EXPECT(tensor.shape() == (std::vector<std::int64_t>{2, 3}) && tensor.values<float>()[5] == 6);
  try {
    tensor.data<double>();
    EXPECT(!"other type");
  } catch (const std::out_of_range &) {
  }
  try {
    prune::Tensor wrong({2, 2}, std::vector<float>{1});
    EXPECT(!"too few");
  } catch (const std::out_of_range &) {
  }

  auto [train, test] = prune::Dataset::digits().split(0.2, 7);
  EXPECT(train.count() + test.count() == 1797);
  const std::int64_t input[] = {1, 8, 8};
  auto zoo = prune::options<prune_zoo_options>();
  zoo.input = input;
  zoo.input_rank = 3;
  auto model = prune::Model::zoo("lenet5", zoo);
  auto fit = prune::options<prune_fit_options>();
  fit.epochs = 5;
  Listener listener;
  fit.on_event = Listener::hear;
  fit.user = &listener;
  try {
    model.fit(train, &fit);
    EXPECT(!"cancelled");
  } catch (const prune::Error &error) {
    EXPECT(error.status() == PRUNE_ERROR_CANCELLED);
  }
  EXPECT(listener.epochs == 2 && listener.thrown);

  auto options = prune::options<prune_prune_options>();
  options.amount = 0.5;
  auto [slim, report] = model.prune(options);
  EXPECT(std::abs(report.number("after.sparsity") - 0.5) < 0.05);
  EXPECT(report.text().find("pruned") != std::string::npos && report.json().front() == '{');
  prune::Model moved = std::move(slim);
  EXPECT(moved && !slim);
  EXPECT(moved.predict(test.take(3).x()).shape() == (std::vector<std::int64_t>{3, 10}));
  auto y = moved.evaluate(test).number("accuracy");
  EXPECT(y >= 0 && y <= 1);
  auto quantize = prune::options<prune_quantize_options>();
  quantize.scheme = "dynamic";
  EXPECT(moved.quantize(quantize).first.stats().number("params") > 0);
  return 0;
}
