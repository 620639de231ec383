# Libraries come from the system where it has them, else from a pinned release.
include(FetchContent)
set(FETCHCONTENT_QUIET ON)
find_package(Threads REQUIRED)

# moetune_dependency(<package> <target> <repository on GitHub> <release> <its commit> [<cache settings NAME=VALUE>...])
# Pinned by commit, as tags can be moved; as an archive, which is a fraction of a clone.
macro(moetune_dependency package target repository release commit)
  find_package(${package} QUIET)
  if(NOT TARGET ${target})
    message(STATUS "${package}: not on this system, fetching release ${release}")
    foreach(setting ${ARGN})
      string(REGEX MATCH "^([^=]+)=(.*)$" _ "${setting}")
      set(${CMAKE_MATCH_1} "${CMAKE_MATCH_2}" CACHE INTERNAL "")
    endforeach()
    FetchContent_Declare(${package} URL https://github.com/${repository}/archive/${commit}.tar.gz
                         DOWNLOAD_EXTRACT_TIMESTAMP OFF)
    FetchContent_MakeAvailable(${package})
  endif()
endmacro()

moetune_dependency(fmt fmt::fmt fmtlib/fmt 10.2.1 e69e5f977d458f2650bb346dadf2ad30c5320281)
moetune_dependency(nlohmann_json nlohmann_json::nlohmann_json nlohmann/json 3.11.3 9cca280a4d0ccf0c08f47a99aa71d1b0e52f8d03
                   JSON_BuildTests=OFF)
moetune_dependency(CLI11 CLI11::CLI11 CLIUtils/CLI11 2.4.2 6c7b07a878ad834957b98d0f9ce1dbe0cb204fc9
                   CLI11_BUILD_TESTS=OFF CLI11_BUILD_EXAMPLES=OFF CLI11_INSTALL=OFF)
moetune_dependency(benchmark benchmark::benchmark google/benchmark 1.8.3 344117638c8ff7e239044fd0fa7085839fc03021
                   BENCHMARK_ENABLE_TESTING=OFF BENCHMARK_ENABLE_GTEST_TESTS=OFF BENCHMARK_ENABLE_INSTALL=OFF)
if(MOETUNE_TESTS)
  moetune_dependency(GTest GTest::gtest google/googletest 1.14.0 f8d7d77c06936315286eb55f8de22cd23c188571
                     INSTALL_GTEST=OFF)
endif()
moetune_dependency(hwy hwy::hwy google/highway 1.0.7 ba0900a4957b929390ab73827235557959234fea
                   HWY_ENABLE_CONTRIB=OFF HWY_ENABLE_EXAMPLES=OFF HWY_ENABLE_INSTALL=OFF HWY_ENABLE_TESTS=OFF)
moetune_dependency(ZLIB ZLIB::ZLIB madler/zlib 1.3.1 51b7f2abdade71cd9bb0e7a373ef2610ec6f9daf
                   ZLIB_BUILD_EXAMPLES=OFF SKIP_INSTALL_ALL=ON)
if(NOT TARGET ZLIB::ZLIB)  # built from source it has neither a namespace nor a folder of headers
  target_include_directories(zlibstatic INTERFACE "${zlib_SOURCE_DIR}" "${zlib_BINARY_DIR}")
  add_library(ZLIB::ZLIB ALIAS zlibstatic)
endif()
if(NOT TARGET hwy::hwy)  # built from source it has no namespace
  add_library(hwy::hwy ALIAS hwy)
endif()
