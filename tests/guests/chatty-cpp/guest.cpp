// A plugin that prints as C++ programs do, more than a stream takes at once.

#include "tidegate.hpp"
#include <cstdio>
#include <format>

tidegate::Answer handle(const tidegate::Event &event) {
  std::string text = "told of " + std::string(event.kind) + "\n";
  for (int line = 0; line < 100; line += 1) text += std::format("{:099}\n", line);
  std::fwrite(text.data(), text.size(), 1, stdout);
  std::fflush(stdout);
  std::fprintf(stderr, "and that is %s\n", "all");
  return {{tidegate::Note{"printed"}}};
}
