#pragma once

// Before a function: compile it once for each instruction set worth having and choose when the program starts. GCC can,
// on x86-64 Linux (sanitizers included); elsewhere the one version has to do.
#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define MOETUNE_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define MOETUNE_CLONES
#endif
