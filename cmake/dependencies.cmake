# Libraries come from the system where it has them, else from a pinned release.
include(FetchContent)
set(FETCHCONTENT_QUIET ON)
find_package(Threads REQUIRED)

# moetune_dependency(<package> <target> <repository> <tag> [<cache settings NAME=VALUE>...])
macro(moetune_dependency package target repository tag)
  find_package(${package} QUIET)
  if(NOT TARGET ${target})
    message(STATUS "${package}: not on this system, fetching ${tag}")
    foreach(setting ${ARGN})
      string(REGEX MATCH "^([^=]+)=(.*)$" _ "${setting}")
      set(${CMAKE_MATCH_1} "${CMAKE_MATCH_2}" CACHE INTERNAL "")
    endforeach()
    FetchContent_Declare(${package} GIT_REPOSITORY ${repository} GIT_TAG ${tag} GIT_SHALLOW TRUE)
    FetchContent_MakeAvailable(${package})
  endif()
endmacro()

moetune_dependency(fmt fmt::fmt https://github.com/fmtlib/fmt 10.2.1)
moetune_dependency(nlohmann_json nlohmann_json::nlohmann_json https://github.com/nlohmann/json v3.11.3 JSON_BuildTests=OFF)
moetune_dependency(CLI11 CLI11::CLI11 https://github.com/CLIUtils/CLI11 v2.4.2 CLI11_BUILD_TESTS=OFF CLI11_BUILD_EXAMPLES=OFF)
moetune_dependency(benchmark benchmark::benchmark https://github.com/google/benchmark v1.8.3
                   BENCHMARK_ENABLE_TESTING=OFF BENCHMARK_ENABLE_GTEST_TESTS=OFF)
if(MOETUNE_TESTS)
  moetune_dependency(GTest GTest::gtest https://github.com/google/googletest v1.14.0 INSTALL_GTEST=OFF)
endif()
moetune_dependency(hwy hwy::hwy https://github.com/google/highway 1.0.7
                   HWY_ENABLE_CONTRIB=OFF HWY_ENABLE_EXAMPLES=OFF HWY_ENABLE_INSTALL=OFF HWY_ENABLE_TESTS=OFF)
if(NOT TARGET hwy::hwy)  # built from source it has no namespace
  add_library(hwy::hwy ALIAS hwy)
endif()
