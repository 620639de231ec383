// NVRTC's interface without a compiler behind it: what -D says is what comes of a program.
//   CRASH, HANG   the process dies, or nothing comes back
//   REFUSE        a compile error
//   else machine code that repeats the options
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <string>

namespace {

struct Program {
  std::string log, cubin;
};

bool is_defined(int count, const char* const* options, const char* name) {
  for (int i = 0; i < count; ++i)
    if (std::string("-D") + name == options[i]) return true;
  return false;
}

}  // namespace

extern "C" {

int nvrtcVersion(int* major, int* minor) {
  *major = 12, *minor = 99;
  return 0;
}

int nvrtcCreateProgram(Program** program, const char*, const char*, int, const char* const*, const char* const*) {
  *program = new Program;
  return 0;
}

int nvrtcCompileProgram(Program* program, int count, const char* const* options) {
  if (is_defined(count, options, "CRASH")) {
    std::signal(SIGSEGV, SIG_DFL);
    std::raise(SIGSEGV);
  }
  while (is_defined(count, options, "HANG")) pause();
  if (is_defined(count, options, "REFUSE")) {
    program->log = "kernel.cu(3): error: planted\nmore";
    return 6;
  }
  program->log = "ptxas info    : Used 42 registers";
  program->cubin = "compiled by " + std::to_string(getpid()) + ":";
  for (int i = 0; i < count; ++i) program->cubin += std::string(" ") + options[i];
  return 0;
}

int nvrtcGetCUBINSize(Program* program, std::size_t* size) {
  *size = program->cubin.size();
  return 0;
}

int nvrtcGetCUBIN(Program* program, char* bytes) {
  std::memcpy(bytes, program->cubin.data(), program->cubin.size());
  return 0;
}

int nvrtcGetProgramLogSize(Program* program, std::size_t* size) {
  *size = program->log.size() + 1;
  return 0;
}

int nvrtcGetProgramLog(Program* program, char* text) {
  std::memcpy(text, program->log.c_str(), program->log.size() + 1);
  return 0;
}

int nvrtcDestroyProgram(Program** program) {
  delete *program;
  *program = nullptr;
  return 0;
}

const char* nvrtcGetErrorString(int code) {
  return code == 6 ? "NVRTC_ERROR_COMPILATION" : "NVRTC_SUCCESS";
}
}
