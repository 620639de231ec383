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

# moetune_compiled(<target>): how a target is compiled, for the time that it takes. Headers of libraries are precompiled: a
# third of what a file costs. What reads and writes text is optimised a little only: a quarter less. With sanitizers the
# files of a target are joined, as they instantiate much alike, and only arithmetic is optimised, which would take minutes
# to run.
set(arithmetic moetune_cpu moetune_cpu_kernels moetune_data moetune_fake moetune_kernel moetune_measure moetune_reference
    moetune_space)
set(text moetune_chart moetune_cli moetune_export moetune_isolation moetune_jit moetune_problem moetune_report moetune_results
    moetune_shell)
set(library_headers <algorithm> <array> <chrono> <filesystem> <fstream> <functional> <map> <memory> <optional> <random> <set>
    <span> <sstream> <string> <thread> <tuple> <variant> <vector> <fmt/format.h> <nlohmann/json.hpp>)
function(moetune_compiled target)
  set(headers moetune_headers)
  if(target IN_LIST arithmetic)
    if(MOETUNE_SANITIZE)
      target_compile_options(${target} PRIVATE -O1)
    endif()
    return()
  endif()
  if(MOETUNE_SANITIZE)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 16)
    # A third of the time: results in 16 s instead of 27. What is left out finds little here: a null dereference faults
    # anyhow, object-size does nothing at -O0, nothing is cast down, and raw bytes become numbers in arithmetic alone.
    set(options -fno-sanitize=null,alignment,object-size,vptr)
  elseif(target IN_LIST text AND CMAKE_BUILD_TYPE STREQUAL "Release")
    set(options -O1)
    string(APPEND headers _text)  # precompiled headers are of one level of optimisation
  endif()
  target_compile_options(${target} PRIVATE ${options})
  if(target STREQUAL "moetune_cli")  # has more of its own
    target_precompile_headers(${target} PRIVATE ${library_headers})
    if(NOT MOETUNE_SANITIZE)  # of CLI11 each file makes much the same code again: alone they take twice as long
      set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 5)
    endif()
    return()
  endif()
  get_target_property(libraries ${target} LINK_LIBRARIES)
  if("GTest::gtest" IN_LIST libraries)
    string(APPEND headers _test)
    set(gtest GTest::gtest)
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)  # for programs CMake would say -fPIE
  endif()
  if(NOT TARGET ${headers})
    file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/empty.cpp" CONTENT "")
    add_library(${headers} OBJECT "${PROJECT_BINARY_DIR}/empty.cpp")
    target_compile_options(${headers} PRIVATE ${options})
    target_link_libraries(${headers} PRIVATE moetune_options fmt::fmt nlohmann_json::nlohmann_json ${gtest})
    target_precompile_headers(${headers} PRIVATE ${library_headers})
    if(gtest)
      set_target_properties(${headers} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
      target_precompile_headers(${headers} PRIVATE <gtest/gtest.h>)
    endif()
  endif()
  target_precompile_headers(${target} REUSE_FROM ${headers})
endfunction()

# moetune_module(<name> SOURCES <files> [ALONE <files>] [LINK <targets>])
# ALONE: more sources, which have names of their own in common with others and are not joined with them.
function(moetune_module name)
  cmake_parse_arguments(arg "" "" "SOURCES;ALONE;LINK" ${ARGN})
  add_library(moetune_${name} STATIC ${arg_SOURCES} ${arg_ALONE})
  set_source_files_properties(${arg_ALONE} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  target_link_libraries(moetune_${name} PUBLIC moetune_options ${arg_LINK})
  moetune_compiled(moetune_${name})
endfunction()
