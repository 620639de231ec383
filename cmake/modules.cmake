# One target per folder of src/: moetune_<module>.

add_library(moetune_options INTERFACE)
target_include_directories(moetune_options INTERFACE "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}")
target_compile_options(moetune_options INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wno-sign-conversion -Wno-missing-field-initializers -Wshadow
                       -Wnon-virtual-dtor -Woverloaded-virtual)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # False for temporaries made with designated initialisers, from -O2 on (GCC 12).
  target_compile_options(moetune_options INTERFACE -Wno-maybe-uninitialized)
endif()
if(MOETUNE_WERROR)
  target_compile_options(moetune_options INTERFACE -Werror)
endif()
if(MOETUNE_SANITIZE)
  target_compile_options(moetune_options INTERFACE -fsanitize=${MOETUNE_SANITIZE} -fno-sanitize-recover=all
                         -fno-omit-frame-pointer)
  target_link_options(moetune_options INTERFACE -fsanitize=${MOETUNE_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Checks as calls: slower to run, a fifth faster to compile.
    target_compile_options(moetune_options INTERFACE --param=asan-instrumentation-with-call-threshold=0)
  endif()
endif()

# moetune_instrumented(<target>): how a target is compiled with sanitizers, for the time that it takes. Files of a target
# are joined, as they instantiate much alike; headers of libraries are precompiled. The optimised build does neither, so
# that a file that lacks an include of its own does not pass unseen.
set(arithmetic moetune_cpu moetune_cpu_kernels moetune_data moetune_fake moetune_measure moetune_reference)
set(library_headers <algorithm> <array> <chrono> <filesystem> <fstream> <functional> <map> <memory> <optional> <random> <set>
    <span> <sstream> <string> <thread> <tuple> <variant> <vector> <fmt/format.h> <nlohmann/json.hpp>)
function(moetune_instrumented target)
  if(NOT MOETUNE_SANITIZE)
    return()
  endif()
  if(target IN_LIST arithmetic)
    target_compile_options(${target} PRIVATE -O1)  # would take minutes to run
    return()
  endif()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 16)
  if(NOT target STREQUAL "moetune_cli")  # which has its own precompiled headers
    set(pch moetune_library_headers)
    get_target_property(libraries ${target} LINK_LIBRARIES)
    if("GTest::gtest" IN_LIST libraries)
      set(pch moetune_test_headers)
    endif()
    if(NOT TARGET ${pch})
      file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/empty.cpp" CONTENT "")
      add_library(${pch} OBJECT "${PROJECT_BINARY_DIR}/empty.cpp")
      target_link_libraries(${pch} PRIVATE moetune_options fmt::fmt nlohmann_json::nlohmann_json)
      target_precompile_headers(${pch} PRIVATE ${library_headers})
      if(pch STREQUAL "moetune_test_headers")
        target_link_libraries(${pch} PRIVATE GTest::gtest)
        target_precompile_headers(${pch} PRIVATE <gtest/gtest.h>)
      endif()
    endif()
    target_precompile_headers(${target} REUSE_FROM ${pch})
  endif()
endfunction()

# moetune_module(<name> SOURCES <files> [ALONE <files>] [LINK <targets>])
# ALONE: more sources, which have names of their own in common with others and are not joined with them.
function(moetune_module name)
  cmake_parse_arguments(arg "" "" "SOURCES;ALONE;LINK" ${ARGN})
  add_library(moetune_${name} STATIC ${arg_SOURCES} ${arg_ALONE})
  set_source_files_properties(${arg_ALONE} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  target_link_libraries(moetune_${name} PUBLIC moetune_options ${arg_LINK})
  moetune_instrumented(moetune_${name})
endfunction()
