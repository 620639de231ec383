#include "cli/command.h"

int main(int argc, char** argv) {
  return moetune::run_command_line(argc, argv);
}
