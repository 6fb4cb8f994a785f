// squeeze MODEL.onnx OUT.onnx: what squeeze.c does, in C++17. Without arguments it trains a small network first.
//
//     c++ -std=c++17 squeeze.cpp $(pkg-config --cflags --libs prune) -o squeeze && ./squeeze
#include <iostream>
#include <prune.hpp>

int main(int argc, char **argv) try {
  auto [train, test] = prune::Dataset::digits().split(0.2, 7);
  prune::Model dense;
  if (argc > 1) {
    dense = prune::Model::load(argv[1]);
  } else {
    const std::int64_t input[] = {1, 8, 8};
    auto zoo = prune::options<prune_zoo_options>();
    zoo.input = input;
    zoo.input_rank = 3;
    dense = prune::Model::zoo("lenet5", zoo);
    auto fit = prune::options<prune_fit_options>();
    fit.epochs = 8;
    fit.batch_size = 64;
    dense.fit(train, &fit);
  }

  auto options = prune::options<prune_prune_options>();
  options.granularity = "channel";
  options.target_macs = 0.5;
  options.data = train.get();
  auto [slim, report] = dense.prune(options);
  std::cout << report.text(100) << "\n";
  std::cout << "accuracy " << dense.evaluate(test).number("accuracy") << " -> "
            << slim.evaluate(test).number("accuracy") << "\n";
  slim.save(argc > 2 ? argv[2] : "slim.onnx");
} catch (const prune::Error &error) {
  std::cerr << error.code() << ": " << error.what() << "\n";
  return 1;
}
