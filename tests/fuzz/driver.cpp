// Stands in for libFuzzer where the compiler is not clang: runs the inputs of the corpus, then random mutations of
// them, always the same for one seed. It does not see which code an input reaches, so it finds less in as many runs.
// What an input broke is left in crash-input.
//   NAME_fuzz [-runs=N] [-seed=N] [-max_len=N] FILE_OR_FOLDER…
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "fuzz.h"

extern "C" void __sanitizer_set_death_callback(void (*callback)()) __attribute__((weak));

namespace {

namespace fs = std::filesystem;

std::string current;  // what is being run

void keep_input() {
  if (std::FILE* file = std::fopen("crash-input", "wb")) {
    std::fwrite(current.data(), 1, current.size(), file);
    std::fclose(file);
  }
  std::fprintf(stderr, "fuzz: the input of %zu bytes is in crash-input\n", current.size());
}

void on_signal(int number) {
  keep_input();
  std::signal(number, SIG_DFL);
  std::raise(number);
}

void run(std::string input) {
  current = std::move(input);
  // In a buffer of its very size, so that a sanitizer sees a read past the end.
  const std::vector<std::uint8_t> bytes(current.begin(), current.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

class Mutator {
 public:
  Mutator(const std::vector<std::string>& corpus, std::uint64_t seed, std::size_t most)
      : corpus_(corpus), random_(seed), most_(most) {}

  std::string next() {
    std::string input = any();
    for (std::size_t i = below(4) + 1; i > 0; --i) change(input);
    if (input.size() > most_) input.resize(most_);
    return input;
  }

 private:
  std::size_t below(std::size_t end) { return std::uniform_int_distribution<std::size_t>(0, end - 1)(random_); }
  const std::string& any() { return corpus_[below(corpus_.size())]; }

  /// A piece of some input, rather a short one.
  std::string piece() {
    const std::string& from = any();
    if (from.empty()) return "";
    const std::size_t begin = below(from.size());
    return from.substr(begin, below(below(2) == 0 ? 8 : 200) + 1);
  }

  void change(std::string& input) {
    // What readers stumble over.
    static const char* const kWords[] = {"-1",    "0",          "9223372036854775808",
                                         "1e999", "\"nan\"",    "null",
                                         "true",  "[]",         "{}",
                                         "[[[[",  "\n",         "\\u0000",
                                         "\xff",  "\"",         ",",
                                         ":",     "=",          "-",
                                         "#",     "4294967296", "0x10",
                                         "1.5"};
    const std::size_t at = below(input.size() + 1);
    const std::size_t length = std::min(input.size() - at, below(16) + 1);
    switch (below(7)) {
      case 0:
        if (at < input.size()) input[at] = static_cast<char>(input[at] ^ (1 << below(8)));
        break;
      case 1:
        if (at < input.size()) input[at] = static_cast<char>(below(256));
        break;
      case 2:
        input.erase(at, length);
        break;
      case 3:
        input.insert(at, kWords[below(std::size(kWords))]);
        break;
      case 4:
        input.replace(at, length, kWords[below(std::size(kWords))]);
        break;
      case 5:
        input.insert(at, piece());
        break;
      default:
        input.replace(at, length, piece());
    }
  }

  const std::vector<std::string>& corpus_;
  std::mt19937_64 random_;
  std::size_t most_;
};

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t runs = 0, most = 1 << 16;
  std::uint64_t seed = 1;
  std::vector<fs::path> paths;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const auto value = [&] { return std::strtoull(word.c_str() + word.find('=') + 1, nullptr, 10); };
    if (word.starts_with("-runs="))
      runs = value();
    else if (word.starts_with("-seed="))
      seed = value();
    else if (word.starts_with("-max_len="))
      most = value();
    else if (fs::is_directory(word))
      for (const auto& entry : fs::directory_iterator(word)) paths.push_back(entry.path());
    else
      paths.emplace_back(word);
  }
  std::sort(paths.begin(), paths.end());  // a folder lists its files in any order
  std::vector<std::string> corpus;
  for (const fs::path& path : paths) corpus.push_back(read(path));
  if (corpus.empty()) {
    std::fprintf(stderr, "fuzz: no input; give a file or a folder\n");
    return 2;
  }

  if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(keep_input);
  for (const int number : {SIGABRT, SIGSEGV, SIGFPE, SIGILL}) std::signal(number, on_signal);
  for (const std::string& input : corpus) run(input);
  Mutator mutator(corpus, seed, most);
  for (std::size_t i = 0; i < runs; ++i) run(mutator.next());
  std::printf("%zu inputs, %zu mutations\n", corpus.size(), runs);
  return 0;
}
