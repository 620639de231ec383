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
endif()

# moetune_module(<name> SOURCES <files> [LINK <targets>])
function(moetune_module name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
  add_library(moetune_${name} STATIC ${arg_SOURCES})
  target_link_libraries(moetune_${name} PUBLIC moetune_options ${arg_LINK})
endfunction()
